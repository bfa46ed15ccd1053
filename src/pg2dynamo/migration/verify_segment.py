"""Verify one part of one side: one call on plain values, which any process on any machine can make.

A part is a segment of rows or a part of a table's scan. `sum_part` digests it into buckets; `list_part` names
the keys in the buckets that turned out unequal. Nothing here knows how rows are copied: rows are read by
PostgreSQL's binary protocol, items decoded by a decoder that shares no conversion with the encoder.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

import orjson
import psycopg

from pg2dynamo import faults
from pg2dynamo.dynamodb.page import Page
from pg2dynamo.dynamodb.scan import read_pages
from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.dynamodb.wire import Wire
from pg2dynamo.errors import SourceUnreachable
from pg2dynamo.mapping.decode import Decoder
from pg2dynamo.mapping.digest import Buckets, bucket_of, digest_key, digest_row
from pg2dynamo.mapping.item_digests import ItemDigests
from pg2dynamo.mapping.key_text import KeyTexts, key_texts, texts_of_item
from pg2dynamo.mapping.table import TableMapping
from pg2dynamo.mapping.values import Foreign, Json
from pg2dynamo.migration.difference import Expectation, Pairs, key_pairs
from pg2dynamo.migration.source import connect_source
from pg2dynamo.migration.spill import Side, SpilledKey
from pg2dynamo.migration.workers import Report
from pg2dynamo.postgres.binary import ReadRows, SourceRow, row_digests, select_rows
from pg2dynamo.postgres.row_digests import RowDigests
from pg2dynamo.postgres.segments import Segment
from pg2dynamo.postgres.snapshot import adopt_snapshot

R = TypeVar("R")

SOURCE_ATTEMPTS = 3
"""How often a part is begun when the connection to the source breaks; the snapshot outlives it."""

KEYS_PER_MESSAGE = 1_000

MAPPINGS_AT_ONCE = 8
"""For how many mappings a process keeps the code that digests their rows and items."""


@dataclass(frozen=True, slots=True)
class VerifyJob:
    """What all parts of one table share.

    `dsn` is the plan's reference (`env:DATABASE_URL`), resolved where the rows are read. `snapshot` is the
    name under which the snapshot is exported; None reads the rows as they are now.
    """

    dsn: str
    snapshot: str | None
    mapping: TableMapping
    settings: TargetSettings


class Digested(NamedTuple):
    """One row or item: digest of its key, digest of all of it, and what its key can be read from."""

    key: bytes
    row: bytes
    of: Any


@dataclass(frozen=True, slots=True)
class Digests:
    """Some rows or items: the digests of their keys, and those of all of each, in the same order.

    `of` gives, by its number among them, what the key of one can be read from. `left_out` are the rows beside them that
    the plan leaves out.
    """

    keys: Sequence[bytes]
    rows: Sequence[bytes]
    of: Callable[[int], Any]
    left_out: int = 0

    @classmethod
    def of_entries(cls, entries: Sequence[Digested | None]) -> Digests:
        """Return the digests of each; None is a row that the plan leaves out."""
        found = [entry for entry in entries if entry is not None]
        left_out = len(entries) - len(found)
        return cls([e.key for e in found], [e.row for e in found], lambda n: found[n].of, left_out)

    @property
    def entries(self) -> int:
        """How many rows or items were read."""
        return len(self.keys) + self.left_out


class Part(Protocol):
    """A part of one side of a table, as a plain picklable value."""

    @property
    def table(self) -> str:
        """The name of the entry that is verified."""

    @property
    def side(self) -> Side:
        """Whether these are rows or items."""

    def read(self) -> Iterator[Digests]:
        """Yield everything in this part, a bounded number at a time. It may be read again."""

    def key_of(self, of: Any) -> KeyTexts:
        """Return the key that can be read from one of what `read` gave."""


@dataclass(frozen=True, slots=True)
class RowPart:
    """A segment of the source."""

    job: VerifyJob
    segment: Segment
    side: ClassVar[Side] = "rows"

    @property
    def table(self) -> str:
        """See Part."""
        return self.job.mapping.name

    def read(self) -> Iterator[Digests]:
        """See Part; raises SourceChanged when the table was rewritten meanwhile."""
        mapping = self.job.mapping
        expected = Expectation(mapping)
        fast = _row_digests(mapping) if expected.as_read else None
        for rows in select_rows(source_connection(self.job), mapping, self.segment):
            if fast is not None and isinstance(rows, ReadRows) and rows.restored:
                yield Digests(*fast.digest(rows.result), _pairs_of(expected, rows))
            else:
                found = [expected.pairs(row.values, row.unrestored, row.texts) for row in rows]
                yield Digests.of_entries([None if pairs is None else digested_row(mapping, pairs) for pairs in found])

    def key_of(self, of: Any) -> KeyTexts:
        """See Part."""
        return key_texts(self.job.mapping, dict(of))


def _pairs_of(expected: Expectation, rows: Sequence[SourceRow]) -> Callable[[int], Pairs | None]:
    def pairs(number: int) -> Pairs | None:
        row = rows[number]
        return expected.pairs(row.values, row.unrestored, row.texts)

    return pairs


@lru_cache(maxsize=MAPPINGS_AT_ONCE)
def _row_digests(mapping: TableMapping) -> RowDigests:
    return row_digests(mapping)


@lru_cache(maxsize=MAPPINGS_AT_ONCE)
def _item_digests(mapping: TableMapping) -> ItemDigests:
    return ItemDigests(mapping)


@dataclass(frozen=True, slots=True)
class ItemPart:
    """Part `number` of the `total` parts of the target table's scan."""

    job: VerifyJob
    number: int
    total: int
    side: ClassVar[Side] = "items"

    @property
    def table(self) -> str:
        """See Part."""
        return self.job.mapping.name

    def read(self) -> Iterator[Digests]:
        """See Part."""
        job = self.job

        def read(page: Page) -> Digests:
            items = [item for item in page if job.mapping.answers_for(item)] if job.mapping.others else page
            return Digests(*digest_items(job.mapping, items), items.__getitem__)

        wire = _scan_wire(job.settings)
        yield from read_pages(job.settings, job.mapping.target, self.number, self.total, read, wire=wire)

    def key_of(self, of: Any) -> KeyTexts:
        """See Part."""
        return texts_of_item(self.job.mapping, of)


