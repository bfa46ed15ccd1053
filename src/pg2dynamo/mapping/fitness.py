"""Which values DynamoDB cannot hold, judged from the values alone: verification does not ask the encoder.

`policies` judges the same from PostgreSQL's texts as it converts them; that both judge alike is tested.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from pg2dynamo.mapping.limits import (
    HASH_KEY_BYTES,
    NESTING_LEVELS,
    RANGE_KEY_BYTES,
    attribute_name_fault,
    key_fault,
    number_fault,
)
from pg2dynamo.mapping.table import Attribute, Embedded, TableMapping
from pg2dynamo.mapping.types import ColumnType, Kind
from pg2dynamo.mapping.values import Bounded, Json, JsonValue, Value

NUMBERS = (Kind.NUMERIC, Kind.FLOAT4, Kind.FLOAT8)
DOCUMENTS = (Kind.JSON, Kind.JSONB)
_TEXTS = (Kind.TEXT, Kind.OUTPUT)

JSON_NULL = "JSON null, which cannot be told from NULL where that is written"

_NOT_UTF8 = "text that is not UTF-8"
_SURROGATE = "a lone surrogate in json, which is no Unicode text"
_TOO_DEEP = f"more than {NESTING_LEVELS} levels of nesting"


def key_limits(mapping: TableMapping) -> dict[str, int]:
    """Return the bytes allowed for each attribute that is a key of the table or of an index."""
    limits: dict[str, int] = {}
    uses = [(mapping.hash, mapping.range), *((index.hash, index.range) for index in mapping.indexes)]
    for hash_name, range_name in uses:
        for name, limit in ((hash_name, HASH_KEY_BYTES), (range_name, RANGE_KEY_BYTES)):
            if name is not None:
                limits[name] = min(limit, limits.get(name, limit))
    return limits


def levels_allowed(attribute: Attribute) -> int:
    """Return how many containers may stand within one another in an attribute: one less in a map."""
    return NESTING_LEVELS - len(attribute.path[1:])


def may_be_unfit(column_type: ColumnType, *, key: bool = False) -> bool:
    """Return whether values of the type can be such that DynamoDB cannot hold them."""
    if column_type.kind is Kind.ARRAY and column_type.element is not None:
        return may_be_unfit(column_type.element)
    unfit = (*NUMBERS, *DOCUMENTS, *_TEXTS, Kind.EMBEDDED)
    return column_type.kind in unfit or (key and column_type.kind is Kind.BYTEA)


def may_be_text(column_type: ColumnType) -> bool:
    """Return whether a value of the type can be written as its text instead, and told from the others of its type."""
    if column_type.kind is Kind.ARRAY and column_type.element is not None:
        return may_be_text(column_type.element)
    return column_type.kind in (*NUMBERS, *DOCUMENTS)


def text_attributes(mapping: TableMapping) -> tuple[Attribute, ...]:
    """Return the attributes of which PostgreSQL's text stands in the item where their value cannot."""
    return tuple(a for a in mapping.attributes if a.unfit == "text" and may_be_text(a.type))


def attribute_fault(attribute: Attribute, value: Value, *, key_limit: int | None = None) -> str | None:
    """Say why DynamoDB cannot hold the value of an attribute; None when it can."""
    levels = levels_allowed(attribute)
    if attribute.nulls and isinstance(value, Json) and value.value is None:
        return JSON_NULL
    if attribute.embed is None:
        return unfit_reason(value, attribute.type, key_limit=key_limit, levels=levels)
    return _embedded_fault(attribute.embed, value, levels)


def unfit_reason(
    value: Value, column_type: ColumnType, *, key_limit: int | None = None, levels: int = NESTING_LEVELS
) -> str | None:
    """Say why DynamoDB cannot hold a value, in words without it; None when it can.

    `key_limit`: the value is that of a key, of at most so many bytes. `levels` of containers may stand in it.
    """
    if isinstance(value, str):
        size = _utf8_bytes(value)
        return _NOT_UTF8 if size is None else None if key_limit is None else key_fault(size, key_limit)
    if isinstance(value, bytes):
        return None if key_limit is None else key_fault(len(value), key_limit)
    if isinstance(value, Decimal):
        return _number_fault(value)
    if isinstance(value, Json):
        return _document_fault(value.value, levels)
    if column_type.kind is Kind.ARRAY and column_type.element is not None:
        return _array_fault(value, column_type, levels)
    return None


