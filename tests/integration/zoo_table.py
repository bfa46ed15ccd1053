"""One table with a column for each type of the zoo that the server has, and a row for each hostile value."""

from __future__ import annotations

import psycopg

from pg2dynamo.mapping.table import quote_identifier
from tests.integration.types_of_every_kind import SETUP, SUBJECTS

ZOO = "kinds.zoo"
MOST_VALUES = 60


def make_zoo(writer: psycopg.Connection) -> list[str]:
    """Make the table, empty, and return the names of its columns: those of the subjects."""
    writer.execute(SETUP.encode())
    names = []
    for name, subject in SUBJECTS.items():
        try:
            writer.execute(subject.needs.encode())
            names.append(name)
        except (psycopg.NotSupportedError, psycopg.errors.UndefinedFile, psycopg.DataError):
            continue
    columns = ", ".join(f"{quote_identifier(name)} {SUBJECTS[name].type}" for name in names)
    writer.execute(f"CREATE TABLE {ZOO} (id serial PRIMARY KEY, {columns})".encode())
    return names


def fill_zoo(writer: psycopg.Connection, names: list[str], most: int = MOST_VALUES) -> None:
    """Write for each value a row that has nothing else; of each type at most so many."""
    for name in names:
        made = SUBJECTS[name].expression.replace("%", "%%")
        insert = f"INSERT INTO {ZOO} ({quote_identifier(name)}) SELECT {made} FROM unnest(%s::text[]) AS given(v)"
        writer.execute(insert.encode(), [list(SUBJECTS[name].hostile[:most])])
