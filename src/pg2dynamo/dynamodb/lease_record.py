"""The lease as the control table holds it: who works on the migration, and since when nobody else may."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pg2dynamo.dynamodb import records
from pg2dynamo.dynamodb.client import aws_errors
from pg2dynamo.dynamodb.holder import Holder

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ENTRY = "lease"
"""The name of the lease's entry, one a migration."""


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """The lease as it stands. `beat` grows with each renewal; `epoch` with each holder, for ever.

    `renewed_at` is ISO 8601 in UTC by the holder's clock, `renewed_clock` the same by `holder.clock_seconds`.
    `expiry_seconds` and `request_seconds` are the holder's own: how long its lease holds after a renewal, and
    how long a request that it sent may still land. `settle_seconds` is the latter after a release.
    """

    epoch: int
    token: str
    command: str
    held: bool
    holder: Holder
    beat: int
    renewed_at: str
    renewed_clock: float
    expiry_seconds: float
    request_seconds: float
    settle_seconds: float = 0.0


def read_lease(client: DynamoDBClient, control_table: str, migration: str) -> LeaseRecord | None:
    """Return the migration's lease as it stands, None when there never was one."""
    key: dict[str, Any] = {"migration": {"S": migration}, "entry": {"S": ENTRY}}
    with aws_errors(f"read the lease in the control table {control_table}"):
        answer = client.get_item(TableName=control_table, Key=key, ConsistentRead=True)
    return lease_from(records.from_item(answer["Item"])) if "Item" in answer else None


def lease_values(record: LeaseRecord) -> dict[str, Any]:
    """Return the attributes of the lease's entry."""
    return {
        "epoch": record.epoch,
        "token": record.token,
        "command": record.command,
        "held": record.held,
        "host": record.holder.host,
        "machine": record.holder.machine,
        "process": record.holder.process,
        "process_started": record.holder.started,
        "beat": record.beat,
        "renewed_at": record.renewed_at,
        "renewed_clock": repr(record.renewed_clock),
        "expiry_seconds": repr(record.expiry_seconds),
        "request_seconds": repr(record.request_seconds),
        "settle_seconds": repr(record.settle_seconds),
    }


def lease_from(values: dict[str, Any]) -> LeaseRecord:
    """Return the lease that an entry's attributes give."""
    return LeaseRecord(
        epoch=values["epoch"],
        token=values["token"],
        command=values["command"],
        held=values["held"],
        holder=Holder(values["host"], values["machine"], values["process"], values["process_started"]),
        beat=values["beat"],
        renewed_at=values["renewed_at"],
        renewed_clock=float(values["renewed_clock"]),
        expiry_seconds=float(values["expiry_seconds"]),
        request_seconds=float(values["request_seconds"]),
        settle_seconds=float(values["settle_seconds"]),
    )
