"""Items of DynamoDB back into the values of PostgreSQL: what verification and the way back stand on.

Strict: for each kind of type exactly the forms that `mapping.types` names are read; anything else is
`Undecodable`, for it was not written by this mapping. It shares no conversion with `mapping.encode`: a
mistake there must show here.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from pg2dynamo.errors import Pg2DynamoError
from pg2dynamo.mapping import calendar
from pg2dynamo.mapping.fitness import may_be_text
from pg2dynamo.mapping.table import Attribute, Embedded, TableMapping
from pg2dynamo.mapping.templates import Template
from pg2dynamo.mapping.types import ColumnType, Kind
from pg2dynamo.mapping.values import Bounded, Json, JsonValue, Text, Undecodable, Unknown, Value

Read = Callable[[Any], Value]

UUID_TEXT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,4})?")
_DIMENSION = re.compile(r"\[(-?[0-9]{1,10}):(-?[0-9]{1,10})\]")
_MOST_DIMENSIONS = 6


MALFORMED = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""What a reader may raise for a value that is not in its form."""


class ItemUndecodable(Pg2DynamoError):
    """An item's key is not in the form that the mapping writes; `attribute` names the one at fault."""

    def __init__(self, attribute: str) -> None:
        self.attribute = attribute
        super().__init__(f"attribute {attribute}: not a key that the mapping writes")


class Decoder:
    """Decodes the items of one table. Not changed by use: one may serve many threads."""

    def __init__(self, mapping: TableMapping) -> None:
        self.readers = {a.name: _attribute_reader(a) for a in mapping.attributes}
        self.readers |= {derived.name: _string for derived in mapping.derived}
        self._maps = {a.path[0] for a in mapping.attributes if a.path}
        self._entries = {a.path: a.name for a in mapping.attributes if a.path}
        self._nulls = [a.name for a in mapping.attributes if a.nulls]

    def decode(self, item: dict[str, Any]) -> dict[str, Value]:
        """Return the value of each attribute that is in the item (DynamoDB JSON, parsed).

        Never raises for what an item holds: an attribute that no row could have is `Undecodable`, one that
        the mapping does not have is `Unknown`.
        """
        readers = self.readers
        if self._maps:
            item = self.flat(item)
        missing: dict[str, Value] = {name: Undecodable() for name in self._nulls if name not in item}
        try:
            return missing | {name: readers[name](value) for name, value in item.items()}
        except MALFORMED:
            return missing | {
                name: _attempt(readers[name], value) if name in readers else Unknown() for name, value in item.items()
            }

    @property
    def has_maps(self) -> bool:
        """Whether attributes stand in maps, which `flat` resolves."""
        return bool(self._maps)

    def flat(self, item: dict[str, Any]) -> dict[str, Any]:
        """Return the item with the entries of its maps in their places; a map that is not one is left as it is."""
        flat: dict[str, Any] = {}
        for name, value in item.items():
            entries = value.get("M") if name in self._maps else None
            if not isinstance(entries, dict) or not entries or len(value) != 1:
                # The flat name of an entry is no name of an attribute beside the maps.
                flat[f".{name}" if name in self._entries.values() else name] = value
                continue
            for entry, content in entries.items():
                flat[self._entries.get((name, entry), f"{name}.{entry}")] = content
        return flat


def decode_key(mapping: TableMapping, item: dict[str, Any]) -> dict[str, Value]:
    """Return the values of the key attributes of an item, hash first.

    Raises ItemUndecodable when one is missing or is not in the form that the mapping writes.
    """
    types = {attribute.name: attribute.type for attribute in mapping.attributes}
    templates = {derived.name: derived.template for derived in mapping.derived}
    key: dict[str, Value] = {}
    for name in mapping.key_attributes:
        read = _template_reader(templates[name]) if name in templates else _reader(types[name])
        key[name] = _attempt(read, item.get(name))
        if isinstance(key[name], Undecodable):
            raise ItemUndecodable(name)
    return key


def _template_reader(template: Template) -> Read:
    def read(value: Any) -> Value:
        text = _string(value)
        template.values(text)
        return text

    return read


def _attribute_reader(attribute: Attribute) -> Read:
    read = _reader(attribute.type) if attribute.embed is None else _embedded_reader(attribute.embed)
    if attribute.unfit == "text" and may_be_text(attribute.type):
        read = _text_reader(read)
    if not attribute.nulls:
        return read
    return lambda value: None if value == {"NULL": True} else read(value)


def _text_reader(read: Read) -> Read:
    """Read S as PostgreSQL's text of a value that DynamoDB cannot hold: no other of such an attribute is S."""
    return lambda value: Text(_string(value)) if "S" in value else read(value)


def _embedded_reader(embed: Embedded) -> Read:
    readers = {attribute.name: _attribute_reader(attribute) for attribute in embed.attributes}

    def row(value: Any) -> dict[str, Value]:
        return {name: readers[name](entry) for name, entry in _content(value, "M").items()}

    def rows(value: Any) -> Value:
        found = _content(value, "L")
        if not isinstance(found, list) or len(found) > embed.most:
            raise ValueError
        return [row(entry) for entry in found]

    return row if embed.one else rows


