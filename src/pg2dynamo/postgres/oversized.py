"""Cells that no item can hold stay in the server: read in their stead is NULL, and which they were.

A cell of hundreds of megabytes would be held several times over on its way into an item that cannot be. Its size is
known without reading it where PostgreSQL keeps it (text, bytea); other types are written out once, in the server,
and only where they are stored in many bytes. Compression is at most 255:1 (lz4), so a cell that is stored in
fewer stays bounded. DynamoDB's limit of an item is 409,600 bytes ("Quotas in Amazon DynamoDB").
"""

from __future__ import annotations

from collections.abc import Sequence

from pg2dynamo.mapping.limits import ITEM_BYTES
from pg2dynamo.mapping.table import TableMapping
from pg2dynamo.mapping.types import ColumnType, Kind
from pg2dynamo.postgres.segments import Segment

STORED_BYTES = 65_536
"""Cells stored in fewer bytes are not looked at: compressed, they are 16.7 MB at most."""

TEXT_BYTES = 1 << 20
"""Of text and bytea, counted as the server stores it: an item's bytes are at least half as many in any encoding."""

DOCUMENT_BYTES = 20_000_000
"""Of the text of a document, an array or another type: an item's longest is one of the number 1E-130 only, which
takes 134 characters for 3 bytes, so 18.3 million in all."""

TOO_LARGE = f"an item of more than {ITEM_BYTES:,} bytes"

_LARGE = '"pg2dynamo large"'
_BOUNDED = frozenset(Kind) - {Kind.TEXT, Kind.BYTEA, Kind.JSON, Kind.JSONB, Kind.ARRAY, Kind.OUTPUT, Kind.EMBEDDED}

Column = tuple[str, str, ColumnType | None]
"""A quoted name, the SQL that it stands for, and its type; None for what is never too large."""


def may_be_oversized(mapping: TableMapping, segment: Segment, toast_bytes: int) -> bool:
    """Return whether cells of the segment must be measured: not where nothing large is stored, for the rows' sake."""
    return segment.whole or toast_bytes > STORED_BYTES or any(a.embed is not None for a in mapping.read)


class Guarded:
    """A FROM item in which the columns go by their names, and which of them are too large is known of each row.

    Every expression is evaluated once a row.
    """

    def __init__(self, columns: Sequence[Column], rows: str) -> None:
        """`rows` is FROM and WHERE, in which the columns' SQL is to be understood."""
        measured = [(name, kind) for name, _, kind in columns if kind is not None and kind.kind not in _BOUNDED]
        self._numbers = {name: n for n, (name, _) in enumerate(measured, start=1)}
        tests = ", ".join(_too_large(name, kind) for name, kind in measured)
        stored = " OR ".join(f"pg_column_size({name}) > {STORED_BYTES}" for name, _ in measured) or "false"
        inner = ", ".join(f"{sql} AS {name}" for name, sql, _ in columns)
        # OFFSET 0 keeps the planner from merging the levels, which would evaluate an expression again and again.
        attributes = f"(SELECT {inner} {rows} OFFSET 0) AS attributes"
        large = f"CASE WHEN {stored} THEN ARRAY[{tests}]::boolean[] END AS {_LARGE}"
        self.rows = f"FROM (SELECT *, {large} FROM {attributes} OFFSET 0) AS attributes"  # noqa: S608

    def cell(self, name: str, output: str | None = None) -> str:
        """Return the SQL of a column, or of what is made of it: NULL where the column is too large."""
        number = self._numbers.get(name)
        return f"CASE WHEN {_LARGE}[{number}] THEN NULL ELSE {output or name} END" if number else output or name

    @property
    def signs(self) -> str:
        """The SQL of a text that names the too large columns, as `too_large` reads it; NULL when there is none."""
        return f"nullif(array_to_string(array_positions({_LARGE}, true), ','), '')"

    def too_large(self, signs: str) -> list[str]:
        """Return the quoted names of the columns that a row's `signs` name."""
        names = {str(number): name for name, number in self._numbers.items()}
        return [names[sign] for sign in signs.split(",")]


def _too_large(name: str, column_type: ColumnType) -> str:
    if column_type.kind is Kind.TEXT:
        test = f"octet_length({name}::text) > {TEXT_BYTES}"
    elif column_type.kind is Kind.BYTEA:
        test = f"octet_length({name}) > {TEXT_BYTES}"
    elif column_type.kind is Kind.EMBEDDED:
        # Without what stands for NULL, which takes no byte of the item.
        test = f"octet_length(array_to_string({name}, '')) > {DOCUMENT_BYTES}"
    else:
        # A comma stands in a text or before an entry, and is a byte of the item or more.
        commas = f"octet_length(shown) - octet_length(replace(shown, ',', '')) > {ITEM_BYTES}"
        long = f"octet_length(shown) > {TEXT_BYTES} AND ({commas})"
        test = (
            f"(SELECT CASE WHEN octet_length(shown) > {DOCUMENT_BYTES} THEN true ELSE {long} END "  # noqa: S608
            f"FROM (SELECT format('%s', {name}) AS shown OFFSET 0) AS output)"
        )
    return f"CASE WHEN pg_column_size({name}) > {STORED_BYTES} THEN {test} ELSE false END"
