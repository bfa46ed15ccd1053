"""The connections of the onboarding service: any form of DSN, the guide's dependency, and an end to every wait."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import psycopg
import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from onboarding.database.connection import connect, dispose_engines, engine_for, get_db, patience
from onboarding.database.models import Account, ScanResult
from onboarding.database.schema import create_schema
from tests.conftest import Database
from tests.integration.onboarding.postgres_stores import at_once, new_account, store_on


@pytest.fixture
def served(any_database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A database with the onboarding tables, which `get_db` finds."""
    create_schema(any_database.dsn)
    monkeypatch.setenv("DATABASE_URL", any_database.dsn)
    yield any_database
    dispose_engines()


def test_the_guides_handler_runs_unchanged_and_leaves_no_transaction_open(served: Database) -> None:
    with store_on(served.dsn) as store:
        account = store.get_account(new_account(store))
    tenant_id = account.tenant_id
    app = FastAPI()

    @app.get("/accounts")
    async def list_accounts(db: Session = Depends(get_db)) -> list[str]:  # noqa: B008 - as the guide has it
        accounts = db.query(Account).filter(Account.tenant_id == tenant_id).all()
        return [str(found.account_id) for found in accounts]

    with TestClient(app) as client:
        for _ in range(3):
            assert client.get("/accounts").json() == [str(account.account_id)]
    open_ones = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'"
    with served.connect() as connection:
        assert connection.execute(open_ones).fetchone() == (0,)


def test_more_requests_than_threads_are_answered(served: Database) -> None:
    app = FastAPI()

    @app.get("/")
    def count(db: Session = Depends(get_db)) -> int:  # noqa: B008 - as the guide has it
        db.execute(text("SELECT pg_sleep(0.02)"))
        return db.query(Account).count()

    with TestClient(app) as client:
        assert [answer.json() for answer in at_once([lambda: client.get("/")] * 60)] == [0] * 60


def test_the_environment_is_read_when_a_session_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    sessions = get_db()
    with pytest.raises(KeyError, match="DATABASE_URL"):
        next(sessions)


def test_any_form_of_connection_string_will_do(any_database: Database) -> None:
    words = make_conninfo("", **conninfo_to_dict(any_database.dsn))
    for dsn in (any_database.dsn, words):
        engine = engine_for(dsn)
        with engine.connect() as connection:
            assert connection.execute(text("SELECT current_database()")).scalar_one() == any_database.name
        engine.dispose()


def test_an_unreadable_connection_string_is_refused_without_being_shown() -> None:
    with pytest.raises(ValueError, match="DATABASE_URL") as refusal:
        engine_for("postgres//user:hidden-password@host/base")
    assert "hidden" not in str(refusal.value)
    assert refusal.value.__suppress_context__


def test_what_a_role_or_database_sets_for_its_sessions_does_not_matter(any_database: Database) -> None:
    create_schema(any_database.dsn)
    with any_database.connect() as connection:
        for setting in (
            "default_transaction_read_only = on",
            "default_transaction_isolation = serializable",
            "search_path = pg_catalog",
            "timezone = 'Asia/Kolkata'",
        ):
            connection.execute(f"ALTER DATABASE {any_database.name} SET {setting}".encode())
    with store_on(any_database.dsn, tables=False) as store:
        account = store.get_account(new_account(store))
        changed = store.update_account(account.account_id, {"account_name": "b"})
    assert abs((changed.updated_at - account.created_at).total_seconds()) < 60
    engine = engine_for(any_database.dsn)
    with engine.connect() as connection:
        assert connection.execute(text("SHOW transaction_isolation")).scalar_one() == "read committed"
    engine.dispose()


def test_numbers_in_documents_are_exact(served: Database) -> None:
    with store_on(served.dsn) as store:
        account = new_account(store)
    with served.connect() as connection:
        connection.execute(
            "INSERT INTO scan_results (scan_id, account_id, provider_type, started_at, status, metadata)"
            " VALUES ('s', %s, 'aws', now(), 'running', %s)",
            (account, f'{{"n": [12345678901234567890.0, {"9" * 38}, 0.5]}}'),
        )
    for session in get_db():
        found = session.execute(select(ScanResult.metadata_)).scalar_one()
    numbers = found["n"]  # type: ignore[index]
    assert numbers == [12345678901234567890, 10**38 - 1, 0.5]
    assert [type(number) for number in numbers] == [int, int, float]


def test_an_answer_that_does_not_come_is_given_up_and_its_connection_closed(any_database: Database) -> None:
    connection = connect(any_database.dsn)
    connection.patience_seconds = 0.3
    begin = time.monotonic()
    with pytest.raises(psycopg.OperationalError, match="does not answer"):
        connection.execute("SELECT pg_sleep(30)")
    assert time.monotonic() - begin < 10
    assert connection.closed


def test_a_connection_that_was_given_up_does_not_return_to_the_pool(any_database: Database) -> None:
    engine = engine_for(any_database.dsn)
    with engine.connect() as connection:
        connection.connection.driver_connection.patience_seconds = 0.2  # type: ignore[union-attr]
        with pytest.raises(OperationalError):
            connection.execute(text("SELECT pg_sleep(30)"))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT 1")).scalar_one() == 1
    engine.dispose()


def test_a_server_that_accepts_and_says_nothing_is_given_up(any_database: Database) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        dsn = make_conninfo(any_database.dsn, host="127.0.0.1", port=silent.getsockname()[1])
        begin = time.monotonic()
        with pytest.raises(psycopg.OperationalError):
            connect(dsn, seconds=2)
        assert time.monotonic() - begin < 6


def test_only_the_transaction_that_asked_for_more_time_has_it(any_database: Database) -> None:
    engine = engine_for(any_database.dsn)
    for _ in range(2):
        with engine.begin() as connection:
            raw = connection.connection.driver_connection
            before = (connection.execute(text("SHOW statement_timeout")).scalar_one(), raw.patience_seconds)  # type: ignore[union-attr]
            with patience(connection, 300):
                during = (connection.execute(text("SHOW statement_timeout")).scalar_one(), raw.patience_seconds)  # type: ignore[union-attr]
        assert (before, during) == (("10s", 15), ("5min", 305))
    engine.dispose()
