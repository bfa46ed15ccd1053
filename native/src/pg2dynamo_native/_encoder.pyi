from collections.abc import Callable
from typing import TypeAlias, final

Cell: TypeAlias = tuple[bytes, str, bool, int, Callable[[str], bytes | None]]
"""`(name, form, nulls, key_limit, convert)` as `Cell` of pg2dynamo's `mapping/row_program.py` has them.

`convert` makes an attribute value of what has no form of its own, as JSON; None leaves the row.
"""

PROTOCOL: int
"""Raised with every change of what Encoder takes, writes or leaves."""

@final
class Encoder:
    """Encodes rows of one table, given as COPY's text. Not changed by use: one may serve many threads."""

    def __new__(cls, cells: tuple[Cell, ...], key: tuple[int, ...], width: int, most_bytes: int) -> Encoder:
        """Take the cells of a line in order, which of them make the key, and how many fields a line has.

        Lines and items of more than `most_bytes` are left. Raises ValueError for a form that is not known.
        """

    def encode(self, lines: list[bytes]) -> tuple[list[bytes], list[bytes], list[int]]:
        """Return the keys and items of the lines, in order, but for those whose numbers are left.

        Raises MemoryError, what a converter raises, and TypeError for a line that is not bytes.
        """
