"""The service's definitions of its tables, against the plan that fills them."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import onboarding
from onboarding.database.dynamodb_tables import DEFINITIONS, TableNames, creation
from pg2dynamo.plan.load import load_plan

PLAN = Path(onboarding.__file__).parent / "plan.yaml"
NOT_MIGRATED = {"service_state"}


def test_the_tables_are_those_of_the_plan() -> None:
    environ = {f"DYNAMODB_{field.name.upper()}_TABLE": f"my-{field.name}" for field in fields(TableNames)}
    for given in ({}, environ):
        names = TableNames.from_environ(given)
        planned = {
            table.to: (
                (table.key.hash, table.key.range),
                {(index.name, index.hash, index.range) for index in table.indexes},
            )
            for table in load_plan(PLAN, given).tables
        }
        defined = {
            getattr(names, name): ((d.hash, d.range), {(index.name, index.hash, index.range) for index in d.indexes})
            for name, d in DEFINITIONS.items()
            if name not in NOT_MIGRATED
        }
        assert defined == planned


def test_every_table_has_a_name_and_all_its_attributes_are_keys() -> None:
    assert {field.name for field in fields(TableNames)} == DEFINITIONS.keys()
    for name, definition in DEFINITIONS.items():
        made = creation(name, definition)
        schemas = [made["KeySchema"], *(index["KeySchema"] for index in made.get("GlobalSecondaryIndexes", []))]
        used = {key["AttributeName"] for schema in schemas for key in schema}
        assert {attribute["AttributeName"] for attribute in made["AttributeDefinitions"]} == used
