"""The control table: what is copied, what is in quarantine, what ran, and who works on it now.

One item an entry, under the migration's name. Listings read consistently and to the end. Progress is written
here only after DynamoDB has answered for the items themselves.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from pg2dynamo.dynamodb import records
from pg2dynamo.dynamodb.client import aws_errors, dynamodb_client, error_code
from pg2dynamo.dynamodb.import_record import ImportRecord, import_entry, import_from, import_values
from pg2dynamo.dynamodb.lease import Lease
from pg2dynamo.dynamodb.lease_record import LeaseRecord, read_lease
from pg2dynamo.dynamodb.records import (
    Item,
    QuarantinedRow,
    RunRecord,
    SecretRefusal,
    SegmentRecord,
    TableRecord,
)
from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.dynamodb.tables import (
    TableShape,
    create_table,
    describe_table,
    require_shape,
    settle,
    shape_differences,
    wait_until_active,
)
from pg2dynamo.dynamodb.takeover import EXPIRY_SECONDS, HEARTBEAT_SECONDS, LeaseTimes
from pg2dynamo.errors import TargetThrottled

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = [
    "CONTROL_SHAPE",
    "ImportRecord",
    "Journal",
    "QuarantinedRow",
    "RunRecord",
    "SecretRefusal",
    "SegmentRecord",
    "TableRecord",
]

CONTROL_SHAPE = TableShape(hash="migration", range="entry", types=(("entry", "S"), ("migration", "S")))
"""The control table's shape; several migrations may share one."""

BATCH_ITEMS = 25
"""BatchWriteItem's limit. Entries are under 310 KB each, so that a batch stays under its 16 MB."""

GIVE_UP_SECONDS = 120.0
"""How long entries that DynamoDB leaves unprocessed are sent again before the run ends."""


