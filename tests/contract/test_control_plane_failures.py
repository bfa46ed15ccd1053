"""Tables in passing states, refusals, and a control table under pressure: by an endpoint that plays them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from pg2dynamo.dynamodb import journal as journal_module
from pg2dynamo.dynamodb.client import dynamodb_client
from pg2dynamo.dynamodb.journal import Journal, QuarantinedRow, SegmentRecord
from pg2dynamo.dynamodb.protection import RECOVERY, protect
from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.dynamodb.tables import describe_table, settle, wait_until_active
from pg2dynamo.errors import StageError, TargetDenied, TargetError, TargetRejected, TargetThrottled, TargetUnreachable
from tests.scripted_endpoint import Exchange, ScriptedEndpoint, Step, answer, drop, error, succeed, unprocessed

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MISSING = error(400, "ResourceNotFoundException", "Requested resource not found")


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedEndpoint]:
    with ScriptedEndpoint("migration", "entry") as endpoint:
        for name, value in endpoint.environ.items():
            monkeypatch.setenv(name, value)
        yield endpoint


@pytest.fixture
def client(endpoint: ScriptedEndpoint) -> DynamoDBClient:
    return dynamodb_client(TargetSettings(request_timeout_seconds=5.0))


def table(status: str, index: str = "ACTIVE", **more: Any) -> Step:
    """The answer to DescribeTable for a table in this state, with one index in that."""
    key = [{"AttributeName": "id", "KeyType": "HASH"}]
    described = {
        "TableName": "any-table",
        "TableArn": "arn:aws:dynamodb:us-east-1:1:table/any-table",
        "TableStatus": status,
        "KeySchema": key,
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "GlobalSecondaryIndexes": [
            {"IndexName": "by-id", "IndexStatus": index, "KeySchema": key, "Projection": {"ProjectionType": "ALL"}}
        ],
        **more,
    }
    return answer(json.dumps({"Table": described}).encode())


def test_a_table_that_is_created_or_changed_is_waited_for(endpoint: ScriptedEndpoint, client: DynamoDBClient) -> None:
    endpoint.script(table("CREATING", "CREATING"), table("UPDATING"), table("ACTIVE"))
    assert wait_until_active(client, "any-table").active
    assert len(endpoint.requests) == 3


def test_an_index_that_is_still_being_filled_is_waited_for(endpoint: ScriptedEndpoint, client: DynamoDBClient) -> None:
    endpoint.script(table("ACTIVE", "CREATING"), table("ACTIVE", "UPDATING"), table("ACTIVE"))
    assert wait_until_active(client, "any-table").active
    assert len(endpoint.requests) == 3


def test_a_table_that_is_being_deleted_is_waited_for_until_it_is_gone(
    endpoint: ScriptedEndpoint, client: DynamoDBClient
) -> None:
    endpoint.script(table("DELETING"), table("DELETING"), MISSING)
    assert settle(client, "any-table") is None


def test_waiting_ends_with_the_states_when_it_takes_too_long(
    endpoint: ScriptedEndpoint, client: DynamoDBClient
) -> None:
    endpoint.always(lambda _: table("UPDATING", "CREATING"))
    with pytest.raises(TargetError, match=r"in 0\.3 seconds: table UPDATING, index by-id CREATING"):
        wait_until_active(client, "any-table", wait_seconds=0.3)


@pytest.mark.parametrize("state", ["INACCESSIBLE_ENCRYPTION_CREDENTIALS", "ARCHIVED"])
def test_a_state_that_does_not_end_by_itself_is_not_waited_for(
    endpoint: ScriptedEndpoint, client: DynamoDBClient, state: str
) -> None:
    endpoint.script(table(state))
    with pytest.raises(TargetError, match=f"it is {state}"):
        wait_until_active(client, "any-table")


def test_a_table_without_an_id_is_known_by_its_address_and_creation(
    endpoint: ScriptedEndpoint, client: DynamoDBClient
) -> None:
    endpoint.script(
        table("ACTIVE", CreationDateTime=1.5),
        table("ACTIVE", CreationDateTime=1.5),
        table("ACTIVE", CreationDateTime=2),
    )
    first, same, other = (wait_until_active(client, "any-table").table_id for _ in range(3))
    assert first == same != other


def test_access_denied_is_told_in_the_services_words(endpoint: ScriptedEndpoint, client: DynamoDBClient) -> None:
    endpoint.script(error(400, "AccessDeniedException", "not authorized to perform: dynamodb:DescribeTable"))
    with pytest.raises(TargetDenied, match="dynamodb:DescribeTable"):
        describe_table(client, "any-table")


def test_an_endpoint_that_fails_or_hangs_up_for_long_is_unreachable(
    endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = dynamodb_client(TargetSettings(), attempts=2)
    endpoint.always(lambda _: error(500, "InternalServerError"))
    with pytest.raises(TargetUnreachable, match="InternalServerError"):
        describe_table(client, "any-table")
    endpoint.script(drop, times=2)
    with pytest.raises(TargetUnreachable, match="Check the endpoint"):
        describe_table(client, "any-table")


def test_what_a_validation_message_quotes_of_a_row_is_never_told(
    endpoint: ScriptedEndpoint, client: DynamoDBClient
) -> None:
    endpoint.always(lambda _: error(400, "ValidationException", "cannot be converted to a number: s3cret"))
    with pytest.raises(TargetRejected, match="ValidationException") as raised:
        Journal(client, "control", "m").put_quarantined([row(1)])
    assert "s3cret" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


def backups(status: str) -> Step:
    description = {
        "ContinuousBackupsStatus": "ENABLED",
        "PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": status},
    }
    return answer(json.dumps({"ContinuousBackupsDescription": description}).encode())


def test_a_new_table_whose_backups_are_not_ready_is_tried_again(
    endpoint: ScriptedEndpoint, client: DynamoDBClient
) -> None:
    unavailable = error(400, "ContinuousBackupsUnavailableException", "Backups are being enabled")
    endpoint.script(table("ACTIVE"), backups("DISABLED"), unavailable, unavailable, backups("ENABLED"))
    done = protect(client, wait_until_active(client, "any-table"), recovery=True, protection=False)
    assert done.changed == (RECOVERY,)


def test_an_endpoint_without_backups_lacks_them(endpoint: ScriptedEndpoint, client: DynamoDBClient) -> None:
    endpoint.script(table("ACTIVE"), error(400, "UnknownOperationException"))
    done = protect(client, wait_until_active(client, "any-table"), recovery=True, protection=False)
    assert (done.changed, done.lacking) == ((), (RECOVERY,))


@pytest.mark.parametrize("steps", [[], [backups("DISABLED")]])
def test_backups_that_are_not_allowed_are_an_error(
    endpoint: ScriptedEndpoint, client: DynamoDBClient, steps: list[Step]
) -> None:
    endpoint.script(table("ACTIVE"), *steps, error(400, "AccessDeniedException", "no"))
    with pytest.raises(TargetDenied):
        protect(client, wait_until_active(client, "any-table"), recovery=True, protection=False)


def row(number: int) -> QuarantinedRow:
    return QuarantinedRow("public.a", {"id": str(number)}, "", "too large", "1:2:")


def test_entries_that_are_left_unprocessed_are_sent_again(endpoint: ScriptedEndpoint, client: DynamoDBClient) -> None:
    endpoint.script(unprocessed(25), unprocessed(7), unprocessed(1), succeed, unprocessed(5))
    Journal(client, "control", "m").put_quarantined([row(n) for n in range(60)])
    assert len(endpoint.stored("control")) == 60
    assert len(endpoint.requests) == 4 + 2 + 1


def test_a_control_table_that_takes_nothing_ends_the_run(
    endpoint: ScriptedEndpoint, client: DynamoDBClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "GIVE_UP_SECONDS", 0.3)
    endpoint.always(lambda exchange: unprocessed(len(exchange.request["RequestItems"]["control"])))
    with pytest.raises(TargetThrottled, match="The control table control took no entry"):
        Journal(client, "control", "m").put_quarantined([row(1)])


def cancelled(*codes: str) -> Step:
    """The answer to a transaction that DynamoDB has cancelled for these reasons."""
    body = {
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "message": "Transaction cancelled",
        "CancellationReasons": [{"Code": code} for code in codes],
    }
    return answer(json.dumps(body).encode(), 400)


def segment_under_lease(endpoint: ScriptedEndpoint, client: DynamoDBClient, transactions: list[Step]) -> None:
    """Journal a segment under a lease, the transaction being answered like this, and else with success."""

    def rule(exchange: Exchange) -> Step:
        ours = exchange.operation == "TransactWriteItems" and transactions
        return transactions.pop(0) if ours else answer(b"{}")

    endpoint.always(rule)
    journal = Journal(client, "control", "m")
    with journal.lease(request_timeout_seconds=5.0, heartbeat_seconds=60.0, expiry_seconds=600.0):
        journal.put_segment("public.a", SegmentRecord("public.a", 0, 8, 1, 1, 1, 0))


def test_a_renewal_at_the_moment_of_a_journal_write_does_not_fail_it(
    endpoint: ScriptedEndpoint, client: DynamoDBClient
) -> None:
    conflict = cancelled("TransactionConflict", "None")
    segment_under_lease(endpoint, client, [conflict, conflict])
    assert [e.operation for e in endpoint.requests].count("TransactWriteItems") == 3


def test_a_journal_write_that_another_holders_lease_fences_off_is_not_tried_again(
    endpoint: ScriptedEndpoint, client: DynamoDBClient
) -> None:
    with pytest.raises(StageError, match="lost its lease"):
        segment_under_lease(endpoint, client, [cancelled("ConditionalCheckFailed", "None")])
    assert [e.operation for e in endpoint.requests].count("TransactWriteItems") == 1
