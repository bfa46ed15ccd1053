"""Measure the items of one entry: every row is read and encoded as `copy` does, and what it becomes is counted.

Memory does not grow with the table: a batch of rows is counted and forgotten.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import orjson
import psycopg

from pg2dynamo.errors import RowRefused
from pg2dynamo.mapping.encode import Encoder
from pg2dynamo.mapping.limits import AttributeValue, item_bytes, write_units
from pg2dynamo.mapping.table import TableMapping
from pg2dynamo.migration.credentials import compile_credentials, name_sql
from pg2dynamo.migration.progress import Progress
from pg2dynamo.plan.estimate import STORAGE_OVERHEAD_BYTES, Amounts, EntryEstimate, importable
from pg2dynamo.plan.model import SecretPlan
from pg2dynamo.plan.statistics import TableStatistics
from pg2dynamo.postgres.catalog import read_tables
from pg2dynamo.postgres.connect import translated
from pg2dynamo.postgres.rows import copy_rows
from pg2dynamo.postgres.segments import plan_segments
from pg2dynamo.postgres.selection import whole_table

PHASE = "estimate"
REASONS_SHOWN = 5
_LINE_QUOTES_BYTES = len(b'{"Item":}\n')


@dataclass(slots=True)
class _Count:
    """What has been counted so far."""

    rows: int = 0
    items: int = 0
    item_bytes: int = 0
    index_entries: int = 0
    write_units: int = 0
    storage_bytes: int = 0
    import_bytes: int = 0
    largest_item_bytes: int = 0
    refusals: Counter[tuple[str, str]] = field(default_factory=Counter)

    def refuse(self, attribute: str, reason: str) -> None:
        """Count a row that cannot become an item."""
        self.rows += 1
        self.refusals[attribute, reason] += 1

    def add(self, item: dict[str, AttributeValue], json_bytes: int, indexes: int) -> None:
        """Count an item that is in so many indexes."""
        size = item_bytes(item)
        self.rows += 1
        self.items += 1
        self.item_bytes += size
        self.index_entries += indexes
        self.write_units += write_units(size, indexes)
        self.storage_bytes += (size + STORAGE_OVERHEAD_BYTES) * (1 + indexes)
        self.import_bytes += json_bytes + _LINE_QUOTES_BYTES
        self.largest_item_bytes = max(self.largest_item_bytes, size)


def measure_entry(
    conn: psycopg.Connection, mapping: TableMapping, statistics: TableStatistics | None, progress: Progress
) -> EntryEstimate:
    """Return what the entry's rows, as `conn` sees them, come to. Errors as `postgres.rows.copy_rows`.

    Call it with a snapshot adopted. Rows that cannot become items are counted, and not kept.
    """
    progress.start(PHASE, mapping.name, statistics.rows if statistics is not None and statistics.rows > 0 else None)
    count = _count_entry(conn, mapping, progress)
    progress.finish(PHASE, mapping.name)
    amounts = Amounts(
        rows=count.rows,
        items=count.items,
        refused=count.rows - count.items,
        item_bytes=count.item_bytes,
        index_entries=count.index_entries,
        write_units=count.write_units,
        storage_bytes=count.storage_bytes,
        import_bytes=count.import_bytes,
    )
    return EntryEstimate(
        name=mapping.name,
        source=str(mapping.source),
        target=mapping.target,
        amounts=amounts,
        importable=importable(mapping),
        largest_item_bytes=count.largest_item_bytes,
        notes=tuple(_notes(count)),
    )


def _count_entry(conn: psycopg.Connection, mapping: TableMapping, progress: Progress) -> _Count:
    count = _Count()
    encoder = Encoder(mapping)
    keys = [{index.hash, index.range or index.hash} for index in mapping.indexes]
    for segment in plan_segments(conn, mapping.source):
        for lines in copy_rows(
            conn, mapping, segment, on_unreadable=lambda row: count.refuse(row.attribute, row.reason)
        ):
            for line in lines:
                _count_line(encoder, line, keys, count)
            progress.advance(PHASE, mapping.name, len(lines))
    return count


def _count_line(encoder: Encoder, line: bytes, keys: list[set[str]], count: _Count) -> None:
    try:
        encoded = encoder.encode(line)
    except RowRefused as refusal:
        count.refuse(refusal.attribute, refusal.reason)
        return
    item = orjson.loads(encoded.item)
    count.add(item, len(encoded.item), sum(names <= item.keys() for names in keys))


def _notes(count: _Count) -> Iterator[str]:
    for (attribute, reason), rows in count.refusals.most_common(REASONS_SHOWN):
        yield f"{rows:,} rows cannot become items: {attribute + ': ' if attribute else ''}{reason}."
    if len(count.refusals) > REASONS_SHOWN:
        yield f"{count.rows - count.items:,} rows in all cannot become items, for {len(count.refusals):,} reasons."


def count_credentials(conn: psycopg.Connection, plan: SecretPlan) -> tuple[int, int]:
    """Return how many secrets the plan's rows name, and how many rows there are. Errors as `read_credentials`."""
    table = compile_credentials(plan, read_tables(conn, [plan.source]).get(plan.source))
    query = f"SELECT count(DISTINCT {name_sql(plan)}), count(*) FROM {whole_table(conn, table.mapping)}"  # noqa: S608
    with translated(f"Counting the credentials of {plan.source}"):
        row = conn.execute(query.encode()).fetchone()
    return (row[0], row[1]) if row else (0, 0)