class Journal:
    """The entries of one migration in the control table. Every write may be repeated: same entry, same value.

    Methods raise the TargetError branch (TargetMissing when the control table is not there), and StageError
    when a newer pg2dynamo wrote what they read. Threads may share one.
    """

    def __init__(self, client: DynamoDBClient, control_table: str, migration: str) -> None:
        self.client = client
        self.control_table = control_table
        self.migration = migration
        self._lease: Lease | None = None

    def ensure_table(self) -> bool:
        """Create the control table unless it is there, and wait for it; return whether it was created.

        Raises TargetShapeDiffers when a table of that name is none of ours.
        """
        table = settle(self.client, self.control_table)
        if table is None and create_table(self.client, self.control_table, CONTROL_SHAPE):
            wait_until_active(self.client, self.control_table)
            return True
        table = table or wait_until_active(self.client, self.control_table)
        require_shape(self.control_table, shape_differences(CONTROL_SHAPE, table.shape))
        return False

    def exists(self) -> bool:
        """Return whether the control table is there."""
        return describe_table(self.client, self.control_table) is not None

    def tables(self) -> dict[str, TableRecord]:
        """Return the record of each table that was begun, by the plan's name for it."""
        found = [records.table_from(values) for values in self._entries("table#")]
        return {record.source: record for record in found}

    def put_table(self, record: TableRecord) -> None:
        """Store a table's record durably."""
        self._put(records.table_entry(record.source), records.table_values(record))

    def segments(self, source: str) -> list[SegmentRecord]:
        """Return the copied segments of a table, by leaf and number."""
        return [records.segment_from(values) for values in self._entries(records.segments_prefix(source))]

    def segment_count(self, source: str) -> int:
        """Return how many segments of a table are copied."""
        return sum(1 for _ in self._names(records.segments_prefix(source)))

    def put_segment(self, source: str, record: SegmentRecord) -> None:
        """Store durably that a segment is copied."""
        self._put(records.segment_entry(source, record), records.segment_values(source, record))

    def clear_segments(self, source: str) -> None:
        """Forget the copied segments of a table, so that it is copied anew."""
        self._delete(list(self._names(records.segments_prefix(source))))

    def put_quarantined(self, rows: Sequence[QuarantinedRow]) -> None:
        """Store rows that could not be copied; a row already there gets the newer reason."""
        self._put_all({records.quarantine_entry(row): records.quarantined_values(row) for row in rows})

    def quarantined(self, source: str | None = None) -> Iterator[QuarantinedRow]:
        """Yield the rows in quarantine, of one table or of all, a page at a time."""
        for values in self._entries(records.quarantine_prefix(source)):
            yield records.quarantined_from(values)

    def quarantined_count(self, source: str) -> int:
        """Return how many rows of a table are in quarantine."""
        return sum(1 for _ in self._names(records.quarantine_prefix(source)))

    def accepted_count(self, source: str) -> int:
        """Return how many of a table's rows in quarantine the plan accepts there."""
        names = {"#accepted": records.ACCEPTED}
        found = self._query(
            records.quarantine_prefix(source),
            lambda item: item.get(records.ACCEPTED, {}).get("BOOL", False),
            ProjectionExpression="#accepted",
            ExpressionAttributeNames=names,
        )
        return sum(found)

    def remove_quarantined(self, rows: Sequence[QuarantinedRow]) -> None:
        """Take rows out of quarantine; those that are not in it are ignored."""
        self._delete([records.quarantine_entry(row) for row in rows])

    def put_refusals(self, refusals: Sequence[SecretRefusal]) -> None:
        """Store credentials that did not become secrets; one already there gets the newer reason."""
        self._put_all({records.refusal_entry(r): records.refusal_values(r) for r in refusals})

    def refusals(self, source: str | None = None) -> Iterator[SecretRefusal]:
        """Yield the refused credentials, of one table or of all, a page at a time."""
        for values in self._entries(records.refusals_prefix(source)):
            yield records.refusal_from(values)

    def replace_refusals(self, source: str, refusals: Sequence[SecretRefusal]) -> None:
        """Store the refused credentials of a table's last run in place of the earlier ones.

        The new ones are stored before the others go, so that a run that dies between tells too much, not too
        little.
        """
        self.put_refusals(refusals)
        kept = {records.refusal_entry(refusal) for refusal in refusals}
        self._delete([name for name in self._names(records.refusals_prefix(source)) if name not in kept])

    def imports(self) -> dict[str, ImportRecord]:
        """Return the imports from S3 that were begun and are not done, by the plan's name for the table."""
        found = [import_from(values) for values in self._entries("import#")]
        return {record.source: record for record in found}

    def put_import(self, record: ImportRecord) -> None:
        """Store durably how far an import is."""
        self._put(import_entry(record.source), import_values(record))

    def remove_import(self, source: str) -> None:
        """Forget an import that is done, or that was given up."""
        self._delete([import_entry(source)])

    def runs(self) -> list[RunRecord]:
        """Return all runs, the newest last."""
        return [records.run_from(values) for values in self._entries("run#")]

    def put_run(self, record: RunRecord) -> None:
        """Store a run; its entry is its start and id, so that its end replaces its beginning."""
        self._put(records.run_entry(record), records.run_values(record))

    def lease(
        self,
        command: str = "pg2dynamo",
        *,
        request_timeout_seconds: float,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        expiry_seconds: float = EXPIRY_SECONDS,
        say: Callable[[str], None] = lambda _: None,
        on_lost: Callable[[], None] = lambda: None,
    ) -> Lease:
        """Return the lease of this migration, to be entered by the one process that may work on it.

        From then on this journal writes tables, segments and runs only while the lease is ours, checked by
        DynamoDB in the same transaction; StageError else. `request_timeout_seconds` is how long a request that
        was sent may still land. See `Lease`.
        """
        renewing = TargetSettings(
            region=self.client.meta.region_name,
            request_timeout_seconds=min(heartbeat_seconds, request_timeout_seconds),
        )
        self._lease = Lease(
            self.client,
            dynamodb_client(renewing, attempts=1),
            self.control_table,
            self.migration,
            command,
            LeaseTimes(request_timeout_seconds, heartbeat_seconds, expiry_seconds),
            say=say,
            on_lost=on_lost,
        )
        return self._lease

    def holder(self) -> LeaseRecord | None:
        """Return the lease as it stands, held or given back; None when there never was one."""
        return read_lease(self.client, self.control_table, self.migration)

    def _put(self, entry: str, values: Item) -> None:
        item = records.to_item(self.migration, entry, values)
        with aws_errors(f"write to the control table {self.control_table}"):
            if self._lease is not None and self._lease.entered:
                self._put_fenced(item, self._lease)
            else:
                self.client.put_item(TableName=self.control_table, Item=item)

    def _put_fenced(self, item: Item, lease: Lease) -> None:
        """Write only while the lease is ours; a renewal at the same moment conflicts, and is waited out."""
        deadline = time.monotonic() + GIVE_UP_SECONDS
        actions: Any = [lease.fence(), {"Put": {"TableName": self.control_table, "Item": item}}]
        while True:
            try:
                self.client.transact_write_items(TransactItems=actions)
                return
            except ClientError as error:
                if _is_fenced_off(error):
                    lease.lose()
                    raise lease.error() from None
                if not _is_conflict(error) or time.monotonic() > deadline:
                    raise
            time.sleep(random.uniform(0.01, 0.1))  # noqa: S311

    def _put_all(self, entries: dict[str, Item]) -> None:
        self._write([{"PutRequest": {"Item": records.to_item(self.migration, name, v)}} for name, v in entries.items()])

    def _delete(self, names: list[str]) -> None:
        keys = [{"migration": {"S": self.migration}, "entry": {"S": name}} for name in dict.fromkeys(names)]
        self._write([{"DeleteRequest": {"Key": key}} for key in keys])

    def _write(self, requests: list[dict[str, Any]]) -> None:
        for start in range(0, len(requests), BATCH_ITEMS):
            self._write_batch(requests[start : start + BATCH_ITEMS])

    def _write_batch(self, requests: list[Any]) -> None:
        deadline = time.monotonic() + GIVE_UP_SECONDS
        pause = 0.05
        while requests:
            with aws_errors(f"write to the control table {self.control_table}"):
                answer = self.client.batch_write_item(RequestItems={self.control_table: requests})
            left = answer.get("UnprocessedItems", {}).get(self.control_table, [])
            if len(left) == len(requests) and time.monotonic() > deadline:
                raise TargetThrottled(
                    f"The control table {self.control_table} took no entry for {GIVE_UP_SECONDS:g} seconds.",
                    remedy="Raise its limits, or wait, and run the command again.",
                )
            if left:
                time.sleep(random.uniform(0, pause))  # noqa: S311
                pause = min(pause * 2, 5.0)
            requests = left

    def _entries(self, prefix: str) -> Iterator[Item]:
        yield from self._query(prefix, records.from_item)

    def _names(self, prefix: str) -> Iterator[str]:
        yield from self._query(prefix, lambda item: str(item["entry"]["S"]), ProjectionExpression="entry")

    def _query(self, prefix: str, read: Callable[[Item], Any], **options: Any) -> Iterator[Any]:
        request: dict[str, Any] = {
            "TableName": self.control_table,
            "ConsistentRead": True,
            "KeyConditionExpression": "migration = :migration AND begins_with(entry, :prefix)",
            "ExpressionAttributeValues": {":migration": {"S": self.migration}, ":prefix": {"S": prefix}},
            **options,
        }
        while True:
            with aws_errors(f"read the control table {self.control_table}"):
                answer = self.client.query(**request)
            for item in answer["Items"]:
                yield read(item)
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def _is_fenced_off(error: ClientError) -> bool:
    return _cancellations(error)[:1] == ["ConditionalCheckFailed"]


def _is_conflict(error: ClientError) -> bool:
    return "TransactionConflict" in _cancellations(error)


def _cancellations(error: ClientError) -> list[str]:
    """Return why DynamoDB cancelled a transaction, a code for each of its actions; empty for other errors."""
    if error_code(error) != "TransactionCanceledException":
        return []
    response: Any = error.response
    return [str(reason.get("Code")) for reason in response.get("CancellationReasons", ())]
