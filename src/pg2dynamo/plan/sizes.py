"""How large the items of a mapping are likely to be, from the planner's statistics. Pure arithmetic.

A value's width in PostgreSQL gives about its size in DynamoDB (`mapping.limits.item_bytes` counts exactly; "DynamoDB
item sizes and formats"):

| kind | bytes in DynamoDB |
|---|---|
| text | the width without its header (1 byte, 4 from 127 on); an enum, of which only the oid is stored, 8 |
| integer | one for two digits and one: as many digits as the number of distinct values has |
| numeric | the width without 2: both hold two digits in a byte |
| float4, float8 | 5 and 9: seven and fifteen digits |
| boolean | 1 |
| bytea | the width without its header |
| uuid, date, time, timestamp … | the length of their text, which is fixed |
| json, jsonb | three quarters of the width: names and values without quotes, commas and offsets |
| array | 3, and for each element its size and 1 |
| other types, as text | one and a half times the width |

An item's spread comes from the attributes that some rows lack, and from those of varying length, whose standard
deviation is taken as a third of their average: so much a length has that lies anywhere from half to one and a half.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pg2dynamo.mapping.table import Attribute, TableMapping, TableName
from pg2dynamo.mapping.templates import Template
from pg2dynamo.mapping.types import ColumnType, Kind
from pg2dynamo.plan.statistics import ColumnStatistics, TableStatistics

UNKNOWN_WIDTH_BYTES = 16
"""Taken for a value of varying length of which nothing is known."""

_VARYING = frozenset({Kind.TEXT, Kind.NUMERIC, Kind.BYTEA, Kind.JSON, Kind.JSONB, Kind.ARRAY, Kind.OUTPUT})
_IN_TOAST = frozenset({Kind.TEXT, Kind.BYTEA, Kind.JSON, Kind.JSONB, Kind.ARRAY, Kind.OUTPUT})
_FIXED_TEXT = {
    Kind.UUID: 36,
    Kind.DATE: 10,
    Kind.TIME: 15,
    Kind.TIMETZ: 21,
    Kind.TIMESTAMP: 26,
    Kind.TIMESTAMPTZ: 27,
    Kind.INTERVAL: 16,
}
_FLOAT_DIGITS = {Kind.FLOAT4: 7, Kind.FLOAT8: 15}
_INTEGER_DIGITS = {21: 5, 23: 10, 20: 19, 26: 10}
_ELEMENT_WIDTHS = {16: 1, 20: 8, 21: 2, 23: 4, 26: 4, 700: 4, 701: 8, 1082: 4, 1114: 8, 1184: 8, 2950: 16}
_ARRAY_HEADER_BYTES = 24
_FIRST_OWN_OID = 16_384
"""The oids of types that are not PostgreSQL's own begin here."""
_NAME_OID, _CHAR_OID = 19, 18
_SPREAD = 1 / 3
_JSON_QUOTES_BYTES = 11
"""What DynamoDB JSON puts around a name and a value: `"":{"S":""},`."""
_LINE_QUOTES_BYTES = 12
"""What it puts around an item in a file for import: `{"Item":{}}` and the line's end."""


@dataclass(frozen=True, slots=True)
class Size:
    """The size of a value or an item: `mean` in bytes as DynamoDB counts, its `variance`, and `json`, the bytes in
    DynamoDB JSON."""

    mean: float
    variance: float
    json: float

    def __add__(self, other: Size) -> Size:
        return Size(self.mean + other.mean, self.variance + other.variance, self.json + other.json)

    def named(self, name: str, present: float = 1.0) -> Size:
        """Return the size of an attribute that this share of the items has."""
        named = len(name.encode())
        whole = self.mean + named
        variance = present * self.variance + present * (1 - present) * whole * whole
        return Size(present * whole, variance, present * (self.json + named + _JSON_QUOTES_BYTES))

    def scaled(self, by: float) -> Size:
        """Return the size of so many such values, each independent of the others."""
        return Size(self.mean * by, self.variance * by, self.json * by)


