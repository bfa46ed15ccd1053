"""One consistent state of the source: a snapshot that many connections share, held by one that locks the tables.

The owner locks first and takes its snapshot after, so no rewrite, truncation or drop of a table can lie
between the snapshot and the end of the run, nor between the lock and the snapshot.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from pg2dynamo.errors import SourceBusy, SourceError, SourceUnreachable
from pg2dynamo.mapping.table import TableName
from pg2dynamo.postgres.connect import connect, translated
from pg2dynamo.secret import Secret

LOCK_ATTEMPTS = 3
"""How often locking starts again when a partition was attached between the locks and the snapshot."""

_POSITION = """
SELECT pg_export_snapshot(), pg_current_snapshot()::text,
       pg_snapshot_xmin(pg_current_snapshot())::text::bigint, pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
       (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END)::text,
       current_database(), (SELECT oid FROM pg_database WHERE datname = current_database())::bigint, now()
"""

_SYSTEM = """
SELECT (SELECT system_identifier FROM pg_control_system()), (SELECT timeline_id FROM pg_control_checkpoint())
"""

# The catalog as the snapshot sees it: pg_partition_tree() would also give partitions attached since.
_TREE = """
WITH RECURSIVE tree(oid) AS (
  SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN unnest(%s::text[], %s::text[]) AS wanted(schema, name) ON n.nspname = schema AND c.relname = name
  UNION ALL
  SELECT i.inhrelid FROM tree t JOIN pg_class p ON p.oid = t.oid AND p.relkind = 'p'
    JOIN pg_inherits i ON i.inhparent = t.oid AND NOT i.inhdetachpending
)
"""

# What LOCK TABLE takes by name. A materialized view or foreign table it does not.
_LOCKABLE = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN unnest(%s::text[], %s::text[]) AS wanted(schema, name) ON n.nspname = schema AND c.relname = name
 WHERE c.relkind NOT IN ('m', 'f')
UNION
SELECT schema, name FROM unnest(%s::text[], %s::text[]) AS wanted(schema, name)
 WHERE NOT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                    WHERE n.nspname = schema AND c.relname = name)
"""

_UNLOCKED = """
SELECT count(*) FROM tree
 WHERE NOT EXISTS (SELECT FROM pg_locks l WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation'
                      AND l.relation = tree.oid AND l.granted AND l.mode = 'AccessShareLock')
"""

_BLOCKERS = """
, holders AS (
  SELECT l.pid FROM pg_locks l
   WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.pid <> pg_backend_pid()
     AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
     AND l.relation IN (SELECT oid FROM tree)
)
SELECT coalesce(array_agg(DISTINCT pid ORDER BY pid), '{}')
  FROM (SELECT pid FROM holders UNION SELECT unnest(pg_blocking_pids(pid)) FROM holders) AS in_the_way
"""


@dataclass(frozen=True, slots=True)
class SnapshotPosition:
    """Which state of which database a run reads: plain values, fit for a report or another process.

    `name` is for `adopt_snapshot` and good while the owner lives. `xmin` and `xmax` are 64-bit transaction
    ids: all below `xmin` are over, none from `xmax` on is visible. `lsn` was read just after the snapshot, so
    a replica that has replayed it has everything that the snapshot sees. `taken_at` is ISO 8601 in UTC.
    """

    name: str
    snapshot: str
    xmin: int
    xmax: int
    lsn: str
    system_identifier: int
    timeline: int
    database: str
    database_oid: int
    taken_at: str

    @property
    def source_id(self) -> str:
        """Identify the database: transaction ids and block ranges mean something only within one source_id."""
        return f"{self.system_identifier}/{self.timeline}/{self.database_oid}"

    def as_json(self) -> dict[str, Any]:
        """Return the position as a JSON object."""
        return asdict(self)


class SnapshotOwner:
    """Holds the snapshot and the locks until its context ends."""

    def __init__(self, conn: psycopg.Connection, position: SnapshotPosition) -> None:
        self._conn = conn
        self.position = position

    def check(self) -> None:
        """Raise SourceUnreachable when the owner's session is gone, and with it the locks."""
        try:
            self._conn.execute("SELECT 1")
        except psycopg.Error:
            raise SourceUnreachable(
                "The session that holds the snapshot and the locks has ended.", remedy="Run the command again."
            ) from None


@contextmanager
def hold_snapshot(
    dsn: Secret[str], tables: Sequence[TableName], lock_timeout_seconds: float = 10
) -> Iterator[SnapshotOwner]:
    """Lock the tables with their partitions in ACCESS SHARE mode, then take and export a snapshot; hold both.

    Views are locked with the tables that they read. Materialized views and foreign tables cannot be locked:
    `plan_segments` and every read of them look whether the former were refreshed. Raises SourceBusy naming the
    process ids in the way when a lock is not had in time.
    """
    conn = connect(dsn, application="pg2dynamo snapshot")
    try:
        with translated("Reading the server's identity"):
            system = conn.execute(_SYSTEM).fetchone()
            arrays = _as_arrays(tables)
            lockable = [TableName(*row) for row in conn.execute(_LOCKABLE, [*arrays, *arrays])]
        position = _lock_and_export(conn, lockable, lock_timeout_seconds, system or (0, 0))
        yield SnapshotOwner(conn, position)
    finally:
        conn.close()


