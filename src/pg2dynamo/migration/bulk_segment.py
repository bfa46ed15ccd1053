"""Put a span of segments into S3, for DynamoDB to import: one call on plain values, which any process can make.

Rows are read and encoded as the copy does it; the items become lines of DynamoDB JSON in gzip, held in memory up to
the size of one object. What was sent is digested item for item.
"""

from __future__ import annotations

import gc
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson

from pg2dynamo import faults
from pg2dynamo.dynamodb.bucket import put_object, s3_client
from pg2dynamo.dynamodb.client import dynamodb_client
from pg2dynamo.dynamodb.journal import Journal, QuarantinedRow
from pg2dynamo.errors import RowRefused, RowSkipped, SourceUnreachable
from pg2dynamo.mapping.digest import Buckets
from pg2dynamo.mapping.encode import Encoder
from pg2dynamo.mapping.json_digest import add_item
from pg2dynamo.migration.copy_segment import CopyJob
from pg2dynamo.migration.source import connect_source
from pg2dynamo.migration.workers import Report
from pg2dynamo.postgres.lines import UnreadableRow
from pg2dynamo.postgres.rows import copy_rows
from pg2dynamo.postgres.segments import Segment
from pg2dynamo.postgres.snapshot import adopt_snapshot

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

OBJECT_BYTES = 8 * 1024 * 1024
"""Compressed bytes after which the next object begins: they are in memory until it is stored."""
COMPRESSION = 1
"""zlib's fastest level: what an import costs goes by the bytes before compression."""
GZIP = 16 + zlib.MAX_WBITS
SOURCE_ATTEMPTS = 3
_LINE_ENDS = tuple((end.encode(), f"\\u{ord(end):04x}".encode()) for end in "\u0085\u2028\u2029")
"""Characters that some readers of lines take for the end of one, and how JSON may write them."""


@dataclass(frozen=True, slots=True)
class UploadJob:
    """What all spans of one entry share; the objects go under `prefix`."""

    copy: CopyJob
    bucket: str
    prefix: str
    kms_key: str | None


@dataclass(frozen=True, slots=True)
class UploadTask:
    """One span of segments."""

    job: UploadJob
    number: int
    segments: tuple[Segment, ...]


@dataclass(slots=True)
class SegmentCounts:
    """What became of the rows of one segment; see `copy_segment.SegmentResult`."""

    segment: Segment
    rows: int = 0
    quarantined: int = 0
    skipped: int = 0
    nulled: int = 0

    @property
    def items(self) -> int:
        """How many items were sent."""
        return self.rows - self.quarantined - self.skipped


@dataclass(frozen=True, slots=True)
class UploadResult:
    """What was sent of one span: counts, objects by name and size, and the digests of the items in buckets."""

    segments: tuple[SegmentCounts, ...]
    objects: tuple[tuple[str, int], ...]
    buckets: bytes


def upload_span(task: UploadTask, report: Report) -> UploadResult:
    """Store the span's items in S3 and return when S3 has them all; refused rows are in the journal's quarantine then.

    Idempotent under one snapshot. Begun again on a fresh connection when the one to the source breaks; raises
    SourceError or TargetError.
    """
    for attempts_left in reversed(range(SOURCE_ATTEMPTS)):
        try:
            return _upload(task, report)
        except SourceUnreachable:
            if not attempts_left:
                raise
    raise AssertionError("unreachable")


def _upload(task: UploadTask, report: Report) -> UploadResult:
    copying = task.job.copy
    # What the last span's connection held, some 25 MB, goes only with the cycles that it stands in.
    gc.collect()
    with ExitStack() as stack:
        connection = stack.enter_context(connect_source(copying.dsn, os.environ))
        stack.enter_context(adopt_snapshot(connection, copying.snapshot))
        objects = Objects(task)
        buckets = Buckets()
        counts = []
        encoder = Encoder(copying.mapping)
        for segment in task.segments:
            rows = SegmentRows(copying, segment, encoder, objects, buckets, report)
            unreadable: list[UnreadableRow] = []
            for lines in copy_rows(connection, copying.mapping, segment, None, unreadable.append):
                rows.add(lines)
                faults.point("bulk.batch_read")
            rows.set_aside(unreadable)
            counts.append(rows.counts)
        objects.finish()
    faults.point("bulk.span_stored")
    return UploadResult(tuple(counts), tuple(objects.stored), buckets.to_bytes())


