"""Copy one segment: one call on plain values, which any process on any machine can make.

Rows are read with COPY under the run's snapshot, encoded, and written in batches; the call returns when
every item has been answered for, and the caller journals the segment then. It may be made twice.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from pg2dynamo import faults
from pg2dynamo.dynamodb.client import dynamodb_client
from pg2dynamo.dynamodb.journal import Journal, QuarantinedRow, SegmentRecord
from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.dynamodb.writer import BatchWriter
from pg2dynamo.errors import RowRefused, SourceUnreachable
from pg2dynamo.mapping.encode import Encoder
from pg2dynamo.mapping.table import TableMapping
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
    earlier run copied are gone from this segment."""

    rows: int
    written: int
    quarantined: int
    vanished: bool


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
        except SourceUnreachable:
            close_session()
            if not attempts_left:
                raise
        except BaseException:
            close_session()
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
            self._writer = stack.enter_context(
                BatchWriter(job.settings, job.mapping.target, on_refused=self._rejected.__setitem__)
            )
            self._stack = stack.pop_all()

    def close(self) -> None:
        """Close both connections."""
        self._stack.close()

    def copy(self, task: SegmentTask, report: Report) -> SegmentResult:
        """See `copy_segment`."""
        previous = task.previous
        if previous is None:
            read, refused = self._write(task, report)
            return SegmentResult(read, read - refused, refused, vanished=False)
        rows, newer = count_rows(self._connection, self.job.mapping, task.segment, previous.as_of)
        report((self.job.mapping.name, rows - newer))
        read, refused = self._write(task, report) if newer else (0, 0)
        return SegmentResult(rows, read - refused, refused, vanished=rows - newer < previous.rows)

    def _write(self, task: SegmentTask, report: Report) -> tuple[int, int]:
        """Write the task's rows; return how many were read, and how many of them went to quarantine."""
        read = 0
        refused: list[QuarantinedRow] = []
        self._rejected.clear()
        unreadable: list[UnreadableRow] = []
        for lines in self._read(task, unreadable.append):
            read += len(lines)
            refused += [row for line in lines if (row := self._put(line)) is not None]
            report((self.job.mapping.name, len(lines)))
            faults.point("copy.batch.read")
        read += len(unreadable)
        refused += [self._quarantined(row.line, row.attribute, row.reason) for row in unreadable]
        report((self.job.mapping.name, len(unreadable)))
        self._writer.flush()
        faults.point("copy.segment.written")
        if self._rejected:
            refused += self._find_rejected(task)
        if refused:
            self._journal().put_quarantined(refused)
            faults.point("copy.segment.quarantined")
        return read, len(refused)

    def _read(self, task: SegmentTask, on_unreadable: OnUnreadable) -> Iterator[list[bytes]]:
        newer_than = task.previous.as_of if task.previous else None
        return copy_rows(self._connection, self.job.mapping, task.segment, newer_than, on_unreadable)

    def _put(self, line: bytes) -> QuarantinedRow | None:
        try:
            encoded = self._encoder.encode(line)
        except RowRefused as refusal:
            return self._quarantined(line, refusal.attribute, refusal.reason)
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

    def _quarantined(self, line: bytes, attribute: str, reason: str) -> QuarantinedRow:
        key = self._encoder.source_key(line)
        return QuarantinedRow(self.job.mapping.name, key, attribute, reason, self.job.snapshot_label)

    def _journal(self) -> Journal:
        return Journal(dynamodb_client(self.job.settings), self.job.control_table, self.job.migration)


_open: list[Session] = []
"""The session of this process, kept from segment to segment of one table; at most one."""


def _session(job: CopyJob) -> Session:
    if not _open or _open[0].job != job:
        close_session()
        _open.append(Session(job))
    return _open[0]


def close_session() -> None:
    """Close the connections that this process has kept for the next segment."""
    while _open:
        _open.pop().close()
