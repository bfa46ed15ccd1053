"""Rows that could be embedded in the row they belong to: by how many there are to one, as measured. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pg2dynamo.mapping.table import TableName
from pg2dynamo.plan.identity import unique_keys
from pg2dynamo.plan.infer.facts import INSTANTS, Facts
from pg2dynamo.plan.infer.yaml_text import flow_map, key, source
from pg2dynamo.plan.schema import ForeignKey

MOST_ROWS = 20
"""To one row on average: beyond that an index, and a query that pages, serves better."""
MOST_BYTES = 50_000
"""Of the item with what is embedded in it: an eighth of what an item may have, and 49 write units."""

Catalog = Mapping[TableName, Facts]


@dataclass(frozen=True, slots=True)
class PossibleEmbed:
    """Rows of `child` that could stand in their parent's item as `attribute`, `fan_out` to one row on average."""

    attribute: str
    child: Facts
    foreign_key: ForeignKey
    fan_out: float
    one: bool
    added_bytes: float

    @property
    def note(self) -> str:
        """What a comment says of it."""
        rows = f"{self.fan_out:,.1f} rows of {self.child.table.name} to a row here"
        return f"{rows} on average, {self.added_bytes / 1000:,.1f} KB: could be embedded, in place of an entry"

    @property
    def lines(self) -> list[str]:
        """The entry of `embed` that does it."""
        on = dict(zip(self.foreign_key.columns, self.foreign_key.referenced_columns, strict=True))
        lines = [f"  {key(self.attribute)}:", f"    from: {source(self.child.table.name)}", f"    on: {flow_map(on)}"]
        return [*lines, "    one: true"] if self.one else lines


def possible_embeds(catalog: Catalog) -> dict[TableName, list[PossibleEmbed]]:
    """Return for each parent what could be embedded in its items without making them large.

    Only rows that belong to one parent alone and have nothing below them that is large: a table is in one place.
    """
    below: dict[TableName, list[tuple[Facts, ForeignKey]]] = {}
    for facts in catalog.values():
        for foreign_key in facts.table.foreign_keys:
            below.setdefault(foreign_key.references, []).append((facts, foreign_key))
    result: dict[TableName, list[PossibleEmbed]] = {}
    for parent in catalog.values():
        found = _into(parent, below.get(parent.table.name, []), below)
        if found:
            result[parent.table.name] = found
    return result


def _into(
    parent: Facts,
    children: Sequence[tuple[Facts, ForeignKey]],
    below: Mapping[TableName, Sequence[tuple[Facts, ForeignKey]]],
) -> list[PossibleEmbed]:
    room = MOST_BYTES - parent.item_bytes()
    taken = {column.name for column in parent.table.columns}
    result: list[PossibleEmbed] = []
    for child, foreign_key in children:
        if not _belongs_to(child, foreign_key) or below.get(child.table.name):
            continue
        rows = fan_out(parent, child, foreign_key)
        added = rows * child.item_bytes() if rows is not None else 0
        if rows is None or rows > MOST_ROWS or added > room:
            continue
        name = _attribute(child.table.name.name, taken)
        room -= added
        result.append(PossibleEmbed(name, child, foreign_key, rows, _is_one(child, foreign_key), added))
    return result


def fan_out(parent: Facts, child: Facts, foreign_key: ForeignKey) -> float | None:
    """Return how many rows belong to one that has any, on average, or None when nothing is known.

    Rows by different values of the foreign key's column, else by rows of the parent.
    """
    if not child.rows or not parent.rows:
        return None
    present = child.rows * (1 - max(child.null_fraction(name) for name in foreign_key.columns))
    if len(foreign_key.columns) == 1 and (values := child.distinct(foreign_key.columns[0])):
        return max(present / values, 1.0)
    return present / parent.rows


def _belongs_to(child: Facts, foreign_key: ForeignKey) -> bool:
    """Return whether the child's rows are parts of this parent's: it is the only one, or the child's key holds it."""
    table = child.table
    itself = foreign_key.references == table.name
    there = all((c := table.column(name)) is not None and c.not_null for name in foreign_key.columns)
    if itself or not there or not unique_keys(table) or table.kind != "table" or _is_a_series(child):
        return False
    others = [other for other in table.foreign_keys if other.columns != foreign_key.columns]
    first = table.primary_key[: len(foreign_key.columns)]
    return not others or (set(first) == set(foreign_key.columns) and not _between(table.primary_key, others))


def _is_a_series(child: Facts) -> bool:
    """Return whether time is of the child's key: such rows grow more without end, however few there are now."""
    columns = [child.table.column(name) for name in child.table.primary_key]
    return any(column is not None and column.type.kind in INSTANTS for column in columns)


def _between(primary_key: Sequence[str], others: Iterable[ForeignKey]) -> bool:
    """Return whether the key holds other parents too: rows between tables are no part of one of them."""
    return any(set(other.columns) <= set(primary_key) for other in others)


def _is_one(child: Facts, foreign_key: ForeignKey) -> bool:
    return any(set(unique) <= set(foreign_key.columns) for unique in unique_keys(child.table))


def _attribute(name: str, taken: set[str]) -> str:
    candidate, number = name, 1
    while candidate in taken:
        number += 1
        candidate = f"{name}_{number}"
    taken.add(candidate)
    return candidate