NOTHING = Size(0, 0, 0)
_NULL = Size(1, 0, 4)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of an entry's values beside its table's own columns.

    `attributes` gives the statistics of attributes that are no columns (constants, look-ups, …), `tables` those of
    the tables whose rows are embedded.
    """

    attributes: Mapping[str, ColumnStatistics] = field(default_factory=dict)
    tables: Mapping[TableName, TableStatistics] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ItemSize:
    """The size of an average item of a mapping; `present` tells which share of the items has each attribute.

    `assumed` names the attributes whose size is a guess by their type, because nothing is known of their values.
    """

    size: Size
    present: Mapping[str, float]
    assumed: tuple[str, ...]


def item_size(mapping: TableMapping, statistics: TableStatistics, known: Known) -> ItemSize:
    """Return the size of an average item."""
    columns = _statistics_of(mapping.read, statistics, known)
    present = {a.name: 1 - _null_fraction(columns[a.name]) for a in mapping.attributes}
    size = Size(0, 0, _LINE_QUOTES_BYTES)
    for outer in {a.path[0] for a in mapping.attributes if a.path}:
        size += Size(3, 0, 0).named(outer)
    for attribute in mapping.attributes:
        size += _attribute_size(attribute, columns[attribute.name], statistics, known)
    for derived in mapping.derived:
        share, text = _template_size(derived.template, columns)
        present[derived.name] = share
        size += text.named(derived.name, share)
    size += _in_toast(mapping.attributes, statistics)
    assumed = [a.name for a in mapping.attributes if columns[a.name] is None and _is_guess(a)]
    return ItemSize(size, present, tuple(assumed))


def _statistics_of(
    attributes: Iterable[Attribute], statistics: TableStatistics, known: Known
) -> dict[str, ColumnStatistics | None]:
    return {a.name: known.attributes.get(a.name) or statistics.columns.get(a.column or "") for a in attributes}


def _null_fraction(column: ColumnStatistics | None) -> float:
    return column.null_fraction if column is not None else 0.0


def _is_guess(attribute: Attribute) -> bool:
    return attribute.embed is None and (attribute.type.kind in _VARYING or attribute.column is not None)


def _attribute_size(
    attribute: Attribute, column: ColumnStatistics | None, statistics: TableStatistics, known: Known
) -> Size:
    name = attribute.path[1] if attribute.path else attribute.name
    if attribute.embed is not None:
        return _embedded_size(attribute, statistics, known).named(name)
    null = _null_fraction(column)
    size = value_size(attribute.type, column).named(name, 1 - null)
    if attribute.nulls:
        size += _NULL.named(name).scaled(null)
    return size + Size(1, 0, 0) if attribute.path else size


def _embedded_size(attribute: Attribute, statistics: TableStatistics, known: Known) -> Size:
    """Return the size of the rows that are embedded: as many to a row as there are to all rows."""
    embed = attribute.embed
    theirs = known.tables.get(embed.source) if embed is not None else None
    if embed is None or theirs is None:
        return NOTHING
    each = Size(3, 0, 0)
    columns = _statistics_of(embed.attributes, theirs, Known())
    for inner in embed.attributes:
        each += _attribute_size(inner, columns[inner.name], theirs, known) + Size(1, 0, 0)
    each += _in_toast(embed.attributes, theirs)
    to_a_row = max(theirs.rows, 0) / max(statistics.rows, 1)
    if embed.one:
        return each.scaled(min(to_a_row, 1.0))
    several = (each + Size(1, 0, 8)).scaled(to_a_row)
    # As many to one row as to another would be the exception: their number varies as that of independent events.
    return Size(3, 0, 6) + Size(several.mean, several.variance + to_a_row * each.mean**2, several.json)


def _template_size(template: Template, columns: Mapping[str, ColumnStatistics | None]) -> tuple[float, Size]:
    """Return which share of the rows has the text, and its size."""
    present, size = 1.0, NOTHING
    for part in template.parts:
        if isinstance(part, str):
            size += Size(len(part.encode()), 0, len(part.encode()))
            continue
        column = columns.get(part.name)
        present *= 1 - _null_fraction(column)
        text = value_size(part.type, column)
        size += Size(max(text.json, 1), text.variance, max(text.json, 1))
    return present, size


def _in_toast(attributes: Iterable[Attribute], statistics: TableStatistics) -> Size:
    """Return the size of what stands outside of the rows: their widths count its pointers only."""
    if statistics.rows <= 0 or not any(a.column is not None and a.type.kind in _IN_TOAST for a in attributes):
        return NOTHING
    mean = statistics.toast_bytes / statistics.rows
    return Size(mean, (_SPREAD * mean) ** 2, mean)


def value_size(column_type: ColumnType, column: ColumnStatistics | None) -> Size:
    """Return the size of an average value that is not NULL; None when nothing is known of it."""
    kind = column_type.kind
    if kind in _FIXED_TEXT:
        return _text(_FIXED_TEXT[kind])
    if kind is Kind.BOOLEAN:
        return Size(1, 0, 5)
    if kind in _FLOAT_DIGITS:
        return _digits(_FLOAT_DIGITS[kind])
    if kind is Kind.INTEGER:
        return _digits(_integer_digits(column_type.oid, column))
    width = column.average_bytes if column is not None and column.average_bytes > 0 else UNKNOWN_WIDTH_BYTES
    return _varying(_size_by_width(column_type, width))


def _size_by_width(column_type: ColumnType, width: float) -> Size:
    kind, content = column_type.kind, max(width - (1 if width < 127 else 4), 0)
    if kind is Kind.TEXT:
        return _text(_text_bytes(column_type, width, content))
    if kind is Kind.NUMERIC:
        size = max(width - 2, 2)
        return Size(size, 0, 2 * size)
    if kind is Kind.BYTEA:
        return Size(content, 0, content * 4 / 3)
    if kind in (Kind.JSON, Kind.JSONB):
        return Size(max(3, 0.75 * width), 0, max(3, 1.3 * width))
    if kind is Kind.ARRAY and column_type.element is not None:
        return _array(column_type.element, width)
    return _text(1.5 * width)


def _text_bytes(column_type: ColumnType, width: float, content: float) -> float:
    if column_type.oid == _NAME_OID:
        return UNKNOWN_WIDTH_BYTES
    if column_type.oid == _CHAR_OID:
        return 1
    # Four bytes of a type of the database's own are the oid of an enum's label.
    return 8 if column_type.oid >= _FIRST_OWN_OID and width == 4 else content


def _array(element: ColumnType, width: float) -> Size:
    payload = max(width - _ARRAY_HEADER_BYTES, 0)
    if element.oid in _ELEMENT_WIDTHS:
        each = value_size(element, None)
        count = payload / _ELEMENT_WIDTHS[element.oid]
        return Size(3 + count * (1 + each.mean), 0, 6 + count * (8 + each.json))
    # An element is stored with 4 bytes of header, and up to 3 to the next multiple of 4: about half, of short ones.
    return Size(3 + 0.6 * payload, 0, 6 + 1.2 * payload)


def _integer_digits(oid: int, column: ColumnStatistics | None) -> int:
    most = _INTEGER_DIGITS.get(oid, 10)
    if column is None or column.distinct < 1:
        return most // 2
    return min(most, 1 + int(math.log10(column.distinct)))


def _text(length: float) -> Size:
    return Size(length, 0, length)


def _digits(digits: int) -> Size:
    return Size(-(-digits // 2) + 1, 0, digits)


def _varying(size: Size) -> Size:
    return Size(size.mean, (_SPREAD * size.mean) ** 2, size.json)
