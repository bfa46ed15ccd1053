"""Rows of PostgreSQL as COPY … TO STDOUT (text format) gives them, into DynamoDB JSON: the hot path.

One converter for each column is chosen when the Encoder is built; a row is split, converted to one dict and
written by orjson in one call. How each kind of type is written is `mapping.types`; nothing here knows who
reads the rows or sends the items.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NamedTuple

import orjson

from pg2dynamo.errors import PlanError, RowRefused, SourceChanged
from pg2dynamo.mapping import instants
from pg2dynamo.mapping.arrays import ArrayLiteral, Elements, parse_array
from pg2dynamo.mapping.copy_text import NULL_FIELD, field_text, shown_text, unescape
from pg2dynamo.mapping.documents import FALSE, NULL, TOO_DEEP, TRUE, document
from pg2dynamo.mapping.embedding import attribute_converter
from pg2dynamo.mapping.fitness import JSON_NULL, key_limits, levels_allowed
from pg2dynamo.mapping.generated import GeneratedEncoder
from pg2dynamo.mapping.limits import ITEM_BYTES, NESTING_LEVELS, AttributeValue, Malformed, Unfit, item_bytes, nesting
from pg2dynamo.mapping.native import native_encoder
from pg2dynamo.mapping.numbers import number
from pg2dynamo.mapping.policies import Policies, checked_key
from pg2dynamo.mapping.rendering import Renderer
from pg2dynamo.mapping.row_program import FastEncoder, row_program
from pg2dynamo.mapping.table import Attribute, TableMapping
from pg2dynamo.mapping.types import ColumnType, Kind, key_form

Convert = Callable[[str], AttributeValue]

LINE_BYTES = 40_000_000
"""A longer line is no item: the longest texts for their bytes are numbers near 1E-130, 134 characters for 3 bytes."""
_TOO_LARGE = f"an item of more than {ITEM_BYTES:,} bytes"
_ATTRIBUTE_OVERHEAD = 9
"""How much longer an attribute in JSON (`"":{"L":[]},` around name and content) is at least than DynamoDB counts."""


class EncodedItem(NamedTuple):
    """One row as an item.

    `key` is the JSON object of the key attributes, `item` of all; equal keys are equal bytes. `size` is in
    bytes as DynamoDB counts: exact when it is near the limit of an item or above, else an upper bound that is
    a few bytes per attribute too high (numbers and documents more), as the exact size would cost more than
    the encoding. `nulled` is how many values are NULL because DynamoDB cannot hold them.
    """

    key: bytes
    item: bytes
    size: int
    nulled: int = 0


class Encoder:
    """Encodes the rows of one table. Not changed by use: one may serve many threads."""

    def __init__(self, mapping: TableMapping) -> None:
        """Choose the converters. Raises PlanError when a key has a type that cannot be one."""
        limits = key_limits(mapping)
        _require_key_forms(mapping)
        self._columns = tuple(
            (a.name, _key_converter(a.type, limits[a.name]) if a.name in limits else _attribute_converter(a))
            for a in mapping.read
        )
        self._derived = tuple((d.name, Renderer(d.template), limits.get(d.name)) for d in mapping.derived)
        self._hidden = tuple(attribute.name for attribute in mapping.hidden)
        self._maps = tuple((a.name, a.path) for a in mapping.attributes if a.path)
        self._nulls = frozenset(a.name for a in mapping.attributes if a.nulls)
        self._shaped = bool(self._derived or self._hidden or self._maps)
        self._key = mapping.key_attributes
        self._source_key = tuple((key.column, key.position) for key in mapping.source_key)
        self._width = len(mapping.select_list)
        self._source = str(mapping.source)
        self._accepts_large = mapping.unfit == "quarantine"
        self._policies = Policies(mapping, self._columns, self._derived, field_text)
        self._program = row_program(mapping)

    def encode(self, line: bytes) -> EncodedItem:
        """Return the item of one row; `line` is one line of COPY text without its newline.

        Raises RowRefused, naming the attribute and the reason but no value, when DynamoDB cannot hold the
        row and the plan has no other way; RowSkipped when the plan leaves it out; and SourceChanged when the row has
        not the columns of the mapping.
        """
        # A line that is too long is not split: its fields would take many times the memory. A comma stands in a text
        # or before an entry, and is a byte of the item or more.
        if len(line) > ITEM_BYTES and (len(line) > LINE_BYTES or line.count(b",") > ITEM_BYTES):
            raise RowRefused("", _TOO_LARGE, accepted=self._accepts_large)
        nulled = 0
        try:
            item = self._convert(line)
            key = {name: item[name] for name in self._key}
            body = orjson.dumps(item)
        except (ValueError, LookupError, TypeError):
            body = b""
        # Not in the handler: what was raised may hold a value.
        if not body:
            item, nulled = self._convert_each(line)
            key = {name: item[name] for name in self._key}
            body = orjson.dumps(item)
        size = len(body) - 1 - _ATTRIBUTE_OVERHEAD * len(item)
        if size > ITEM_BYTES:
            size = item_bytes(item)
            if size > ITEM_BYTES:
                raise RowRefused("", _TOO_LARGE, accepted=self._accepts_large)
        return EncodedItem(orjson.dumps(key), body, size, nulled)

    def encode_many(self, lines: list[bytes]) -> tuple[list[bytes], list[bytes], Sequence[int]]:
        """Encode the lines that are as usual, and fast: return their keys and items, and which lines are left.

        In the order of the lines, each exactly as `encode` gives it, with nothing nulled. The lines with the numbers
        that are left are for `encode`, which says what is wrong with them, if anything. Raises nothing.
        """
        return self._fast.encode(lines) if self._fast else ([], [], range(len(lines)))

    @cached_property
    def _fast(self) -> FastEncoder | None:
        if self._program is None:
            return None
        converters = [convert for _, convert in self._columns]
        return native_encoder(self._program, converters) or GeneratedEncoder(self._program, converters)

    def source_key(self, line: bytes) -> dict[str, str | None]:
        """Return the text of the source's key columns, for a row that goes to quarantine."""
        fields = line.decode(errors="backslashreplace").split("\t")
        return {column: shown_text(fields[position]) for column, position in self._source_key}

    def _convert(self, line: bytes) -> dict[str, AttributeValue]:
        """Convert a row whose values fit; raises what may hold a value when one does not."""
        fields = line.decode().split("\t")
        if len(fields) != self._width:
            raise self._other_width(len(fields))
        item: dict[str, AttributeValue] = {}
        for (name, convert), field in zip(self._columns, fields):  # noqa: B905 (key columns may follow)
            if "\\" in field:
                if field == NULL_FIELD:
                    if name in self._nulls:
                        item[name] = NULL
                    continue
                field = unescape(field)
            item[name] = convert(field)
        if self._shaped:
            for name, renderer, limit in self._derived:
                text = renderer.render(item)
                if text is not None:
                    item[name] = checked_key({"S": text}, "S", limit) if limit else {"S": text}
            self._shape(item)
        return item

    def _convert_each(self, line: bytes) -> tuple[dict[str, AttributeValue], int]:
        fields = line.split(b"\t")
        if len(fields) != self._width:
            raise self._other_width(len(fields))
        item, nulled = self._policies.convert(fields)
        self._shape(item)
        return item, nulled

    def _other_width(self, columns: int) -> SourceChanged:
        return SourceChanged(f"{self._source}: a row has {columns} columns, the mapping {self._width}.")

    def _shape(self, item: dict[str, AttributeValue]) -> None:
        """Take out what was read for templates only, and put the entries of maps into them."""
        for name in self._hidden:
            item.pop(name, None)
        for name, (outer, entry) in self._maps:
            if name in item:
                item.setdefault(outer, {"M": {}})["M"][entry] = item.pop(name)


