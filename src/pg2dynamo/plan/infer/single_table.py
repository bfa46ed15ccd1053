"""One DynamoDB table for all entries: keys by the parent that rows belong to, which never meet. Pure.

The hash says whose row it is (`TENANT#…`), the range what and which it is (`ACCOUNT#…`): the rows of one parent stand
together, sorted by kind. Each kind has a word of its own, and so no two kinds have one key.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pg2dynamo.mapping.table import TableName
from pg2dynamo.plan.infer.entries import Entry, LeftOut
from pg2dynamo.plan.infer.facts import Facts, placeholder
from pg2dynamo.plan.infer.indexes import ChosenIndex
from pg2dynamo.plan.infer.keys import ChosenKey
from pg2dynamo.plan.infer.names import allowed_part
from pg2dynamo.plan.infer.notes import table_notes
from pg2dynamo.plan.schema import ForeignKey

HEAD = (
    "One DynamoDB table for all. pk says whose row it is, sk what and which it is: one query gives all rows of a "
    "parent, or those of one kind (sk begins with its word and #). gsi1 finds a row by its own id, gsi2 the rows of a "
    "second parent. `{type}` names the kind. The words differ, so the keys of two kinds never meet; {column:sort} "
    "sorts as PostgreSQL does. Parents were taken from foreign keys: let the questions of the application decide."
)


@dataclass(frozen=True, slots=True)
class _Names:
    """The attributes of the shared table, none of which is a column of a source."""

    hash: str
    range: str
    type: str
    gsi1: str
    gsi2: str


@dataclass(frozen=True, slots=True)
class _Kinds:
    """The word of each source that is in the shared table, the columns of its key, and how many refer to it."""

    words: Mapping[TableName, str]
    keys: Mapping[TableName, tuple[str, ...]]
    children: Mapping[TableName, int]


def share_one_table(to: str, entries: Sequence[Entry | LeftOut]) -> list[Entry | LeftOut]:
    """Return the entries with keys in the one table `to`; those whose names no template takes keep their own."""
    decided = [entry for entry in entries if isinstance(entry, Entry)]
    names = _free_names(decided)
    words = _words([entry.facts.table.name for entry in decided])
    keys = {entry.facts.table.name: entry.key.columns for entry in decided}
    children: dict[TableName, int] = dict.fromkeys(keys, 0)
    for entry in decided:
        for foreign_key in entry.facts.table.foreign_keys:
            if foreign_key.references == entry.facts.table.name:
                continue
            children[foreign_key.references] = children.get(foreign_key.references, 0) + 1
    kinds = _Kinds(words, keys, children)
    return [_shared(to, entry, names, kinds) if isinstance(entry, Entry) else entry for entry in entries]


def type_attribute(entries: Sequence[Entry | LeftOut]) -> str:
    """Return the name of the attribute that tells the kinds apart."""
    return _free_names([entry for entry in entries if isinstance(entry, Entry)]).type


def _free_names(entries: Sequence[Entry]) -> _Names:
    taken = {column.name for entry in entries for column in entry.facts.table.columns}
    wanted = ("pk", "sk", "type", "gsi1pk", "gsi2pk")
    alternatives = ("item_pk", "item_sk", "item_type", "item_gsi1pk", "item_gsi2pk")
    return _Names(*(_first_free(name, other, taken) for name, other in zip(wanted, alternatives, strict=True)))


def _first_free(name: str, other: str, taken: set[str]) -> str:
    candidate, number = name, 0
    while candidate in taken:
        number += 1
        candidate = other if number == 1 else f"{other}{number}"
    return candidate


def _words(names: Sequence[TableName]) -> dict[TableName, str]:
    """Return a word for each table: its name in the singular and in capitals, each once."""
    result: dict[TableName, str] = {}
    for name in names:
        word = re.sub(r"[^A-Z0-9]+", "_", _singular(allowed_part(name.name)).upper()).strip("_") or "ROW"
        candidate, number = word, 1
        while candidate in result.values():
            number += 1
            candidate = f"{word}_{number}"
        result[name] = candidate
    return result


def _singular(name: str) -> str:
    for ending, single in (("ies", "y"), ("sses", "ss"), ("xes", "x"), ("ches", "ch"), ("shes", "sh")):
        if name.endswith(ending) and len(name) > len(ending) + 1:
            return name.removesuffix(ending) + single
    return name[:-1] if name.endswith("s") and not name.endswith(("ss", "us", "is")) else name


def _shared(to: str, entry: Entry, names: _Names, kinds: _Kinds) -> Entry:
    facts = entry.facts
    parents = _parents(facts, kinds)
    owner = next((key for key in parents if _is_there(facts, key)), None)
    templates = _key_templates(facts, entry.key.columns, owner, names, kinds)
    if templates is None:
        return replace(entry, notes=(*entry.notes, "a table of its own: no template takes a name with braces or colon"))
    indexes = []
    if (own := _own_id(facts, entry.key.columns, owner, kinds)) is not None:
        templates[names.gsi1] = own
        indexes.append(ChosenIndex("gsi1", (names.gsi1,)))
    others = [key for key in parents if key is not owner and set(key.columns) != set(entry.key.columns)]
    second = others[0] if others else None
    if second is not None and (text := _of_parent(facts, second, kinds)) is not None:
        templates[names.gsi2] = text
        indexes.append(ChosenIndex("gsi2", (names.gsi2, names.range)))
    return Entry(
        facts=facts,
        to=to,
        key=replace(entry.key, attributes=(names.hash, names.range), templates=()),
        indexes=tuple(indexes),
        templates=templates,
        constants={names.type: kinds.words[facts.table.name]},
        notes=(*table_notes(facts), *_of_identity(entry.key), *_notes(owner, others, kinds)),
    )


def _parents(facts: Facts, kinds: _Kinds) -> list[ForeignKey]:
    """Return the foreign keys to whole keys of tables that are here, the likeliest owner first."""
    own = set(kinds.keys[facts.table.name])
    found = [
        key
        for key in facts.table.foreign_keys
        if set(key.referenced_columns) == set(kinds.keys.get(key.references, ())) and key.columns
    ]
    place = {column.name: n for n, column in enumerate(facts.table.columns)}
    place |= {name: n - len(place) for n, name in enumerate(kinds.keys[facts.table.name])}
    return sorted(
        found,
        key=lambda k: (
            not set(k.columns) <= own,
            -kinds.children[k.references],
            min(place[c] for c in k.columns),
            k.name,
        ),
    )


def _is_there(facts: Facts, key: ForeignKey) -> bool:
    """Return whether every row has such a parent, and another than a row of its own kind."""
    columns = [facts.table.column(name) for name in key.columns]
    return key.references != facts.table.name and all(c is not None and c.not_null for c in columns)


def _key_templates(
    facts: Facts, identity: Sequence[str], owner: ForeignKey | None, names: _Names, kinds: _Kinds
) -> dict[str, str] | None:
    """Return the templates of hash and range, which together tell the identity."""
    word = kinds.words[facts.table.name]
    if owner is not None:
        rest = [name for name in identity if name not in owner.columns]
        whose = _of_parent(facts, owner, kinds)
    else:
        rest = list(identity[1:])
        whose = _text(facts, word, identity[:1], sort=False)
    which = _text(facts, word, rest, sort=True)
    return None if whose is None or which is None else {names.hash: whose, names.range: which}


def _of_parent(facts: Facts, key: ForeignKey, kinds: _Kinds) -> str | None:
    """Return the text that names the parent: its word and its key, in the order of its own hash."""
    ours = dict(zip(key.referenced_columns, key.columns, strict=True))
    return _text(facts, kinds.words[key.references], [ours[name] for name in kinds.keys[key.references]], sort=False)


def _own_id(facts: Facts, identity: Sequence[str], owner: ForeignKey | None, kinds: _Kinds) -> str | None:
    """Return the text by which a row is found without its parent, when its own id is enough for that."""
    if owner is None or set(owner.columns) & set(identity):
        return None
    return _text(facts, kinds.words[facts.table.name], identity, sort=False)


def _text(facts: Facts, word: str, columns: Sequence[str], *, sort: bool) -> str | None:
    parts = [placeholder(c, sort=sort) for name in columns if (c := facts.table.column(name)) is not None]
    return None if None in parts else "#".join([word, *map(str, parts)])


def _of_identity(key: ChosenKey) -> Iterator[str]:
    if key.identity:
        yield key.reasons[-1]


def _notes(owner: ForeignKey | None, others: Sequence[ForeignKey], kinds: _Kinds) -> Iterator[str]:
    if owner is not None:
        yield f"stands with its {kinds.words[owner.references]}, by {', '.join(owner.columns)}"
    if len(others) > 1:
        shown = ", ".join(f"({', '.join(key.columns)})" for key in others[1:])
        yield f"no index by {shown}: a template gsi3pk and an index over it would give one"
