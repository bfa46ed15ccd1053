"""Infer a plan from the catalog: what follows from it is written, what does not is said in comments.

Pure: the tables come in as values, the plan goes out as the text of its file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pg2dynamo.mapping.limits import GLOBAL_INDEXES, key_attribute_name_fault, table_name_fault
from pg2dynamo.mapping.table import TableName, quote_identifier
from pg2dynamo.mapping.types import Kind, key_form
from pg2dynamo.plan.model import Target
from pg2dynamo.plan.schema import SourceIndex, SourceTable
from pg2dynamo.plan.table import parse_table_name

NAME_CHARACTERS = 255
"""Of a DynamoDB table or index (see `mapping.limits.table_name_fault`)."""

_CREDENTIAL = re.compile(r"encrypted|secret|password|token|credential", re.IGNORECASE)
_PLAIN_SCALAR = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_YAML_WORDS = {"null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf", ".nan", ".inf"}
_TABLE_KINDS = {"view": "views", "materialized view": "materialized views", "foreign": "foreign tables"}


@dataclass
class _Entry:
    """One table of the plan being written: its lines, or why it is only a comment."""

    table: SourceTable
    to: str
    undecided: str | None = None
    notes: list[str] = field(default_factory=list)
    key: tuple[str, ...] = ()
    indexes: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    as_text: list[str] = field(default_factory=list)


def infer(database: str, tables: Iterable[SourceTable]) -> str:
    """Return the text of a plan for these tables of `database`; it loads, and fits the catalog it came from.

    Keys come from primary keys of one or two columns, indexes from foreign keys and unique indexes, up to
    DynamoDB's limit. Deterministic: the same catalog gives the same text.
    """
    prefix = _name_of(database, "database")
    entries = [_entry(prefix, table) for table in sorted(tables, key=lambda t: t.name)]
    _make_unique(entries, Target().control_table)
    decided = [entry for entry in entries if entry.undecided is None]
    lines = [*_head(database, prefix), "tables:" if decided else "tables: []"]
    for entry in entries:
        lines += ["", *(_table_lines(entry) if entry.undecided is None else _undecided_lines(entry))]
    lines += _secret_suggestions(entries)
    return "\n".join(lines) + "\n"


def _head(database: str, prefix: str) -> list[str]:
    return [
        f"# Inferred from the catalog of the database {_comment(database)}. Read it through, above all what is",
        "# commented out, then run `pg2dynamo check`. Every column becomes the attribute of its name; keys and",
        "# indexes should follow how the application reads (see docs/reference/plan.md).",
        f"name: {_scalar(prefix[:64])}",
        "source: {dsn: env:DATABASE_URL}",
        "",
    ]


def _entry(prefix: str, table: SourceTable) -> _Entry:
    schema = "" if table.name.schema == "public" else f"{table.name.schema}-"
    entry = _Entry(table, _name_of(f"{prefix}-{schema}{table.name.name}", "table"))
    entry.undecided = _why_undecided(table)
    if entry.undecided is None:
        entry.key = table.primary_key
        _add_indexes(entry)
        _add_notes(entry)
    return entry


def _why_undecided(table: SourceTable) -> str | None:
    """Say why no entry can be written that would work, or return None."""
    if table.kind in _TABLE_KINDS:
        return f"{_TABLE_KINDS[table.kind]} are not copied"
    if not table.primary_key:
        return "it has no primary key, so its rows cannot be told apart: add one"
    if len(table.primary_key) > 2:
        return (
            f"its primary key has {len(table.primary_key)} columns, and a DynamoDB key has at most two "
            "attributes: keys made of several columns come with a later version"
        )
    names = [table.name.schema, table.name.name, *(column.name for column in table.columns)]
    if any("${" in name for name in names):
        return "a name in it contains ${, which a plan takes for a variable"
    return next((why for name in table.primary_key if (why := _no_key(table, name))), None)


def _no_key(table: SourceTable, name: str) -> str | None:
    column = table.column(name)
    if column is None:
        return f"its key names {name}, which is no column"
    if key_attribute_name_fault(name):
        return f"the key column {name} is {key_attribute_name_fault(name)}"
    if key_form(column.type) is None:
        return f"{name} of its primary key has type {column.type.name}, which cannot be a key in DynamoDB"
    return None


def _add_indexes(entry: _Entry) -> None:
    for name, columns in _index_candidates(entry):
        if columns == entry.key or any(columns == taken for _, taken in entry.indexes):
            continue
        if len(entry.indexes) == GLOBAL_INDEXES:
            entry.notes.append(f"no index on {', '.join(columns)}: a table can have {GLOBAL_INDEXES}")
            continue
        if all(_usable(entry, column) for column in columns):
            entry.indexes.append((name, columns))
        else:
            entry.notes.append(f"no index on {', '.join(columns)}: of a type that cannot be a key in DynamoDB")


def _index_candidates(entry: _Entry) -> list[tuple[str, tuple[str, ...]]]:
    """Return names and columns of the indexes to make: those of foreign keys, then those of unique indexes."""
    table = entry.table
    found = [("-".join((*key.columns, "index")), key.columns) for key in table.foreign_keys]
    for index in table.indexes:
        columns = tuple(column for column in index.columns if column is not None)
        if _index_note(index, columns):
            entry.notes.append(f"index {index.name}: {_index_note(index, columns)}")
        elif index.unique and not index.primary:
            found.append(("-".join((*columns, "index")), columns))
    result = []
    for name, columns in found:
        if len(columns) > 2:
            entry.notes.append(f"no index on {', '.join(columns)}: an index key has at most two attributes here")
        elif columns:
            result.append((name, columns))
    return result


def _index_note(index: SourceIndex, columns: Sequence[str]) -> str | None:
    if len(columns) < len(index.columns):
        return "over an expression; compute it under `attributes` if queries need it"
    if index.predicate is not None:
        return "partial; DynamoDB leaves out items that lack a key attribute, so compute one if queries need it"
    if not index.unique and not index.primary:
        return f"not unique ({', '.join(columns)}); add it to `indexes` if queries need it"
    return None


def _usable(entry: _Entry, name: str) -> bool:
    """Tell whether the column can be an index key; a boolean can, as text by a rule that is noted down."""
    column = entry.table.column(name)
    if column is None or key_attribute_name_fault(name):
        return False
    if column.type.kind is Kind.BOOLEAN and not column.generated:
        if name not in entry.as_text:
            entry.as_text.append(name)
        return True
    return key_form(column.type) is not None


def _add_notes(entry: _Entry) -> None:
    table = entry.table
    if table.kind == "partitioned":
        entry.notes.append("partitioned; its partitions are read one by one into one DynamoDB table")
    if table.inherited:
        entry.notes.append("other tables inherit from it; their rows are not copied with it")
    used = {column for _, columns in entry.indexes for column in columns}
    nullable = [c.name for c in table.columns if c.name in used and not c.not_null]
    if nullable:
        entry.notes.append(f"rows where {', '.join(nullable)} is NULL will not be in the indexes over it")


def _make_unique(entries: Iterable[_Entry], control_table: str) -> None:
    taken = {control_table.lower()}
    for entry in entries:
        entry.to = _free(entry.to, taken)
        names: set[str] = set()
        entry.indexes = [(_free(_name_of(name, "index"), names), columns) for name, columns in entry.indexes]


def _free(name: str, taken: set[str]) -> str:
    """Return a name not yet taken, whatever the case of its letters, and take it."""
    number, candidate = 1, name
    while candidate.lower() in taken:
        number += 1
        candidate = _fit(name, f"-{number}")
    taken.add(candidate.lower())
    return candidate


def _fit(name: str, suffix: str) -> str:
    return name[: NAME_CHARACTERS - len(suffix)] + suffix


def _name_of(text: str, default: str) -> str:
    """Return `text` in the characters that DynamoDB and a plan's name allow."""
    name = re.sub(r"[^A-Za-z0-9.-]+", "-", text).strip("-.")[:NAME_CHARACTERS]
    name = name or default
    return name if table_name_fault(name) is None else f"{name}-{default}"


