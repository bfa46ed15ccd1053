"""Copy one segment: one call on plain values, which any process on any machine can make.

Rows are read with COPY under the run's snapshot, encoded, and written in batches; the call returns when
every item has been answered for, and the caller journals the segment then. It may be made twice.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace

from pg2dynamo import faults
from pg2dynamo.dynamodb.client import dynamodb_client
from pg2dynamo.dynamodb.journal import Journal, QuarantinedRow, SegmentRecord
from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.dynamodb.writer import BatchWriter
from pg2dynamo.errors import RowRefused, RowSkipped, SourceUnreachable
from pg2dynamo.mapping.encode import Encoder
from pg2dynamo.mapping.table import TableMapping
from pg2dynamo.mapping.write_units import WriteUnits
from pg2dynamo.migration.source import connect_source
from pg2dynamo.postgres.lines import OnUnreadable, UnreadableRow
from pg2dynamo.postgres.rows import copy_rows, count_rows
from pg2dynamo.postgres.segments import Segment
from pg2dynamo.postgres.snapshot import adopt_snapshot

SOURCE_ATTEMPTS = 3
"""How often a segment is begun when the connection to the source breaks; the snapshot outlives it."""


@dataclass(frozen=True, slots=True)
class CopyJob:
    """What all segments of one table share.

    `dsn` is the plan's reference (`env:DATABASE_URL`), resolved where the segment is read. `snapshot` is the
    name under which the snapshot is exported, `snapshot_label` the snapshot itself, for the journal.
    """

    migration: str
    control_table: str
    dsn: str
    snapshot: str
    snapshot_label: str
    mapping: TableMapping
    settings: TargetSettings


@dataclass(frozen=True, slots=True)
class SegmentTask:
    """One segment of one table; with `previous`, only what is newer than that earlier copy of it."""

    job: CopyJob
    segment: Segment
    previous: SegmentRecord | None = None


@dataclass(frozen=True, slots=True)
class SegmentResult:
    """What was found and done: all visible rows, rows written now, rows refused now, and whether rows that an
    earlier run copied are gone from this segment. Of all visible rows `skipped` are left out by the plan, and `nulled`
    values of their items are NULL by the plan."""

    rows: int
    written: int
    quarantined: int
    vanished: bool
    skipped: int = 0
    nulled: int = 0


@dataclass(slots=True)
class _Counts:
    """The rows that were read, and what became of them."""

    read: int = 0
    refused: int = 0
    skipped: int = 0
    nulled: int = 0

    @property
    def written(self) -> int:
        return self.read - self.refused - self.skipped


Report = Callable[[tuple[str, int]], None]
"""Takes an entry's name and how many more of its rows have been read."""


def copy_segment(task: SegmentTask, report: Report) -> SegmentResult:
    """Copy the segment and return when DynamoDB has answered for every row of it.

    Idempotent. Calls `report` as rows are read. Refused rows are in the journal's
    quarantine when this returns. Raises SourceError or TargetError; nothing is journaled of the segment then.
    """
    for attempts_left in reversed(range(SOURCE_ATTEMPTS)):
        session = _session(task.job)
        try:
            return session.copy(task, report)
        except SourceUnreachable as error:
            close_session(error)
            if not attempts_left:
                raise
        except BaseException as error:
            close_session(error)
            raise
    raise AssertionError("unreachable")


