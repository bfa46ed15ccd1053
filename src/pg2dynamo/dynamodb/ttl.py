"""Time to live: by which attribute DynamoDB deletes items whose time has passed, and switching it on.

An endpoint without it is no failure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from pg2dynamo.dynamodb.client import aws_errors, error_code
from pg2dynamo.dynamodb.protection import UNKNOWN_OPERATIONS

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True, slots=True)
class TimeToLive:
    """A table's time to live: `attribute` is the one it goes by when it is on (or being switched), else None."""

    attribute: str | None
    known: bool = True
    """False where the endpoint has no time to live."""


def time_to_live(client: DynamoDBClient, name: str) -> TimeToLive:
    """Return the time to live of a table that is there."""
    with aws_errors(f"read the time to live of the table {name}", tell=True):
        try:
            description = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
        except ClientError as error:
            if error_code(error) in UNKNOWN_OPERATIONS:
                return TimeToLive(None, known=False)
            raise
    on = description.get("TimeToLiveStatus") in ("ENABLED", "ENABLING")
    return TimeToLive(description.get("AttributeName") if on else None)


def enable_time_to_live(client: DynamoDBClient, name: str, attribute: str) -> bool:
    """Switch it on by this attribute; return False when it was on already. Idempotent; never switches anything off.

    From then on DynamoDB deletes items whose time has passed, within days. Raises the TargetError branch:
    DynamoDB refuses a second change within an hour, and a table whose time to live goes by another attribute.
    """
    if time_to_live(client, name).attribute == attribute:
        return False
    with aws_errors(f"switch on the time to live of the table {name}", tell=True):
        try:
            client.update_time_to_live(
                TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": attribute}
            )
        except ClientError:
            # Another may have switched it on at the same moment.
            if time_to_live(client, name).attribute != attribute:
                raise
            return False
    return True
