"""Connections to PostgreSQL that state every setting they depend on, and one place that translates errors.

Owns how a session begins and what its failures are called. Knows nothing of tables, plans or DynamoDB.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import conninfo, errors

from pg2dynamo.errors import (
    SourceBusy,
    SourceChanged,
    SourceDenied,
    SourceError,
    SourceUnreachable,
    SourceUnsupported,
)
from pg2dynamo.secret import Secret

OLDEST_VERSION = 140000
"""TID range scans, which segments are read by, came with PostgreSQL 14."""

SETTINGS: dict[str, str] = {
    # how values are written
    "client_encoding": "UTF8",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "bytea_output": "hex",
    "extra_float_digits": "3",
    "lc_monetary": "C",
    "xmlbinary": "base64",
    "xmloption": "content",
    # how statements are understood
    "search_path": "pg_catalog",
    "standard_conforming_strings": "on",
    "transform_null_equals": "off",
    "quote_all_identifiers": "off",
    # what is seen, and that nothing is changed
    "row_security": "off",
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "on",
    "default_transaction_deferrable": "off",
    # how long a session may live
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",  # since 14, the oldest server that is read
    "tcp_keepalives_idle": "60",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "6",
    # how statements are planned: a segment is a TID range scan in the one process that asked
    "enable_tidscan": "on",
    "synchronize_seqscans": "off",  # a scan begins at the first block, so that rows come in the order of their tids
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
}
"""What a session states, whatever ALTER ROLE, ALTER DATABASE, PGOPTIONS or the connection string say."""

NEWER_SETTINGS: dict[str, tuple[int, str]] = {"transaction_timeout": (170000, "0")}
"""Settings that older servers do not know: the first version that does, and the value."""

# libpq's names; the connection string may give others.
_CLIENT_DEFAULTS: dict[str, str] = {
    "connect_timeout": "10",
    "keepalives": "1",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "6",
    "tcp_user_timeout": "90000",
}

_SET_ALL = "SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS s(name, value)"


def connect(dsn: Secret[str], *, application: str = "pg2dynamo", autocommit: bool = True) -> psycopg.Connection:
    """Open a session in which every setting that changes what is read has a stated value.

    The session cannot write, and skips no row silently: a table whose row-level security would hide rows fails.
    Raises SourceUnreachable, SourceDenied, or SourceUnsupported for a server older than 14. A connection pooler
    must hand out whole sessions (PgBouncer: `pool_mode = session`).
    """
    parameters = _parameters(dsn, application)
    with _connecting():
        conn = psycopg.connect(parameters, autocommit=True, prepare_threshold=None)
    try:
        with translated("The session cannot be prepared"):
            _state_settings(conn)
            conn.autocommit = autocommit
    except BaseException:
        conn.close()
        raise
    return conn


def _parameters(dsn: Secret[str], application: str) -> str:
    try:
        given = conninfo.conninfo_to_dict(dsn.reveal())
    except psycopg.ProgrammingError:
        raise SourceUnreachable(
            "The connection string is not one that PostgreSQL understands.",
            remedy="Write postgresql://user@host:port/database, special characters of a password %-encoded.",
        ) from None
    parameters = {**_CLIENT_DEFAULTS, **{k: str(v) for k, v in given.items() if v is not None}}
    parameters["options"] = f"{given.get('options') or os.environ.get('PGOPTIONS', '')} {_startup_options()}".strip()
    parameters["client_encoding"] = "UTF8"
    parameters.setdefault("application_name", application)
    return conninfo.make_conninfo(**parameters)


def _startup_options() -> str:
    """Return the settings for the startup packet, so that not even the first statement runs under others."""
    stated = {name: value for name, value in SETTINGS.items() if name != "client_encoding"}
    return " ".join(f"-c {name}={value.replace(' ', chr(92) + ' ')}" for name, value in stated.items())


def _state_settings(conn: psycopg.Connection) -> None:
    # Again, as PGDATESTYLE and PGTZ are applied after the startup options, and a pooler may drop those.
    version = conn.info.server_version
    if version < OLDEST_VERSION:
        raise SourceUnsupported(
            f"The server is PostgreSQL {version // 10000}; pg2dynamo needs 14 or later.", remedy="Upgrade it first."
        )
    newer = {name: value for name, (since, value) in NEWER_SETTINGS.items() if version >= since}
    stated = {**SETTINGS, **newer}
    conn.execute(_SET_ALL, [list(stated), list(stated.values())])


_CONNECT_FAILURES: tuple[tuple[str, type[SourceError], str], ...] = (
    ("password authentication failed", SourceDenied, "The user name or the password is wrong."),
    ("no password supplied", SourceDenied, "The server asks for a password: put it into PGPASSWORD or the DSN."),
    ("pg_hba.conf", SourceDenied, "The server's pg_hba.conf does not admit this user from here."),
    ("role", SourceDenied, "The role does not exist or may not log in."),
    ("permission denied for database", SourceDenied, "The role may not connect: GRANT CONNECT ON DATABASE."),
    ("database", SourceUnreachable, "There is no database of that name on the server."),
    ("too many", SourceUnreachable, "The server has no connection left: raise max_connections or end sessions."),
    ("remaining connection slots", SourceUnreachable, "The server has no connection left: raise max_connections."),
    ("starting up", SourceUnreachable, "The server is starting: try again soon."),
    ("shutting down", SourceUnreachable, "The server is shutting down."),
    (
        "unsupported startup parameter",
        SourceUnreachable,
        "A pooler is in the way: connect to the server itself.",
    ),
    ("Connection refused", SourceUnreachable, "Nothing listens at that host and port."),
    ("translate host name", SourceUnreachable, "The host's name is unknown; is the connection string quoted right?"),
    ("timeout expired", SourceUnreachable, "Nothing answered in time: check address, network and firewall."),
    ("SSL", SourceUnreachable, "TLS could not be agreed on: check sslmode and the certificates."),
)


@contextmanager
def _connecting() -> Iterator[None]:
    # libpq's text may repeat a piece of a badly quoted password as a host name: it is matched, never shown.
    try:
        yield
    except psycopg.Error as error:
        text = str(error)
        if isinstance(error, errors.InvalidAuthorizationSpecification):
            raise SourceDenied("PostgreSQL refuses the role.") from None
        for fragment, kind, message in _CONNECT_FAILURES:
            if fragment in text:
                raise kind(f"PostgreSQL cannot be connected to. {message}") from None
        raise SourceUnreachable from None


_BY_SQLSTATE: tuple[tuple[str, type[SourceError], str], ...] = (
    ("08", SourceUnreachable, "the connection to PostgreSQL was lost"),
    ("57P", SourceUnreachable, "the server ended the connection"),
    ("53", SourceUnreachable, "the server is out of resources"),
    ("28", SourceDenied, "PostgreSQL refuses the role"),
    ("42501", SourceDenied, "the role lacks a privilege, or row-level security would hide rows from it"),
    ("55P03", SourceBusy, "a lock could not be had in time"),
    ("40P01", SourceBusy, "a deadlock was broken"),
    ("40001", SourceBusy, "the server's recovery or another transaction interfered"),
    ("57014", SourceBusy, "the statement was cancelled"),
    ("42P01", SourceChanged, "a table is not there"),
    ("3F000", SourceChanged, "a schema is not there"),
    ("42", SourceChanged, "a column, function, operator or type does not fit"),
    ("22", SourceError, "a value of a row makes the SQL fail"),
    ("23", SourceError, "a value of a row makes the SQL fail"),
    ("XX", SourceError, "PostgreSQL reports damaged data or a fault of its own"),
)


def translate(error: psycopg.Error, doing: str) -> SourceError:
    """Return the error of our own tree for one of psycopg's; never with its text, which may hold values.

    `doing` begins the message, e.g. `Reading public.accounts, segment 3`.
    """
    state = error.sqlstate
    if state is None:
        return SourceUnreachable(f"{doing}: the connection to PostgreSQL was lost.")
    for prefix, kind, words in _BY_SQLSTATE:
        if state.startswith(prefix):
            return kind(f"{doing}: {words} (SQLSTATE {state}, {type(error).__name__}).")
    return SourceError(f"{doing}: PostgreSQL failed (SQLSTATE {state}, {type(error).__name__}).")


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn psycopg's errors into the SourceError branch; `from None`, as their text may hold values of rows."""
    try:
        yield
    except psycopg.Error as error:
        raise translate(error, doing) from None