class Session:
    """The connections of this process to both sides, for one table under one snapshot."""

    def __init__(self, job: CopyJob) -> None:
        self.job = job
        self._encoder = Encoder(job.mapping)
        self._rejected: dict[bytes, str] = {}
        with ExitStack() as stack:
            self._connection = stack.enter_context(connect_source(job.dsn, os.environ))
            stack.enter_context(adopt_snapshot(self._connection, job.snapshot))
            units = WriteUnits(job.mapping)
            writer = BatchWriter(job.settings, job.mapping.target, on_refused=self._rejected.__setitem__, units=units)
            self._writer = stack.enter_context(writer)
            self._stack = stack.pop_all()

    def close(self, error: BaseException | None = None) -> None:
        """Close both connections; after an `error` nothing more is written first."""
        self._stack.__exit__(type(error) if error else None, error, None)

    def copy(self, task: SegmentTask, report: Report) -> SegmentResult:
        """See `copy_segment`."""
        previous = task.previous
        if previous is None:
            done = self._write(task, report)
            return SegmentResult(done.read, done.written, done.refused, False, done.skipped, done.nulled)
        rows, newer = count_rows(self._connection, self.job.mapping, task.segment, previous.as_of)
        report((self.job.mapping.name, rows - newer))
        done = self._write(task, report) if newer else _Counts()
        vanished = rows - newer < previous.rows
        whole = self._judged(task, previous, done) if newer or vanished else previous
        return SegmentResult(rows, done.written, done.refused, vanished, whole.skipped, whole.nulled)

    def _judged(self, task: SegmentTask, previous: SegmentRecord, done: _Counts) -> _Counts:
        """Count, over all rows of a segment that has changed, what the plan's policies do to them."""
        if not previous.skipped and not previous.nulled:
            return done
        # Which of the earlier rows were left out is not recorded: those may be the ones that have changed.
        counts = _Counts()
        whole = replace(task, previous=None)
        for lines in self._read(whole, lambda _: None):
            for line in lines:
                self._judge(line, counts)
        return counts

    def _judge(self, line: bytes, counts: _Counts) -> None:
        try:
            counts.nulled += self._encoder.encode(line).nulled
        except RowSkipped:
            counts.skipped += 1
        except RowRefused:
            counts.refused += 1

    def _write(self, task: SegmentTask, report: Report) -> _Counts:
        """Write the task's rows; return how many were read, and what became of them."""
        counts = _Counts()
        refused: list[QuarantinedRow] = []
        self._rejected.clear()
        unreadable: list[UnreadableRow] = []
        for lines in self._read(task, unreadable.append):
            counts.read += len(lines)
            keys, items, left = self._encoder.encode_many(lines)
            self._writer.put_many(keys, items)
            refused += [row for number in left if (row := self._put(lines[number], counts)) is not None]
            report((self.job.mapping.name, len(lines)))
            faults.point("copy.batch.read")
        counts.read += len(unreadable)
        refused += [self._unreadable(row) for row in unreadable]
        report((self.job.mapping.name, len(unreadable)))
        self._writer.flush()
        faults.point("copy.segment.written")
        if self._rejected:
            refused += self._find_rejected(task)
        if refused:
            self._journal().put_quarantined(refused)
            faults.point("copy.segment.quarantined")
        counts.refused = len(refused)
        return counts

    def _read(self, task: SegmentTask, on_unreadable: OnUnreadable) -> Iterator[list[bytes]]:
        newer_than = task.previous.as_of if task.previous else None
        return copy_rows(self._connection, self.job.mapping, task.segment, newer_than, on_unreadable)

    def _put(self, line: bytes, counts: _Counts) -> QuarantinedRow | None:
        try:
            encoded = self._encoder.encode(line)
        except RowSkipped as skipped:
            counts.skipped += 1
            if skipped.key is not None:
                # It may have been an item before it changed, or before the plan said so.
                self._writer.delete(skipped.key)
            return None
        except RowRefused as refusal:
            return self._quarantined(line, refusal.attribute, refusal.reason, accepted=refusal.accepted)
        counts.nulled += encoded.nulled
        self._writer.put(encoded.key, encoded.item)
        return None

    def _find_rejected(self, task: SegmentTask) -> Iterator[QuarantinedRow]:
        """Read the segment again for the rows whose items the service itself rejected."""
        for lines in self._read(task, lambda _: None):
            for line in lines:
                reason = self._rejection(line)
                if reason is not None:
                    yield self._quarantined(line, "", reason)

    def _rejection(self, line: bytes) -> str | None:
        try:
            return self._rejected.get(self._encoder.encode(line).key)
        except RowRefused:
            return None

    def _unreadable(self, row: UnreadableRow) -> QuarantinedRow:
        accepted = row.accepted_by(self.job.mapping)
        return self._quarantined(row.line, row.attribute, row.reason, accepted=accepted)

    def _quarantined(self, line: bytes, attribute: str, reason: str, *, accepted: bool = False) -> QuarantinedRow:
        key = self._encoder.source_key(line)
        label = self.job.snapshot_label
        return QuarantinedRow(self.job.mapping.name, key, attribute, reason, label, accepted=accepted)

    def _journal(self) -> Journal:
        return Journal(dynamodb_client(self.job.settings), self.job.control_table, self.job.migration)


_open: list[Session] = []
"""The session of this process, kept from segment to segment of one table; at most one."""


def _session(job: CopyJob) -> Session:
    if not _open or _open[0].job != job:
        close_session()
        _open.append(Session(job))
    return _open[0]


def close_session(error: BaseException | None = None) -> None:
    """Close the connections that this process has kept for the next segment; see `Session.close`."""
    while _open:
        _open.pop().close(error)
