"""A value that masks itself, for passwords, keys and plaintext."""

from __future__ import annotations

from typing import Generic, NoReturn, TypeVar

T = TypeVar("T", str, bytes)

MASK = "**********"


class Secret(Generic[T]):
    """Hold a secret so that printing, logging, formatting or pickling never shows it.

    Only `reveal()` gives the value; call it in the narrowest place that needs it and keep no name for it.
    """

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        self._value: T = value

    def reveal(self) -> T:
        """Return the value itself."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret('{MASK}')"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled: pass the reference that it was resolved from")
