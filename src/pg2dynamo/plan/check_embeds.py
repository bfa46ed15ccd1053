"""What the catalog says of embedding rows of other tables: how they are found, and whether there may be two. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pg2dynamo.mapping.table import TableName, quote_identifier
from pg2dynamo.plan.check import CheckLine, failed, warning
from pg2dynamo.plan.identity import unique_keys
from pg2dynamo.plan.schema import SourceIndex, SourceTable
from pg2dynamo.plan.table import Chosen, Embed, TablePlan

FEW_ROWS = 1_000
"""A table of fewer is read whole for each row in less than a millisecond."""

MOST_ROWS_READ = 10**10
"""Rows that searching without an index may read in all: some 15 minutes of one processor for a simple table."""

_ROW_BYTES = 64
"""About how small the rows of a table are at least that the planner knows nothing of."""


def check_embeds(plan: TablePlan, catalog: Mapping[TableName, SourceTable]) -> list[CheckLine]:
    """Return what is to be said of an entry's embeds and look-ups; tables that are not there are left out."""
    subject = f"table {plan.name}"
    lines = [
        _foreign(subject, other)
        for lookup in plan.lookups
        if (other := catalog.get(lookup.source)) is not None and other.kind == "foreign"
    ]
    return lines + list(_embeds(subject, plan, catalog, catalog.get(plan.source), ()))


def _embeds(
    subject: str,
    plan: Chosen,
    catalog: Mapping[TableName, SourceTable],
    table: SourceTable | None,
    path: tuple[str, ...],
) -> Iterator[CheckLine]:
    for name, embed in plan.embed.items():
        inner, other = (*path, name), catalog.get(embed.source)
        if other is None or table is None:
            continue
        said = f"{subject}, embed {'.'.join(inner)}"
        yield from _found_by(said, embed, table, other)
        if embed.one and not any(set(key) <= set(embed.on) for key in _unique(other)):
            message = f"nothing in the catalog says that at most one row of {other.name} belongs to a row"
            yield warning(said, message, "Rows to which two belong go to quarantine; without `one` it is a list.")
        yield from _embeds(subject, embed, catalog, other, inner)


def _unique(table: SourceTable) -> list[tuple[str, ...]]:
    """Return the unique keys, over columns too that may be NULL: no row is joined by NULL."""
    whole = [i for i in table.indexes if i.unique and i.predicate is None]
    nullable = [tuple(name for name in i.columns if name is not None) for i in whole if None not in i.columns]
    return [*unique_keys(table), *nullable]


def _found_by(subject: str, embed: Embed, table: SourceTable, other: SourceTable) -> Iterator[CheckLine]:
    """Say what it costs to find the rows of another table, when no index does it."""
    if other.kind == "foreign":
        yield _foreign(subject, other)
        return
    if any(_serves(index, set(embed.on)) for index in other.indexes):
        return
    theirs, ours = _rows(other), _rows(table)
    if theirs < FEW_ROWS:
        return
    columns = ", ".join(embed.on)
    message = f"{other.name} has no index on {columns}: all of its {theirs:,} rows or so are read for each row"
    make = failed if ours * theirs > MOST_ROWS_READ else warning
    yield make(subject, message, _remedy(embed, other))


def _foreign(subject: str, other: SourceTable) -> CheckLine:
    return warning(
        subject,
        f"{other.name} is a foreign table: another server is asked for each row, and no snapshot holds it",
        "Copy it into a table of this server first.",
    )


def _serves(index: SourceIndex, on: set[str]) -> bool:
    """Tell whether an index finds the rows: it begins with all the columns, or a unique one is of some of them."""
    if index.predicate is not None or index.method not in ("btree", "hash"):
        return False
    return set(index.columns[: len(on)]) == on or (index.unique and set(index.columns) <= on)


def _rows(table: SourceTable) -> int:
    return table.estimated_rows if table.estimated_rows >= 0 else table.total_bytes // _ROW_BYTES


def _remedy(embed: Embed, other: SourceTable) -> str:
    if other.kind == "view":
        return "Index the columns of the tables that the view reads by which it is joined, and run `check` again."
    # An index of a partitioned table cannot be made concurrently.
    how = "" if other.kind == "partitioned" else "CONCURRENTLY "
    columns = ", ".join(map(quote_identifier, embed.on))
    return f"CREATE INDEX {how}ON {other.name.quoted} ({columns}); then ANALYZE {other.name.quoted};"