@dataclass(slots=True)
class SegmentRows:
    """The rows of one segment on their way into objects, counted and digested; what cannot go is set aside."""

    job: CopyJob
    segment: Segment
    encoder: Encoder
    objects: Objects
    buckets: Buckets
    report: Report
    counts: SegmentCounts = field(init=False)

    def __post_init__(self) -> None:
        self.counts = SegmentCounts(self.segment)

    def add(self, lines: list[bytes]) -> None:
        """Send the items of rows; put the refused ones into quarantine."""
        refused: list[QuarantinedRow] = []
        _, items, left = self.encoder.encode_many(lines)
        items += self._one_by_one((lines[number] for number in left), refused)
        self._digest(items)
        self.objects.add(items)
        self.counts.rows += len(lines)
        self._quarantine(refused)
        self.report((self.job.mapping.name, len(lines)))

    def set_aside(self, rows: Sequence[UnreadableRow]) -> None:
        """Put rows that could not be read into quarantine."""
        found = [
            self._quarantined(row.line, row.attribute, row.reason, accepted=row.accepted_by(self.job.mapping))
            for row in rows
        ]
        self.counts.rows += len(rows)
        self._quarantine(found)
        self.report((self.job.mapping.name, len(rows)))

    def _one_by_one(self, lines: Iterable[bytes], refused: list[QuarantinedRow]) -> Iterator[bytes]:
        for line in lines:
            try:
                encoded = self.encoder.encode(line)
            except RowSkipped:
                self.counts.skipped += 1
            except RowRefused as fault:
                refused.append(self._quarantined(line, fault.attribute, fault.reason, accepted=fault.accepted))
            else:
                self.counts.nulled += encoded.nulled
                yield encoded.item

    def _digest(self, items: list[bytes]) -> None:
        names = self.job.mapping.key_attributes
        for item in items:
            add_item(self.buckets, orjson.loads(item), names)

    def _quarantined(self, line: bytes, attribute: str, reason: str, *, accepted: bool) -> QuarantinedRow:
        key, label = self.encoder.source_key(line), self.job.snapshot_label
        return QuarantinedRow(self.job.mapping.name, key, attribute, reason, label, accepted=accepted)

    def _quarantine(self, rows: list[QuarantinedRow]) -> None:
        if rows:
            client = dynamodb_client(self.job.settings)
            Journal(client, self.job.control_table, self.job.migration).put_quarantined(rows)
            faults.point("bulk.quarantined")
        self.counts.quarantined += len(rows)


class Objects:
    """The objects of one span: lines are compressed as they come, and stored when there are enough for an object."""

    def __init__(self, task: UploadTask, object_bytes: int = OBJECT_BYTES) -> None:
        self._job, self._number, self._object_bytes = task.job, task.number, object_bytes
        self._client: S3Client | None = None
        self._begin()
        self.stored: list[tuple[str, int]] = []

    def add(self, items: Sequence[bytes]) -> None:
        """Append a line for each item."""
        if not items:
            return
        self._data += self._gzip.compress(import_lines(items))
        self._empty = False
        if len(self._data) >= self._object_bytes:
            self.finish()

    def finish(self) -> None:
        """Store what there is, if anything; it is in S3 when this returns."""
        if self._empty:
            return
        data = self._data
        data += self._gzip.flush()
        self._begin()
        name = f"{self._job.prefix}{self._number:05d}-{len(self.stored) + 1:05d}.json.gz"
        if self._client is None:
            self._client = s3_client(self._job.copy.settings)
        put_object(self._client, self._job.bucket, name, data, self._job.kms_key)
        self.stored.append((name, len(data)))

    def _begin(self) -> None:
        self._gzip = zlib.compressobj(COMPRESSION, zlib.DEFLATED, GZIP)
        self._data, self._empty = bytearray(), True


def import_lines(items: Sequence[bytes]) -> bytes:
    """Return a line of DynamoDB JSON for each item, which is one to every reader."""
    lines = b'{"Item":' + b'}\n{"Item":'.join(items) + b"}\n"
    for end, escaped in _LINE_ENDS:
        if end in lines:
            lines = lines.replace(end, escaped)
    return lines
