"""Copy everything under one consistent snapshot: rows to items, credentials to secrets; again or go on, as needed.

The whole story is in `copy`. One run at a time, by a lease; a segment is journaled when all its items have been
answered for; a run that is repeated brings the target to its own, newer snapshot.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from psycopg import Connection

from pg2dynamo import faults
from pg2dynamo.dynamodb.journal import Journal, SegmentRecord, TableRecord
from pg2dynamo.dynamodb.lease import Lease
from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.dynamodb.tables import (
    DescribedTable,
    require_shape,
    shape_differences,
    table_shape,
    unwritable,
    wait_until_active,
)
from pg2dynamo.dynamodb.writer import BatchWriter
from pg2dynamo.errors import MassDeletion, TargetRejected
from pg2dynamo.mapping.table import TableMapping
from pg2dynamo.mapping.write_units import WriteUnits
from pg2dynamo.migration.bulk import BulkImports, finish_begun
from pg2dynamo.migration.bulk_finish import Bulk
from pg2dynamo.migration.copy_report import CopyReport, TableCounts
from pg2dynamo.migration.copy_secrets import copy_all_secrets
from pg2dynamo.migration.copy_segment import CopyJob, SegmentResult, SegmentTask, close_session, copy_segment
from pg2dynamo.migration.progress import Progress, Silent
from pg2dynamo.migration.quarantine import can_be_retried, retry_quarantined
from pg2dynamo.migration.ready_ways import ready_ways
from pg2dynamo.migration.reconcile import ReconcileTask, find_vanished
from pg2dynamo.migration.resume import SegmentDecision, decide_segments, decide_table, deletions_allowed
from pg2dynamo.migration.run import recorded_run
from pg2dynamo.migration.source import compile_plan, open_source, source_dsn, source_tables
from pg2dynamo.migration.spread import SEGMENTS_PER_TURN, spread
from pg2dynamo.migration.target import open_journal, require_empty, target_settings, within_budget
from pg2dynamo.migration.workers import Workers
from pg2dynamo.plan.model import Plan
from pg2dynamo.plan.ways import Via, Way
from pg2dynamo.postgres.identity import require_identities
from pg2dynamo.postgres.segments import BLOCKS_PER_SEGMENT, plan_segments
from pg2dynamo.postgres.selection import estimated_rows
from pg2dynamo.postgres.snapshot import SnapshotOwner, adopt_snapshot, hold_snapshot


@dataclass(frozen=True, slots=True)
class CopyOptions:
    """How `copy` works.

    `processes`: 0 copies in this process; None takes one a core. `max_deletes` replaces the bound on items
    deleted because their rows are gone. `expect_refused` credentials are known not to decrypt. `overwrite`
    allows a first copy into a table that holds items already. `write_units` a second, over all processes, replace the
    plan's budget. `via` says whether new tables are written in batches or imported from S3.
    """

    processes: int | None = None
    max_deletes: int | None = None
    expect_refused: int = 0
    overwrite: bool = False
    blocks_per_segment: int = BLOCKS_PER_SEGMENT
    write_units: int | None = None
    via: Via = Via.AUTO


@dataclass(slots=True)
class TableRun:
    """One entry of the plan in this run: what is to do, and what has been done."""

    job: CopyJob
    record: TableRecord
    segments: list[SegmentDecision]
    reconcile: bool
    expected_rows: int
    counts: TableCounts = field(default_factory=TableCounts)

    @property
    def name(self) -> str:
        """The entry's name in the plan."""
        return self.job.mapping.name


