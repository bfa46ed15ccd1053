"""Floats as the decimal that PostgreSQL prints for them, from their bits.

PostgreSQL prints the shortest decimal strictly between the midpoints to the two neighbouring floats (d2s.c and
f2s.c, `acceptBounds = false`), the nearest of that length. Python's repr accepts a midpoint too, when reading it
back rounds to even; so it is right except where a short decimal can be a midpoint: large integers.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from decimal import Decimal

_FLOAT4 = struct.Struct("!f")
_FLOAT8 = struct.Struct("!d")
_BITS4 = struct.Struct("!I")
_NORMAL4 = 2.0**-126  # below it a float4 has fewer than six digits
_MIDPOINTS_FROM = 2.0**53  # smaller doubles: a midpoint has more digits than the double itself
_MIDPOINTS_TO = 1e41  # larger ones: a midpoint of 54 bits has too few factors 5 to end in so many zeros
_INFINITE4 = 0x7F800000


def read_float8(data: bytes) -> Decimal:
    """Return the decimal that float8out prints for the value that float8send sent."""
    value: float = _FLOAT8.unpack(data)[0]
    size = abs(value)
    if not _MIDPOINTS_FROM <= size < _MIDPOINTS_TO:
        return Decimal(repr(value))
    low = _middle(int(size), int(math.nextafter(size, 0)))
    high = _middle(int(size), int(math.nextafter(size, math.inf)))
    return _shortest(size, low, high, 15, 17).copy_sign(Decimal(math.copysign(1, value)))


def _middle(one: int, other: int) -> Decimal:
    half, odd = divmod(one + other, 2)
    return Decimal(f"{half}.5") if odd else Decimal(half)


def read_float4(data: bytes) -> Decimal:
    """Return the decimal that float4out prints for the value that float4send sent."""
    value: float = _FLOAT4.unpack(data)[0]
    if not math.isfinite(value) or value == 0:
        return Decimal(repr(value))
    size = abs(value)
    bits = _BITS4.unpack(data)[0] & 0x7FFFFFFF
    below = _FLOAT4.unpack(_BITS4.pack(bits - 1))[0]
    above = _FLOAT4.unpack(_BITS4.pack(bits + 1))[0] if bits + 1 < _INFINITE4 else 2 * size - below
    # A double holds the midpoint of two float4 exactly.
    low, high = Decimal((below + size) / 2), Decimal((above + size) / 2)
    found = _shortest(size, low, high, 6 if size >= _NORMAL4 else 1, 9)
    return found.copy_sign(Decimal(math.copysign(1, value)))


def _shortest(value: float, low: Decimal, high: Decimal, first: int, last: int) -> Decimal:
    for digits in range(first, last + 1):
        for candidate in _around(value, digits):
            if low < candidate < high:
                return candidate
    raise AssertionError("17 digits tell every double from its neighbours, 9 every float4")


def _around(value: float, digits: int) -> Iterator[Decimal]:
    """Yield the decimals of so many digits beside `value`, the nearer first.

    The farther one matters at powers of two, where the float below is nearer than the one above.
    """
    text = f"{value:.{digits - 1}e}"
    nearest = Decimal(text)
    yield nearest
    step = Decimal((0, (1,), int(text.partition("e")[2]) - digits + 1))
    yield nearest + step if nearest < Decimal(value) else nearest - step
