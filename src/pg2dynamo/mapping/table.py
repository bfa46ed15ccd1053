"""A compiled mapping: everything that copying or verifying one table needs, as plain picklable values."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from pg2dynamo.mapping.types import ColumnType


@dataclass(frozen=True, slots=True, order=True)
class TableName:
    """A table of the source, by schema and name, unquoted."""

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def quoted(self) -> str:
        """The name as SQL: `"schema"."name"`."""
        return f"{quote_identifier(self.schema)}.{quote_identifier(self.name)}"


def quote_identifier(name: str) -> str:
    """Return `name` as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of the item: its name, the SQL expression that it is read from, and the type of that.

    `column` is the source column when the attribute is one as it is, else None. `back` is the SQL
    expression over the attributes that gives the column `restores` again, for an attribute that is computed.
    """

    name: str
    sql: str
    type: ColumnType
    column: str | None
    restores: str | None = None
    back: str | None = None


@dataclass(frozen=True, slots=True)
class IndexMapping:
    """A global secondary index: its key attributes and their DynamoDB types (`S`, `N`, `B`)."""

    name: str
    hash: str
    range: str | None


@dataclass(frozen=True, slots=True)
class SourceKeyColumn:
    """A column of the source's primary key, and where it stands in the select list (0-based)."""

    column: str
    type: ColumnType
    position: int


@dataclass(frozen=True, slots=True)
class TableMapping:
    """How rows of `source` become items of `target`.

    The select list is the attributes in order, then the source-key columns that are no attributes
    (`select_list`). `key_types` gives `S`, `N` or `B` for each key and index-key attribute. `entry` is the
    name that the plan gives, None when the mapping goes by its source's.
    """

    source: TableName
    target: str
    attributes: tuple[Attribute, ...]
    source_key: tuple[SourceKeyColumn, ...]
    hash: str
    range: str | None
    indexes: tuple[IndexMapping, ...]
    key_types: tuple[tuple[str, str], ...]
    entry: str | None = None

    @property
    def name(self) -> str:
        """What journal, reports and exports know the mapping by; no two mappings of a plan have the same."""
        return self.entry or str(self.source)

    @property
    def key_attributes(self) -> tuple[str, ...]:
        """The names of the table's key attributes, hash first."""
        return (self.hash,) if self.range is None else (self.hash, self.range)

    @property
    def select_list(self) -> tuple[str, ...]:
        """The SQL expressions to read, in the order that the encoder expects."""
        extra = [quote_identifier(k.column) for k in self.source_key if k.position >= len(self.attributes)]
        return (*(a.sql for a in self.attributes), *extra)

    @property
    def digest(self) -> str:
        """A digest of the mapping, equal exactly when rows become the same items."""
        return hashlib.sha256(
            repr((self.source, self.target, self.attributes, self.key_attributes)).encode()
        ).hexdigest()