def copy(
    plan: Plan, environ: Mapping[str, str], options: CopyOptions | None = None, progress: Progress | None = None
) -> CopyReport:
    """Copy the plan's tables and credentials, or bring an earlier copy up to now; return what was done.

    Idempotent and resumable at any point: run it again after whatever ended it. Durable when it returns. At
    its end the target equals one snapshot of the source, which the report names; rows and credentials that the
    target cannot hold are in quarantine and counted. Raises the branches of Pg2DynamoError; RunnerActive when
    another run works on this migration; MassDeletion before it deletes suspiciously many items.
    """
    options, progress = options or CopyOptions(), progress or Silent()
    began = time.monotonic()
    settings = target_settings(plan, environ)
    journal = open_journal(plan, settings)
    with (
        journal.lease("copy", request_timeout_seconds=settings.request_timeout_seconds, say=progress.say) as lease,
        ExitStack() as held,
    ):
        bulk = Bulk(plan, environ, settings, journal, lease, progress, options.processes)
        finish_begun(bulk, options.via)
        owner = held.enter_context(hold_snapshot(source_dsn(plan, environ), source_tables(plan)))
        with (
            recorded_run(journal, "copy", owner.position) as run,
            within_budget(plan, settings, options.write_units, progress) as budgeted,
        ):
            progress.say(f"Copying snapshot {owner.position.snapshot} (LSN {owner.position.lsn}) of the source.")
            opened = _open_tables(plan, environ, budgeted, journal, owner, options, progress)
            resumed = any(d.previous for table in opened.tables for d in table.segments)
            imports = BulkImports(bulk)
            imports.begin(opened.imports, owner, options.blocks_per_segment)
            _Work(environ, options, progress, journal, lease, owner).copy_tables(opened.tables)
            snapshot, most = owner.position.name, options.max_deletes
            secrets = copy_all_secrets(plan, environ, journal, snapshot, most, progress, lease.check)
            # DynamoDB may take hours to import: the source is not held meanwhile.
            held.close()
            counts = {table.name: table.counts for table in opened.tables} | imports.finish()
            report = CopyReport(
                migration=plan.name,
                snapshot=owner.position.as_json(),
                resumed=resumed,
                tables={name: counts[name] for name in opened.ways},
                secrets=secrets,
                refused_expected=options.expect_refused,
                seconds=time.monotonic() - began,
                ways=opened.ways,
            )
            run.end("complete" if report.ok else "incomplete", report.as_json())
    return report


@dataclass(frozen=True, slots=True)
class _Opened:
    """What a run is to do: entries to copy in batches, entries to import, and the way of each, in the plan's order."""

    tables: list[TableRun]
    imports: list[CopyJob]
    ways: dict[str, Way]


def _open_tables(
    plan: Plan,
    environ: Mapping[str, str],
    settings: TargetSettings,
    journal: Journal,
    owner: SnapshotOwner,
    options: CopyOptions,
    progress: Progress,
) -> _Opened:
    """Look at both sides of every table and decide what to do, before anything is written."""
    known = journal.tables()
    with open_source(plan, environ) as connection, adopt_snapshot(connection, owner.position.name):
        mappings = compile_plan(connection, plan)
        require_identities(connection, mappings)
        ways = ready_ways(plan, environ, mappings, journal, options.via, progress)
        written = [mapping for mapping in mappings if ways[mapping.name].via == "batch"]
        targets = {mapping.target: _require_target(journal, mapping) for mapping in written}
        runs = []
        for mapping in written:
            job = _job(plan, mapping, settings, owner)
            target, record = targets[mapping.target], known.get(mapping.name)
            shared = bool(mapping.others) and any(r.target_id == target.table_id for r in known.values())
            runs.append(_open_table(connection, job, record, target, journal, owner, options, shared=shared))
    for run in runs:
        _journal_begin(journal, run)
    imported = [_job(plan, mapping, settings, owner) for mapping in mappings if mapping not in written]
    return _Opened(runs, imported, ways)


