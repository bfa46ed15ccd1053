"""Rows of credentials, grouped by the secret that they become, from PostgreSQL.

What is yielded is plain values, ciphertext among them but never plaintext, so that another source (an export
directory) can yield the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, NamedTuple, TypeAlias

import orjson
import psycopg

from pg2dynamo.errors import PlanError, RowRefused, SourceChanged
from pg2dynamo.mapping.encode import Encoder
from pg2dynamo.mapping.limits import secret_name_fault
from pg2dynamo.mapping.table import Attribute, SourceKeyColumn, TableMapping, quote_identifier
from pg2dynamo.mapping.types import ColumnType, Kind
from pg2dynamo.plan.model import SecretPlan
from pg2dynamo.plan.schema import SourceColumn, SourceTable
from pg2dynamo.postgres.catalog import read_tables
from pg2dynamo.postgres.connect import translated
from pg2dynamo.postgres.literals import quote_literal
from pg2dynamo.postgres.selection import whole_table
from pg2dynamo.postgres.streaming import copy_out
from pg2dynamo.secrets.names import render_name

NO_ATTRIBUTE = "\x00"
"""The name of the constant that stands where a table's mapping has its key; no column can have this name."""

NAMES_PER_STATEMENT = 1_000
NULL_FIELD = rb"\N"

_TEXT = ColumnType(Kind.TEXT, "text", 25)


@dataclass(frozen=True, slots=True)
class CredentialRow:
    """One credential: its primary key as text, its fields as JSON text, its ciphertext.

    `fault` says why the row cannot become a version, in words that hold no value.
    """

    key: dict[str, str]
    fields: dict[str, str] = field(repr=False)
    ciphertext: bytes = field(repr=False)
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class CredentialGroup:
    """All credentials of one secret, oldest first. `fault` says why none of them can be stored."""

    name: str
    rows: tuple[CredentialRow, ...]
    fault: str | None = None


Credentials: TypeAlias = Iterable[CredentialGroup]
"""What a source of credentials gives: each name once."""


@dataclass(frozen=True, slots=True)
class CredentialTable:
    """A table of credentials as the plan reads it.

    `mapping` has the plan's fields as attributes, so that they take the same forms as in items, and stands for no
    DynamoDB table.
    """

    plan: SecretPlan
    mapping: TableMapping
    ciphertext_is_text: bool


def compile_credentials(plan: SecretPlan, table: SourceTable | None) -> CredentialTable:
    """Fit the plan to its table.

    Raises SourceChanged when the table is not there, PlanError naming the column when one that the plan needs is not,
    or cannot hold ciphertext, or when there is no primary key.
    """
    if table is None:
        raise SourceChanged(f"The source has no table {plan.source}.", remedy="Correct `from` in the plan.")
    columns = {column.name: column for column in table.columns}
    for name in (*plan.name_columns, plan.ciphertext, plan.newest_by, *plan.fields):
        if name not in columns:
            raise PlanError(f"{plan.source}: the table has no column {name}.", remedy="Correct the plan.")
    kind = columns[plan.ciphertext].type.kind
    if kind not in (Kind.BYTEA, Kind.TEXT):
        raise PlanError(f"{plan.source}: {plan.ciphertext} is neither bytea nor text, so it holds no ciphertext.")
    if plan.plaintext in plan.fields:
        raise PlanError(f"{plan.source}: {plan.plaintext} is both a field and the name of the decrypted value.")
    if not table.primary_key:
        raise PlanError(f"{plan.source} has no primary key, so its rows cannot be told apart.", remedy="Add one.")
    return CredentialTable(plan, _mapping(plan, table.primary_key, columns), kind is Kind.TEXT)


def _mapping(plan: SecretPlan, key: tuple[str, ...], columns: Mapping[str, SourceColumn]) -> TableMapping:
    attributes = (
        Attribute(NO_ATTRIBUTE, quote_literal("-"), _TEXT, None),
        *(Attribute(name, quote_identifier(name), columns[name].type, name) for name in plan.fields),
    )
    positions = {attribute.name: index for index, attribute in enumerate(attributes)}
    for name in key:
        positions.setdefault(name, len(positions))
    return TableMapping(
        source=plan.source,
        target="",
        attributes=attributes,
        source_key=tuple(SourceKeyColumn(name, columns[name].type, positions[name]) for name in key),
        hash=NO_ATTRIBUTE,
        range=None,
        indexes=(),
        key_types=((NO_ATTRIBUTE, "S"),),
    )


def read_credentials(
    conn: psycopg.Connection, plan: SecretPlan, names: Sequence[str] | None = None
) -> Generator[CredentialGroup, None, None]:
    """Yield the credentials that `conn` sees, by name; memory holds one name's at a time.

    One who stops before the end must close it (`contextlib.closing`), or the connection stays in the middle of a
    statement. With `names` only those of these secrets, in one pass over the table for each thousand.
    Rows of one name are ordered by `newest_by` (NULL is oldest) and then by primary key. Rows that give one name from
    different columns are all refused: which of them the secret is cannot be known. Raises the SourceError branch, and
    PlanError.
    """
    table = compile_credentials(plan, read_tables(conn, [plan.source]).get(plan.source))
    rows_of = whole_table(conn, table.mapping)
    if names is None:
        yield from _read_groups(conn, table, rows_of)
    for some in _chunks(names or ()):
        literals = ", ".join(map(quote_literal, some))
        yield from _read_groups(conn, table, f"{rows_of} WHERE ({name_sql(plan)}) IN ({literals})")


