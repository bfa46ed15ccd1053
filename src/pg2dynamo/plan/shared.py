"""Entries that share a DynamoDB table: their keys can be told apart, and the table has the indexes of all. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
    groups: dict[str, list[TableMapping]] = {}
    for mapping in mappings:
        groups.setdefault(mapping.target, []).append(mapping)
    shared = {m.name: m for group in groups.values() for m in (group if len(group) == 1 else _shared(group))}
    return [shared[mapping.name] for mapping in mappings]


def _shared(group: Sequence[TableMapping]) -> list[TableMapping]:
    """Return the entries of one table, told of one another."""
    templates = [_templates(mapping) for mapping in group]
    _require_alike(group)
    for one, other in combinations(range(len(group)), 2):
        _require_apart(group[one], group[other], templates[one], templates[other])
    patterns = [_pattern(found) for found in templates]
    indexes = tuple({index.name: index for mapping in group for index in mapping.indexes}.values())
    key_types = tuple(sorted({pair for mapping in group for pair in mapping.key_types}))
    return [
        replace(
            mapping,
            indexes=indexes,
            key_types=key_types,
            pattern=patterns[number],
            others=(*patterns[:number], *patterns[number + 1 :]),
            takes_strays=number == 0,
        )
        for number, mapping in enumerate(group)
    ]


def _pattern(templates: Mapping[str, Template]) -> KeyPattern:
    return KeyPattern(tuple((name, t.prefix, t.constant is not None) for name, t in templates.items()))


def _templates(mapping: TableMapping) -> dict[str, Template]:
    return {d.name: d.template for d in mapping.derived if d.name in mapping.key_attributes}


def _both(one: TableMapping, other: TableMapping) -> str:
    return f"{one.name} and {other.name} share the table {one.target}"


def _require_alike(group: Sequence[TableMapping]) -> None:
    """Refuse entries that want the one table to be several things."""
    first = group[0]
    forms: dict[str, tuple[str, TableMapping]] = {}
    indexes: dict[str, tuple[IndexMapping, TableMapping]] = {}
    ttl = next((mapping for mapping in group if mapping.ttl), first)
    for mapping in group:
        if mapping.key_attributes != first.key_attributes:
            raise PlanError(f"{_both(first, mapping)}, but their key attributes differ.", remedy="Give them one `key`.")
        if mapping.ttl not in (None, ttl.ttl):
            raise PlanError(f"{_both(ttl, mapping)}, but `ttl` names different attributes in them.")
        for name, form in mapping.key_types:
            known, other = forms.setdefault(name, (form, mapping))
            if known != form:
                raise PlanError(
                    f"{_both(other, mapping)}, but {name} is of type {known} in one and {form} in the other."
                )
        for index in mapping.indexes:
            there, other = indexes.setdefault(index.name, (index, mapping))
            if there != index:
                raise PlanError(f"{_both(other, mapping)}, but the index {index.name} has different keys in them.")


def _require_apart(
    one: TableMapping, other: TableMapping, mine: Mapping[str, Template], theirs: Mapping[str, Template]
) -> None:
    if not any(disjoint(mine[name], theirs[name]) for name in mine.keys() & theirs.keys()):
        raise PlanError(
            f"{_both(one, other)}, and nothing says that their keys never meet.",
            remedy="Make a key attribute of each from a template, and let these begin differently, "
            'e.g. template: "ORDER#{order_id}".',
        )