def _table_lines(entry: _Entry) -> list[str]:
    lines = [f"  # {_comment(note)}" for note in entry.notes]
    lines += [f"  - from: {_source(entry.table.name)}", f"    to: {_scalar(entry.to)}", f"    key: {_key(entry.key)}"]
    if entry.indexes:
        lines.append("    indexes:")
        lines += [f"      - {{name: {_scalar(name)}, {_key(columns)[1:]}" for name, columns in entry.indexes]
    if entry.as_text:
        lines.append("    attributes:")
        lines.append("      # An index key cannot be a boolean.")
        lines += [_boolean_rule(entry.table, name) for name in entry.as_text]
    return lines


def _boolean_rule(table: SourceTable, name: str) -> str:
    column = table.column(name)
    quoted = quote_identifier(name)
    sql = f"CASE WHEN {quoted} THEN 'true' ELSE 'false' END"
    if column is None or not column.not_null:
        sql = f"CASE WHEN {quoted} THEN 'true' WHEN NOT {quoted} THEN 'false' END"
    back = f"{quoted} = 'true'"
    return f"      {_scalar(name)}: {{sql: {_scalar(sql)}, back: {_scalar(back)}}}"


def _undecided_lines(entry: _Entry) -> list[str]:
    lines = [f"{entry.table.name} is left out: {entry.undecided}.", f"- from: {_source(entry.table.name)}"]
    return [f"  # {_comment(line)}" for line in [*lines, f"  to: {_scalar(entry.to)}", "  key: {hash: }"]]


