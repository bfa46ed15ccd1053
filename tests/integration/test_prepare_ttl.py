"""Time to live: written by the copy, and switched on in DynamoDB only when that is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pg2dynamo.dynamodb.client import dynamodb_client
from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.dynamodb.tables import describe_table
from pg2dynamo.dynamodb.ttl import TimeToLive, enable_time_to_live, time_to_live
from pg2dynamo.errors import TargetShapeDiffers
from pg2dynamo.migration.prepare import Outcome, PrepareLine, prepare
from pg2dynamo.plan.load import parse_plan
from pg2dynamo.plan.model import Plan
from tests.conftest import Database

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SCHEMA = """
CREATE TABLE sessions (id int PRIMARY KEY, ends timestamptz);
CREATE TABLE others (LIKE sessions INCLUDING ALL);
"""

PLAN = """
name: {unique}
target: {{control_table: {unique}-control}}
tables:
  - {{from: sessions, to: "{unique}", key: {{hash: id}}, ttl: {{attribute: goes, from: ends}}}}
  - {{from: others, to: "{unique}-others", key: {{hash: id}}}}
"""


@pytest.fixture
def environ(any_database: Database, aws_environ: dict[str, str]) -> dict[str, str]:
    with any_database.connect() as connection:
        connection.execute(SCHEMA.encode())
    return aws_environ | {"DATABASE_URL": any_database.dsn}


@pytest.fixture
def client(aws_environ: dict[str, str]) -> DynamoDBClient:
    return dynamodb_client(TargetSettings())


@pytest.fixture
def plan(unique: str) -> Plan:
    return parse_plan(PLAN.format(unique=unique), {})


def line(plan: Plan, environ: dict[str, str], *, enable_ttl: bool) -> PrepareLine:
    [found] = [e for e in prepare(plan, environ, enable_ttl=enable_ttl).lines if e.subject.startswith("time to live")]
    return found


def test_it_is_switched_on_only_when_that_is_asked_for_and_again_changes_nothing(
    plan: Plan, environ: dict[str, str], client: DynamoDBClient, unique: str
) -> None:
    noted = line(plan, environ, enable_ttl=False)
    assert (noted.subject, noted.outcome) == (f"time to live of {unique}", Outcome.NOTE)
    assert noted.detail.startswith("not on, so that nothing written with goes goes while it is still compared")
    assert time_to_live(client, unique) == TimeToLive(None)
    assert line(plan, environ, enable_ttl=True).outcome == Outcome.CHANGED
    assert time_to_live(client, unique) == TimeToLive("goes")
    assert line(plan, environ, enable_ttl=True).outcome == Outcome.UNCHANGED
    assert not enable_time_to_live(client, unique, "goes")
    noted = line(plan, environ, enable_ttl=False)
    assert (noted.outcome, noted.detail[:11]) == (Outcome.NOTE, "on, by goes")
    assert time_to_live(client, f"{unique}-others") == TimeToLive(None)


def test_a_table_whose_items_go_by_another_attribute_is_refused_before_anything_is_made(
    plan: Plan, environ: dict[str, str], client: DynamoDBClient, unique: str
) -> None:
    prepare(plan, environ)
    client.update_table(TableName=f"{unique}-others", DeletionProtectionEnabled=False)
    client.delete_table(TableName=f"{unique}-others")
    enable_time_to_live(client, unique, "otherwise")
    with pytest.raises(TargetShapeDiffers, match=f"{unique} by otherwise, the plan's `ttl` is goes"):
        prepare(plan, environ, enable_ttl=True)
    assert describe_table(client, f"{unique}-others") is None
