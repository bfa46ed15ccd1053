"""Sessions say what they need, and failures say what to do without a value."""

from __future__ import annotations

import traceback

import psycopg
import pytest
from psycopg import conninfo

from pg2dynamo.errors import SourceDenied, SourceError, SourceUnreachable
from pg2dynamo.postgres.connect import SETTINGS, connect, translated
from pg2dynamo.secret import Secret
from tests.conftest import Database
from tests.integration.reading import copied_lines, mapping_of, run, selected_rows, session

TABLE = """
CREATE TABLE public.kinds (
  id int PRIMARY KEY, d date, t timestamp, tz timestamptz, ttz timetz, i interval, b bytea, f4 float4, f8 float8,
  m money, n text, missing text, x text[], w timestamptz[], j jsonb)
"""
ROW = r"""
INSERT INTO public.kinds VALUES (1, '2024-02-03', '2024-02-03 04:05:06.789', '2024-02-03 04:05:06.789+05', '04:05+06',
  '1 year 2 mons -3 days 04:05:06', '\x00ff5c61', 0.1, 0.30000000000000004, 12.5, 'é\ "', NULL, '{a,NULL}',
  '{2024-02-03 04:05:06+05}', '{"a": 1.50}')
"""

HOSTILE = {
    "DateStyle": "'German, DMY'",
    "IntervalStyle": "sql_standard",
    "TimeZone": "'Asia/Tokyo'",
    "bytea_output": "escape",
    "extra_float_digits": "-15",
    "search_path": "evil",
    "statement_timeout": "1",
    "lock_timeout": "1",
    "idle_in_transaction_session_timeout": "1",
    "idle_session_timeout": "1",
    "default_transaction_isolation": "serializable",
    "default_transaction_read_only": "off",
    "default_transaction_deferrable": "on",
    "row_security": "on",
    "standard_conforming_strings": "off",
    "transform_null_equals": "on",
    "quote_all_identifiers": "on",
    "xmlbinary": "hex",
    "client_encoding": "LATIN1",
    "enable_tidscan": "off",
}

COMPUTED = {
    "backslash": {"sql": r"'a\n'"},
    "nulls": {"sql": "CASE WHEN missing = NULL THEN 'yes' ELSE 'no' END"},
    "lowered": {"sql": "lower(n)"},
}


def _read(database: Database) -> tuple[list[bytes], list[str]]:
    with session(database) as conn:
        mapping = mapping_of(conn, "public.kinds", attributes=COMPUTED)
        return copied_lines(conn, mapping), [repr(row) for row in selected_rows(conn, mapping)]


def test_what_a_role_or_database_sets_for_its_sessions_changes_no_byte(database: Database, unique: str) -> None:
    run(database, TABLE, ROW)
    expected = _read(database)
    assert b"2024-02-03 04:05:06.789\t2024-02-02 23:05:06.789+00\t" in expected[0][0]
    run(
        database,
        "CREATE SCHEMA evil",
        "CREATE FUNCTION evil.lower(text) RETURNS text LANGUAGE sql AS $$ SELECT 'evil' $$",
        f"CREATE ROLE {unique} SUPERUSER LOGIN PASSWORD '{unique}'",
        *(f"ALTER DATABASE {database.name} SET {name} = {value}" for name, value in HOSTILE.items()),
        *(f"ALTER ROLE {unique} SET {name} = {value}" for name, value in HOSTILE.items()),
    )
    try:
        dsn = conninfo.make_conninfo(database.dsn, user=unique, password=unique)
        by_role = Database(dsn, database.name, database.server)
        assert _read(by_role) == expected
        assert _read(database) == expected
    finally:
        with psycopg.connect(database.server.dsn, autocommit=True) as conn:
            conn.execute(f"DROP ROLE {unique}".encode())


def test_what_libpq_variables_say_changes_no_byte(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    run(database, TABLE, ROW)
    expected = _read(database)
    for name, value in {
        "PGDATESTYLE": "German",
        "PGTZ": "Asia/Tokyo",
        "PGCLIENTENCODING": "LATIN1",
        "PGOPTIONS": "-c bytea_output=escape -c extra_float_digits=-15",
    }.items():
        monkeypatch.setenv(name, value)
    assert _read(database) == expected
    dsn = conninfo.make_conninfo(database.dsn, options="-c IntervalStyle=iso_8601", client_encoding="LATIN1")
    assert _read(Database(dsn, database.name, database.server)) == expected


def test_every_stated_setting_is_in_force(database: Database) -> None:
    with session(database) as conn:
        for name, value in SETTINGS.items():
            row = conn.execute("SELECT current_setting(%s), unit FROM pg_settings WHERE name = %s", [name, name])
            shown, unit = row.fetchone() or ("", None)
            assert shown == value or (unit and int("".join(filter(str.isdigit, shown)) or 0) == int(value)), name


def test_a_session_cannot_write(database: Database) -> None:
    run(database, "CREATE TABLE public.t (id int)")
    with session(database) as conn, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        conn.execute("INSERT INTO public.t VALUES (1)")


def test_a_session_can_hold_a_transaction_open(database: Database) -> None:
    conn = connect(Secret(database.dsn), autocommit=False)
    conn.execute("SELECT 1")
    assert conn.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS
    conn.close()


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"port": "1"}, SourceUnreachable),
        ({"dbname": "no such database"}, SourceUnreachable),
        ({"user": "no such role"}, SourceDenied),
    ],
)
def test_a_connection_that_fails_says_why(
    database: Database, changes: dict[str, str], error: type[SourceError]
) -> None:
    with pytest.raises(error, match="cannot be connected to"):
        connect(Secret(conninfo.make_conninfo(database.dsn, **changes)))


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://app:hunter2@secret.invalid:5432/db",
        "postgresql://app:pa@hunter2@127.0.0.1:1/db",
        "host=127.0.0.1 hunter2",
        "postgresql://127.0.0.1:hunter2/db",
    ],
)
def test_no_piece_of_the_connection_string_is_shown(dsn: str) -> None:
    with pytest.raises(SourceUnreachable) as caught:
        connect(Secret(dsn))
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_an_error_of_the_data_is_told_without_the_value(database: Database) -> None:
    with session(database) as conn:
        with pytest.raises(SourceError) as caught, translated("Reading public.t"):
            conn.execute("SELECT n::int FROM (VALUES ('hunter2')) AS t(n)")
        text = "".join(traceback.format_exception(caught.value))
    assert "hunter2" not in text
    assert "Reading public.t: a value of a row makes the SQL fail (SQLSTATE 22P02" in text


def test_a_session_ended_by_the_server_is_unreachable(database: Database) -> None:
    with session(database) as conn:
        run(database, f"SELECT pg_terminate_backend({conn.info.backend_pid}, 10000)")
        with pytest.raises(SourceUnreachable), translated("Reading"):
            conn.execute("SELECT 1")