def _require_key_forms(mapping: TableMapping) -> None:
    forms = {attribute.name: key_form(attribute.type) for attribute in mapping.attributes}
    forms |= dict.fromkeys((derived.name for derived in mapping.derived), "S")
    for name, form in mapping.key_types:
        if forms.get(name, form) != form:
            raise PlanError(f"{mapping.source}: the key attribute {name} is not of DynamoDB's type {form}.")


def _key_converter(column_type: ColumnType, limit: int) -> Convert:
    """Wrap a converter so that empty and too long keys are refused; numbers are never either."""
    convert, form = _converter(column_type), key_form(column_type)
    if form == "N":
        return convert

    return lambda text: checked_key(convert(text), form or "S", limit)


def _attribute_converter(attribute: Attribute) -> Convert:
    convert = attribute_converter(attribute, _converter)
    levels, documents = levels_allowed(attribute), attribute.type.kind in (Kind.JSON, Kind.JSONB)
    if levels < NESTING_LEVELS and documents | (attribute.type.kind is Kind.ARRAY):
        convert = _within(convert, levels)
    if documents and attribute.nulls:
        convert = _but_null(convert)
    return _document_or_text(convert) if documents and attribute.unfit == "text" else convert


def _but_null(convert: Convert) -> Convert:
    def not_null(text: str) -> AttributeValue:
        value = convert(text)
        if value is NULL:
            raise Unfit(JSON_NULL)
        return value

    return not_null


