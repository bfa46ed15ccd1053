"""What becomes of PostgreSQL's errors: which are tried again, and how the others are told without values."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError, SQLAlchemyError, TimeoutError

from onboarding.store.errors import StoreError, Unavailable

NAME = "PostgreSQL"
UNIQUE_VIOLATION = "23505"
TRIED_AGAIN = ("40001", "40P01", "23503")
"""Serialization failure, deadlock, and a foreign key whose parent has just gone: the next attempt finds it missing."""
MISSING_TABLES = ("42P01", "42703", "3F000")
BUSY_CLASSES = ("08", "53", "57")
"""Connection exceptions, insufficient resources (too many connections), operator intervention (timeouts, restarts)."""
BUSY = ("55P03", "25006", "3D000", *TRIED_AGAIN)
"""A lock not had in time, a standby or read-only server, a database that is not there yet."""


class UniqueTaken(Exception):
    """A unique value or an id is there already: the caller knows which error that is."""


def sqlstate(error: SQLAlchemyError) -> str | None:
    """Return the server's code of an error, None when it is none of the server's."""
    return getattr(error.orig, "sqlstate", None) if isinstance(error, DBAPIError) else None


def refusal(error: SQLAlchemyError) -> Exception:
    """Return what to raise instead of `error`: it names a condition, never a value or a connection string."""
    state = sqlstate(error)
    if state == UNIQUE_VIOLATION:
        return UniqueTaken()
    if state in MISSING_TABLES:
        return lacking_tables()
    if state in BUSY or (state or "").startswith(BUSY_CLASSES):
        return Unavailable(NAME)
    if isinstance(error, TimeoutError) or (state is None and _is_of_connection(error)):
        return Unavailable(NAME)
    return StoreError(f"PostgreSQL refused a statement (SQLSTATE {state or 'unknown'}): see the server's log.")


def lacking_tables() -> Unavailable:
    """Return the error of a database without the onboarding tables."""
    return Unavailable(NAME, "lacks tables or columns of the onboarding service; `onboarding schema` makes them")


def _is_of_connection(error: SQLAlchemyError) -> bool:
    """Tell whether an error without a code says that there is no connection, or no longer."""
    if not isinstance(error, DBAPIError):
        return False
    return error.connection_invalidated or type(error.orig).__name__ in _OF_CONNECTION


_OF_CONNECTION = ("OperationalError", "InterfaceError", "ConnectionTimeout", "InternalError")
