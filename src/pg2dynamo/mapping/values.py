"""The values that verification compares, whichever side they come from.

Both ways of reading, binary rows from PostgreSQL and decoded items from DynamoDB, give for each column one of:

| kind | value |
|---|---|
| TEXT, UUID, OUTPUT | `str` |
| INTEGER | `int` |
| NUMERIC, FLOAT4, FLOAT8 | `Decimal`, finite; a float as its shortest round-trip text, so that 1 ulp shows |
| BOOLEAN | `bool` |
| BYTEA | `bytes` |
| DATE | `int` days since 2000-01-01, or `Endless` |
| TIME | `int` microseconds since midnight |
| TIMETZ | `tuple` (microseconds, seconds west of UTC) |
| TIMESTAMP, TIMESTAMPTZ | `int` microseconds since 2000-01-01 (UTC), or `Endless` |
| INTERVAL | `tuple` (months, days, microseconds): `'1 mon'` is not `'30 days'`; or `Endless` |
| JSON, JSONB | `Json(value)`, of dict, list, str, Decimal, bool and None |
| ARRAY | `list`, nested by dimension; `Bounded(bounds, list)` when a lower bound is not 1, or when the elements are |
| | arrays themselves (of a domain) and stand in several dimensions |
| EMBEDDED | `list` of `dict`, or one `dict`: attributes to values, without those that are NULL |

Where the plan says `unfit: text`, a value that DynamoDB cannot hold, and a json document that is a bare string, is a
`Text` instead. NULL is `None` inside arrays and JSON; at the top level a NULL column is `None`, and is an absent
attribute. What an item holds and no row could is a `Foreign`: `Undecodable` or `Unknown`.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import TypeAlias


class Endless(Enum):
    """PostgreSQL's infinite dates, timestamps and intervals."""

    PAST = "-infinity"
    FUTURE = "infinity"


@dataclass(frozen=True, slots=True)
class Bounded:
    """An array that says its bounds, e.g. `[0:2]`: not all lower ones are 1, or the dimensions could be mistaken."""

    bounds: str
    elements: list[Value]


@dataclass(frozen=True, slots=True)
class Json:
    """A JSON document: kept apart from the other values, so that JSON null is not NULL."""

    value: JsonValue


@dataclass(frozen=True, slots=True)
class Text:
    """PostgreSQL's text of a value that DynamoDB cannot hold, of any type: equal to no value, but to the same text."""

    text: str


class Foreign:
    """What an item holds where no row of the mapping could: equal to nothing, not even to itself."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return False

    def __hash__(self) -> int:
        return id(self)


class Undecodable(Foreign):
    """The value of an attribute of the mapping that is not in the form which the attribute's type has."""

    __slots__ = ()


class Unknown(Foreign):
    """The value of an attribute that the mapping does not have."""

    __slots__ = ()


JsonValue: TypeAlias = "dict[str, JsonValue] | list[JsonValue] | str | Decimal | bool | None"
Value: TypeAlias = (
    "str | int | bool | bytes | Decimal | Endless | Bounded | Json | Text | tuple[int, ...] | list[Value] | "
    "dict[str, Value] | Foreign | None"
)
