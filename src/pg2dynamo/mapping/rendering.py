"""The texts of templates from what the encoder has written of a row: by characters alone, without values.

`templates` describes the texts and makes them from values; that the two agree is tested, and nothing is shared, so
that verification does not repeat a mistake made here.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from pg2dynamo.mapping.templates import Placeholder, Template
from pg2dynamo.mapping.types import ColumnType, Kind

Contents: TypeAlias = Mapping[str, Mapping[str, Any]]
"""Attribute name to attribute value, as the encoder wrote it."""

_Write: TypeAlias = Callable[[str], str]

_LOW = {code: "$" + chr(code + 0x30) for code in range(0x25)}
_NINES = {ord(digit): str(9 - int(digit)) for digit in "0123456789"}
_INTEGER_DIGITS = {21: 5, 23: 10}
_CHARACTER = 1042


class Renderer:
    """Makes the texts of one template. Not changed by use: one may serve many threads."""

    def __init__(self, template: Template) -> None:
        self._parts: list[str | tuple[str, _Write]] = []
        for number, part in enumerate(template.parts):
            if isinstance(part, str):
                self._parts.append(part)
                continue
            following = template.parts[number + 1 : number + 2]
            stop = following[0][0] if following and isinstance(following[0], str) else ""
            self._parts.append((part.name, _writer(part, stop)))

    def render(self, contents: Contents) -> str | None:
        """Return the text for a row; None when one of its values is NULL."""
        texts = []
        for part in self._parts:
            if isinstance(part, str):
                texts.append(part)
                continue
            name, write = part
            content = contents.get(name)
            if content is None or "NULL" in content:
                return None
            texts.append(write(_text(content)))
        return "".join(texts)


def _text(content: Mapping[str, Any]) -> str:
    [(form, value)] = content.items()
    if form == "B":
        return b64decode(value).hex()
    if form == "BOOL":
        return "true" if value else "false"
    return str(value)


def _writer(part: Placeholder, stop: str) -> _Write:
    if part.sort:
        return _sorter(part.type)
    table = {ord(character): "\\" + character for character in ("\\", stop) if character and stop}
    return lambda text: text.translate(table)


def _sorter(column_type: ColumnType) -> _Write:
    kind = column_type.kind
    if kind is Kind.INTEGER:
        digits = _INTEGER_DIGITS.get(column_type.oid, 19)
        return lambda text: _integer(text, digits)
    if kind in (Kind.NUMERIC, Kind.FLOAT4, Kind.FLOAT8):
        return _number
    if kind is Kind.TEXT:
        return _padded if column_type.oid == _CHARACTER else lambda text: text.translate(_LOW)
    if kind in (Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ):
        return _instant
    return str


def _padded(text: str) -> str:
    end = len(text)
    while end and text[end - 1] == " ":
        end -= 1
    return text[:end].translate(_LOW) + "$/" * (len(text) - end)


def _integer(text: str, digits: int) -> str:
    if not text.startswith("-"):
        return text.zfill(digits)
    # What a number lacks to the next power of ten: its nines' complement and one.
    return "-" + str(int(text[1:].zfill(digits).translate(_NINES)) + 1).zfill(digits)


def _number(text: str) -> str:
    mantissa, _, exponent = text.lstrip("-").partition("E")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    if not digits:
        return "0"
    first = len(digits) - len(fraction) - 1 + int(exponent or "0")
    written = str(first + 200_000).zfill(6) + digits.rstrip("0")
    return "-" + written.translate(_NINES) + "~" if text.startswith("-") else "1" + written


def _instant(text: str) -> str:
    if text == "-infinity":
        return "!"
    if text.startswith("+"):
        year, hyphen, rest = text[1:].partition("-")
        return ":" + year.zfill(7) + hyphen + rest
    return "-" + text[1:7].translate(_NINES) + text[7:] if text.startswith("-") else text
