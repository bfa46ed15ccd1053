"""The secondary indexes of a table's items, from foreign keys and indexes: which are made, and what is left out. Pure.

Foreign keys come first, then unique indexes, then others by their use; at most as many as a table can have.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pg2dynamo.mapping.limits import GLOBAL_INDEXES
from pg2dynamo.mapping.table import quote_identifier
from pg2dynamo.mapping.types import Kind
from pg2dynamo.plan.identity import unique_keys
from pg2dynamo.plan.infer.facts import INSTANTS, Facts, can_be_key, hot_because, placeholder
from pg2dynamo.plan.infer.keys import ChosenKey, table_names
from pg2dynamo.plan.infer.names import allowed_name, free_name, joined_name
from pg2dynamo.plan.schema import SourceIndex, SourceTable

MOSTLY = 0.5
"""From this share of NULL on a comment gives it: the index is sparse."""


@dataclass(frozen=True, slots=True)
class ChosenIndex:
    """An index to be made: its name, and the attributes of its key, hash first."""

    name: str
    attributes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChosenIndexes:
    """The indexes of a table, the rules that their attributes need, and what a comment says about the rest."""

    indexes: tuple[ChosenIndex, ...]
    templates: tuple[tuple[str, str], ...]
    booleans: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Candidate:
    columns: tuple[str, ...]
    origin: str


@dataclass
class _Making:
    """What has been made so far of one table."""

    facts: Facts
    key: ChosenKey
    indexes: list[ChosenIndex] = field(default_factory=list)
    templates: dict[str, str] = field(default_factory=dict)
    booleans: list[str] = field(default_factory=list)
    nullable: dict[str, None] = field(default_factory=dict)
    beyond: list[str] = field(default_factory=list)
    unfit: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)


def choose_indexes(facts: Facts, key: ChosenKey) -> ChosenIndexes:
    """Return the indexes of a table whose key is chosen."""
    making = _Making(facts, key, templates=dict(key.templates))
    useless: list[str] = []
    for candidate in _in_time(facts, _merged(facts, key, list(_candidates(facts, useless)))):
        _make(making, candidate)
    return ChosenIndexes(
        tuple(making.indexes),
        tuple((name, text) for name, text in making.templates.items() if (name, text) not in key.templates),
        tuple(making.booleans),
        tuple(_notes(making, useless)),
    )


def _candidates(facts: Facts, useless: list[str]) -> Iterator[_Candidate]:
    table = facts.table
    yield from (_Candidate(key.columns, "foreign key") for key in table.foreign_keys)
    plain = [index for index in table.indexes if _is_plain(index) and not index.primary]
    yield from (_Candidate(_columns(index), "unique index") for index in plain if index.unique)
    others = [index for index in plain if not index.unique]
    for index in sorted(others, key=lambda i: (-_usefulness(facts, _columns(i)), i.name)):
        if why := _useless(facts, _columns(index)):
            useless.append(f"{index.name} ({', '.join(_columns(index))}: {why})")
        else:
            yield _Candidate(_columns(index), "index")


def _is_plain(index: SourceIndex) -> bool:
    return index.method == "btree" and index.predicate is None and bool(index.columns) and None not in index.columns


def _columns(index: SourceIndex) -> tuple[str, ...]:
    return tuple(name for name in index.columns if name is not None)


def _usefulness(facts: Facts, columns: Sequence[str]) -> float:
    """Return a number that grows with how much of the table one question leaves out."""
    present = 1 - max(facts.null_fraction(name) for name in columns)
    hot = hot_because(facts, columns[0]) is not None
    return present * (0.5 if hot else 1.0) * (1.1 if len(columns) == 2 else 1.0)


def _useless(facts: Facts, columns: Sequence[str]) -> str | None:
    """Say why an index that only helps ranges and sorting in PostgreSQL helps nothing in DynamoDB."""
    column = facts.table.column(columns[0])
    kind = column.type.kind if column is not None else None
    if kind in INSTANTS or kind in (Kind.FLOAT4, Kind.FLOAT8):
        return "ranges need a hash before them"
    if len(columns) == 1 and kind is Kind.BOOLEAN:
        return "two values"
    return None


def _merged(facts: Facts, key: ChosenKey, candidates: Sequence[_Candidate]) -> list[_Candidate]:
    """Return each set of columns once, a single one within the index that begins with it, none that the key answers."""
    result: dict[tuple[str, ...], _Candidate] = {}
    for candidate in candidates:
        columns = candidate.columns
        if columns in (key.attributes, key.attributes[:1]) or (len(columns) > 1 and columns == key.columns):
            continue
        longer = _longer(facts, columns, candidates) if len(columns) == 1 else None
        best = longer or candidate
        if best.columns != key.attributes and best.columns != key.columns:
            result.setdefault(best.columns, best)
    return list(result.values())


def _in_time(facts: Facts, candidates: Sequence[_Candidate]) -> list[_Candidate]:
    """Return the candidates, those of foreign keys in the order of a time where one is indexed and always there."""
    times = [
        columns[0]
        for index in facts.table.indexes
        if _is_plain(index) and len(columns := _columns(index)) == 1 and _is_time(facts, columns[0])
    ]
    unique = unique_keys(facts.table)
    return [
        _Candidate((*c.columns, times[0]), c.origin)
        if times and c.origin == "foreign key" and len(c.columns) == 1 and c.columns not in unique
        else c
        for c in candidates
    ]


def _is_time(facts: Facts, name: str) -> bool:
    column = facts.table.column(name)
    return column is not None and column.type.kind in INSTANTS and _always_there(facts, name)


def _longer(facts: Facts, columns: tuple[str, ...], candidates: Sequence[_Candidate]) -> _Candidate | None:
    """Return an index of two columns that begins with this one and has all its rows."""
    for other in candidates:
        if len(other.columns) == 2 and other.columns[:1] == columns and _always_there(facts, other.columns[1]):
            return other
    return None


def _always_there(facts: Facts, name: str) -> bool:
    column = facts.table.column(name)
    return column is not None and column.not_null and (can_be_key(column) or column.type.kind is Kind.BOOLEAN)


def _make(making: _Making, candidate: _Candidate) -> None:
    shown = ", ".join(candidate.columns)
    if len(making.indexes) == GLOBAL_INDEXES:
        making.beyond.append(f"({shown})")
        return
    attributes = _attributes(making, candidate.columns)
    if attributes is None:
        making.unfit.append(f"({shown})")
        return
    if len(set(attributes)) < len(attributes) or any(attributes == index.attributes for index in making.indexes):
        return
    name = free_name(allowed_name("-".join((*candidate.columns, "index")), "index"), making.names)
    making.indexes.append(ChosenIndex(name, attributes))
    for column in candidate.columns:
        found = making.facts.table.column(column)
        if found is not None and not found.not_null:
            making.nullable[column] = None


def _attributes(making: _Making, columns: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return the attributes of an index over these columns, with the rules they need, or None when it cannot be."""
    if len(columns) > 2:
        hash_name = _attribute(making, columns[0])
        text = _template(making.facts.table, columns[1:])
        return (hash_name, _templated(making, columns[1:], text)) if hash_name and text else None
    found = tuple(_attribute(making, column) for column in columns)
    return None if None in found else tuple(str(name) for name in found)


