"""What a reader of an inferred plan should know of a table, and of all of them together. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from pg2dynamo.mapping.limits import ITEM_BYTES
from pg2dynamo.mapping.table import TableName
from pg2dynamo.mapping.types import ColumnType, Kind
from pg2dynamo.plan.infer.facts import Facts

LARGE_BYTES = ITEM_BYTES // 8
"""From such an average on some items are likely to exceed what DynamoDB holds: sizes are seldom even."""
NAMES_BYTES = 2_000
SHOWN = 6


def table_notes(facts: Facts) -> Iterator[str]:
    """Yield what is worth knowing of one table."""
    table = facts.table
    if table.kind == "partitioned":
        yield "partitioned; its partitions are read one by one into one DynamoDB table"
    if table.inherited:
        yield "other tables inherit from it; their rows are not copied with it"
    if table.row_security:
        yield "row-level security hides rows from this role: `check` fails until it has BYPASSRLS or owns the table"
    if facts.rows:
        yield f"about {facts.rows:,} row{'s' if facts.rows > 1 else ''}, {_kilobytes(facts.item_bytes())} an item"
    yield from _large(facts)
    names = sum(len(column.name.encode()) for column in table.columns)
    if names > NAMES_BYTES:
        what = f"the names of its {len(table.columns):,} columns are {_kilobytes(names)} of every item that has all"
        yield f"{what}: `rename` them shorter, or `leave_out` what is not used"


def _large(facts: Facts) -> Iterator[str]:
    size = facts.item_bytes()
    if size >= LARGE_BYTES:
        what = "items of more than 400 KB go to quarantine, and at this average some are likely to"
        yield f"{what}: `pg2dynamo estimate --exact` counts them; `leave_out` what belongs elsewhere (S3)"


def _kilobytes(size: float) -> str:
    return f"{size / 1000:,.1f} KB" if size >= 100 else f"{size:.0f} bytes"


def sorted_as_text(facts: Facts, columns: Sequence[str]) -> list[str]:
    """Return which of these columns DynamoDB sorts as text, unlike PostgreSQL."""
    kinds = (Kind.OUTPUT, Kind.INTERVAL, Kind.TIMETZ)
    return [name for name in columns if (c := facts.table.column(name)) is not None and c.type.kind in kinds]


def overall_notes(tables: Sequence[Facts]) -> Iterator[str]:
    """Yield what concerns many tables, once."""
    unseen = [str(facts.table.name) for facts in tables if _was_never_seen(facts)]
    if unseen and any(facts.statistics is not None for facts in tables):
        yield f"Never analysed, so nothing here is reasoned by their rows (run ANALYZE): {some(unseen)}."
    documents = _columns(tables, lambda t: t.kind is Kind.JSON)
    if documents:
        yield (
            "json becomes maps and lists: what is the same for jsonb. `attributes: {name: {as: text}}` keeps the text "
            f"as it is, with order, repeated names and the spelling of numbers: {some(documents)}."
        )
    unscaled = _columns(tables, lambda t: t.name == "numeric")
    if unscaled:
        yield (
            "numeric without a scale keeps its value and not its trailing zeros (1.50 is 1.5); `as: text` keeps them: "
            f"{some(unscaled)}."
        )


def _was_never_seen(facts: Facts) -> bool:
    return facts.table.kind in ("table", "partitioned") and facts.statistics is not None and not facts.analysed


def _columns(tables: Sequence[Facts], wanted: Callable[[ColumnType], bool]) -> list[str]:
    found = []
    for facts in tables:
        for column in facts.table.columns:
            if wanted(column.type.element or column.type):
                found.append(column_name(facts.table.name, column.name))
    return found


def column_name(table: TableName, column: str) -> str:
    """Return a column as comments name it."""
    return f"{table}.{column}"


def some(names: Sequence[str]) -> str:
    """Return the first names, and how many there are besides."""
    shown = ", ".join(names[:SHOWN])
    return shown if len(names) <= SHOWN else f"{shown} and {len(names) - SHOWN:,} more"
