"""Tables as each DynamoDB of this machine creates, describes and protects them."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pg2dynamo.dynamodb.client import dynamodb_client
from pg2dynamo.dynamodb.protection import PROTECTION, RECOVERY, protect
from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.dynamodb.tables import (
    IndexShape,
    TableShape,
    create_request,
    create_table,
    describe_table,
    is_empty,
    settle,
    shape_differences,
    wait_until_active,
)
from pg2dynamo.errors import TargetDenied, TargetMissing, TargetRejected, TargetUnreachable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SHAPE = TableShape(
    "id",
    "part",
    (("at", "S"), ("data", "B"), ("id", "S"), ("part", "N")),
    (IndexShape("by-time", "at", None), IndexShape("by-data", "data", "id")),
)


@pytest.fixture
def client(aws_environ: dict[str, str]) -> DynamoDBClient:
    return dynamodb_client(TargetSettings())


def test_a_created_table_has_the_shape_that_was_wanted(client: DynamoDBClient, unique: str) -> None:
    assert create_table(client, unique, SHAPE)
    table = wait_until_active(client, unique)
    assert shape_differences(SHAPE, table.shape) == []
    assert table.shape.type_of("part") == "N"
    assert table.shape.billing == "PAY_PER_REQUEST"
    assert table.active


def test_creating_a_table_that_is_there_says_so_and_changes_nothing(client: DynamoDBClient, unique: str) -> None:
    create_table(client, unique, SHAPE)
    before = wait_until_active(client, unique)
    assert not create_table(client, unique, replace(SHAPE, indexes=(), types=(("id", "S"), ("part", "N"))))
    assert describe_table(client, unique) == before


def test_tables_created_by_two_at_once_exist_once(client: DynamoDBClient, unique: str) -> None:
    results: list[bool] = []
    threads = [threading.Thread(target=lambda: results.append(create_table(client, unique, SHAPE))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert shape_differences(SHAPE, wait_until_active(client, unique).shape) == []


def test_a_table_that_is_not_there_is_none_and_waiting_for_it_says_to_prepare(
    client: DynamoDBClient, unique: str
) -> None:
    assert describe_table(client, unique) is None
    assert settle(client, unique) is None
    with pytest.raises(TargetMissing, match="pg2dynamo prepare"):
        wait_until_active(client, unique)


def test_a_table_deleted_and_created_anew_is_another_table(client: DynamoDBClient, unique: str) -> None:
    create_table(client, unique, SHAPE)
    first = wait_until_active(client, unique)
    assert wait_until_active(client, unique).table_id == first.table_id
    client.delete_table(TableName=unique)
    assert settle(client, unique) is None
    create_table(client, unique, SHAPE)
    assert wait_until_active(client, unique).table_id != first.table_id


def test_a_table_is_empty_until_an_item_is_in_it(client: DynamoDBClient, unique: str) -> None:
    create_table(client, unique, TableShape("id", None, (("id", "S"),)))
    wait_until_active(client, unique)
    assert is_empty(client, unique)
    for n in range(3):
        client.put_item(TableName=unique, Item={"id": {"S": str(n)}})
    assert not is_empty(client, unique)


def test_protection_is_switched_on_once_where_the_endpoint_has_it(client: DynamoDBClient, unique: str) -> None:
    create_table(client, unique, SHAPE)
    done = protect(client, wait_until_active(client, unique), recovery=True, protection=True)
    assert sorted([*done.changed, *done.lacking]) == sorted([RECOVERY, PROTECTION])
    again = protect(client, wait_until_active(client, unique), recovery=True, protection=True)
    assert again == replace(done, changed=())
    with pytest.raises(client.exceptions.ClientError):
        client.delete_table(TableName=unique)
    client.update_table(TableName=unique, DeletionProtectionEnabled=False)
    client.delete_table(TableName=unique)


def test_protection_that_the_plan_does_not_want_is_left_as_it_is(client: DynamoDBClient, unique: str) -> None:
    create_table(client, unique, SHAPE)
    done = protect(client, wait_until_active(client, unique), recovery=False, protection=False)
    assert (done.changed, done.lacking) == ((), ())
    assert not wait_until_active(client, unique).protected


def test_a_table_that_the_service_refuses_is_an_error_in_the_services_words(
    client: DynamoDBClient, unique: str
) -> None:
    with pytest.raises(TargetRejected, match="ValidationException"):
        create_table(client, unique, TableShape("id", None, (("other", "S"),)))


def test_an_endpoint_that_does_not_answer_is_unreachable(
    aws_environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, unused_port: int
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"http://127.0.0.1:{unused_port}")
    client = dynamodb_client(TargetSettings(), attempts=1)
    with pytest.raises(TargetUnreachable, match="Check the endpoint"):
        describe_table(client, "any-table")


def test_without_credentials_access_is_denied_with_what_to_do(
    aws_environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(TargetDenied, match="Give AWS credentials"):
        describe_table(dynamodb_client(TargetSettings()), "any-table")


def test_without_a_region_the_error_says_to_set_one(
    aws_environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(TargetUnreachable, match="Set AWS_REGION"):
        dynamodb_client(TargetSettings())


def test_the_region_is_the_plans_else_the_environments(
    aws_environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert dynamodb_client(TargetSettings(region="eu-west-1")).meta.region_name == "eu-west-1"
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    assert dynamodb_client(TargetSettings()).meta.region_name == "eu-north-1"


@pytest.fixture
def unused_port() -> int:
    from pg2dynamo.local.process import free_port

    return free_port()


def test_warm_throughput_is_asked_for_of_the_table_and_each_global_index_and_never_less_than_a_new_one_has(
    client: DynamoDBClient, unique: str
) -> None:
    shape = TableShape(
        "id",
        "at",
        (("at", "S"), ("id", "S"), ("town", "S")),
        (IndexShape("towns", "town", None), IndexShape("local", "id", "town", local=True)),
    )
    request = create_request(unique, shape, warm_write_units=40_000)
    warm = {"ReadUnitsPerSecond": 12_000, "WriteUnitsPerSecond": 40_000}
    assert request["WarmThroughput"] == warm
    assert [index["WarmThroughput"] for index in request["GlobalSecondaryIndexes"]] == [warm]
    assert "WarmThroughput" not in request["LocalSecondaryIndexes"][0]
    assert create_request(unique, shape, warm_write_units=10)["WarmThroughput"]["WriteUnitsPerSecond"] == 4_000
    assert "WarmThroughput" not in create_request(unique, shape)

    assert create_table(client, unique, shape, warm_write_units=40_000)
    assert shape_differences(shape, wait_until_active(client, unique).shape) == []
