"""Finish an import that DynamoDB was asked for: wait, check item for item, protect the table, journal, clean up.

Each step may be done twice, so that a run that was cut short is gone on with from the start of this.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pg2dynamo import faults
from pg2dynamo.dynamodb.bucket import list_objects, remove_objects, s3_client
from pg2dynamo.dynamodb.import_record import ImportRecord
from pg2dynamo.dynamodb.journal import Journal, SegmentRecord, TableRecord
from pg2dynamo.dynamodb.lease import Lease
from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.dynamodb.table_import import ImportSource, ImportState, await_import, request_import
from pg2dynamo.dynamodb.tables import table_shape, wait_until_active
from pg2dynamo.errors import ImportFailed, TargetRejected
from pg2dynamo.mapping.digest import Buckets
from pg2dynamo.mapping.table import TableMapping
from pg2dynamo.migration import bulk_check
from pg2dynamo.migration.bulk_check import sum_table
from pg2dynamo.migration.bulk_manifest import BulkManifest
from pg2dynamo.migration.bulk_segment import SegmentCounts
from pg2dynamo.migration.copy_report import TableCounts
from pg2dynamo.migration.prepare import prepare_tables
from pg2dynamo.migration.progress import Progress
from pg2dynamo.migration.target import require_empty
from pg2dynamo.migration.workers import Workers
from pg2dynamo.plan.model import Plan

PHASE = "import"


@dataclass(slots=True)
class BegunImport:
    """An entry whose items are in S3, and what was sent."""

    mapping: TableMapping
    record: ImportRecord
    manifest: BulkManifest


@dataclass(frozen=True, slots=True)
class Bulk:
    """What all imports of one run work with."""

    plan: Plan
    environ: Mapping[str, str]
    settings: TargetSettings
    journal: Journal
    lease: Lease
    progress: Progress
    processes: int | None

    def workers(self) -> Workers:
        """Return worker processes, to be entered."""
        return Workers(os.cpu_count() or 1 if self.processes is None else self.processes, self.environ)

    def put(self, record: ImportRecord) -> None:
        """Store how far an import is, while the lease is ours."""
        self.lease.check()
        self.journal.put_import(record)


def request(bulk: Bulk, begun: BegunImport) -> None:
    """Ask DynamoDB for the import, once however often this is called, and record the job; nothing for no items.

    An import that DynamoDB will never take is given up: TargetRejected tells why.
    """
    if not begun.manifest.items or begun.record.arn:
        return
    source = ImportSource(begun.record.bucket, begun.record.data_prefix, begun.record.token)
    bulk.lease.check()
    try:
        state = request_import(bulk.journal.client, begun.mapping.target, table_shape(begun.mapping), source)
    except TargetRejected:
        give_up(bulk, begun.record)
        raise
    faults.point("bulk.requested")
    begun.record = replace(begun.record, arn=state.arn, table_id=state.table_id)
    bulk.put(begun.record)
    faults.point("bulk.job_recorded")


def finish(bulk: Bulk, begun: BegunImport) -> TableCounts:
    """Return what the entry's copy came to, when its table is checked, protected and journaled as copied.

    Raises ImportFailed when DynamoDB has not stored exactly what was sent; table and objects are kept then.
    """
    mapping = begun.mapping
    if begun.manifest.items:
        _require_all_stored(bulk, begun, _wait(bulk, begun))
        _require_same_items(bulk, begun)
        faults.point("bulk.checked")
    prepare_tables([mapping], bulk.plan, bulk.environ, progress=bulk.progress)
    table = wait_until_active(bulk.journal.client, mapping.target)
    if not begun.manifest.items:
        require_empty(bulk.journal, mapping.target)
    elif table.table_id != begun.record.table_id:
        raise _failed(bulk, begun, "the table was replaced by another one while it was checked")
    faults.point("bulk.protected")
    counts = _journal(bulk, begun, table.table_id)
    faults.point("bulk.journaled")
    give_up(bulk, begun.record)
    return counts


def _wait(bulk: Bulk, begun: BegunImport) -> ImportState:
    name, done = begun.mapping.name, 0
    bulk.progress.start(PHASE, name, begun.manifest.items)

    def look(state: ImportState) -> None:
        nonlocal done
        bulk.lease.check()
        bulk.progress.advance(PHASE, name, max(0, state.processed - done))
        done = max(done, state.processed)
        faults.point("bulk.waiting")

    state = await_import(bulk.journal.client, begun.record.arn, look)
    bulk.progress.finish(PHASE, name)
    return state


def _require_all_stored(bulk: Bulk, begun: BegunImport, state: ImportState) -> None:
    sent = begun.manifest.items
    if state.status != "COMPLETED":
        why = f" ({state.failure})" if state.failure else ""
        raise _failed(bulk, begun, f"it ended as {state.status}{why}, with {state.errors:,} errors", state)
    if (state.processed, state.imported, state.errors) != (sent, sent, 0):
        raise _failed(bulk, begun, f"of {sent:,} items sent it did not store each one", state)


def _require_same_items(bulk: Bulk, begun: BegunImport) -> None:
    """Compare every item that is there with what was sent: the service says nothing of items of one key."""
    mapping, manifest = begun.mapping, begun.manifest
    wait_until_active(bulk.journal.client, mapping.target)
    bulk.progress.start(bulk_check.PHASE, mapping.name, manifest.items)

    def advance(message: tuple[str, int]) -> None:
        bulk.progress.advance(bulk_check.PHASE, *message)

    with bulk.workers() as workers:
        found = sum_table(workers, bulk.settings, mapping, manifest.items, bulk.lease.check, advance)
    bulk.progress.finish(bulk_check.PHASE, mapping.name)
    unequal = len(found.differing(Buckets.from_bytes(manifest.buckets)))
    if unequal or found.rows != manifest.items:
        raise _failed(
            bulk,
            begun,
            f"of {manifest.items:,} items sent the table holds {found.rows:,}, and at least {unequal:,} keys have no "
            "item, another one, or one that was not sent",
        )


def _failed(bulk: Bulk, begun: BegunImport, what: str, state: ImportState | None = None) -> ImportFailed:
    """Record that the import failed, and return the error that says so; nothing is removed."""
    begun.record = replace(begun.record, state="failed")
    bulk.put(begun.record)
    counts = f" DynamoDB counts {state.processed:,} processed and {state.imported:,} imported items." if state else ""
    return ImportFailed(
        f"The import of {begun.mapping.name} into the table {begun.mapping.target} failed: {what}.{counts} What was "
        f"sent is kept in s3://{begun.record.bucket}/{begun.record.prefix}/.",
        remedy=f"Look at the import's log in CloudWatch (/aws-dynamodb/imports), delete the table "
        f"{begun.mapping.target}, and run again, with --via batch if it fails again.",
    )


def _journal(bulk: Bulk, begun: BegunImport, target_id: str) -> TableCounts:
    """Journal every segment and the table as the copy does, so that later runs know what is there."""
    name, manifest, journal = begun.mapping.name, begun.manifest, bulk.journal
    journal.clear_segments(name)
    for segment in manifest.segments:
        bulk.lease.check()
        journal.put_segment(name, _segment_record(segment, manifest.as_of))
        faults.point("bulk.segment_journaled")
    stale = [row for row in journal.quarantined(name) if row.snapshot != manifest.snapshot_label]
    journal.remove_quarantined(stale)
    counts = TableCounts(
        rows=sum(segment.rows for segment in manifest.segments),
        quarantined=journal.quarantined_count(name),
        written=manifest.items,
        accepted=journal.accepted_count(name),
        skipped=sum(segment.skipped for segment in manifest.segments),
        nulled=sum(segment.nulled for segment in manifest.segments),
    )
    bulk.lease.check()
    journal.put_table(_table_record(begun, target_id, counts))
    return counts


def _table_record(begun: BegunImport, target_id: str, counts: TableCounts) -> TableRecord:
    mapping, manifest = begun.mapping, begun.manifest
    return TableRecord(
        source=mapping.name,
        target=mapping.target,
        target_id=target_id,
        mapping_digest=mapping.digest,
        source_id=manifest.source_id,
        segment_blocks=manifest.segment_blocks,
        state="complete",
        snapshot=manifest.snapshot,
        rows=counts.rows,
        items=counts.items,
        quarantined=counts.quarantined,
        updated_at=datetime.now(UTC).isoformat(timespec="seconds"),
        skipped=counts.skipped,
    )


def _segment_record(counts: SegmentCounts, as_of: int) -> SegmentRecord:
    segment = counts.segment
    return SegmentRecord(
        leaf=str(segment.leaf),
        number=segment.number,
        blocks=segment.blocks,
        filenode=segment.filenode,
        as_of=as_of,
        rows=counts.rows,
        quarantined=counts.quarantined,
        skipped=counts.skipped,
        nulled=counts.nulled,
    )


def give_up(bulk: Bulk, record: ImportRecord) -> None:
    """Remove the objects of an import that is done or will not be gone on with, and then forget it."""
    client = s3_client(bulk.settings)
    remove_objects(
        client, record.bucket, [name for name, _ in list_objects(client, record.bucket, f"{record.prefix}/")]
    )
    faults.point("bulk.objects_removed")
    bulk.lease.check()
    bulk.journal.remove_import(record.source)
