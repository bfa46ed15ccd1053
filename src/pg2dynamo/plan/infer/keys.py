"""The key of a table's items, from what tells its rows apart: which column is the hash, and why. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pg2dynamo.mapping.table import quote_identifier
from pg2dynamo.plan.identity import UNPROVABLE_KINDS, unique_keys
from pg2dynamo.plan.infer.facts import Facts, can_be_key, hot_because, is_identifying, placeholder, refers
from pg2dynamo.plan.infer.names import joined_name
from pg2dynamo.plan.schema import SourceTable


@dataclass(frozen=True, slots=True)
class ChosenKey:
    """The attributes of a key, hash first; the columns that they tell, and the templates that some are made by.

    `identity` is what the plan has to say because the primary key does not serve. `reasons` are for a comment.
    """

    attributes: tuple[str, ...]
    columns: tuple[str, ...]
    identity: tuple[str, ...] | None = None
    templates: tuple[tuple[str, str], ...] = ()
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Undecided:
    """Why no entry can be written that would work, SQL or lines of the plan that help, and what they could say."""

    reason: str
    remedies: tuple[str, ...] = ()
    identity: tuple[str, ...] = ()


def choose_key(facts: Facts) -> ChosenKey | Undecided:
    """Return the key of the primary key, else of a unique index that serves, else why there is none."""
    table = facts.table
    if not table.columns:
        return Undecided("it has no columns")
    if table.kind in UNPROVABLE_KINDS:
        return _of_unprovable(table)
    candidates = unique_keys(table)
    if not candidates:
        return _without_identity(table)
    faults = []
    for columns in _smaller_first(table, candidates):
        found = _key_of(facts, columns)
        if isinstance(found, ChosenKey):
            return found
        faults.append(found)
    return Undecided(faults[0], _with_an_id(table))


def _key_of(facts: Facts, columns: tuple[str, ...]) -> ChosenKey | str:
    """Return a key that tells these columns, or why there can be none."""
    table = facts.table
    for name in columns:
        if why := _no_key(table, name):
            return why
    found = _of_one(table, columns[0]) if len(columns) == 1 else _of_several(facts, columns)
    if isinstance(found, str) or columns == table.primary_key:
        return found
    if set(columns) < set(table.primary_key):
        alone = f"{', '.join(columns)} alone is unique, of its primary key {', '.join(table.primary_key)}"
        return replace(found, reasons=(*found.reasons, alone))
    return replace(found, identity=columns, reasons=(*found.reasons, _why_identity(table, columns)))


def _smaller_first(table: SourceTable, unique: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Return unique keys with those first that are enough of the primary key, then that, then the others."""
    return sorted(unique, key=lambda columns: (not set(columns) <= set(table.primary_key), len(columns)))


def _no_key(table: SourceTable, name: str) -> str | None:
    column = table.column(name)
    if column is None:
        return f"its key names {name}, which is no column"
    if len(name.encode()) > 255:
        return f"the key column {name} is a key attribute name of more than 255 bytes"
    if not can_be_key(column) and placeholder(column, sort=False) is None:
        return f"{name} of its key has type {column.type.name}, which cannot be a key in DynamoDB"
    return None


def _of_one(table: SourceTable, name: str) -> ChosenKey | str:
    return _alone(table, name, table_names(table), (name,))


def _alone(table: SourceTable, name: str, taken: Sequence[str], columns: tuple[str, ...]) -> ChosenKey | str:
    """Return a key of one attribute: the column, or a template of it when it is of a type that no key has."""
    column = table.column(name)
    if column is None or can_be_key(column):
        return ChosenKey((name,), columns)
    attribute = joined_name((name,), taken)
    return ChosenKey((attribute,), columns, templates=((attribute, str(placeholder(column, sort=False))),))


def _of_several(facts: Facts, columns: tuple[str, ...]) -> ChosenKey | str:
    table = facts.table
    usable = [name for name in columns if (column := table.column(name)) is not None and can_be_key(column)]
    if not usable:
        return _of_template(table, columns)
    chosen = min(usable, key=lambda name: _rank(facts, name, columns))
    rest = tuple(name for name in columns if name != chosen)
    sort = _alone(table, rest[0], table_names(table), rest) if len(rest) == 1 else _of_template(table, rest, sort=True)
    if isinstance(sort, str):
        return sort
    reasons = _why_hash(facts, chosen, columns)
    return ChosenKey((chosen, *sort.attributes), columns, templates=sort.templates, reasons=reasons)


