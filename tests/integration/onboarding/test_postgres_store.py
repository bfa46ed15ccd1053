"""The store on PostgreSQL: what the contract of all stores does not say, as only this one can break it."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from sqlalchemy import Connection, text

from onboarding.database.connection import engine_for
from onboarding.store.errors import AlreadyExists, Conflict, NotFound, StoreError, Unavailable
from onboarding.store.interface import PageRequest
from onboarding.store.opening import open_store
from onboarding.store.postgres import PostgresStore
from onboarding.store.postgres.faults import UniqueTaken
from onboarding.store.postgres.transactions import Transactions
from onboarding.store.records import (
    Advance,
    NewExecution,
    NewScanResult,
    NewSchedule,
    NewTenant,
    Receipt,
    Schedule,
)
from tests.conftest import Database, Servers
from tests.integration.onboarding.postgres_stores import at_once, new_account, store_on

MOMENT = datetime(2026, 1, 2, 3, 4, 5)
SCAN_IDS = ("a", "B", "b", "A", "_", "-", "1")
LATER = datetime(2099, 1, 1)
STATE = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'onboarding_service'"


@pytest.fixture
def store(any_database: Database) -> Iterator[PostgresStore]:
    """A store on a database of its own."""
    with store_on(any_database.dsn) as store:
        yield store


def new_schedule(store: PostgresStore, name: str = "t", **fields: Any) -> Schedule:
    """Create a tenant of this name with all down to a schedule."""
    account = store.get_account(new_account(store, name))
    return store.create_schedule(
        NewSchedule(
            tenant_id=account.tenant_id,
            account_id=account.account_id,
            name="s",
            schedule_type="interval",
            provider_type="aws",
            **fields,
        )
    )


# Opening and preparing


def test_opening_sends_nothing_and_names_the_variable_that_is_missing() -> None:
    open_store("postgres", {"DATABASE_URL": "host=127.0.0.1 port=1"}).close()
    with pytest.raises(KeyError, match="DATABASE_URL"):
        open_store("postgres", {})


def test_several_that_prepare_at_once_all_can(database: Database) -> None:
    with store_on(database.dsn):
        stores = [open_store("postgres", {"DATABASE_URL": database.dsn}) for _ in range(6)]
        assert at_once([store.prepare for store in stores]) == [None] * 6
        for store in stores:
            store.close()
    with database.connect() as connection:
        assert connection.execute(STATE).fetchone() == (1,)


def test_a_call_that_needs_the_services_table_prepares_by_itself(store: PostgresStore) -> None:
    receipt = Receipt("key", "fingerprint", LATER)
    store.create_tenant(NewTenant(tenant_name="t"), receipt=receipt)
    assert store.receipt("key") == receipt


def test_the_services_table_is_in_a_schema_of_its_own(any_database: Database, store: PostgresStore) -> None:
    in_public = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"
    with any_database.connect() as connection:
        store.prepare()
        assert connection.execute(in_public).fetchone() == (7,)
        assert connection.execute(STATE).fetchone() == (1,)


def test_a_role_that_may_create_nothing_can_serve_what_was_prepared(
    any_database: Database, store: PostgresStore, unique: str
) -> None:
    store.prepare()
    with any_database.connect() as connection:
        connection.execute(f"CREATE ROLE {unique} LOGIN PASSWORD 'p'".encode())
        connection.execute(f"GRANT USAGE ON SCHEMA onboarding_service TO {unique}".encode())
        for schema in ("public", "onboarding_service"):
            connection.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO {unique}".encode())
        with store_on(make_conninfo(any_database.dsn, user=unique, password="p"), tables=False) as modest:
            modest.prepare()
            modest.create_tenant(NewTenant(tenant_name="t"), receipt=Receipt("key", "f", LATER))
            modest.sweep()
        connection.execute(f"DROP OWNED BY {unique}; DROP ROLE {unique}".encode())


def test_missing_tables_are_told_with_the_command_that_makes_them(any_database: Database) -> None:
    with store_on(any_database.dsn, tables=False) as store:
        for call in (store.prepare, lambda: store.get_tenant(uuid.uuid4())):
            with pytest.raises(Unavailable, match="onboarding schema"):
                call()


# A server that does not answer


def test_a_server_that_is_not_there_is_told_without_its_connection_string() -> None:
    dsn = "host=127.0.0.1 port=1 user=hidden-user password=hidden-password dbname=hidden-base"
    with store_on(dsn, tables=False) as store:
        for call in (store.check, store.prepare, lambda: store.get_tenant(uuid.uuid4())):
            with pytest.raises(Unavailable) as refusal:
                call()
            assert "hidden" not in f"{refusal.value}{refusal.value!r}{refusal.value.__cause__!r}"
            assert refusal.value.__suppress_context__
        assert "hidden" not in repr(store)


def test_a_wrong_password_is_told_without_it(any_database: Database) -> None:
    dsn = make_conninfo(any_database.dsn, password="hidden-password")
    with store_on(dsn, tables=False) as store, pytest.raises(Unavailable) as refusal:
        store.get_tenant(uuid.uuid4())
    assert "hidden" not in str(refusal.value)


def test_too_many_connections_are_told_as_a_moments_want(
    any_database: Database, store: PostgresStore, unique: str
) -> None:
    with any_database.connect() as connection:
        connection.execute(f"CREATE ROLE {unique} LOGIN PASSWORD 'p' CONNECTION LIMIT 0".encode())
        dsn = make_conninfo(any_database.dsn, user=unique, password="p")
        with store_on(dsn, tables=False) as refused, pytest.raises(Unavailable):
            refused.list_tenants(PageRequest())
        connection.execute(f"DROP ROLE {unique}".encode())


def test_connections_that_the_server_ended_are_replaced(any_database: Database, store: PostgresStore) -> None:
    tenant = store.create_tenant(NewTenant(tenant_name="t"))
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
    with any_database.connect() as connection:
        connection.execute(end, (any_database.name,))
    assert store.get_tenant(tenant.tenant_id) == tenant
    store.check()


@pytest.fixture
def transactions(any_database: Database) -> Iterator[Transactions]:
    """Transactions on an empty database."""
    transactions = Transactions(engine_for(any_database.dsn))
    yield transactions
    transactions.close()


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        (["SET LOCAL statement_timeout = '50ms'", "SELECT pg_sleep(30)"], Unavailable),
        (["SELECT pg_terminate_backend(pg_backend_pid())"], Unavailable),
        (["SET TRANSACTION READ ONLY", "CREATE TABLE t ()"], Unavailable),
        (["CREATE TEMP TABLE t (n int UNIQUE)", "INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (1)"], UniqueTaken),
        (["SELECT 'hidden'::int"], StoreError),
    ],
)
def test_each_failure_of_the_server_becomes_an_error_of_the_store(
    transactions: Transactions, statements: list[str], expected: type[Exception]
) -> None:
    def work(connection: Connection) -> None:
        for statement in statements:
            connection.execute(text(statement))

    with pytest.raises(expected) as refusal:
        transactions.run(work)
    assert type(refusal.value) is expected
    assert "hidden" not in str(refusal.value)
    assert refusal.value.__suppress_context__


def test_a_deadlock_is_tried_again(any_database: Database, transactions: Transactions) -> None:
    with any_database.connect() as connection:
        connection.execute("CREATE TABLE counters (id int PRIMARY KEY, n int)")
        connection.execute("INSERT INTO counters VALUES (1, 0), (2, 0)")
    both_hold_one = threading.Barrier(2)
    attempts: list[int] = []

    def work(first: int, second: int, connection: Connection) -> None:
        attempts.append(first)
        connection.execute(text("UPDATE counters SET n = n + 1 WHERE id = :id"), {"id": first})
        if attempts.count(first) == 1:
            both_hold_one.wait(timeout=30)
        connection.execute(text("UPDATE counters SET n = n + 1 WHERE id = :id"), {"id": second})

    assert at_once([lambda: transactions.run(partial(work, 1, 2)), lambda: transactions.run(partial(work, 2, 1))]) == [
        None,
        None,
    ]
    assert len(attempts) == 3
    with any_database.connect() as connection:
        assert connection.execute("SELECT n FROM counters").fetchall() == [(2,), (2,)]


# At the same time


def test_several_services_that_create_one_tenant_make_one(any_database: Database, store: PostgresStore) -> None:
    with store_on(any_database.dsn, tables=False) as another:
        new = NewTenant(tenant_name="wanted")
        answers = at_once([lambda: store.create_tenant(new), lambda: another.create_tenant(new)] * 3)
    assert [type(answer) for answer in answers].count(Conflict) == 5


def test_the_same_creation_is_told_as_made_before_even_when_its_name_collides_first(store: PostgresStore) -> None:
    new = NewTenant(tenant_name="wanted", tenant_id=uuid.uuid4())
    for _ in range(5):
        answers = at_once([lambda: store.create_tenant(new)] * 6)
        assert [type(answer) for answer in answers].count(AlreadyExists) == 5
        store.delete_tenant(new.tenant_id)  # type: ignore[arg-type]


def test_the_same_claim_of_a_due_run_is_told_as_made_before(store: PostgresStore) -> None:
    schedule = new_schedule(store, next_run_at=MOMENT)
    new = NewExecution(schedule_id=schedule.schedule_id, started_at=MOMENT, execution_id=uuid.uuid4())
    answers = at_once([lambda: store.create_execution(new, advance=Advance(MOMENT, None))] * 6)
    assert [type(answer) for answer in answers].count(AlreadyExists) == 5


def test_requests_with_one_receipt_are_carried_out_once(store: PostgresStore) -> None:
    receipt = Receipt("key", "f", LATER)
    creations = [partial(store.create_tenant, NewTenant(tenant_name=f"tenant {n}"), receipt=receipt) for n in range(6)]
    answers = at_once(creations)
    assert [type(answer) for answer in answers].count(AlreadyExists) == 5


def test_counters_lose_nothing_between_several_services(any_database: Database, store: PostgresStore) -> None:
    schedule = new_schedule(store)
    new = NewExecution(schedule_id=schedule.schedule_id, started_at=MOMENT)
    begun = [store.create_execution(new).execution_id for _ in range(8)]
    with store_on(any_database.dsn, tables=False) as another:
        services = [store, another] * 4
        ends = [partial(s.update_execution, e, {"status": "failed"}) for s, e in zip(services, begun, strict=True)]
        assert not [answer for answer in at_once(ends) if isinstance(answer, Exception)]
    counted = store.get_schedule(schedule.schedule_id)
    assert (counted.run_count, counted.failure_count) == (8, 8)


def test_deletions_and_what_they_delete_never_wait_for_each_other_in_a_circle(
    any_database: Database, store: PostgresStore
) -> None:
    for turn in range(6):
        schedule = new_schedule(store, f"tenant {turn}", next_run_at=MOMENT)
        new = NewExecution(schedule_id=schedule.schedule_id, started_at=MOMENT)
        begun = [store.create_execution(new).execution_id for _ in range(3)]
        scan = NewScanResult(account_id=schedule.account_id, provider_type="aws", started_at=MOMENT, status="failed")
        answers = at_once(
            [
                *(partial(store.update_execution, execution, {"status": "completed"}) for execution in begun),
                *(partial(store.create_execution, new) for _ in range(3)),
                partial(store.create_execution, new, advance=Advance(MOMENT, None)),
                partial(store.create_scan_result, scan),
                partial(store.delete_schedule, schedule.schedule_id),
                partial(store.delete_account, schedule.account_id),
                partial(store.delete_tenant, schedule.tenant_id),
            ]
        )
        refused = [answer for answer in answers if isinstance(answer, Exception)]
        assert [error for error in refused if not isinstance(error, NotFound)] == []
    with any_database.connect() as connection:
        deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        connection.execute("SELECT pg_stat_force_next_flush()")
        assert connection.execute(deadlocks).fetchone() == (0,)


# What is particular to the server


def test_no_document_is_null_and_not_the_document_null(any_database: Database, store: PostgresStore) -> None:
    account = new_account(store)
    new = NewScanResult(account_id=account, provider_type="aws", started_at=MOMENT, status="running", scan_id="s")
    store.create_scan_result(new)
    store.update_scan_result("s", {"metadata": {"a": 1}})
    store.update_scan_result("s", {"metadata": None})
    with any_database.connect() as connection:
        assert connection.execute("SELECT count(*) FROM scan_results WHERE metadata IS NULL").fetchone() == (1,)


@pytest.mark.parametrize("text", ["nul \0", "half \ud800"])
def test_text_that_the_server_cannot_hold_is_not_found(store: PostgresStore, text: str) -> None:
    for call in (store.get_tenant_by_name, store.get_scan_result):
        with pytest.raises(NotFound):
            call(text)
    assert store.list_scan_results_by_status(text, PageRequest()).items == ()


def test_text_is_in_the_order_of_its_code_points_whatever_the_databases_collation(
    servers: Servers, unique: str
) -> None:
    server = servers.postgres("pg15-debian")  # the other one is built without a collation of a language
    create = f"CREATE DATABASE {unique} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en' ENCODING 'UTF8'"
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        connection.execute(create.encode())
        try:
            with store_on(server.dsn.rpartition("/")[0] + f"/{unique}") as store:
                assert _walked(store, SCAN_IDS) == sorted(SCAN_IDS, reverse=True)
        finally:
            connection.execute(f"DROP DATABASE {unique} WITH (FORCE)".encode())


def _walked(store: PostgresStore, scan_ids: Sequence[str]) -> list[str]:
    """Create scan results of one moment and return their ids as they are listed, two to a page."""
    account = new_account(store)
    new = NewScanResult(account_id=account, provider_type="aws", started_at=MOMENT, status="failed")
    for scan_id in scan_ids:
        store.create_scan_result(replace(new, scan_id=scan_id))
    found: list[str] = []
    after = None
    while not found or after is not None:
        page = store.list_scan_results_by_account(account, PageRequest(2, after))
        found += [scan.scan_id for scan in page.items]
        after = page.next
    return found


def test_due_schedules_are_read_by_their_index(any_database: Database, store: PostgresStore) -> None:
    new_schedule(store, next_run_at=MOMENT)
    with any_database.connect() as connection:
        connection.execute(f"ALTER DATABASE {any_database.name} SET enable_seqscan = off".encode())
        scans = "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'ix_schedules_next_run_at'"
        with store_on(any_database.dsn, tables=False) as another:
            assert len(another.due_schedules(MOMENT, PageRequest()).items) == 1
        deadline = datetime.now() + timedelta(seconds=20)
        while connection.execute(scans).fetchone() == (0,):
            assert datetime.now() < deadline


def test_sweeping_forgets_all_expired_receipts_and_no_other(any_database: Database, store: PostgresStore) -> None:
    store.prepare()
    with any_database.connect() as connection:
        connection.execute(
            "INSERT INTO onboarding_service.receipts SELECT n::text, 'f',"
            " CASE WHEN n % 2 = 0 THEN now() - interval '1 s' ELSE now() + interval '1 h' END"
            " FROM generate_series(1, 4999) n"
        )
        assert at_once([store.sweep, store.sweep]) == [0, 0]
        assert connection.execute("SELECT count(*) FROM onboarding_service.receipts").fetchone() == (2500,)
