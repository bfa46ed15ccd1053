"""What is known of a source: its table in the catalog and, where ANALYZE has seen it, its rows. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from pg2dynamo.mapping.templates import Placeholder, Template, fault, parse_template
from pg2dynamo.mapping.types import ColumnType, Kind, key_form
from pg2dynamo.plan.schema import SourceColumn, SourceTable
from pg2dynamo.plan.sizes import value_size
from pg2dynamo.plan.statistics import ColumnStatistics, TableStatistics

MANY_ROWS = 100_000
"""From so many rows on it matters that a hash has many values: a partition takes 1,000 write units a second."""
FEW_VALUES = 32

INSTANTS = (Kind.DATE, Kind.TIME, Kind.TIMETZ, Kind.TIMESTAMP, Kind.TIMESTAMPTZ, Kind.INTERVAL)
_FIRST_OWN_OID = 16_384
_ID_ENDINGS = ("id", "uuid", "guid")


@dataclass(frozen=True, slots=True)
class Facts:
    """A table, and its statistics where there are any that count."""

    table: SourceTable
    statistics: TableStatistics | None = None

    @property
    def analysed(self) -> bool:
        """Whether its rows have been seen, so that numbers may be given as reasons."""
        return self.statistics is not None and self.statistics.analysed

    @property
    def rows(self) -> int:
        """The number of rows, 0 when it is not known."""
        return max(self.statistics.rows, 0) if self.statistics is not None and self.analysed else 0

    def of(self, column: str) -> ColumnStatistics | None:
        """Return the statistics of a column, if there are any."""
        return self.statistics.columns.get(column) if self.statistics is not None and self.analysed else None

    def null_fraction(self, column: str) -> float:
        """Return which share of the rows has no value, 0 when it is not known."""
        known = self.of(column)
        return known.null_fraction if known is not None else 0.0

    def distinct(self, column: str) -> float:
        """Return the number of different values, 0 when it is not known."""
        known = self.of(column)
        return known.distinct if known is not None else 0.0

    def item_bytes(self) -> float:
        """Return the size of the item that an average row becomes with all its columns, names included."""
        total = sum(self._attribute_bytes(column) for column in self.table.columns)
        if self.statistics is not None and self.rows:
            total += self.statistics.toast_bytes / self.rows
        return total

    def _attribute_bytes(self, column: SourceColumn) -> float:
        size = value_size(column.type, self.of(column.name)).mean
        return (1 - self.null_fraction(column.name)) * (size + len(column.name.encode()))


def hot_because(facts: Facts, name: str) -> str | None:
    """Say why many rows would meet in one partition if this column were a hash, or return None."""
    column = facts.table.column(name)
    if column is None:
        return None
    kind = column.type.kind
    if kind is Kind.BOOLEAN:
        return "a boolean"
    if kind in INSTANTS:
        return "a date" if kind is Kind.DATE else "a time"
    if is_enum(column.type):
        return "an enum"
    distinct = facts.distinct(name)
    if 0 < distinct <= FEW_VALUES and facts.rows >= MANY_ROWS:
        return f"of {distinct:,.0f} values in {facts.rows:,} rows"
    return None


def is_enum(column_type: ColumnType) -> bool:
    """Return whether a type is an enum, which the catalog gives as text of a type of the database's own."""
    own = column_type.kind is Kind.TEXT and column_type.oid >= _FIRST_OWN_OID
    return own and not column_type.name.rpartition(".")[2].startswith("citext")


def refers(facts: Facts, name: str) -> bool:
    """Return whether the column is of a foreign key."""
    return any(name in key.columns for key in facts.table.foreign_keys)


def is_identifying(facts: Facts, name: str) -> bool:
    """Return whether the column looks like what queries begin with: of a foreign key, a uuid, or named as an id."""
    column = facts.table.column(name)
    named = name.lower().rpartition("_")[2] in _ID_ENDINGS or name.endswith(("Id", "ID"))
    return named or refers(facts, name) or (column is not None and column.type.kind is Kind.UUID)


def can_be_key(column: SourceColumn) -> bool:
    """Return whether the column as it is can be a key attribute, which has 1 to 255 bytes of name."""
    return key_form(column.type) is not None and 0 < len(column.name.encode()) <= 255


def placeholder(column: SourceColumn, *, sort: bool) -> str | None:
    """Return the column's placeholder in a template, in order if it can be; None when it cannot stand there."""
    forms = [form for form in ((":sort", "") if sort else ("", ":sort")) if _can_stand(column, form)]
    return f"{{{column.name}{forms[0]}}}" if forms else None


def _can_stand(column: SourceColumn, form: str) -> bool:
    try:
        parsed = parse_template(f"{{{column.name}{form}}}")
    except ValueError:
        return False
    sort = bool(form)
    return parsed == ((column.name, sort),) and fault(Template((Placeholder(column.name, column.type, sort),))) is None