def _template(table: SourceTable, columns: Sequence[str]) -> str | None:
    parts = [placeholder(c, sort=True) for name in columns if (c := table.column(name)) is not None]
    return None if None in parts else "#".join(map(str, parts))


def _templated(making: _Making, columns: Sequence[str], text: str) -> str:
    """Return the attribute of this template, made when there is none yet."""
    known = next((name for name, template in making.templates.items() if template == text), None)
    if known is None:
        known = joined_name(columns, [*table_names(making.facts.table), *making.templates])
        making.templates[known] = text
    return known


def _attribute(making: _Making, name: str) -> str | None:
    """Return the attribute of a column as an index key; a boolean is text, by a rule that says the way back."""
    column = making.facts.table.column(name)
    if column is None or can_be_key(column):
        return name if column is not None else None
    if column.type.kind is not Kind.BOOLEAN or len(name.encode()) > 255:
        return None
    if name not in making.key.columns and not column.generated:
        if name not in making.booleans:
            making.booleans.append(name)
        return name
    text = placeholder(column, sort=False)
    return _templated(making, (name,), text) if text else None


def _notes(making: _Making, useless: Sequence[str]) -> Iterator[str]:
    if making.nullable:
        shown = ", ".join(_with_fraction(making.facts, name) for name in making.nullable)
        yield f"rows where {shown} is NULL will not be in the indexes over it"
    if len(making.indexes) > 5:
        yield f"{len(making.indexes)} indexes: each is another write of the whole item; keep those that queries need"
    if making.beyond:
        yield f"a table can have {GLOBAL_INDEXES} indexes, so there is none on {', '.join(making.beyond)}"
    if making.unfit:
        yield f"no index on {', '.join(making.unfit)}: of a type that cannot be a key in DynamoDB"
    if useless:
        yield f"not made, as no query in DynamoDB could use it alone: {', '.join(useless)}"
    if others := [f"{index.name} ({_why_not(index)})" for index in making.facts.table.indexes if not _is_plain(index)]:
        what = "compute an attribute that only the rows in question have for a partial one or an expression"
        yield f"not made: {', '.join(others)}; {what}, and search elsewhere for the others"


def _why_not(index: SourceIndex) -> str:
    if index.method != "btree":
        return index.method
    return "partial" if index.predicate is not None else "an expression"


def _with_fraction(facts: Facts, name: str) -> str:
    fraction = facts.null_fraction(name)
    return f"{name} ({fraction:.0%} of the rows)" if fraction >= MOSTLY else name


def boolean_rule(table: SourceTable, name: str) -> tuple[str, str]:
    """Return SQL for a boolean as text, and for the way back."""
    column = table.column(name)
    quoted = quote_identifier(name)
    sql = f"CASE WHEN {quoted} THEN 'true' ELSE 'false' END"
    if column is None or not column.not_null:
        sql = f"CASE WHEN {quoted} THEN 'true' WHEN NOT {quoted} THEN 'false' END"
    return sql, f"{quoted} = 'true'"
