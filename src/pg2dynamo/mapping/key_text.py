"""The text of a key: from values, without the encoder, so that verification can ask for an item by a row's key.

The text is what stands in the key attribute (`{"S": text}`, `{"N": text}`, `{"B": text}`), and what reports name
rows by. Written from values.py's forms alone; `decode.decode_key` gives the values of it again.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeAlias

from pg2dynamo.mapping.decode import ItemUndecodable, decode_key
from pg2dynamo.mapping.limits import HASH_KEY_BYTES, RANGE_KEY_BYTES, number_fault
from pg2dynamo.mapping.table import TableMapping
from pg2dynamo.mapping.types import Kind
from pg2dynamo.mapping.value_text import value_text
from pg2dynamo.mapping.values import Value

KeyTexts: TypeAlias = dict[str, str]
"""A key: attribute name to text."""

_NOT_FINITE = ("NaN", "Infinity", "-Infinity")


def key_texts(mapping: TableMapping, values: Mapping[str, Value]) -> KeyTexts:
    """Return the texts of the key attributes, given the values of these; '' for NULL, with which no item can be."""
    kinds = {attribute.name: attribute.type.kind for attribute in mapping.attributes}
    return {
        name: "" if (value := values.get(name)) is None else value_text(kinds.get(name, Kind.TEXT), value)
        for name in mapping.key_attributes
    }


def texts_of_item(mapping: TableMapping, item: Mapping[str, Mapping[str, Any]]) -> KeyTexts:
    """Return the texts of an item's key attributes, as they stand there."""
    return {name: str(next(iter(item[name].values()))) for name in mapping.key_attributes}


def item_key(mapping: TableMapping, texts: KeyTexts) -> dict[str, dict[str, str]]:
    """Return the key in DynamoDB JSON."""
    forms = dict(mapping.key_types)
    return {name: {forms[name]: texts[name]} for name in mapping.key_attributes}


def key_values(mapping: TableMapping, texts: KeyTexts) -> dict[str, Value] | None:
    """Return the values of a key, None when no row can have it."""
    forms = dict(mapping.key_types)
    endless = {n: Decimal(t) for n, t in texts.items() if forms[n] == "N" and t in _NOT_FINITE}
    try:
        finite = decode_key(mapping, item_key(mapping, texts | dict.fromkeys(endless, "0")))
    except ItemUndecodable:
        return None
    return finite | endless


def can_be_key(mapping: TableMapping, texts: KeyTexts) -> bool:
    """Return whether DynamoDB can hold an item of this key at all: not empty, not too long, a number in range."""
    forms = dict(mapping.key_types)
    limits = {mapping.hash: HASH_KEY_BYTES, mapping.range: RANGE_KEY_BYTES}
    return all(_fits(forms[name], texts[name], limits[name]) for name in mapping.key_attributes)


def _fits(form: str, text: str, limit_bytes: int) -> bool:
    if not text:
        return False
    if form == "N":
        return _number_fits(Decimal(text))
    size = len(b64decode(text)) if form == "B" else len(text.encode("utf-8", "surrogatepass"))
    return size <= limit_bytes


def _number_fits(number: Decimal) -> bool:
    if not number.is_finite():
        return False
    digits = "".join(map(str, number.as_tuple().digits)).strip("0")
    return not digits or number_fault(len(digits), number.adjusted()) is None
