"""Rows of credentials as verification sees them: PostgreSQL's binary form, on another path than `credentials`."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import psycopg
from psycopg import pq

from pg2dynamo.mapping.limits import secret_name_fault
from pg2dynamo.mapping.table import quote_identifier
from pg2dynamo.mapping.values import Value
from pg2dynamo.migration.credentials import CredentialTable
from pg2dynamo.plan.model import SecretPlan
from pg2dynamo.postgres.binary_values import reader, reads_output
from pg2dynamo.postgres.connect import translated
from pg2dynamo.postgres.selection import whole_table
from pg2dynamo.postgres.streaming import binary_rows
from pg2dynamo.secrets.names import canonical_key, render_name


class Credential(NamedTuple):
    """One row: columns of the name as text, canonical primary key, ciphertext, fields with their values."""

    columns: tuple[str | None, ...]
    key: str
    ciphertext: bytes | None
    fields: tuple[tuple[str, Value], ...]


@dataclass(frozen=True, slots=True)
class CredentialsOfName:
    """All rows of one secret, oldest first; not `usable` when none of them can be it."""

    name: str
    rows: tuple[Credential, ...]
    usable: bool


def read_by_name(conn: psycopg.Connection, table: CredentialTable) -> Generator[CredentialsOfName, None, None]:
    """Yield the credentials that `conn` sees by name, oldest first; memory holds one name's at a time."""
    plan = table.plan
    query = _query(table, whole_table(conn, table.mapping))
    with translated(f"Reading the credentials of {plan.source}"), closing(binary_rows(conn, query)) as results:
        rows = (row for result in results for row in _rows(table, result))
        for name, members in groupby(rows, key=lambda row: _name(plan, row)):
            if name is None:
                yield from (CredentialsOfName(plan.name, (row,), False) for row in members)
            else:
                group = tuple(members)
                one_source = len({row.columns for row in group}) == 1
                yield CredentialsOfName(name, group, one_source and secret_name_fault(name) is None)


def _name(plan: SecretPlan, row: Credential) -> str | None:
    columns = {name: text for name, text in zip(plan.name_columns, row.columns, strict=True) if text is not None}
    return None if None in row.columns else render_name(plan.name, columns)


def _query(table: CredentialTable, rows: str) -> str:
    plan = table.plan
    names = [_text(column) for column in plan.name_columns]
    keys = [_text(part.column) for part in table.mapping.source_key]
    types = {attribute.name: attribute.type for attribute in table.mapping.attributes}
    fields = [_text(name) if reads_output(types[name]) else quote_identifier(name) for name in plan.fields]
    # Names in order put equal ones together as long as the order is that of the whole name, as text.
    name = "concat(" + ", ".join(_concatenated(plan)) + ')::text COLLATE "C"'
    nulls = " + ".join(f"num_nulls({quote_identifier(column)})" for column in plan.name_columns)
    newest = quote_identifier(plan.newest_by)
    order = [f"{nulls} = 0", name, f"num_nulls({newest}) = 0", newest]
    order += [quote_identifier(part.column) for part in table.mapping.source_key]
    columns = [quote_identifier(plan.ciphertext), *names, *keys, *fields]
    return f"SELECT {', '.join(columns)} FROM {rows} ORDER BY {', '.join(order)}"  # noqa: S608


def _concatenated(plan: SecretPlan) -> Iterator[str]:
    rest = plan.name
    for column in plan.name_columns:
        literal, _, rest = rest.partition("{" + column + "}")
        yield "'" + literal.replace("'", "''") + "'"
        yield f"format('%s', {quote_identifier(column)})"
    yield "'" + rest.replace("'", "''") + "'"


def _text(column: str) -> str:
    name = quote_identifier(column)
    return f"CASE WHEN num_nulls({name}) = 0 THEN format('%s', {name}) END"


def _rows(table: CredentialTable, result: pq.abc.PGresult) -> Iterator[Credential]:
    plan = table.plan
    types = {attribute.name: attribute.type for attribute in table.mapping.attributes}
    readers = [(name, reader(types[name])) for name in plan.fields]
    keys = [part.column for part in table.mapping.source_key]
    key_at = 1 + len(plan.name_columns)
    fields_at = key_at + len(keys)
    for number in range(result.ntuples):
        cells = [result.get_value(number, column) for column in range(fields_at + len(readers))]
        texts = [None if cell is None else cell.decode() for cell in cells[1:fields_at]]
        key = {name: text or "" for name, text in zip(keys, texts[key_at - 1 :], strict=True)}
        fields = tuple(
            (name, None if cell is None else read(cell))
            for (name, read), cell in zip(readers, cells[fields_at:], strict=True)
        )
        yield Credential(tuple(texts[: key_at - 1]), canonical_key(key), cells[0], fields)
