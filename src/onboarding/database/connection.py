"""Connections to the onboarding database: the engine that the service uses, and the session of a request.

Every wait has an end: for a connection, for a lock, for an answer of the server, and for an answer that never comes
because the server is frozen or the network swallows it.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.json import set_json_loads
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.orm import Session

from onboarding.database.schema import SESSION
from onboarding.store.documents import plain_document

CONNECT_SECONDS = 5
STATEMENT_SECONDS = 10
"""When the server ends a statement by itself, also one that waits for a lock."""
ANSWER_SECONDS = 15
"""When a statement is given up whose end the server does not tell."""
POOL_SECONDS = 10
POOL_KEPT, POOL_BEYOND = 10, 40
"""At most 50 connections in a process: the 40 threads of an ASGI application and some. PostgreSQL's default is 100."""

SERVICE_SESSION = f"{SESSION} -c statement_timeout={STATEMENT_SECONDS}s -c default_transaction_read_only=off"

Answer = TypeVar("Answer")


class PatientConnection(psycopg.Connection[Any]):
    """A connection that waits for each answer at most `patience_seconds`, and then closes itself."""

    patience_seconds: float = ANSWER_SECONDS

    def wait(self, gen: Generator[Any, Any, Answer], *args: Any, **kwargs: Any) -> Answer:
        """Wait for an answer. Raises psycopg.OperationalError when patience ends."""
        return super().wait(self._until(gen, time.monotonic() + self.patience_seconds), *args, **kwargs)

    def _until(self, gen: Generator[Any, Any, Answer], deadline: float) -> Generator[Any, Any, Answer]:
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if not ready and time.monotonic() > deadline:  # psycopg wakes up every 100 ms without news
                    self.pgconn.finish()
                    raise psycopg.OperationalError("the server does not answer")
                wanted = gen.send(ready)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


def connect(dsn: str, *, seconds: int | None = None) -> PatientConnection:
    """Open one connection of the service; `seconds` bounds the connecting and every answer after it."""
    stated = conninfo_to_dict(dsn).get("connect_timeout")
    connection = PatientConnection.connect(
        dsn,
        options=SERVICE_SESSION,
        client_encoding="UTF8",
        fallback_application_name="onboarding",
        connect_timeout=seconds or stated or CONNECT_SECONDS,
    )
    connection.patience_seconds = seconds or ANSWER_SECONDS
    set_json_loads(_load_document, connection)  # here, as an engine with a creator does not hand on its own
    return connection


def engine_for(dsn: str) -> Engine:
    """Return a new engine on `dsn`, in any form that libpq takes; nothing is sent yet.

    Numbers in documents are exact: int when integral, otherwise float. Raises ValueError when `dsn` is no
    connection string. Dispose of the engine to close its connections.
    """
    try:
        conninfo_to_dict(dsn)
    except psycopg.Error:
        raise ValueError("DATABASE_URL is no connection string that PostgreSQL's clients take.") from None
    return create_engine(
        "postgresql+psycopg://",
        creator=lambda: connect(dsn),
        isolation_level="READ COMMITTED",
        pool_size=POOL_KEPT,
        max_overflow=POOL_BEYOND,
        pool_timeout=POOL_SECONDS,
        pool_pre_ping=True,
        hide_parameters=True,
        use_native_hstore=False,
    )


@contextmanager
def patience(connection: Connection, seconds: int) -> Iterator[None]:
    """Let the statements of this transaction take as long as `seconds`."""
    raw = connection.connection.driver_connection
    connection.execute(text(f"SET LOCAL statement_timeout = '{seconds}s'"))
    connection.execute(text(f"SET LOCAL lock_timeout = '{STATEMENT_SECONDS}s'"))
    try:
        raw.patience_seconds = seconds + ANSWER_SECONDS - STATEMENT_SECONDS  # type: ignore[union-attr]
        yield
    finally:
        raw.patience_seconds = ANSWER_SECONDS  # type: ignore[union-attr]


def get_db() -> Iterator[Session]:
    """Yield a session on DATABASE_URL and close it afterwards: a dependency of FastAPI.

    What was not committed is rolled back. Raises KeyError when DATABASE_URL is not set.
    """
    with Session(_shared_engine(os.environ["DATABASE_URL"])) as session:
        yield session


def dispose_engines() -> None:
    """Close the connections that `get_db` keeps for the next requests."""
    while _shared:
        _shared.popitem()[1].dispose()


_shared: dict[str, Engine] = {}


def _shared_engine(dsn: str) -> Engine:
    return _shared.get(dsn) or _shared.setdefault(dsn, engine_for(dsn))


def _load_document(document: str | bytes) -> Any:
    return plain_document(json.loads(document, parse_float=Decimal))
