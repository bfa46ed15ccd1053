"""What the catalog says of the source, as plain values: read by `postgres.catalog`, used by plan and checks."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from pg2dynamo.mapping.table import TableName
from pg2dynamo.mapping.types import ColumnType


@dataclass(frozen=True, slots=True)
class SourceColumn:
    """A column; `generated` is true for GENERATED ALWAYS AS (…) columns."""

    name: str
    type: ColumnType
    not_null: bool = False
    generated: bool = False
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class SourceIndex:
    """An index; `columns` holds None for an expression. `predicate` is set for a partial index.

    `deferrable`: its constraint is looked at when a transaction ends, so that ON CONFLICT cannot use it. The index
    that only the leaves of a partitioned table have, each its own, has no method that the whole could be read by.
    """

    name: str
    columns: tuple[str | None, ...]
    unique: bool
    primary: bool
    method: str = "btree"
    predicate: str | None = None
    nulls_not_distinct: bool = False
    deferrable: bool = False


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A foreign key of a table; shadow rows of partitions are left out."""

    name: str
    columns: tuple[str, ...]
    references: TableName
    referenced_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SourceTable:
    """A table of the source. `kind` is `table`, `partitioned`, `foreign`, `view` or `materialized view`.

    `estimated_rows` is the planner's estimate (-1 when it never analysed the table); `total_bytes` the heap
    with TOAST.
    """

    name: TableName
    oid: int
    kind: str
    columns: tuple[SourceColumn, ...]
    primary_key: tuple[str, ...]
    indexes: tuple[SourceIndex, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    row_security: bool = False
    estimated_rows: int = -1
    total_bytes: int = 0
    comment: str | None = None
    inherited: bool = field(default=False)

    def column(self, name: str) -> SourceColumn | None:
        """Return the column of that name, or None."""
        return next((column for column in self.columns if column.name == name), None)


def fingerprint(table: SourceTable) -> str:
    """Return twelve hex digits that change when a column comes, goes or changes, or the primary key does."""
    columns = [(c.name, c.type.name, c.not_null, c.generated) for c in sorted(table.columns, key=lambda c: c.name)]
    return hashlib.sha256(repr((columns, table.primary_key)).encode()).hexdigest()[:12]
