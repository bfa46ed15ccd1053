"""What a fast encoder needs to know of a mapping: the form of each field of a row, and nothing of plans or catalogs.

A fast encoder writes what it is sure of and leaves every other row to `encode.Encoder`, which is the reference: what
both write is the same to the byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import orjson

from pg2dynamo.mapping.fitness import key_limits, levels_allowed
from pg2dynamo.mapping.limits import NESTING_LEVELS
from pg2dynamo.mapping.table import Attribute, TableMapping
from pg2dynamo.mapping.types import ColumnType, Kind

OTHER = "OTHER"
"""The form of fields that only the reference's own converter writes."""

FORMS: dict[Kind, str] = {
    Kind.TEXT: "S",
    Kind.UUID: "S",
    Kind.INTERVAL: "S",
    Kind.OUTPUT: "S",
    Kind.INTEGER: "N",
    Kind.NUMERIC: "D",
    Kind.FLOAT4: "D",
    Kind.FLOAT8: "D",
    Kind.BOOLEAN: "BOOL",
    Kind.BYTEA: "B",
    Kind.DATE: "DATE",
    Kind.TIME: "TIME",
    Kind.TIMESTAMP: "TIMESTAMP",
    Kind.TIMESTAMPTZ: "TIMESTAMPTZ",
}
_ELEMENTS = ("S", "N", "D", "BOOL", "DATE", "TIMESTAMP", "TIMESTAMPTZ")


@dataclass(frozen=True, slots=True)
class Cell:
    """One field of a row.

    `name` is the attribute's as JSON, quotes included. `form` is one of FORMS, `[` and one of these for arrays of it,
    `JSONB`, or OTHER. `nulls`: NULL is written as NULL, not left out. `key_limit` is how many bytes of text or binary
    a key may have, which then must not be empty; 0 where neither can be.
    """

    name: bytes
    form: str
    nulls: bool = False
    key_limit: int = 0


@dataclass(frozen=True, slots=True)
class RowProgram:
    """The rows of one mapping: `cells` of each line in order, which of them make the key, and the fields of a line."""

    cells: tuple[Cell, ...]
    key: tuple[int, ...]
    width: int


class FastEncoder(Protocol):
    """Encodes many rows at once."""

    def encode(self, lines: list[bytes]) -> tuple[list[bytes], list[bytes], Sequence[int]]:
        """Return the keys and items of the lines, in order, but for those whose numbers are left to the reference.

        Raises nothing, whatever the lines hold.
        """


def row_program(mapping: TableMapping) -> RowProgram | None:
    """Return the program of a mapping; None when its items are more than the fields of a row side by side."""
    if mapping.derived or mapping.hidden or any(attribute.path for attribute in mapping.attributes):
        return None
    limits = key_limits(mapping)
    names = [attribute.name for attribute in mapping.attributes]
    return RowProgram(
        tuple(_cell(attribute, limits.get(attribute.name)) for attribute in mapping.attributes),
        tuple(names.index(name) for name in mapping.key_attributes),
        len(mapping.select_list),
    )


def _cell(attribute: Attribute, limit: int | None) -> Cell:
    bounded = limit is not None and FORMS.get(attribute.type.kind) in ("S", "B")
    return Cell(orjson.dumps(attribute.name), _form(attribute), attribute.nulls, limit if limit and bounded else 0)


def _form(attribute: Attribute) -> str:
    kind = attribute.type.kind
    if attribute.embed is not None:
        return OTHER
    if kind is Kind.ARRAY:
        return _array_form(attribute.type)
    if kind is Kind.JSONB:
        whole = levels_allowed(attribute) == NESTING_LEVELS and not attribute.nulls and attribute.unfit != "text"
        return "JSONB" if whole else OTHER
    # A key of a form that is OTHER keeps its own check of its length.
    return FORMS.get(kind, OTHER)


def _array_form(column_type: ColumnType) -> str:
    element = FORMS.get(column_type.element.kind) if column_type.element else None
    return f"[{element}" if element in _ELEMENTS and column_type.element_delimiter == "," else OTHER
