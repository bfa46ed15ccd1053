"""Preparing a target and reading where a migration stands, with a real source and each DynamoDB."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pg2dynamo.dynamodb.client import dynamodb_client
from pg2dynamo.dynamodb.journal import Journal, QuarantinedRow, RunRecord, SecretRefusal, SegmentRecord, TableRecord
from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.dynamodb.tables import (
    IndexShape,
    TableShape,
    create_table,
    describe_table,
    shape_differences,
    wait_until_active,
)
from pg2dynamo.errors import PlanError, SecretError, TargetShapeDiffers
from pg2dynamo.migration.prepare import Outcome, PrepareReport, prepare
from pg2dynamo.migration.status import status
from pg2dynamo.plan.load import parse_plan
from pg2dynamo.plan.model import Plan
from pg2dynamo.secrets.kms import key_state, kms_client
from tests.conftest import Database

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SCHEMA = """
CREATE TABLE people (id bigint PRIMARY KEY, name text, seen timestamptz, photo bytea, ok boolean);
CREATE TABLE visits (person bigint, place text, at timestamp, PRIMARY KEY (person, place));
CREATE TABLE credentials (id bigint PRIMARY KEY, data bytea, created_at timestamp);
"""

PLAN = """
name: {unique}
source: {{dsn: env:DATABASE_URL}}
target: {{control_table: {unique}-control}}
tables:
  - from: public.people
    to: {unique}-people
    key: {{hash: id}}
    indexes:
      - {{name: by-name, hash: name, range: seen}}
      - {{name: by-photo, hash: photo}}
  - from: public.visits
    to: {unique}-visits
    key: {{hash: person, range: place}}
secrets:
  - from: public.credentials
    name: {unique}/{{id}}
    ciphertext: data
    decrypt: {{format: plaintext}}
    newest_by: created_at
    kms_key: alias/{unique}