def _of_template(table: SourceTable, columns: tuple[str, ...], *, sort: bool = False) -> ChosenKey | str:
    """Return a key of one attribute that joins these columns."""
    parts = [placeholder(c, sort=sort) for name in columns if (c := table.column(name)) is not None]
    if None in parts:
        return f"its key has {len(columns)} columns to be joined, of which one has braces or a colon in its name"
    attribute = joined_name(columns, table_names(table))
    return ChosenKey((attribute,), columns, templates=((attribute, "#".join(map(str, parts))),))


def _rank(facts: Facts, name: str, columns: Sequence[str]) -> tuple[bool, bool, float, int]:
    """Return what makes a column a good hash: many values, an id, its place. The smallest is the best."""
    hot = hot_because(facts, name) is not None
    values = -facts.distinct(name) if hot else 0.0
    return hot, not is_identifying(facts, name), values, list(columns).index(name)


def _why_hash(facts: Facts, chosen: str, columns: tuple[str, ...]) -> tuple[str, ...]:
    first = columns[0]
    if chosen == first:
        hot = hot_because(facts, first)
        return (f"the hash {first} is {hot}: many rows share a partition",) if hot and facts.rows else ()
    if hot := hot_because(facts, first):
        why = f"which is {hot}: rows of one value would meet in one partition"
    else:
        why = f"which is {'no' if refers(facts, chosen) else 'less of an'} id that queries would begin with"
        why = f"as {chosen} is of a foreign key" if refers(facts, chosen) and not refers(facts, first) else why
    return (f"hash {chosen}, not {first} as in its key, {why}",)


def _why_identity(table: SourceTable, columns: tuple[str, ...]) -> str:
    named = next((i.name for i in table.indexes if i.unique and i.columns == columns), "")
    what = "no primary key" if not table.primary_key else "its primary key cannot be a key in DynamoDB"
    if named.startswith("<"):
        return f"{what}: each of its partitions has rows unique by {', '.join(columns)}"
    return f"{what}: told apart by its unique index {named} ({', '.join(columns)})"


def _of_unprovable(table: SourceTable) -> Undecided:
    unique = next((i.columns for i in table.indexes if i.unique and i.predicate is None and None not in i.columns), ())
    names = [column.name for column in table.columns if can_be_key(column)]
    likely = [name for name in names if name.lower() in ("id", f"{table.name.name.lower().removesuffix('s')}_id")]
    identity = tuple(name for name in unique if name is not None) or tuple(likely[:1])
    what = f"{table.kind} table" if table.kind == "foreign" else table.kind
    reason = f"it is a {what}: say which columns tell its rows apart (the copy looks whether they do)"
    return Undecided(reason, identity=identity)


def _without_identity(table: SourceTable) -> Undecided:
    nullable = next(
        (i for i in table.indexes if i.unique and i.predicate is None and i.columns and None not in i.columns), None
    )
    if nullable is not None:
        names = [name for name in nullable.columns if (c := table.column(str(name))) is not None and not c.not_null]
        sets = ", ".join(f"ALTER COLUMN {quote_identifier(str(name))} SET NOT NULL" for name in names)
        reason = f"it has no primary key, and its unique index {nullable.name} is over columns that may be NULL"
        return Undecided(reason, (f"ALTER TABLE {table.name.quoted} {sets};",))
    only = "only partial unique indexes or ones" if any(i.unique for i in table.indexes) else "no unique index"
    what = f"{only} over expressions" if only.startswith("only") else only
    reason = f"it has no primary key and {what}, so its rows cannot be told apart"
    if table.kind == "partitioned":
        return Undecided(f"{reason}: add a primary key with the partition key's columns among it")
    return Undecided(reason, _with_an_id(table))


def _with_an_id(table: SourceTable) -> tuple[str, ...]:
    """Return SQL that gives the table a number to tell its rows apart by; none for partitioned tables."""
    if table.kind != "table":
        return ()
    name = quote_identifier(joined_name(("id",), table_names(table)) if table.column("id") else "id")
    unique = "UNIQUE" if table.primary_key else "PRIMARY KEY"
    return (f"ALTER TABLE {table.name.quoted} ADD COLUMN {name} bigint GENERATED ALWAYS AS IDENTITY {unique};",)


def table_names(table: SourceTable) -> list[str]:
    """Return the names that attributes of its own columns have."""
    return [column.name for column in table.columns]
