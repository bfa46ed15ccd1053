"""The limits of DynamoDB and Secrets Manager, as constants and pure functions: checked before a request is sent.

Sources: "Quotas in Amazon DynamoDB", "Naming rules and data types", "DynamoDB item sizes and formats" and
"AWS Secrets Manager quotas" of the AWS documentation. A function named `…_fault` returns None when the thing
is allowed and otherwise says why not, in words that hold no value.
"""

from __future__ import annotations

import re
from base64 import b64decode
from typing import Any, TypeAlias

AttributeValue: TypeAlias = dict[str, Any]
"""One value in DynamoDB JSON, e.g. `{"S": "text"}`; B holds base64 text."""

ITEM_BYTES = 409_600
HASH_KEY_BYTES = 2_048
RANGE_KEY_BYTES = 1_024
NUMBER_DIGITS = 38
NUMBER_HIGHEST_EXPONENT = 125
"""Of the first digit: the largest magnitude is 9.99…E+125."""
NUMBER_LOWEST_EXPONENT = -130
"""Of the first digit: the smallest magnitude is 1E-130."""
NESTING_LEVELS = 32
"""Containers (M, L) within one another, as documented; some endpoints refuse the last level."""
ATTRIBUTE_NAME_BYTES = 65_535
KEY_ATTRIBUTE_NAME_BYTES = 255
GLOBAL_INDEXES = 20
LOCAL_INDEXES = 5
BATCH_WRITE_ITEMS = 25
BATCH_WRITE_BYTES = 16 * 1024 * 1024
BATCH_GET_ITEMS = 100
BATCH_GET_BYTES = 16 * 1024 * 1024
WRITE_UNIT_BYTES = 1_024
SECRET_BYTES = 65_536
SECRET_NAME_CHARACTERS = 512

_TABLE_NAME = re.compile(r"[A-Za-z0-9_.-]{3,255}")
_SECRET_NAME = re.compile(r"[A-Za-z0-9/_+=.@-]+")


class Unfit(ValueError):
    """A value that DynamoDB cannot hold; `reason` holds no part of the value."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class Malformed(Unfit):
    """A text that PostgreSQL would not write: a fault of reading, so no policy for values applies to it."""


def number_fault(digits: int, exponent: int) -> str | None:
    """Judge a number of that many significant digits whose first stands for 10**exponent; zero always fits."""
    if digits > NUMBER_DIGITS:
        return f"a number of more than {NUMBER_DIGITS} significant digits"
    if exponent > NUMBER_HIGHEST_EXPONENT:
        return "a number of magnitude 1E+126 or more"
    if exponent < NUMBER_LOWEST_EXPONENT:
        return "a number nearer to zero than 1E-130"
    return None


def key_fault(size_bytes: int, limit_bytes: int) -> str | None:
    """Judge the value of a key that is text or binary, by its size."""
    if not size_bytes:
        return "an empty key"
    return f"a key of more than {limit_bytes:,} bytes" if size_bytes > limit_bytes else None


def attribute_name_fault(name: str) -> str | None:
    """Judge the name of an attribute, or of an entry in a map."""
    if not name:
        return "an empty attribute name"
    if len(name.encode("utf-8", "surrogatepass")) > ATTRIBUTE_NAME_BYTES:
        return f"an attribute name of more than {ATTRIBUTE_NAME_BYTES:,} bytes"
    return None


def key_attribute_name_fault(name: str) -> str | None:
    """Judge the name of an attribute that is a key of a table or an index."""
    if name and len(name.encode()) > KEY_ATTRIBUTE_NAME_BYTES:
        return f"a key attribute name of more than {KEY_ATTRIBUTE_NAME_BYTES} bytes"
    return attribute_name_fault(name)


def table_name_fault(name: str) -> str | None:
    """Judge the name of a table or an index."""
    if _TABLE_NAME.fullmatch(name):
        return None
    return "names of tables and indexes have 3 to 255 of the characters A-Z a-z 0-9 _ . -"


def secret_name_fault(name: str) -> str | None:
    """Judge the name of a secret."""
    if not name:
        return "an empty secret name"
    if len(name) > SECRET_NAME_CHARACTERS:
        return f"a secret name of more than {SECRET_NAME_CHARACTERS} characters"
    if _SECRET_NAME.fullmatch(name) is None:
        return "a secret name has only the characters A-Z a-z 0-9 / _ + = . @ -"
    return None


def secret_value_fault(value_bytes: int) -> str | None:
    """Judge the size of a secret's value."""
    return f"a secret of more than {SECRET_BYTES:,} bytes" if value_bytes > SECRET_BYTES else None


def write_units(item_size: int, indexes: int = 0) -> int:
    """Return the write units of putting one item of `item_size` bytes that `indexes` indexes project."""
    return max(1, -(-item_size // WRITE_UNIT_BYTES)) * (1 + indexes)


def item_bytes(item: dict[str, AttributeValue]) -> int:
    """Return the size of an item as DynamoDB counts it: names and values, without the JSON around them."""
    return sum(_text_bytes(name) + value_bytes(value) for name, value in item.items())


def value_bytes(value: AttributeValue) -> int:
    """Return the size of one value.

    Text counts its UTF-8 bytes, binary its bytes, a number one byte for two significant digits and one
    more (and one for a minus sign), true, false and null one, a map or list three, and one for each entry.
    AWS calls the size of numbers approximate; this is what DynamoDB Local counts, to the byte.
    """
    [(form, content)] = value.items()
    if form == "S":
        return _text_bytes(content)
    if form == "N":
        return _number_bytes(content)
    if form == "B":
        return len(b64decode(content))
    if form == "M":
        return 3 + sum(1 + _text_bytes(name) + value_bytes(entry) for name, entry in content.items())
    if form == "L":
        return 3 + sum(1 + value_bytes(entry) for entry in content)
    return 1


def nesting(value: AttributeValue) -> int:
    """Return how many containers stand within one another; a scalar has none."""
    [(form, content)] = value.items()
    if form == "M":
        return 1 + max(map(nesting, content.values()), default=0)
    if form == "L":
        return 1 + max(map(nesting, content), default=0)
    return 0


def _text_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _number_bytes(text: str) -> int:
    """Count the pairs of digits, paired from the decimal point, that hold the significant digits (1.5 has two)."""
    mantissa, _, exponent = text.lower().partition("e")
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    digits = (whole + fraction).lstrip("0")
    significant = digits.rstrip("0")
    if not significant:
        return 1
    last = int(exponent or 0) - len(fraction) + len(digits) - len(significant)
    first = last + len(significant) - 1
    return first // 2 - last // 2 + 2 + mantissa.startswith("-")
