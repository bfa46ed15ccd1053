"""JSON documents in the one form that all stores give back, whatever their numbers were on the way. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from onboarding.store.rules import NUMBER_DIGITS


def plain_document(value: Any) -> Any:
    """Return a JSON value made of dicts, lists, and numbers that are int when integral and float otherwise.

    Integers of up to 38 digits stay exact; longer ones are floats, since an int of that length is refused when it
    is written again (`onboarding.store.rules`).
    """
    if isinstance(value, Mapping):
        return {name: plain_document(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [plain_document(element) for element in value]
    if isinstance(value, float):
        value = Decimal(repr(value))  # the shortest text, which is what both servers are told
    if isinstance(value, Decimal):
        value = int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, int) and abs(value) >= 10**NUMBER_DIGITS:
        return float(value)
    return value
