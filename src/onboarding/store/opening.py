"""Open a store by its name, from the environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from onboarding.store.interface import Clock, Store


def utc_now() -> datetime:
    """Return now, in UTC without zone."""
    return datetime.now(UTC).replace(tzinfo=None)


def open_store(name: str, environ: Mapping[str, str], *, clock: Clock = utc_now) -> Store:
    """Return the store `name`, one of STORES, as the environment configures it; nothing is sent yet.

    Raises ValueError for another name, KeyError naming a variable that is not set.
    """
    opener = _OPENERS.get(name)
    if opener is None:
        raise ValueError(f"There is no store {name}: take one of {', '.join(STORES)}.")
    return opener(environ, clock)


def _postgres(environ: Mapping[str, str], clock: Clock) -> Store:
    from onboarding.store.postgres import open_postgres_store

    return open_postgres_store(environ, clock=clock)


def _dynamodb(environ: Mapping[str, str], clock: Clock) -> Store:
    from onboarding.store.dynamodb import open_dynamodb_store

    return open_dynamodb_store(environ, clock=clock)


_OPENERS: Mapping[str, Callable[[Mapping[str, str], Clock], Store]] = {"postgres": _postgres, "dynamodb": _dynamodb}
STORES = tuple(_OPENERS)