def _chunks(names: Sequence[str]) -> Iterator[Sequence[str]]:
    return (names[start : start + NAMES_PER_STATEMENT] for start in range(0, len(names), NAMES_PER_STATEMENT))


def _read_groups(conn: psycopg.Connection, table: CredentialTable, rows_of: str) -> Iterator[CredentialGroup]:
    plan = table.plan
    encoder = Encoder(table.mapping)
    query = select_credentials(table, rows_of)
    with translated(f"Reading the credentials of {plan.source}"), closing(copy_out(conn, query)) as batches:
        rows = (_read_row(plan, encoder, line) for lines in batches for line in lines)
        for name, members in groupby(rows, key=lambda row: row.name):
            yield from _groups(plan, name, members)


def name_sql(plan: SecretPlan) -> str:
    """Return the SQL of a row's secret name; NULL when a column of it is."""
    parts = re.split(r"\{([^{}]+)\}", plan.name)
    texts = [_text_sql(part) if index % 2 else quote_literal(part) for index, part in enumerate(parts)]
    return " || ".join(texts)


def oldest_first(table: CredentialTable) -> str:
    """Return the ORDER BY that puts the credentials of one secret together, oldest first."""
    key = ", ".join(quote_identifier(part.column) for part in table.mapping.source_key)
    return f'({name_sql(table.plan)}) COLLATE "C", {quote_identifier(table.plan.newest_by)} NULLS FIRST, {key}'


def select_credentials(table: CredentialTable, rows: str) -> str:
    """Return the query: ciphertext and name columns in hexadecimal, then what the mapping selects."""
    plan = table.plan
    ciphertext = quote_identifier(plan.ciphertext)
    binary = f"convert_to({ciphertext}, 'UTF8')" if table.ciphertext_is_text else ciphertext
    parts = [f"encode({binary}, 'hex')"]
    parts += [f"encode(convert_to({_text_sql(column)}, 'UTF8'), 'hex')" for column in plan.name_columns]
    parts += table.mapping.select_list
    return f"SELECT {', '.join(parts)} FROM {rows} ORDER BY {oldest_first(table)}"  # noqa: S608


def _text_sql(column: str) -> str:
    # format() gives the text of the type's output function, but '' for NULL.
    name = quote_identifier(column)
    return f"CASE WHEN {name} IS NULL THEN NULL ELSE format('%s', {name}) END"


class _Read(NamedTuple):
    name: str | None
    columns: tuple[str | None, ...]
    row: CredentialRow


def _read_row(plan: SecretPlan, encoder: Encoder, line: bytes) -> _Read:
    ciphertext, *parts = line.split(b"\t", 1 + len(plan.name_columns))
    rest = parts.pop()
    columns = tuple(None if part == NULL_FIELD else bytes.fromhex(part.decode()).decode() for part in parts)
    known = {name: text for name, text in zip(plan.name_columns, columns, strict=True) if text is not None}
    name = render_name(plan.name, known) if None not in columns else None
    return _Read(name, columns, _credential(plan, encoder, ciphertext, rest))


def _credential(plan: SecretPlan, encoder: Encoder, ciphertext: bytes, line: bytes) -> CredentialRow:
    key = {column: text or "" for column, text in encoder.source_key(line).items()}
    fault = f"{plan.ciphertext} is NULL" if ciphertext == NULL_FIELD else None
    fields: dict[str, str] = {}
    try:
        item = orjson.loads(encoder.encode(line).item)
        fields = {name: json_text(item[name]) if name in item else "null" for name in plan.fields}
    except RowRefused as refused:
        fault = fault or f"{refused.attribute}: {refused.reason}"
    return CredentialRow(key, fields, b"" if fault else bytes.fromhex(ciphertext.decode()), fault)


def _groups(plan: SecretPlan, name: str | None, members: Iterable[_Read]) -> Iterator[CredentialGroup]:
    if name is None:
        for member in members:
            nulls = [c for c, text in zip(plan.name_columns, member.columns, strict=True) if text is None]
            yield CredentialGroup(plan.name, (member.row,), f"{', '.join(nulls)} is NULL, so there is no name")
        return
    rows = list(members)
    collide = len({member.columns for member in rows}) > 1
    fault = "other rows give the same name from other columns" if collide else secret_name_fault(name)
    yield CredentialGroup(name, tuple(member.row for member in rows), fault)


def json_text(value: dict[str, Any]) -> str:
    """Return DynamoDB JSON as plain JSON text: numbers digit for digit, bytes in base64."""
    [(form, content)] = value.items()
    if form == "M":
        return "{" + ",".join(f"{_string(name)}:{json_text(entry)}" for name, entry in content.items()) + "}"
    if form == "L":
        return "[" + ",".join(map(json_text, content)) + "]"
    if form in ("S", "B"):
        return _string(content)
    if form == "NULL":
        return "null"
    return str(content) if form == "N" else json.dumps(content)


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
