"""One consistent state: locked first, then taken, shared, and known to be alive."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest

from pg2dynamo.errors import SourceBusy, SourceChanged, SourceDenied, SourceUnreachable
from pg2dynamo.mapping.table import TableName
from pg2dynamo.postgres import snapshot as snapshots
from pg2dynamo.postgres.segments import plan_segments
from pg2dynamo.postgres.snapshot import SnapshotOwner, adopt_snapshot, hold_snapshot
from pg2dynamo.secret import Secret
from tests.conftest import Database
from tests.integration.reading import await_true, copied_lines, mapping_of, run, session

T = TableName("public", "t")
FILLED = (
    "CREATE TABLE public.t (id int PRIMARY KEY, a int)",
    "INSERT INTO public.t SELECT n, n FROM generate_series(1, 1000) n",
)


def _waiting(conn: psycopg.Connection, application: str) -> bool:
    row = conn.execute(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = %s AND wait_event_type = 'Lock' "
        "AND datname = current_database())",
        [application],
    ).fetchone()
    return row == (True,)


@pytest.mark.parametrize(
    "statement",
    ["VACUUM FULL public.t", "ALTER TABLE public.t ALTER a TYPE bigint", "TRUNCATE public.t", "DROP TABLE public.t"],
)
def test_rewriting_or_dropping_a_table_waits_for_the_holder(database: Database, statement: str) -> None:
    run(database, *FILLED)
    with database.connect() as other:
        other.execute("SET lock_timeout = '100ms'")
        with hold_snapshot(Secret(database.dsn), [T]), pytest.raises(psycopg.errors.LockNotAvailable):
            other.execute(statement.encode())
        other.execute(statement.encode())


def test_partitions_are_locked_with_their_table(database: Database) -> None:
    run(
        database,
        "CREATE TABLE public.t (id int PRIMARY KEY) PARTITION BY RANGE (id)",
        "CREATE TABLE public.t1 PARTITION OF public.t FOR VALUES FROM (0) TO (10)",
    )
    with database.connect() as other, hold_snapshot(Secret(database.dsn), [T]):
        other.execute("SET lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            other.execute("VACUUM FULL public.t1")


def test_a_table_rewritten_while_we_wait_for_its_lock_does_not_look_empty(database: Database) -> None:
    run(database, *FILLED)
    found: list[int] = []

    def read() -> None:
        with (
            hold_snapshot(Secret(database.dsn), [T]) as owner,
            session(database) as conn,
            adopt_snapshot(conn, owner.position.name),
        ):
            found.append(len(copied_lines(conn, mapping_of(conn, "t"))))

    with database.connect() as watcher, database.connect() as writer:
        writer.execute("BEGIN")
        writer.execute("ALTER TABLE public.t ALTER a TYPE text USING 'rewritten'")
        reader = threading.Thread(target=read)
        reader.start()
        await_true(lambda: _waiting(watcher, "pg2dynamo snapshot"))
        writer.execute("COMMIT")
        reader.join()
    assert found == [1000]


def test_a_lock_not_had_in_time_names_the_processes_in_the_way(database: Database) -> None:
    run(database, *FILLED)
    with database.connect() as other:
        other.execute("BEGIN")
        other.execute("LOCK TABLE public.t IN ACCESS EXCLUSIVE MODE")
        named = rf"within 0.1 s: in the way are the processes {other.info.backend_pid}\."
        with pytest.raises(SourceBusy, match=named), hold_snapshot(Secret(database.dsn), [T], 0.1):
            pass


def test_the_session_behind_a_queued_lock_is_named_too(database: Database) -> None:
    run(database, *FILLED)
    with database.connect() as reader, database.connect() as watcher, ExitStack() as ends:
        reader.execute("BEGIN")
        reader.execute("SELECT FROM public.t")
        queued = database.connect(application_name="queued")
        thread = threading.Thread(target=lambda: queued.execute("TRUNCATE public.t"))
        thread.start()
        ends.callback(queued.close)
        ends.callback(thread.join)
        ends.callback(reader.execute, "ROLLBACK")
        await_true(lambda: _waiting(watcher, "queued"))
        with pytest.raises(SourceBusy) as caught, hold_snapshot(Secret(database.dsn), [T], 0.1):
            pass
        assert str(reader.info.backend_pid) in str(caught.value)
        assert str(queued.info.backend_pid) in str(caught.value)


def test_a_partition_attached_between_lock_and_snapshot_is_locked_too(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(
        database,
        "CREATE TABLE public.t (id int PRIMARY KEY) PARTITION BY RANGE (id)",
        "CREATE TABLE public.t1 (id int PRIMARY KEY)",
    )
    real = snapshots._lock
    calls: list[tuple[Any, ...]] = []

    def lock_then_attach(*arguments: Any) -> None:
        real(*arguments)
        if not calls:
            run(database, "ALTER TABLE public.t ATTACH PARTITION public.t1 FOR VALUES FROM (0) TO (10)")
        calls.append(arguments)

    monkeypatch.setattr(snapshots, "_lock", lock_then_attach)
    with database.connect() as other, hold_snapshot(Secret(database.dsn), [T]):
        assert len(calls) == 2
        other.execute("SET lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            other.execute("VACUUM FULL public.t1")


def test_workers_see_the_state_of_the_snapshot_whatever_is_written_since(database: Database) -> None:
    run(database, *FILLED)
    with hold_snapshot(Secret(database.dsn), [T]) as owner, session(database) as conn:
        run(
            database,
            "DELETE FROM public.t WHERE id <= 500",
            "UPDATE public.t SET a = 0",
            "INSERT INTO public.t VALUES (0, 0)",
        )
        with adopt_snapshot(conn, owner.position.name):
            lines = copied_lines(conn, mapping_of(conn, "t"), blocks=2)
        assert sorted(int(line.split(b"\t")[0]) for line in lines) == list(range(1, 1001))
        assert all(len(set(line.split(b"\t"))) == 1 for line in lines)
        assert len(copied_lines(conn, mapping_of(conn, "t"))) == 501


def test_a_partition_attached_since_is_not_read(database: Database) -> None:
    run(
        database,
        "CREATE TABLE public.t (id int PRIMARY KEY) PARTITION BY RANGE (id)",
        "CREATE TABLE public.t1 AS SELECT 1 AS id",
        "ALTER TABLE public.t1 ADD PRIMARY KEY (id)",
    )
    with hold_snapshot(Secret(database.dsn), [T]) as owner, session(database) as conn:
        run(database, "ALTER TABLE public.t ATTACH PARTITION public.t1 FOR VALUES FROM (0) TO (10)")
        with adopt_snapshot(conn, owner.position.name):
            assert plan_segments(conn, T) == []
        assert len(plan_segments(conn, T)) == 1


def test_the_position_names_snapshot_wal_and_database(database: Database) -> None:
    run(database, *FILLED)
    with hold_snapshot(Secret(database.dsn), [T]) as owner:
        position = owner.position
    assert position.snapshot.startswith(f"{position.xmin}:{position.xmax}:")
    assert position.database == database.name
    assert position.taken_at.endswith("+00:00")
    with database.connect() as conn:
        row = conn.execute(
            "SELECT system_identifier || '/' || (SELECT timeline_id FROM pg_control_checkpoint()) || '/' || "
            "(SELECT oid FROM pg_database WHERE datname = current_database()), "
            "pg_current_wal_lsn() >= %s::pg_lsn FROM pg_control_system()",
            [position.lsn],
        ).fetchone()
    assert row == (position.source_id, True)


def _terminate(database: Database) -> None:
    run(
        database,
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = 'pg2dynamo snapshot' "
        "AND datname = current_database()",
    )


def test_an_owner_that_died_is_noticed(database: Database) -> None:
    run(database, *FILLED)
    with hold_snapshot(Secret(database.dsn), [T]) as owner, session(database) as conn:
        assert isinstance(owner, SnapshotOwner)
        owner.check()
        _terminate(database)
        with pytest.raises(SourceUnreachable, match="holds the snapshot"):
            owner.check()
        with pytest.raises(SourceUnreachable, match="snapshot is gone"), adopt_snapshot(conn, owner.position.name):
            pass
        assert conn.execute("SELECT 1").fetchone() == (1,)


def test_a_name_that_is_no_snapshot_is_refused(database: Database) -> None:
    with session(database) as conn:
        with pytest.raises(SourceUnreachable), adopt_snapshot(conn, "'; DROP TABLE t; --"):
            pass
        with pytest.raises(SourceUnreachable), adopt_snapshot(conn, "00000003-00000001-1"):
            pass


def test_a_table_that_is_not_there_is_told(database: Database) -> None:
    with pytest.raises(SourceChanged), hold_snapshot(Secret(database.dsn), [T]):
        pass


def test_a_role_that_may_only_read_the_tables_is_enough(database: Database, unique: str) -> None:
    run(
        database,
        *FILLED,
        f"CREATE ROLE {unique} LOGIN PASSWORD '{unique}'",
        f"GRANT SELECT ON public.t TO {unique}",
    )
    reader = Database(
        psycopg.conninfo.make_conninfo(database.dsn, user=unique, password=unique), database.name, database.server
    )
    try:
        with hold_snapshot(Secret(reader.dsn), [T]) as owner, session(reader) as conn:
            assert owner.position.system_identifier > 0
            with adopt_snapshot(conn, owner.position.name):
                assert len(copied_lines(conn, mapping_of(conn, "t"))) == 1000
    finally:
        run(database, f"DROP OWNED BY {unique}", f"DROP ROLE {unique}")


def test_a_table_that_the_role_may_not_read_is_told(database: Database, unique: str) -> None:
    run(database, *FILLED, f"CREATE ROLE {unique} LOGIN PASSWORD '{unique}'")
    try:
        dsn = psycopg.conninfo.make_conninfo(database.dsn, user=unique, password=unique)
        with pytest.raises(SourceDenied), hold_snapshot(Secret(dsn), [T]):
            pass
    finally:
        run(database, f"DROP ROLE {unique}")
