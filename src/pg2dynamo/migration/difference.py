"""What differs between a row and its item: names, never values. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from pg2dynamo.mapping.digest import digest_row
from pg2dynamo.mapping.keys import derived_values
from pg2dynamo.mapping.table import TableMapping
from pg2dynamo.mapping.values import Value

Pairs: TypeAlias = Sequence[tuple[str, Value]]
"""Attribute names and values; NULL is left out, as an absent attribute is."""

Kind: TypeAlias = Literal["missing", "different", "extra"]

ATTRIBUTE_DIGEST_BYTES = 4

UNRESTORED = ""
"""The name under which a row's pairs hold what its item could not give back; no attribute has an empty name."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One line of a report. `key` is attribute name to text; `attributes` are the names that differ, sorted.

    `missing`: a row without item. `extra`: an item without row. No attributes are named for these.
    """

    table: str
    key: dict[str, str]
    kind: Kind
    attributes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the line's object."""
        return {"table": self.table, "key": self.key, "kind": self.kind, "attributes": list(self.attributes)}


def row_pairs(mapping: TableMapping, values: Sequence[Value], unrestored: Sequence[str]) -> Pairs:
    """Return the pairs that a source row is digested from.

    `unrestored` names the attributes whose `back` does not give the column again: no item equals such a row.
    """
    read = {a.name: value for a, value in zip(mapping.read, values, strict=True)}
    known = [(attribute.name, read[attribute.name]) for attribute in mapping.attributes]
    pairs = [(name, value) for name, value in (*known, *derived_values(mapping, read).items()) if value is not None]
    return [*pairs, (UNRESTORED, list(unrestored))] if unrestored else pairs


def key_pairs(mapping: TableMapping, pairs: Iterable[tuple[str, Value]]) -> list[tuple[str, Value]]:
    """Return the pairs of the key attributes, hash first."""
    values = dict(pairs)
    return [(name, values.get(name)) for name in mapping.key_attributes]


def differing_attributes(row: Pairs, item: Pairs) -> tuple[str, ...]:
    """Return the names whose values differ, or that only one of the two has; empty when they are equal."""
    unrestored = [name for label, names in row if label == UNRESTORED and isinstance(names, list) for name in names]
    ours = {name: digest_row([(name, value)]) for name, value in row if name != UNRESTORED}
    theirs = {name: digest_row([(name, value)]) for name, value in item if value is not None}
    names = {name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)}
    return tuple(sorted(names | {str(name) for name in unrestored}))


def attribute_digests(mapping: TableMapping, row: Pairs) -> bytes:
    """Return four bytes for each attribute of the mapping, in order: enough to name what differs in a row that does."""
    values = dict(row)
    unrestored = values.get(UNRESTORED)
    names = unrestored if isinstance(unrestored, list) else []
    return b"".join(
        _short(UNRESTORED, name) if name in names else _short(name, values.get(name)) for name in mapping.names
    )


def attributes_unlike(mapping: TableMapping, digests: bytes, item: Pairs) -> tuple[str, ...]:
    """Return the names of the item's attributes that are not as the row's `attribute_digests` have them."""
    values = dict(item)
    size = ATTRIBUTE_DIGEST_BYTES
    known = mapping.names
    unlike = {
        name for i, name in enumerate(known) if _short(name, values.get(name)) != digests[i * size : (i + 1) * size]
    }
    return tuple(sorted(unlike | (values.keys() - set(known))))


def _short(name: str, value: Value) -> bytes:
    return digest_row([(name, value)])[:ATTRIBUTE_DIGEST_BYTES]
