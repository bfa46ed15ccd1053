"""Protect a table that is there: point-in-time recovery and deletion protection.

An endpoint that lacks one (DynamoDB Local has no backups) is no failure: what it lacks is returned.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from pg2dynamo.dynamodb.client import aws_errors, error_code
from pg2dynamo.dynamodb.tables import DescribedTable, wait_until_active

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

RECOVERY = "point-in-time recovery"
PROTECTION = "deletion protection"

BACKUPS_WAIT_SECONDS = 120.0
"""How long a new table may refuse backups: DynamoDB answers ContinuousBackupsUnavailable until it has set them up."""

UNKNOWN_OPERATIONS = frozenset({"UnknownOperationException", "InvalidAction", "NotImplemented", "UnsupportedOperation"})
"""The errors of an endpoint that lacks an operation."""


@dataclass(frozen=True, slots=True)
class Protected:
    """What `protect` has switched on, and what the endpoint lacks."""

    changed: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()


def protect(client: DynamoDBClient, table: DescribedTable, *, recovery: bool, protection: bool) -> Protected:
    """Switch on what is wanted and not on yet; nothing is ever switched off. Idempotent.

    Raises the TargetError branch; TargetDenied when the permission is lacking.
    """
    changed: list[str] = []
    lacking: list[str] = []
    if protection and not table.protected:
        (changed if _protect_from_deletion(client, table.name) else lacking).append(PROTECTION)
    if recovery:
        enabled = _recovery_enabled(client, table.name)
        if enabled is False:
            _enable_recovery(client, table.name)
            changed.append(RECOVERY)
        if enabled is None:
            lacking.append(RECOVERY)
    return Protected(tuple(changed), tuple(lacking))


def _protect_from_deletion(client: DynamoDBClient, name: str) -> bool:
    with aws_errors(f"protect the table {name} from deletion", tell=True):
        client.update_table(TableName=name, DeletionProtectionEnabled=True)
    return wait_until_active(client, name).protected


def _recovery_enabled(client: DynamoDBClient, name: str) -> bool | None:
    """Return whether point-in-time recovery is on; None where the endpoint has none."""
    with aws_errors(f"read the backups of the table {name}", tell=True):
        try:
            answer = client.describe_continuous_backups(TableName=name)
        except ClientError as error:
            if error_code(error) in UNKNOWN_OPERATIONS:
                return None
            raise
    recovery = answer["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
    return recovery.get("PointInTimeRecoveryStatus") == "ENABLED"


def _enable_recovery(client: DynamoDBClient, name: str) -> None:
    deadline = time.monotonic() + BACKUPS_WAIT_SECONDS
    pause = 0.2
    with aws_errors(f"enable point-in-time recovery of the table {name}", tell=True):
        while True:
            try:
                client.update_continuous_backups(
                    TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
                )
                return
            except ClientError as error:
                if error_code(error) != "ContinuousBackupsUnavailableException" or time.monotonic() > deadline:
                    raise
            time.sleep(pause)
            pause = min(pause * 2, 5.0)
