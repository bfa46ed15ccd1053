"""What differs between a row and its item: names, never values. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from pg2dynamo.mapping.digest import digest_row, digest_row_and_each
from pg2dynamo.mapping.fitness import attribute_fault, key_limits, may_be_unfit, text_attributes, text_fault
from pg2dynamo.mapping.keys import derived_values
from pg2dynamo.mapping.limits import key_fault
from pg2dynamo.mapping.table import TableMapping, Unfit
from pg2dynamo.mapping.values import Json, Text, Value

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


class Expectation:
    """What the items of a mapping's rows must hold, by the rows' values and the plan's policies. Not changed by use."""

    def __init__(self, mapping: TableMapping) -> None:
        limits = key_limits(mapping)
        policies = {a.name: a.unfit for a in mapping.read} | {d.name: d.unfit for d in mapping.derived}
        self._mapping = mapping
        self._values = [(a, limits.get(a.name)) for a in mapping.read if may_be_unfit(a.type, key=a.name in limits)]
        self._derived_keys = [(d.name, limits[d.name], d.unfit) for d in mapping.derived if d.name in limits]
        self._key_policies = [(name, policies[name]) for name in mapping.key_attributes]
        self._texts = tuple(attribute.name for attribute in text_attributes(mapping))
        judged = {*(a.unfit for a, _ in self._values), *(policy for _, _, policy in self._derived_keys)}
        # Where all that is unfit is kept in quarantine, no item can equal its row, whatever it holds.
        self._judges = not judged.union(policy for _, policy in self._key_policies) <= {"error", "quarantine"}

    @property
    def as_read(self) -> bool:
        """Whether all values count as they are read: none is put in the place of others, and no row is left out."""
        return not self._judges

    def pairs(
        self, values: Sequence[Value], unrestored: Sequence[str], texts: Sequence[str | None] = ()
    ) -> Pairs | None:
        """Return the pairs that a source row is digested from; None when the plan leaves the row out.

        `unrestored` names the attributes whose `back` does not give the column again: no item equals such a row.
        `texts` are PostgreSQL's of the mapping's `text_attributes`.
        """
        mapping = self._mapping
        read = {a.name: value for a, value in zip(mapping.read, values, strict=True)}
        faults = self._replace(read, dict(zip(self._texts, texts, strict=True))) if self._judges else []
        derived = derived_values(mapping, read)
        if self._judges:
            faults = faults or self._replace_keys(derived) or self._absent_keys(read | derived)
            if faults and set(faults) == {"skip"}:
                return None
        known = [(attribute.name, read[attribute.name]) for attribute in mapping.attributes]
        pairs = [(name, value) for name, value in (*known, *derived.items()) if value is not None]
        return [*pairs, (UNRESTORED, list(unrestored))] if unrestored else pairs

    def _replace(self, read: dict[str, Value], texts: Mapping[str, str | None]) -> list[Unfit]:
        """Put texts and NULL where values do not fit; return the policies of the others that do not."""
        faults: list[Unfit] = []
        for attribute, limit in self._values:
            name, value = attribute.name, read[attribute.name]
            text = texts.get(name)
            if attribute_fault(attribute, value, key_limit=limit) is None and not (text and _is_bare_string(value)):
                continue
            if attribute.unfit == "null":
                read[name] = None
            elif text is not None and text_fault(text) is None:
                read[name] = Text(text)
            else:
                faults.append(attribute.unfit)
        return faults

    def _replace_keys(self, derived: dict[str, Value]) -> list[Unfit]:
        """Take out what cannot be an index key; return the policies of the others that cannot be keys."""
        faults: list[Unfit] = []
        for name, limit, policy in self._derived_keys:
            text = derived.get(name)
            if not isinstance(text, str) or key_fault(len(text.encode("utf-8", "surrogatepass")), limit) is None:
                continue
            if policy == "null":
                del derived[name]
            else:
                faults.append(policy)
        return faults

    def _absent_keys(self, values: Mapping[str, Value]) -> list[Unfit]:
        return [policy for name, policy in self._key_policies if values.get(name) is None]


def _is_bare_string(value: Value) -> bool:
    return isinstance(value, Json) and isinstance(value.value, str)


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


def row_and_attribute_digests(mapping: TableMapping, row: Pairs) -> tuple[bytes, bytes]:
    """Return `digest_row` of a row and its `attribute_digests`, in less time than one after the other."""
    whole, each = digest_row_and_each(row)
    if UNRESTORED in each:
        return whole, attribute_digests(mapping, row)
    return whole, b"".join([each.get(name, _ABSENT)[:ATTRIBUTE_DIGEST_BYTES] for name in mapping.names])


_ABSENT = digest_row(())


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
