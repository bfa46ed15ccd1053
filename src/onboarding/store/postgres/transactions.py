"""Run work on PostgreSQL in transactions: tried again where that helps, refused in the store's own errors."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from onboarding.store.postgres.faults import TRIED_AGAIN, refusal, sqlstate

ATTEMPTS = 5
FIRST_PAUSE_SECONDS = 0.02

Answer = TypeVar("Answer")


class Transactions:
    """Transactions at READ COMMITTED on the connections of one engine. Safe to use from several threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def run(self, work: Callable[[Connection], Answer]) -> Answer:
        """Return what `work` returns, committed; it may run several times, each in a transaction of its own.

        Raises UniqueTaken for a unique value that is there already, otherwise errors of the store.
        """
        for attempt in range(ATTEMPTS):
            try:
                return self._once(work)
            except SQLAlchemyError as error:
                if sqlstate(error) not in TRIED_AGAIN or attempt == ATTEMPTS - 1:
                    raise refusal(error) from None
            time.sleep(FIRST_PAUSE_SECONDS * 2**attempt * random.random())  # noqa: S311 - not for secrets
        raise AssertionError("the last attempt returns or raises")

    def _once(self, work: Callable[[Connection], Answer]) -> Answer:
        with self._engine.begin() as connection:
            return work(connection)

    def close(self) -> None:
        """Close the connections that are not in use. Idempotent."""
        self._engine.dispose()
