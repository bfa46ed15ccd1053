"""The lines of the checklist that are about DynamoDB."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from pg2dynamo.dynamodb.client import dynamodb_client
from pg2dynamo.dynamodb.journal import CONTROL_SHAPE
from pg2dynamo.dynamodb.tables import TableShape, describe_table, shape_differences, table_shape, unwritable
from pg2dynamo.errors import Pg2DynamoError, TargetDenied, TargetUnreachable
from pg2dynamo.mapping.table import TableMapping
from pg2dynamo.migration.target import target_settings
from pg2dynamo.plan.check import CheckLine, failed, ok, warning
from pg2dynamo.plan.model import Plan

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ATTEMPTS = 2
"""Of one call: a checklist is to say soon that nothing answers."""


def check_target(plan: Plan, environ: Mapping[str, str], mappings: Iterable[TableMapping]) -> list[CheckLine]:
    """Look at the control table and at every table that the mappings write. Creates nothing."""
    try:
        client = dynamodb_client(target_settings(plan, environ), attempts=ATTEMPTS)
        return list(_lines(client, plan, mappings))
    except Pg2DynamoError as error:
        return [failed("DynamoDB", error.message, error.remedy or "")]


def _lines(client: DynamoDBClient, plan: Plan, mappings: Iterable[TableMapping]) -> Iterator[CheckLine]:
    yield _table_line(client, plan.target.control_table, CONTROL_SHAPE, None)
    for mapping in {mapping.target: mapping for mapping in mappings}.values():
        yield _table_line(client, mapping.target, table_shape(mapping), mapping)


def _table_line(client: DynamoDBClient, name: str, wanted: TableShape, mapping: TableMapping | None) -> CheckLine:
    subject = f"DynamoDB table {name}"
    try:
        table = describe_table(client, name)
    except TargetUnreachable:
        raise
    except TargetDenied as error:
        return failed(subject, error.message, "See docs/how-to/aws.md for the policy that is needed.")
    except Pg2DynamoError as error:
        return failed(subject, error.message, error.remedy or "")
    if table is None:
        return warning(subject, "it is not there yet", "Run `pg2dynamo prepare`.")
    differences = shape_differences(wanted, table.shape)
    if mapping is not None:
        differences += unwritable(mapping, table.shape)
    if differences:
        return failed(subject, "; ".join(differences), "Name another table in the plan, or delete this one.")
    if not table.active:
        return warning(subject, f"it is {table.status}", "Wait until the table and its indexes are ACTIVE.")
    return ok(subject, "as the plan wants it")
