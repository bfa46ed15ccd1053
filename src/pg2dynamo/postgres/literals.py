"""Values as SQL literals that mean the same under the settings of `connect`: never rounded, never cut."""

from __future__ import annotations

from typing import NamedTuple

from pg2dynamo.mapping.restore import column_text
from pg2dynamo.mapping.types import ColumnType
from pg2dynamo.mapping.values import Value

# Without length or precision: a cast to varchar(3), numeric(10,2) or timestamp(0) would make another value equal.
_BARE_NAMES: dict[int, str] = {
    1042: "bpchar",
    1043: "varchar",
    1083: "time",
    1114: "timestamp",
    1184: "timestamptz",
    1186: "interval",
    1266: "timetz",
    1560: "bit varying",
    1562: "bit varying",
    1700: "numeric",
}


def quote_literal(text: str) -> str:
    """Return `text` as an SQL string; right while `standard_conforming_strings` is on, as `connect` states."""
    return "'" + text.replace("'", "''") + "'"


class Compared(NamedTuple):
    """An expression as it is compared with the `typed_literal`s of its type: `sql`, and the operator."""

    sql: str
    equals: str

    def equal_to(self, literal: str) -> str:
        """Return the SQL that is true where the expression equals the other."""
        return f"{self.sql} {self.equals} {literal}"


def compared(sql: str, column_type: ColumnType) -> Compared:
    """Return how an expression of the type is compared: by its index's operator, or by its text where it has none."""
    if column_type.equals is None:
        # format() of NULL is '', and a composite of NULLs IS NULL though it is none: num_nulls tells.
        return Compared(f"CASE WHEN num_nulls({sql}) = 0 THEN format('%s', {sql}) END COLLATE \"C\"", "=")
    return Compared(sql, column_type.equals)


def typed_literal(text: str, column_type: ColumnType) -> str:
    """Return the literal of a value in PostgreSQL's text form, as it is `compared`.

    Cast to its type without length or precision; a text where values are compared by their texts.
    """
    if column_type.equals is None:
        return quote_literal(text)
    return f"{quote_literal(text)}::{_BARE_NAMES.get(column_type.oid, column_type.name)}"


def value_text(value: Value, column_type: ColumnType) -> str | None:
    """Return the input text of a value as `mapping.values` describes it; None when it is not of that type."""
    try:
        return column_text(value, column_type)
    except ValueError:
        return None