def _open_table(
    connection: Connection,
    job: CopyJob,
    record: TableRecord | None,
    target: DescribedTable,
    journal: Journal,
    owner: SnapshotOwner,
    options: CopyOptions,
    *,
    shared: bool,
) -> TableRun:
    """`shared`: other entries have written to the table already, so that it need not be empty."""
    name = job.mapping.name
    decision = decide_table(record, job.mapping.digest, owner.position.source_id, target.table_id)
    if decision.first and not options.overwrite and not shared:
        require_empty(journal, target.name)
    # A quarantined row whose key was too long to keep leaves the quarantine only by reading the whole table again.
    kept = decision.keep_segments and all(can_be_retried(row, job.mapping) for row in journal.quarantined(name))
    blocks = record.segment_blocks if record and kept else options.blocks_per_segment
    # An item that depends on other rows may have changed with none of its own row.
    records = journal.segments(name) if kept and job.mapping.alone else []
    segments, vanished = decide_segments(plan_segments(connection, job.mapping.source, blocks), records)
    return TableRun(
        job=job,
        record=_begin(job, owner, target, blocks),
        segments=segments,
        # Without its segments' counts, nothing else would tell that a row has gone since.
        reconcile=decision.reconcile or vanished or (decision.keep_segments and not (kept and job.mapping.alone)),
        expected_rows=estimated_rows(connection, job.mapping),
    )


def _job(plan: Plan, mapping: TableMapping, settings: TargetSettings, owner: SnapshotOwner) -> CopyJob:
    return CopyJob(
        migration=plan.name,
        control_table=plan.target.control_table,
        dsn=plan.source.dsn,
        snapshot=owner.position.name,
        snapshot_label=f"{owner.position.snapshot} of {owner.position.taken_at}",
        mapping=mapping,
        settings=settings,
    )


def _require_target(journal: Journal, mapping: TableMapping) -> DescribedTable:
    table = wait_until_active(journal.client, mapping.target)
    wanted = table_shape(mapping)
    require_shape(table.name, [*shape_differences(wanted, table.shape), *unwritable(mapping, table.shape)])
    return table


def _begin(job: CopyJob, owner: SnapshotOwner, target: DescribedTable, blocks: int) -> TableRecord:
    return TableRecord(
        source=job.mapping.name,
        target=job.mapping.target,
        target_id=target.table_id,
        mapping_digest=job.mapping.digest,
        source_id=owner.position.source_id,
        segment_blocks=blocks,
        state="copying",
        snapshot=owner.position.snapshot,
        rows=0,
        items=0,
        quarantined=0,
        updated_at=_now(),
    )


def _journal_begin(journal: Journal, run: TableRun) -> None:
    """Say durably, before the first write, that items may be there without a record, and forget what is void.

    The old segments go first: were the new record there with them, a later run would trust them.
    """
    if not any(decision.previous for decision in run.segments):
        journal.clear_segments(run.name)
    faults.point("copy.table.cleared")
    journal.put_table(run.record)
    faults.point("copy.table.begun")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