def digest_items(mapping: TableMapping, items: Iterable[dict[str, Any]]) -> tuple[list[bytes], list[bytes]]:
    """Return the digests of the keys and of all of items of DynamoDB JSON: as `digested_item` has them, but fast."""
    decoder = Decoder(mapping)
    return _item_digests(mapping).digest(items, lambda item: digested_item(mapping, decoder, item)[:2])


def digested_row(mapping: TableMapping, pairs: Pairs) -> Digested:
    """Digest a source row, given its pairs."""
    return Digested(digest_key(key_pairs(mapping, pairs)), digest_row(pairs), pairs)


def digested_item(mapping: TableMapping, decoder: Decoder, item: dict[str, Any]) -> Digested:
    """Digest an item of DynamoDB JSON.

    A key in a form that no row has is digested by its text, as JSON, which no key column is: it equals none.
    """
    pairs = list(decoder.decode(item).items())
    key = key_pairs(mapping, pairs)
    if any(isinstance(value, Foreign) for _, value in key):
        texts = texts_of_item(mapping, item)
        key = [(name, Json(texts[name])) for name in mapping.key_attributes]
    return Digested(digest_key(key), digest_row(pairs), item)


@dataclass(frozen=True, slots=True)
class PartSum:
    """The sums of the rows or items of a part, and how many rows more the plan leaves out."""

    buckets: Buckets
    left_out: int = 0


def sum_part(part: Part, report: Report) -> PartSum:
    """Digest a part into buckets. Reports (table, side, entries) as it goes."""

    def attempt() -> PartSum:
        buckets, left_out = Buckets(), 0
        for digests in part.read():
            buckets.add_all(digests.keys, digests.rows)
            left_out += digests.left_out
            report((part.table, part.side, digests.entries))
            faults.point("verify.batch.read")
        return PartSum(buckets, left_out)

    return again_when_cut_off(attempt)


@dataclass(frozen=True, slots=True)
class ListTask:
    """A part to read again, for the keys in these buckets."""

    part: Part
    buckets: frozenset[int]


def list_part(task: ListTask, report: Report) -> int:
    """Report (side, keys) for the keys in the task's buckets, a bounded number at a time; return how many."""

    def attempt() -> int:
        listed = 0
        found: list[SpilledKey] = []
        for digests in task.part.read():
            found += _spilled(task, digests)
            if len(found) >= KEYS_PER_MESSAGE:
                report((task.part.side, found))
                listed, found = listed + len(found), []
        report((task.part.side, found))
        return listed + len(found)

    return again_when_cut_off(attempt)


def _spilled(task: ListTask, digests: Digests) -> Iterator[SpilledKey]:
    for n, (key, row) in enumerate(zip(digests.keys, digests.rows, strict=True)):
        if bucket_of(key) in task.buckets:
            yield SpilledKey(key, orjson.dumps(task.part.key_of(digests.of(n))).decode(), row)


def again_when_cut_off(attempt: Callable[[], R]) -> R:
    """Make an attempt on fresh connections again when the source's connection broke, some times."""
    for attempts_left in reversed(range(SOURCE_ATTEMPTS)):
        try:
            return attempt()
        except SourceUnreachable:
            close_sessions()
            if not attempts_left:
                raise
        except BaseException:
            close_sessions()
            raise
    raise AssertionError("unreachable")


_open: dict[tuple[str, str | None], tuple[psycopg.Connection, ExitStack]] = {}
"""This process's connection to the source, kept from part to part under one snapshot; at most one."""


def source_connection(job: VerifyJob) -> psycopg.Connection:
    """Return this process's connection, under the job's snapshot."""
    wanted = (job.dsn, job.snapshot)
    if wanted not in _open:
        close_sessions()
        with ExitStack() as stack:
            connection = stack.enter_context(connect_source(job.dsn, os.environ))
            if job.snapshot is not None:
                stack.enter_context(adopt_snapshot(connection, job.snapshot))
            _open[wanted] = (connection, stack.pop_all())
    return _open[wanted][0]


_scanning: dict[TargetSettings, Wire] = {}
"""This process's connection to DynamoDB, kept likewise: finding out where that is takes as long as some pages."""


def _scan_wire(settings: TargetSettings) -> Wire:
    if settings not in _scanning:
        _close_wires()
        _scanning[settings] = Wire(settings)
    return _scanning[settings]


def _close_wires() -> None:
    while _scanning:
        _, wire = _scanning.popitem()
        wire.close()


def close_sessions() -> None:
    """Close the connections that this process has kept for the next part."""
    _close_wires()
    while _open:
        _, (_, stack) = _open.popitem()
        stack.close()