def _attempt(reader: Read, value: Any) -> Value:
    try:
        return reader(value)
    except MALFORMED:
        return Undecodable()


def _content(value: Any, form: str) -> Any:
    """Return the content of a value of that form; raises ValueError when it is of another."""
    [(actual, content)] = value.items()
    if actual != form:
        raise ValueError(actual)
    return content


def _string(value: Any) -> str:
    content = value["S"]
    if type(content) is not str or len(value) != 1:
        raise TypeError
    return content


def _decimal(value: Any) -> Decimal:
    content = _content(value, "N")
    if _NUMBER.fullmatch(content) is None:
        raise ValueError
    return Decimal(content)


def _integer(value: Any) -> int:
    number = _decimal(value)
    integer = int(number)
    if integer != number:
        raise ValueError
    return integer


def _boolean(value: Any) -> bool:
    content = _content(value, "BOOL")
    if not isinstance(content, bool):
        raise TypeError
    return content


def _bytes(value: Any) -> bytes:
    try:
        return b64decode(_content(value, "B"), validate=True)
    except binascii.Error:
        raise ValueError from None


def _uuid(value: Any) -> str:
    text = _string(value)
    if UUID_TEXT.fullmatch(text) is None:
        raise ValueError
    return text


def _json(value: Any) -> Json:
    return Json(_json_value(value))


def _json_value(value: Any) -> JsonValue:
    [(form, content)] = value.items()
    if form == "S":
        return _string(value)
    if form == "N":
        return _decimal(value)
    if form == "BOOL":
        return _boolean(value)
    if form == "M":
        return {name: _json_value(entry) for name, entry in content.items()}
    if form == "L":
        return [_json_value(entry) for entry in content]
    if form == "NULL" and content is True:
        return None
    raise ValueError


def _reader(column_type: ColumnType) -> Read:
    if column_type.kind is Kind.ARRAY:
        return _array_reader(column_type)
    return _READERS[column_type.kind]


def _array_reader(column_type: ColumnType) -> Read:
    element = column_type.element
    if element is None:
        raise TypeError(f"array type {column_type.name} without element type")
    read = _reader(element)
    may_be_list = element.kind in (Kind.JSON, Kind.JSONB, Kind.ARRAY)

    def array(value: Any) -> Value:
        if "M" not in value:
            most = 1 if may_be_list else _MOST_DIMENSIONS
            return _elements(_content(value, "L"), read, most, exactly=may_be_list)
        content = _content(value, "M")
        if content.keys() != {"bounds", "elements"}:
            raise ValueError
        bounds = _string(content["bounds"])
        dimensions = _dimensions(bounds)
        elements = _elements(_content(content["elements"], "L"), read, len(dimensions), exactly=True)
        _require_lengths(elements, [upper - lower + 1 for lower, upper in dimensions])
        if any(lower != 1 for lower, _ in dimensions):
            return Bounded(bounds, elements)
        if not may_be_list or len(dimensions) == 1:
            raise ValueError
        return Bounded(bounds, elements) if element.kind is Kind.ARRAY else elements

    return array


def _elements(parts: list[Any], read: Read, dimensions: int, *, exactly: bool) -> list[Value]:
    """Read one dimension; `exactly`: there are that many, else at most that many and a list is always one."""
    if not isinstance(parts, list):
        raise TypeError
    result: list[Value] = []
    for part in parts:
        if dimensions > 1 and (exactly or "L" in part):
            result.append(_elements(_content(part, "L"), read, dimensions - 1, exactly=exactly))
        else:
            result.append(None if part == {"NULL": True} else read(part))
    return result


def _dimensions(bounds: str) -> list[tuple[int, int]]:
    dimensions = [(int(lower), int(upper)) for lower, upper in _DIMENSION.findall(bounds)]
    if bounds != "".join(f"[{lower}:{upper}]" for lower, upper in dimensions):
        raise ValueError
    if not 1 <= len(dimensions) <= _MOST_DIMENSIONS:
        raise ValueError
    return dimensions


def _require_lengths(elements: Value, lengths: list[int]) -> None:
    if not lengths:
        return
    if not isinstance(elements, list) or len(elements) != lengths[0] or not elements:
        raise ValueError
    for part in elements:
        _require_lengths(part, lengths[1:])


_READERS: dict[Kind, Read] = {
    Kind.TEXT: _string,
    Kind.OUTPUT: _string,
    Kind.UUID: _uuid,
    Kind.INTEGER: _integer,
    Kind.NUMERIC: _decimal,
    Kind.FLOAT4: _decimal,
    Kind.FLOAT8: _decimal,
    Kind.BOOLEAN: _boolean,
    Kind.BYTEA: _bytes,
    Kind.DATE: lambda value: calendar.read_date(_string(value)),
    Kind.TIME: lambda value: calendar.read_time(_string(value)),
    Kind.TIMETZ: lambda value: calendar.read_timetz(_string(value)),
    Kind.TIMESTAMP: lambda value: calendar.read_timestamp(_string(value)),
    Kind.TIMESTAMPTZ: lambda value: calendar.read_timestamptz(_string(value)),
    Kind.INTERVAL: lambda value: calendar.read_interval(_string(value)),
    Kind.JSON: _json,
    Kind.JSONB: _json,
}
