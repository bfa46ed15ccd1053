"""A compiled mapping: everything that copying or verifying one table needs, as plain picklable values."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from pg2dynamo.mapping.templates import Template
from pg2dynamo.mapping.types import ColumnType

Unfit: TypeAlias = Literal["error", "text", "null", "skip", "quarantine"]
"""What happens to a value that DynamoDB cannot hold; see `plan.table`."""


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
    `path` is where the value stands when that is not `name` at the top of the item: the names of a map and of the
    entry in it. `unfit` says what becomes of a value that DynamoDB cannot hold, `nulls` whether NULL is written as
    DynamoDB's NULL instead of left out. With `embed` the attribute holds rows of another table, with `lookup` it is
    read from one.
    """

    name: str
    sql: str
    type: ColumnType
    column: str | None
    restores: str | None = None
    back: str | None = None
    path: tuple[str, ...] = ()
    unfit: Unfit = "error"
    nulls: bool = False
    embed: Embedded | None = None
    lookup: LookedUp | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """What joins a row with those of another table: their column, of this type, equals the row's own."""

    theirs: str
    ours: str
    type: ColumnType


@dataclass(frozen=True, slots=True)
class LookedUp:
    """The table of which one row at most belongs to the row, by these links."""

    source: TableName
    on: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class Embedded:
    """The rows of `source` that the links join with the row, as maps of `attributes`.

    `one`: at most one such row, a map instead of a list; its being two is a fault of the row. `order` is SQL over
    the embedded row that makes the list's order total, but for rows that are equal. A row to which more than
    `at_most` belong cannot become an item. `where` is a filter in SQL. `only` leaves out what inherits from `source`.
    """

    source: TableName
    on: tuple[Link, ...]
    attributes: tuple[Attribute, ...]
    order: tuple[str, ...]
    one: bool = False
    at_most: int = 10_000
    where: str | None = None
    only: bool = True

    @property
    def most(self) -> int:
        """How many rows may be embedded."""
        return 1 if self.one else self.at_most


@dataclass(frozen=True, slots=True)
class Derived:
    """An attribute of text made of other values of the row; absent when one of them is NULL."""

    name: str
    template: Template
    unfit: Unfit = "error"


@dataclass(frozen=True, slots=True)
class KeyPattern:
    """How the keys of one entry begin, where several entries share a DynamoDB table.

    `begins` gives for key attributes a text and whether the whole value is that text.
    """

    begins: tuple[tuple[str, str, bool], ...]

    def matches(self, item: Mapping[str, Mapping[str, Any]]) -> bool:
        """Return whether an item of DynamoDB JSON has such a key."""
        return all(self._fits(item.get(name, {}).get("S"), text, whole) for name, text, whole in self.begins)

    @staticmethod
    def _fits(value: Any, text: str, whole: bool) -> bool:
        return isinstance(value, str) and (value == text if whole else value.startswith(text))


@dataclass(frozen=True, slots=True)
class IndexMapping:
    """A secondary index by its key attributes; `local` when it shares the table's hash and partitions."""

    name: str
    hash: str
    range: str | None
    local: bool = False


@dataclass(frozen=True, slots=True)
class SourceKeyColumn:
    """A column of the source's primary key, and where it stands in the select list (0-based)."""

    column: str
    type: ColumnType
    position: int


@dataclass(frozen=True, slots=True)
class TableMapping:
    """How rows of `source` become items of `target`.

    The select list is `attributes` in order, then `hidden` (read for templates only), then the source-key columns
    that are neither (`select_list`). `derived` are made from these. `source_key` are the columns by which rows are
    told apart: `unproven` when no unique index says that they do, as of a view. `kind` is the source's, see
    `plan.schema`. `where` is the SQL of the plan's filter.

    `key_types` gives `S`, `N` or `B` for each key and index-key attribute, and `indexes` all indexes, of the
    DynamoDB table: where entries share it (`others` are their keys' patterns, `pattern` is this one's) some
    attributes may be theirs alone. `takes_strays` is true for the one entry that items of none belong to. `entry` is
    the name that the plan gives, None when the mapping goes by its source's. `alone` is false when an item depends
    on more than its own row, so that rows unchanged since an earlier copy may be changed items.
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
    hidden: tuple[Attribute, ...] = ()
    derived: tuple[Derived, ...] = ()
    where: str | None = None
    kind: str = "table"
    unproven: bool = False
    unfit: Unfit = "error"
    pattern: KeyPattern | None = None
    others: tuple[KeyPattern, ...] = ()
    takes_strays: bool = True
    alone: bool = True
    ttl: str | None = None

    @property
    def name(self) -> str:
        """What journal, reports and exports know the mapping by; no two mappings of a plan have the same."""
        return self.entry or str(self.source)

    @property
    def key_attributes(self) -> tuple[str, ...]:
        """The names of the table's key attributes, hash first."""
        return (self.hash,) if self.range is None else (self.hash, self.range)

    @property
    def read(self) -> tuple[Attribute, ...]:
        """What is read of a row, in the order of the select list: attributes, and what only templates need."""
        return (*self.attributes, *self.hidden)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all attributes, read and derived."""
        return (*(a.name for a in self.attributes), *(d.name for d in self.derived))

    @property
    def select_list(self) -> tuple[str, ...]:
        """The SQL expressions to read, in the order that the encoder expects."""
        read = self.read
        extra = [quote_identifier(k.column) for k in self.source_key if k.position >= len(read)]
        return (*(a.sql for a in read), *extra)

    @property
    def digest(self) -> str:
        """A digest of the mapping, equal exactly when the same rows become the same items."""
        what = (self.source, self.target, self.attributes, self.key_attributes, self.hidden, self.derived, self.where)
        return hashlib.sha256(repr(what).encode()).hexdigest()

    def owns(self, item: Mapping[str, Mapping[str, Any]]) -> bool:
        """Return whether an item of the DynamoDB table is this entry's, by its key: only such may be deleted."""
        return not self.others or self.pattern is None or self.pattern.matches(item)

    def answers_for(self, item: Mapping[str, Mapping[str, Any]]) -> bool:
        """Return whether an item is this entry's to verify: its own, and for one of the entries what is nobody's."""
        return self.owns(item) or (self.takes_strays and not any(other.matches(item) for other in self.others))
