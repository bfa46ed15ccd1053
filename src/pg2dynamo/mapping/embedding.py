"""Embedded rows as COPY gives them into L of M, or M: a text array of rows by columns, NULL where a column is NULL.

What makes the array is `plan.embed`. A level within a level is the base64 of the text of such an array: it has no
character that the array around it would escape, again and again.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Iterator

from pg2dynamo.mapping.arrays import Elements, parse_array
from pg2dynamo.mapping.documents import TOO_DEEP
from pg2dynamo.mapping.limits import NESTING_LEVELS, AttributeValue, Unfit, nesting
from pg2dynamo.mapping.table import Attribute, Embedded
from pg2dynamo.mapping.types import ColumnType, Kind

Convert = Callable[[str], AttributeValue]

_NESTED = (Kind.JSON, Kind.JSONB, Kind.ARRAY, Kind.EMBEDDED)


def attribute_converter(attribute: Attribute, converter: Callable[[ColumnType], Convert]) -> Convert:
    """Return what converts the text of an attribute; `converter` chooses for columns."""
    if attribute.embed is None:
        return converter(attribute.type)
    rows = _rows_converter(attribute.embed, converter)
    if all(inner.type.kind not in _NESTED for inner in attribute.embed.attributes):
        return rows

    def bounded(text: str) -> AttributeValue:
        value = rows(text)
        if nesting(value) > NESTING_LEVELS:
            raise Unfit(TOO_DEEP)
        return value

    return bounded


def _rows_converter(embed: Embedded, converter: Callable[[ColumnType], Convert]) -> Convert:
    columns = [(a.name, _cell_converter(a, converter)) for a in embed.attributes]
    refusal = f"several rows of {embed.source} belong to it" if embed.one else _too_many(embed)

    def rows(text: str) -> AttributeValue:
        found = parse_array(text).elements
        if len(found) > embed.most:
            raise Unfit(refusal)
        maps: list[AttributeValue] = [{"M": dict(_entries(columns, row))} for row in found]
        return maps[0] if embed.one else {"L": maps}

    return rows


def _too_many(embed: Embedded) -> str:
    return f"more than {embed.at_most:,} rows of {embed.source} belong to it"


def _cell_converter(attribute: Attribute, converter: Callable[[ColumnType], Convert]) -> Convert:
    if attribute.embed is None:
        return converter(attribute.type)
    rows = _rows_converter(attribute.embed, converter)
    return lambda cell: rows(b64decode(cell, validate=True).decode())


def _entries(columns: list[tuple[str, Convert]], row: Elements | str | None) -> Iterator[tuple[str, AttributeValue]]:
    if not isinstance(row, list):
        raise ValueError
    for (name, convert), cell in zip(columns, row, strict=True):
        if cell is None:
            continue
        if not isinstance(cell, str):
            raise ValueError
        try:
            yield name, convert(cell)
        except Unfit as fault:
            raise type(fault)(f"{name}: {fault.reason}") from None