def text_fault(text: str) -> str | None:
    """Say why a text cannot be written as S."""
    return _NOT_UTF8 if _utf8_bytes(text) is None else None


def _utf8_bytes(text: str) -> int | None:
    if text.isascii():
        return len(text)
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return None


def _number_fault(number: Decimal) -> str | None:
    if not number.is_finite():
        return f"{number}, which DynamoDB has no number for"
    digits = "".join(map(str, number.as_tuple().digits)).strip("0")
    return number_fault(len(digits), number.adjusted()) if digits else None


def _document_fault(document: JsonValue, levels: int) -> str | None:
    """Judge a document to its end, without recursion: it may be of any depth."""
    todo: list[tuple[JsonValue, int]] = [(document, 1)]
    while todo:
        value, level = todo.pop()
        fault = _entry_fault(value, level, levels)
        if fault:
            return fault
        if isinstance(value, dict):
            todo += ((entry, level + 1) for entry in value.values())
        elif isinstance(value, list):
            todo += ((entry, level + 1) for entry in value)
    return None


def _entry_fault(value: JsonValue, level: int, levels: int) -> str | None:
    if isinstance(value, str):
        return _SURROGATE if _utf8_bytes(value) is None else None
    if isinstance(value, Decimal):
        return _number_fault(value)
    if isinstance(value, dict | list) and level > levels:
        return _TOO_DEEP
    return next(filter(None, map(_name_fault, value)), None) if isinstance(value, dict) else None


def _name_fault(name: str) -> str | None:
    return _SURROGATE if _utf8_bytes(name) is None else attribute_name_fault(name)


def _array_fault(value: Value, column_type: ColumnType, levels: int) -> str | None:
    element = column_type.element
    elements, dimensions, bounded = _opened(value, column_type)
    if element is None or not isinstance(elements, list) or not may_be_unfit(element):
        return None
    inner = levels - dimensions - bounded
    for part in _parts(elements, dimensions):
        if isinstance(part, Json) and part.value is None:
            return "JSON null in an array of json, which cannot be told from a NULL element"
        if fault := unfit_reason(part, element, levels=inner):
            return fault
    return None


def _opened(value: Value, column_type: ColumnType) -> tuple[Value, int, bool]:
    """Return an array's list, its dimensions, and whether it is written in a map with its bounds."""
    of_arrays = column_type.element is not None and column_type.element.kind is Kind.ARRAY
    of_documents = column_type.element is not None and column_type.element.kind in DOCUMENTS
    if isinstance(value, Bounded):
        return value.elements, value.bounds.count("["), True
    dimensions, level = 1, value
    while not of_arrays and isinstance(level, list) and level and isinstance(level[0], list):
        dimensions, level = dimensions + 1, level[0]
    return value, dimensions, of_documents and dimensions > 1


def _parts(elements: list[Value], dimensions: int) -> Iterator[Value]:
    for part in elements:
        if dimensions > 1 and isinstance(part, list):
            yield from _parts(part, dimensions - 1)
        else:
            yield part


def _embedded_fault(embed: Embedded, value: Value, levels: int) -> str | None:
    if value is None:
        return None
    rows: list[Any] = value if isinstance(value, list) else [value]
    if len(rows) > embed.most:
        return f"more than {embed.most:,} rows of {embed.source} belong to it"
    inner = levels - (1 if embed.one else 2)
    return next(filter(None, (_row_fault(embed, row, inner) for row in rows)), None)


def _row_fault(embed: Embedded, row: dict[str, Value], levels: int) -> str | None:
    return next(filter(None, _cell_faults(embed.attributes, row, levels)), None)


def _cell_faults(attributes: Iterable[Attribute], row: dict[str, Value], levels: int) -> Iterator[str | None]:
    for attribute in attributes:
        value = row.get(attribute.name)
        if attribute.embed is not None:
            yield _embedded_fault(attribute.embed, value, levels)
        else:
            yield unfit_reason(value, attribute.type, levels=levels)