"""

PEOPLE = TableShape(
    "id",
    None,
    (("id", "N"), ("name", "S"), ("photo", "B"), ("seen", "S")),
    (IndexShape("by-name", "name", "seen"), IndexShape("by-photo", "photo", None)),
)


@pytest.fixture
def environ(any_database: Database, aws_environ: dict[str, str]) -> dict[str, str]:
    with any_database.connect() as connection:
        connection.execute(SCHEMA.encode())
    return aws_environ | {"DATABASE_URL": any_database.dsn}


@pytest.fixture
def client(aws_environ: dict[str, str]) -> DynamoDBClient:
    return dynamodb_client(TargetSettings())


@pytest.fixture
def plan(unique: str, environ: dict[str, str]) -> Plan:
    return parse_plan(PLAN.format(unique=unique), environ)


def outcomes(report: PrepareReport) -> dict[str, list[Outcome]]:
    found: dict[str, list[Outcome]] = {}
    for line in report.lines:
        found.setdefault(line.subject, []).append(line.outcome)
    return found


def test_preparing_creates_every_table_as_the_plan_and_the_catalog_want_it(
    plan: Plan, environ: dict[str, str], client: DynamoDBClient, unique: str
) -> None:
    report = prepare(plan, environ)
    people = describe_table(client, f"{unique}-people")
    visits = describe_table(client, f"{unique}-visits")
    assert people is not None
    assert visits is not None
    assert people.active
    assert people.protected
    assert shape_differences(PEOPLE, people.shape) == []
    assert shape_differences(TableShape("person", "place", (("person", "N"), ("place", "S"))), visits.shape) == []
    assert Journal(client, f"{unique}-control", unique).exists()
    found = outcomes(report)
    for name in ("people", "visits", "control"):
        assert found[f"table {unique}-{name}"][0] == Outcome.CREATED


def test_preparing_again_changes_nothing_and_says_so(
    plan: Plan, environ: dict[str, str], client: DynamoDBClient, unique: str
) -> None:
    assert prepare(plan, environ, create_kms_key=True).changed
    before = describe_table(client, f"{unique}-people")
    again = prepare(plan, environ, create_kms_key=True)
    assert not again.changed
    assert again.as_json()["changed"] is False
    assert describe_table(client, f"{unique}-people") == before


def test_what_a_run_that_was_cut_short_left_out_is_made_by_the_next(
    plan: Plan, environ: dict[str, str], client: DynamoDBClient, unique: str
) -> None:
    create_table(client, f"{unique}-people", PEOPLE)
    report = prepare(plan, environ)
    people = wait_until_active(client, f"{unique}-people")
    assert people.protected
    assert outcomes(report)[f"table {unique}-people"][0] == Outcome.CHANGED
    assert outcomes(report)[f"table {unique}-visits"][0] == Outcome.CREATED


def test_tables_of_another_shape_are_all_named_and_nothing_is_made(
    plan: Plan, environ: dict[str, str], client: DynamoDBClient, unique: str
) -> None:
    create_table(
        client,
        f"{unique}-people",
        replace(PEOPLE, indexes=PEOPLE.indexes[:1], types=PEOPLE.types[:2] + PEOPLE.types[3:]),
    )
    create_table(client, f"{unique}-control", TableShape("id", None, (("id", "S"),)))
    with pytest.raises(TargetShapeDiffers) as raised:
        prepare(plan, environ)
    assert f"{unique}-people: it lacks the index by-photo (photo)" in str(raised.value)
    assert f"{unique}-control: its key is id, the plan's is migration, entry" in str(raised.value)
    assert describe_table(client, f"{unique}-visits") is None


def test_an_index_that_would_refuse_the_plans_items_is_a_difference(
    plan: Plan, environ: dict[str, str], client: DynamoDBClient, unique: str
) -> None:
    more = (*PEOPLE.indexes, IndexShape("by-ok", "ok", None))
    create_table(client, f"{unique}-people", replace(PEOPLE, indexes=more, types=(*PEOPLE.types, ("ok", "S"))))
    with pytest.raises(TargetShapeDiffers, match="needs the attribute ok as S"):
        prepare(plan, environ)


def test_an_index_more_is_a_note(plan: Plan, environ: dict[str, str], client: DynamoDBClient, unique: str) -> None:
    more = (*PEOPLE.indexes, IndexShape("by-other", "other", None))
    create_table(client, f"{unique}-people", replace(PEOPLE, indexes=more, types=(*PEOPLE.types, ("other", "S"))))
    assert Outcome.NOTE in outcomes(prepare(plan, environ))[f"table {unique}-people"]


def test_a_plan_that_dynamodb_cannot_meet_is_refused_before_anything_is_made(
    environ: dict[str, str], client: DynamoDBClient, unique: str
) -> None:
    text = PLAN.format(unique=unique).replace("name: by-photo", "name: by photo")
    with pytest.raises(PlanError, match="by photo: names of tables and indexes"):
        prepare(parse_plan(text, environ), environ)
    assert describe_table(client, f"{unique}-visits") is None
    assert describe_table(client, f"{unique}-control") is None


def test_a_kms_key_that_is_not_there_is_told_and_created_only_when_asked(
    plan: Plan, environ: dict[str, str], unique: str
) -> None:
    subject = f"KMS key alias/{unique}"
    assert outcomes(prepare(plan, environ))[subject] == [Outcome.LACKING]
    assert key_state(kms_client(), f"alias/{unique}") is None
    assert outcomes(prepare(plan, environ, create_kms_key=True))[subject] == [Outcome.CREATED]
    assert outcomes(prepare(plan, environ, create_kms_key=True))[subject] == [Outcome.UNCHANGED]
    kms_client().disable_key(KeyId=str(kms_client().describe_key(KeyId=f"alias/{unique}")["KeyMetadata"]["KeyId"]))
    with pytest.raises(SecretError, match="it is Disabled"):
        prepare(plan, environ)


def test_protection_that_the_plan_does_not_want_is_not_switched_on(
    environ: dict[str, str], client: DynamoDBClient, unique: str
) -> None:
    wants_none = "target: {deletion_protection: false, point_in_time_recovery: false, "
    plan = parse_plan(PLAN.format(unique=unique).replace("target: {", wants_none), environ)
    prepare(plan, environ)
    assert not wait_until_active(client, f"{unique}-people").protected


def test_a_migration_that_is_not_prepared_has_a_status_that_says_so(plan: Plan, environ: dict[str, str]) -> None:
    report = status(plan, environ)
    assert not report.prepared
    assert report.as_json()["tables"] == {}


def test_the_status_tells_where_things_stand_without_the_source(
    plan: Plan, environ: dict[str, str], client: DynamoDBClient, unique: str
) -> None:
    prepare(plan, environ)
    journal = Journal(client, f"{unique}-control", unique)
    journal.put_table(
        TableRecord("public.people", f"{unique}-people", "id", "d", "s", 8, "complete", "1:2:", 9, 8, 1, "2024-01-02")
    )
    journal.put_segment("public.people", SegmentRecord("public.people", 0, 8, 1, 1, 9, 1))
    journal.put_quarantined([QuarantinedRow("public.people", {"id": "7"}, "name", "empty key", "1:2:")])
    journal.put_refusals([SecretRefusal("public.credentials", {"id": "3"}, f"{unique}/3", "does not decrypt")])
    run = RunRecord("a", "copy", "failed", "2024-01-01", "2024-01-01", "h", 1, None, None, {})
    journal.put_run(run)
    journal.put_run(replace(run, run_id="b", started_at="2024-01-02", state="incomplete"))
    with journal.lease("copy", request_timeout_seconds=1) as lease:
        report = status(plan, environ | {"DATABASE_URL": "postgresql://127.0.0.1:1/nothing"})
    told = report.as_json()
    people, visits = told["tables"]["public.people"], told["tables"]["public.visits"]
    assert (people["state"], people["rows"], people["items"], people["quarantined"], people["segments"]) == (
        "complete", 9, 8, 1, 1,
    )  # fmt: skip
    assert (visits["state"], visits["rows"], visits["snapshot"]) == ("not started", 0, None)
    assert told["secrets"] == {"refused": {"public.credentials": 1}}
    assert told["runs"]["copy"]["run_id"] == "b"
    assert told["active"]["command"] == "copy"
    assert told["active"]["epoch"] == lease.epoch
    assert status(plan, environ).as_json()["active"] is None