def _key(columns: Sequence[str]) -> str:
    parts = [f"{role}: {_scalar(column)}" for role, column in zip(("hash", "range"), columns, strict=False)]
    return "{" + ", ".join(parts) + "}"


def _secret_suggestions(entries: Iterable[_Entry]) -> list[str]:
    lines: list[str] = []
    for entry in entries:
        columns = [
            c.name for c in entry.table.columns if c.type.kind in (Kind.BYTEA, Kind.TEXT) and _CREDENTIAL.search(c.name)
        ]
        for column in columns:
            lines += ["", *(f"# {_comment(line)}" for line in _secret_suggestion(entry, column))]
    return lines


def _secret_suggestion(entry: _Entry, column: str) -> list[str]:
    table = entry.table
    owner = next((c for key in table.foreign_keys for c in key.columns), None) or next(iter(table.primary_key), "id")
    times = [c.name for c in table.columns if c.type.kind in (Kind.TIMESTAMP, Kind.TIMESTAMPTZ)]
    newest = next((name for name in times if name.startswith("created")), times[0] if times else owner)
    return [
        f"{table.name}.{column} looks like a credential. To move it to Secrets Manager, take the table out of",
        "`tables` and say instead:",
        "secrets:",
        f"  - from: {_source(table.name)}",
        f"    name: {_scalar(f'{entry.to}/{{{owner}}}')}",
        f"    ciphertext: {_scalar(column)}",
        "    decrypt: {format: fernet, keys: [env:CREDENTIAL_KEY]}  # or {format: plaintext}",
        f"    newest_by: {_scalar(newest)}",
    ]


def _source(name: TableName) -> str:
    plain = str(name)
    if re.search(r'["\s]', plain) is None and _parses(plain, name):
        return _scalar(plain)
    return _scalar(name.quoted)


def _parses(text: str, name: TableName) -> bool:
    try:
        return parse_table_name(text) == name
    except ValueError:
        return False


def _scalar(text: str) -> str:
    """Return `text` as a YAML scalar that is read as this very string."""
    if _PLAIN_SCALAR.fullmatch(text) and text.lower() not in _YAML_WORDS:
        return text
    if text.isprintable():
        return "'" + text.replace("'", "''") + "'" if '"' in text else f'"{_escaped(text)}"'
    return f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    return "".join(_escape(character) for character in text)


def _escape(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    return character if character.isprintable() else f"\\U{ord(character):08x}"


def _comment(text: str) -> str:
    """Return `text` on one line: a name must not end its comment and go on as YAML."""
    return "".join(c if c.isprintable() else "?" for c in text)