class _Work:
    """The copying of all tables, by worker processes; journals what they report."""

    def __init__(
        self,
        environ: Mapping[str, str],
        options: CopyOptions,
        progress: Progress,
        journal: Journal,
        lease: Lease,
        owner: SnapshotOwner,
    ) -> None:
        self._environ, self._options, self._progress = environ, options, progress
        self._journal, self._lease, self._owner = journal, lease, owner
        self._as_of = owner.position.xmin
        self._processes = os.cpu_count() or 1 if options.processes is None else options.processes

    def copy_tables(self, tables: list[TableRun]) -> None:
        """Copy all segments, then finish each table: vanished rows, quarantine, record."""
        try:
            with Workers(self._processes, self._environ) as workers:
                self._copy_segments(workers, tables)
                for table in tables:
                    self._finish(workers, table)
        finally:
            close_session()

    def _copy_segments(self, workers: Workers, tables: list[TableRun]) -> None:
        by_name = {table.name: table for table in tables}
        left = {table.name: len(table.segments) for table in tables}
        for task, result in workers.run(copy_segment, self._tasks(tables), self._advance):
            table = by_name[task.job.mapping.name]
            self._journal_segment(table, task, result)
            left[table.name] -= 1
            if not left[table.name]:
                self._progress.finish("copy", table.name)

    def _tasks(self, tables: list[TableRun]) -> Iterator[SegmentTask]:
        """Yield the segments, spread over tables and within each; a table's progress starts with its first."""
        started: set[str] = set()
        segments = {table.name: [(table, decision) for decision in table.segments] for table in tables}
        for table in tables:
            if not table.segments:
                self._start(table)
                self._progress.finish("copy", table.name)
        for table, decision in spread(segments.values(), SEGMENTS_PER_TURN * max(1, self._processes)):
            if table.name not in started:
                started.add(table.name)
                self._start(table)
            self._lease.check()
            self._owner.check()
            yield SegmentTask(table.job, decision.segment, decision.previous)

    def _start(self, table: TableRun) -> None:
        self._progress.start("copy", table.name, table.expected_rows)

    def _advance(self, message: tuple[str, int], phase: str = "copy") -> None:
        self._progress.advance(phase, *message)

    def _journal_segment(self, table: TableRun, task: SegmentTask, result: SegmentResult) -> None:
        segment = task.segment
        quarantined = result.quarantined + (task.previous.quarantined if task.previous else 0)
        record = SegmentRecord(
            leaf=str(segment.leaf),
            number=segment.number,
            blocks=segment.blocks,
            filenode=segment.filenode,
            as_of=self._as_of,
            rows=result.rows,
            quarantined=quarantined,
            skipped=result.skipped,
            nulled=result.nulled,
        )
        table.reconcile |= result.vanished
        self._lease.check()
        faults.point("copy.segment.answered")
        self._journal.put_segment(table.name, record)
        faults.point("copy.segment.journaled")
        table.counts.rows += result.rows
        table.counts.written += result.written
        table.counts.skipped += result.skipped
        table.counts.nulled += result.nulled

    def _finish(self, workers: Workers, table: TableRun) -> None:
        if table.reconcile:
            table.counts.deleted = self._delete_vanished(workers, table)
        faults.point("copy.table.reconciled")
        table.counts.written += self._retry(table)
        table.counts.quarantined = self._journal.quarantined_count(table.name)
        table.counts.accepted = self._journal.accepted_count(table.name)
        self._journal.put_table(
            replace(
                table.record,
                state="complete",
                rows=table.counts.rows,
                items=table.counts.items,
                quarantined=table.counts.quarantined,
                skipped=table.counts.skipped,
                updated_at=_now(),
            )
        )
        faults.point("copy.table.complete")

    def _retry(self, table: TableRun) -> int:
        """Try again what earlier runs put into quarantine; return how many rows were written."""
        whole = not any(decision.previous for decision in table.segments)
        label = table.job.snapshot_label
        earlier = (row for row in self._journal.quarantined(table.name) if row.snapshot != label)
        return retry_quarantined(table.job, self._environ, self._journal, earlier, whole=whole).written

    def _delete_vanished(self, workers: Workers, table: TableRun) -> int:
        """Delete items whose rows are gone; return how many. Raises MassDeletion before the first when too many."""
        allowed = deletions_allowed(table.counts.rows, self._options.max_deletes)
        parts = max(1, self._processes)
        tasks = [ReconcileTask(table.job, part, parts, allowed) for part in range(parts)]
        self._progress.start("look for vanished rows", table.name, None)
        found = workers.run(find_vanished, tasks, lambda message: self._advance(message, "look for vanished rows"))
        keys = [key for _, part in found for key in part]
        self._progress.finish("look for vanished rows", table.name)
        if len(keys) > allowed:
            raise MassDeletion(
                f"{table.name}: more than {allowed:,} items of {table.job.mapping.target} have no row any more.",
                remedy="Make sure that the rows are really gone, then run again with a higher --max-deletes.",
            )
        self._lease.check()
        units = WriteUnits(table.job.mapping)
        with BatchWriter(table.job.settings, table.job.mapping.target, on_refused=_never, units=units) as writer:
            for key in keys:
                writer.delete(key)
            writer.flush()
        return len(keys)


def _never(_key: bytes, reason: str) -> None:
    raise TargetRejected(f"DynamoDB rejected a deletion: {reason}.")
