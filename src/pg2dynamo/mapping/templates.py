"""Attributes of text made of several values: `TENANT#{tenant_id}`. Different values never make the same text.

A value that is followed by text of the template has a backslash before each backslash and each character that this
text begins with, so that its end is found again; with `:sort` it is written as `sortable` has it. The texts are made
from values here, and from what the encoder has written by `rendering`, which shares no conversion with this.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from pg2dynamo.mapping.sortable import NUMBERS, has_sortable_text, plain_value, sortable_text, sortable_value
from pg2dynamo.mapping.types import ColumnType, Kind
from pg2dynamo.mapping.value_text import value_text
from pg2dynamo.mapping.values import Value

NO_TEXT = (Kind.JSON, Kind.JSONB, Kind.ARRAY, Kind.EMBEDDED)
"""The kinds that a template cannot hold."""
PLAIN_CHARACTERS = 40
"""A number with more is written with an exponent, as `numbers` does."""

_MALFORMED = (ValueError, LookupError, ArithmeticError, TypeError, OverflowError)


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A value in a template, by the name of the attribute that it is read as."""

    name: str
    type: ColumnType
    sort: bool = False


@dataclass(frozen=True, slots=True)
class Template:
    """Literal texts, never two in a row, and the values between them."""

    parts: tuple[str | Placeholder, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of what it holds, each once, in order."""
        return tuple(dict.fromkeys(part.name for part in self.parts if isinstance(part, Placeholder)))

    @property
    def prefix(self) -> str:
        """What every text of it begins with; may be empty."""
        return self.parts[0] if self.parts and isinstance(self.parts[0], str) else ""

    @property
    def constant(self) -> str | None:
        """The one text of it, None when it holds values."""
        return self.prefix if not self.names else None

    def of_values(self, values: Mapping[str, Value]) -> str | None:
        """Return the text for these values; None when one of them is NULL."""
        texts = []
        for part, follows in zip(self.parts, (*self.parts[1:], ""), strict=True):
            if isinstance(part, str):
                texts.append(part)
                continue
            value = values.get(part.name)
            if value is None:
                return None
            texts.append(_of_value(part, value, follows))
        return "".join(texts)

    def values(self, text: str) -> dict[str, Value]:
        """Return the values for which `of_values` gives this text. Raises ValueError when there are none."""
        try:
            values = self._parsed(text)
            same = self.of_values(values) == text
        except _MALFORMED:
            raise ValueError("no text of this template") from None
        if not same:
            raise ValueError("no text of this template")
        return values

    def _parsed(self, text: str) -> dict[str, Value]:
        values: dict[str, Value] = {}
        position = 0
        for part, follows in zip(self.parts, (*self.parts[1:], ""), strict=True):
            if isinstance(part, str):
                if not text.startswith(part, position):
                    raise ValueError
                position += len(part)
                continue
            raw, position = _cut(part, text, position, follows)
            values[part.name] = sortable_value(part.type, raw) if part.sort else plain_value(part.type, raw)
        if position != len(text):
            raise ValueError
        return values


def _of_value(part: Placeholder, value: Value, follows: str | Placeholder) -> str:
    if part.sort:
        return sortable_text(part.type, value)
    text = _plain_text(part.type.kind, value)
    return escaped(text, follows[0]) if isinstance(follows, str) and follows else text


def _plain_text(kind: Kind, value: Value) -> str:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, bool):
        return "true" if value else "false"
    if kind in NUMBERS and isinstance(value, Decimal) and value.is_finite():
        return _number(value)
    return value_text(kind, value)


def _number(value: Decimal) -> str:
    """Return the one text of a number: without useless zeros, with an exponent when it would be long."""
    sign, digits, exponent = value.as_tuple()
    significant = "".join(map(str, digits)).strip("0")
    if not significant or not isinstance(exponent, int):
        return "0"
    first = value.adjusted()
    last = first - len(significant) + 1
    # Hazard: the key of somebody else's item may say 1E+9999999999, whose zeros no memory holds: count, then write.
    if sign + max(first + 1, 1) + (1 - last if last < 0 else 0) > PLAIN_CHARACTERS:
        plain = f"{significant[0]}{'.' if len(significant) > 1 else ''}{significant[1:]}E{first:+d}"
    elif last >= 0:
        plain = significant + "0" * last
    elif first >= 0:
        plain = f"{significant[: first + 1]}.{significant[first + 1 :]}"
    else:
        plain = f"0.{'0' * (-first - 1)}{significant}"
    return "-" * sign + plain


def escaped(text: str, stop: str) -> str:
    """Return the text with a backslash before each backslash and each `stop`, one other character."""
    return text.replace("\\", "\\\\").replace(stop, "\\" + stop)


def _cut(part: Placeholder, text: str, position: int, follows: str | Placeholder) -> tuple[str, int]:
    """Return the text of a value that begins at `position`, and where it ends."""
    if not isinstance(follows, str) or not follows:
        return text[position:], len(text)
    if part.sort:
        end = text.index(follows[0], position)
        return text[position:end], end
    characters = []
    while text[position] != follows[0]:
        position += text[position] == "\\"
        characters.append(text[position])
        position += 1
    return "".join(characters), position


def parse_template(text: str) -> tuple[str | tuple[str, bool], ...]:
    """Return the literals, and the names in braces with whether they sort; `{{` and `}}` are braces.

    Raises ValueError saying what is wrong.
    """
    parts: list[str | tuple[str, bool]] = []
    for literal, inner in re.findall(r"((?:[^{}]|\{\{|\}\})+)|\{([^{}]*)\}|[{}]", text):
        if literal:
            parts.append(literal.replace("{{", "{").replace("}}", "}"))
            continue
        name, colon, form = inner.rpartition(":")
        if colon and form != "sort":
            raise ValueError(f"{{{inner}}}: after a colon only `sort` is known")
        if not (name if colon else form):
            raise ValueError("write columns in braces, as in TENANT#{tenant_id}, and a brace itself as {{ or }}")
        parts.append((name, True) if colon else (form, False))
    if not parts:
        raise ValueError("the template is empty")
    return tuple(parts)


def fault(template: Template) -> str | None:
    """Return why different values could make the same text, or in which order they would not stand; None when fine."""
    for part, follows in zip(template.parts, (*template.parts[1:], ""), strict=True):
        if isinstance(part, str):
            continue
        if isinstance(follows, Placeholder):
            return (
                f"write text between {part.name} and {follows.name}, e.g. #, so that their values cannot run together"
            )
        if part.type.kind in NO_TEXT:
            return f"{part.name} has type {part.type.name}, which cannot be part of a key"
        if part.sort and not has_sortable_text(part.type):
            return (
                f"{part.name} has type {part.type.name}, for which there is no `:sort`: leave it out, or take an "
                "attribute with `sql` whose type sorts as you want, e.g. a cast to text"
            )
        if follows and follows[0] == "\\":
            return f"the text after {part.name} must not begin with a backslash, which marks what values hold of it"
        if part.sort and follows and follows[0] != "#":
            return f"the text after {{{part.name}:sort}} must begin with #, which sorts before what values hold"
    return None


def disjoint(one: Template, other: Template) -> bool:
    """Return whether it is certain that no text is made by both."""
    for a, b in ((one, other), (other, one)):
        if a.constant is not None:
            return not _makes(b, a.constant)
    length = min(len(one.prefix), len(other.prefix))
    return one.prefix[:length] != other.prefix[:length]


def _makes(template: Template, text: str) -> bool:
    try:
        template.values(text)
    except ValueError:
        return False
    return True