def _lock_and_export(
    conn: psycopg.Connection, tables: Sequence[TableName], lock_timeout_seconds: float, system: tuple[Any, ...]
) -> SnapshotPosition:
    for _ in range(LOCK_ATTEMPTS):
        with translated("Beginning the snapshot's transaction"):
            conn.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        _lock(conn, tables, lock_timeout_seconds)
        with translated("Taking the snapshot"):
            row = conn.execute(_POSITION).fetchone()
            unlocked = conn.execute(_TREE + _UNLOCKED, _as_arrays(tables)).fetchone()
            if row is not None and unlocked == (0,):
                return _position(row, system)
            conn.execute("ROLLBACK")
    raise SourceBusy("Partitions were attached each time the tables were locked.", remedy="Try again later.")


def _lock(conn: psycopg.Connection, tables: Sequence[TableName], lock_timeout_seconds: float) -> None:
    # Only utility statements until the locks are held: the first query would take the snapshot too early, and a
    # table rewritten while we wait for its lock would then look empty.
    try:
        conn.execute(f"SET LOCAL lock_timeout = {int(lock_timeout_seconds * 1000)}".encode())
        if tables:
            conn.execute(f"LOCK TABLE {', '.join(t.quoted for t in tables)} IN ACCESS SHARE MODE".encode())
    except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
        conn.execute("ROLLBACK")
        raise _busy(conn, tables, lock_timeout_seconds) from None
    except psycopg.Error as error:
        with translated("Locking the source tables"):
            raise error


def _busy(conn: psycopg.Connection, tables: Sequence[TableName], lock_timeout_seconds: float) -> SourceError:
    with translated("Looking for the sessions in the way"):
        row = conn.execute(_TREE + _BLOCKERS, _as_arrays(tables)).fetchone()
    pids = ", ".join(str(pid) for pid in row[0]) if row else ""
    return SourceBusy(
        f"The tables could not be locked (ACCESS SHARE) within {lock_timeout_seconds:g} s"
        + (f": in the way are the processes {pids}." if pids else "; whatever was in the way has ended since."),
        remedy="Let them finish, or end them with SELECT pg_terminate_backend(pid), and run the command again.",
    )


def _as_arrays(tables: Sequence[TableName]) -> list[list[str]]:
    return [[t.schema for t in tables], [t.name for t in tables]]


def _position(row: tuple[Any, ...], system: tuple[Any, ...]) -> SnapshotPosition:
    name, snapshot, xmin, xmax, lsn, database, database_oid, taken_at = row
    assert isinstance(taken_at, datetime)
    return SnapshotPosition(
        name=name,
        snapshot=snapshot,
        xmin=xmin,
        xmax=xmax,
        lsn=lsn,
        system_identifier=system[0] or 0,
        timeline=system[1] or 0,
        database=database,
        database_oid=database_oid,
        taken_at=taken_at.isoformat(),
    )


@contextmanager
def adopt_snapshot(conn: psycopg.Connection, name: str) -> Iterator[None]:
    """Read on `conn` what the snapshot of that name sees, until the context ends.

    `conn` is in autocommit mode, with no transaction open. Raises SourceUnreachable when the snapshot's owner
    is gone. The transaction is rolled back at the end: nothing was written.
    """
    if re.fullmatch(r"[0-9A-Fa-f-]{1,64}", name) is None:
        raise SourceUnreachable("That is no name of a snapshot.")
    with translated("Beginning a transaction"):
        conn.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    try:
        _set_snapshot(conn, name)
        yield
    finally:
        _end(conn)


def _end(conn: psycopg.Connection) -> None:
    if conn.pgconn.transaction_status == TransactionStatus.ACTIVE:
        # The body left a statement half read, so it failed: its error is the one to tell.
        conn.close()
    if not conn.closed:
        with translated("Ending a transaction"):
            conn.rollback()


def _set_snapshot(conn: psycopg.Connection, name: str) -> None:
    gone = (psycopg.errors.InvalidParameterValue, psycopg.errors.UndefinedObject, psycopg.errors.UndefinedFile)
    try:
        conn.execute(f"SET TRANSACTION SNAPSHOT '{name}'".encode())
    except gone:
        raise SourceUnreachable(
            "The snapshot is gone, as the session that held it has ended.", remedy="Run the command again."
        ) from None
    except psycopg.Error as error:
        with translated("Adopting the snapshot"):
            raise error