def _within(convert: Convert, levels: int) -> Convert:
    def bounded(text: str) -> AttributeValue:
        value = convert(text)
        if nesting(value) > levels:
            raise Unfit(TOO_DEEP)
        return value

    return bounded


def _document_or_text(convert: Convert) -> Convert:
    """Write a document that is a bare string as its JSON text, so that every S of the attribute is one."""

    def document_or_text(text: str) -> AttributeValue:
        value = convert(text)
        return {"S": text} if "S" in value else value

    return document_or_text


def _converter(column_type: ColumnType) -> Convert:
    if column_type.kind is Kind.ARRAY:
        return _array_converter(column_type)
    return _CONVERTERS[column_type.kind]


def _array_converter(column_type: ColumnType) -> Convert:
    element, delimiter = column_type.element, column_type.element_delimiter
    if element is None:
        raise PlanError(f"The array type {column_type.name} has no element type.")
    convert = _converter(element)
    # Hazard: a list within an array is either a dimension or an element. Elements that may be lists themselves
    # stand bare in one dimension only; more dimensions are always written with their bounds.
    ambiguous = element.kind in (Kind.JSON, Kind.JSONB, Kind.ARRAY)

    def array(text: str) -> AttributeValue:
        literal = parse_array(text, delimiter)
        value: AttributeValue = {"L": [_element(part, convert) for part in literal.elements]}
        bounds = literal.bounds or (_bounds_from_one(literal) if ambiguous and literal.dimensions > 1 else "")
        if bounds:
            value = {"M": {"bounds": {"S": bounds}, "elements": value}}
        if ambiguous and nesting(value) > NESTING_LEVELS:
            raise Unfit(TOO_DEEP)
        return value

    return array


def _element(part: Elements | str | None, convert: Convert) -> AttributeValue:
    if part is None:
        return NULL
    if isinstance(part, str):
        value = convert(part)
        if value is NULL:
            raise Unfit("JSON null in an array of json, which cannot be told from a NULL element")
        return value
    return {"L": [_element(inner, convert) for inner in part]}


def _bounds_from_one(literal: ArrayLiteral) -> str:
    bounds, level = "", literal.elements
    for _ in range(literal.dimensions):
        bounds += f"[1:{len(level)}]"
        if isinstance(level[0], list):
            level = level[0]
    return bounds


def _text(text: str) -> AttributeValue:
    return {"S": text}


def _integer(text: str) -> AttributeValue:
    return {"N": text}


def _number(text: str) -> AttributeValue:
    return {"N": number(text)}


def _boolean(text: str) -> AttributeValue:
    if text == "t":
        return TRUE
    if text == "f":
        return FALSE
    raise Malformed("not a boolean")


def _bytea(text: str) -> AttributeValue:
    if text[:2] != "\\x":
        raise Malformed("bytea that is not in hex: bytea_output is not set")
    return {"B": b64encode(bytes.fromhex(text[2:])).decode()}


def _date(text: str) -> AttributeValue:
    return {"S": instants.date(text)}


def _time(text: str) -> AttributeValue:
    return {"S": instants.time(text)}


def _timetz(text: str) -> AttributeValue:
    return {"S": instants.timetz(text)}


def _timestamp(text: str) -> AttributeValue:
    return {"S": instants.timestamp(text)}


def _timestamptz(text: str) -> AttributeValue:
    return {"S": instants.timestamptz(text)}


_CONVERTERS: dict[Kind, Convert] = {
    Kind.TEXT: _text,
    Kind.UUID: _text,
    Kind.INTERVAL: _text,
    Kind.OUTPUT: _text,
    Kind.INTEGER: _integer,
    Kind.NUMERIC: _number,
    Kind.FLOAT4: _number,
    Kind.FLOAT8: _number,
    Kind.BOOLEAN: _boolean,
    Kind.BYTEA: _bytea,
    Kind.DATE: _date,
    Kind.TIME: _time,
    Kind.TIMETZ: _timetz,
    Kind.TIMESTAMP: _timestamp,
    Kind.TIMESTAMPTZ: _timestamptz,
    Kind.JSON: document,
    Kind.JSONB: document,
}
