"""The order in which segments are copied: neighbours far apart in time, all tables under way at once. Pure.

Rows that stand together in a table were often inserted together and share the beginning of a key, which DynamoDB keeps
in one partition, and a partition takes 1,000 write units a second ("Burst and adaptive capacity"). Processes that work
on neighbouring segments would all write to it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

SEGMENTS_PER_TURN = 8
"""How many segments of one table a process copies before the next table's turn: changing costs new connections."""


def spread(tables: Iterable[Sequence[T]], turn: int) -> Iterator[T]:
    """Yield every segment of every table once, in an order that depends on their numbers alone.

    Of one table, each half is begun before either is halved again, and so on. Tables take turns of `turn` segments, the
    more often the more segments they have, so that all end at about the same time; they begin in the given order.
    """
    turns = [
        (first / len(segments), number, _far_apart(segments)[first : first + turn])
        for number, segments in enumerate(tables)
        for first in range(0, len(segments), turn)
    ]
    for _, _, segments in sorted(turns, key=lambda each: each[:2]):
        yield from segments


def _far_apart(segments: Sequence[T]) -> list[T]:
    """Return the segments by their numbers with the bits reversed."""
    bits = max(1, math.ceil(math.log2(len(segments)))) if segments else 0
    order = (int(f"{number:0{bits}b}"[::-1], 2) for number in range(2**bits)) if bits else iter(())
    return [segments[number] for number in order if number < len(segments)]
