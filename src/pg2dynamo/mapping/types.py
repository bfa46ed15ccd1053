"""The type table: what kind of value a PostgreSQL type is, and which DynamoDB form it takes.

Pure values. Which type a column has is read from the catalog by `pg2dynamo.postgres.catalog`; how a kind is
written is `encode`, how it is read back is `decode`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """The families of PostgreSQL types that are mapped alike."""

    TEXT = "text"  # text, varchar, char(n), name, "char", enums, citext, xml: S, the text as it is
    INTEGER = "integer"  # int2, int4, int8, oid: N
    NUMERIC = "numeric"  # N in DynamoDB's normal form
    FLOAT4 = "float4"  # N, the shortest text that gives the same float4
    FLOAT8 = "float8"  # N, the shortest text that gives the same float8
    BOOLEAN = "boolean"  # BOOL
    BYTEA = "bytea"  # B
    UUID = "uuid"  # S, lower case with hyphens
    DATE = "date"  # S, ISO 8601
    TIME = "time"  # S, ISO 8601 with six digits of fraction
    TIMETZ = "timetz"  # S, the same with an offset
    TIMESTAMP = "timestamp"  # S, 2024-01-02T03:04:05.000006: sorts as text
    TIMESTAMPTZ = "timestamptz"  # S, the same in UTC with Z
    INTERVAL = "interval"  # S, PostgreSQL's text in IntervalStyle postgres
    JSON = "json"  # M, L, S, N, BOOL, NULL; duplicate names are refused
    JSONB = "jsonb"  # M, L, S, N, BOOL, NULL
    # L, nested by dimension; M of bounds and elements when a lower bound is not 1, and for json of several dimensions
    ARRAY = "array"
    EMBEDDED = "embedded"  # L of M, or M: rows of another table
    OUTPUT = "output"  # every other type: S, the text of its output function


@dataclass(frozen=True, slots=True)
class ColumnType:
    """The type of one column or expression.

    `name` is PostgreSQL's own (`format_type`, e.g. `character varying(255)`), quoted as SQL needs it, and
    can follow `::` in a statement. `oid` is that of the base type (domains resolved). `element` is set for
    arrays only. `equals` is the operator by which an index on the type compares, as SQL that finds it whatever the
    search path; None where values can only be compared by their texts.
    """

    kind: Kind
    name: str
    oid: int
    element: ColumnType | None = None
    element_delimiter: str = ","
    equals: str | None = field(default="=", repr=False)


KEY_FORMS: dict[Kind, str] = {
    Kind.TEXT: "S",
    Kind.UUID: "S",
    Kind.DATE: "S",
    Kind.TIME: "S",
    Kind.TIMETZ: "S",
    Kind.TIMESTAMP: "S",
    Kind.TIMESTAMPTZ: "S",
    Kind.INTERVAL: "S",
    Kind.OUTPUT: "S",
    Kind.INTEGER: "N",
    Kind.NUMERIC: "N",
    Kind.FLOAT4: "N",
    Kind.FLOAT8: "N",
    Kind.BYTEA: "B",
}
"""The DynamoDB key type of each kind that can be a key; the others (BOOL, M, L) cannot."""


def key_form(column_type: ColumnType) -> str | None:
    """Return `S`, `N` or `B`, or None when values of this type cannot be a key or index key."""
    return KEY_FORMS.get(column_type.kind)
