"""Entries that share a DynamoDB table: their keys can be told apart, and the table has the indexes of all. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import combinations

from pg2dynamo.errors import PlanError
from pg2dynamo.mapping.table import IndexMapping, KeyPattern, TableMapping
from pg2dynamo.mapping.templates import Template, disjoint


def share_targets(mappings: Iterable[TableMapping]) -> list[TableMapping]:
    """Return the mappings, each knowing what the others put into its table.

    Raises PlanError when entries of one table have different keys, indexes of one name that differ, or keys that
    could meet.
    """
    mappings = list(mappings)
    by_target: dict[str, list[TableMapping]] = {}
    for mapping in mappings:
        by_target.setdefault(mapping.target, []).append(mapping)
    return [_shared(mapping, by_target[mapping.target]) for mapping in mappings]


def _shared(mapping: TableMapping, group: Sequence[TableMapping]) -> TableMapping:
    if len(group) == 1:
        return mapping
    if mapping is group[0]:
        for one, other in combinations(group, 2):
            _require_apart(one, other)
    return replace(
        mapping,
        indexes=tuple({index.name: index for each in group for index in each.indexes}.values()),
        key_types=tuple(sorted({pair for each in group for pair in each.key_types})),
        pattern=_pattern(mapping),
        others=tuple(_pattern(other) for other in group if other is not mapping),
        takes_strays=mapping is group[0],
    )


def _pattern(mapping: TableMapping) -> KeyPattern:
    templates = _templates(mapping)
    whole = {name: len(t.parts) == 1 and isinstance(t.parts[0], str) for name, t in templates.items()}
    return KeyPattern(tuple((name, t.prefix, whole[name]) for name, t in templates.items()))


def _templates(mapping: TableMapping) -> dict[str, Template]:
    return {d.name: d.template for d in mapping.derived if d.name in mapping.key_attributes}


def _require_apart(one: TableMapping, other: TableMapping) -> None:
    both = f"{one.name} and {other.name} share the table {one.target}"
    if one.key_attributes != other.key_attributes:
        raise PlanError(f"{both}, but their key attributes differ.", remedy="Give them the same `key`.")
    theirs = dict(other.key_types)
    for name, form in one.key_types:
        if theirs.get(name, form) != form:
            raise PlanError(f"{both}, but {name} is of type {form} in one and {theirs[name]} in the other.")
    indexes: dict[str, IndexMapping] = {index.name: index for index in other.indexes}
    for index in one.indexes:
        if indexes.get(index.name, index) != index:
            raise PlanError(f"{both}, but the index {index.name} has different keys in them.")
    if (one.ttl or other.ttl) != (other.ttl or one.ttl):
        raise PlanError(f"{both}, but `ttl` names different attributes in them.")
    mine, others = _templates(one), _templates(other)
    if not any(disjoint(mine[name], others[name]) for name in mine.keys() & others.keys()):
        raise PlanError(
            f"{both}, and nothing says that their keys never meet.",
            remedy="Make a key attribute of each from a template, and let these begin differently, "
            'e.g. template: "ORDER#{order_id}".',
        )
