"""Each store in turn, for the contract that all of them keep."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import psycopg
import pytest
from cryptography.fernet import Fernet

from onboarding.database.schema import create_schema
from onboarding.store.interface import Store
from onboarding.store.memory import MemoryStore
from onboarding.store.opening import open_store, utc_now
from onboarding.store.records import (
    Account,
    Execution,
    NewAccount,
    NewExecution,
    NewProvider,
    NewScanResult,
    NewSchedule,
    NewTenant,
    Provider,
    ScanResult,
    Schedule,
    Tenant,
)
from tests.conftest import Servers

STORES = ("memory", "postgres", "dynamodb-stand-in", "dynamodb-local")
TABLES = (
    "TENANTS",
    "PROVIDERS",
    "ACCOUNTS",
    "SCHEDULES",
    "EXECUTIONS",
    "SCAN_RESULTS",
    "TENANT_NAMES",
    "TENANT_PROVIDERS",
    "SERVICE_STATE",
)


class Clock:
    """The time of the machine, moved forward by what a test asks for."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return utc_now() + self.ahead


@dataclass(frozen=True)
class Opened:
    """A store with the clock that it was given."""

    store: Store
    clock: Clock


@pytest.fixture(scope="session", params=STORES)
def opened(request: pytest.FixtureRequest, servers: Servers) -> Iterator[Opened]:
    """Each store of this machine, opened once for all tests; a test makes tenants of its own."""
    yield from _opened(request.param, servers)


@pytest.fixture(scope="session", params=STORES[2:])
def opened_dynamodb(request: pytest.FixtureRequest, servers: Servers) -> Iterator[Opened]:
    """Each DynamoDB of this machine, opened once for all tests."""
    yield from _opened(request.param, servers)


@pytest.fixture
def store(opened: Opened) -> Iterator[Store]:
    """The store under test."""
    yield opened.store
    opened.clock.ahead = timedelta()


@pytest.fixture
def clock(opened: Opened) -> Clock:
    """The clock of the store under test."""
    return opened.clock


def _opened(name: str, servers: Servers) -> Iterator[Opened]:
    clock = Clock()
    if name == "memory":
        yield Opened(MemoryStore(clock), clock)
    elif name == "postgres":
        yield from _on_postgres(servers, clock)
    else:
        yield from _on_dynamodb(servers, name.replace("dynamodb-stand-in", "stand-in"), clock)


def _on_postgres(servers: Servers, clock: Clock) -> Iterator[Opened]:
    server = servers.postgres("pg18-wheel")
    database = f"store_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {database} TEMPLATE template0".encode())
    dsn = server.dsn.rpartition("/")[0] + f"/{database}"
    create_schema(dsn)
    store = open_store("postgres", {"DATABASE_URL": dsn, "CREDENTIAL_KEY": Fernet.generate_key().decode()}, clock=clock)
    store.prepare()
    yield Opened(store, clock)
    store.close()
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {database} WITH (FORCE)".encode())


def _on_dynamodb(servers: Servers, stack: str, clock: Clock) -> Iterator[Opened]:
    prefix = f"t{uuid.uuid4().hex[:10]}"
    names = {f"DYNAMODB_{table}_TABLE": f"{prefix}-{table.lower()}" for table in TABLES}
    with _only(servers.aws(stack).environ) as environ:
        store = open_store("dynamodb", environ | names | {"SECRETS_MANAGER_PREFIX": prefix}, clock=clock)
        store.prepare()
        yield Opened(store, clock)
        store.close()


class _only:
    """Have no AWS configuration in this process but the given one."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = dict(environ)
        self._before: dict[str, str] = {}

    def __enter__(self) -> dict[str, str]:
        self._before = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
        for name in self._before:
            del os.environ[name]
        return self._environ

    def __exit__(self, *error: object) -> None:
        os.environ.update(self._before)


class Making:
    """Makes records for a test, of tenants that no other test has."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def tenant(self, **fields: object) -> Tenant:
        """Create a tenant."""
        return self.store.create_tenant(replace(NewTenant(tenant_name=f"tenant {uuid.uuid4()}"), **fields))  # type: ignore[arg-type]

    def provider(self, tenant: Tenant | None = None, provider_type: str = "aws") -> Provider:
        """Create a provider, of a new tenant unless one is given."""
        tenant = tenant or self.tenant()
        return self.store.create_provider(NewProvider(tenant_id=tenant.tenant_id, provider_type=provider_type))

    def account(self, provider: Provider | None = None, **fields: object) -> Account:
        """Create an account, of a new tenant unless a provider is given."""
        provider = provider or self.provider()
        new = NewAccount(provider_id=provider.provider_id, tenant_id=provider.tenant_id, account_name="prod")
        return self.store.create_account(replace(new, **fields))  # type: ignore[arg-type]

    def schedule(self, account: Account | None = None, **fields: object) -> Schedule:
        """Create a schedule, of a new tenant unless an account is given."""
        account = account or self.account()
        new = NewSchedule(
            tenant_id=account.tenant_id,
            account_id=account.account_id,
            name="nightly",
            schedule_type="interval",
            interval_seconds=60,
            provider_type="aws",
        )
        return self.store.create_schedule(replace(new, **fields))  # type: ignore[arg-type]

    def execution(self, schedule: Schedule | None = None, **fields: object) -> Execution:
        """Begin an execution, of a new tenant unless a schedule is given."""
        schedule = schedule or self.schedule()
        new = NewExecution(schedule_id=schedule.schedule_id, started_at=datetime(2026, 1, 2, 3, 4, 5))
        return self.store.create_execution(replace(new, **fields))  # type: ignore[arg-type]

    def scan(self, account: Account | None = None, **fields: object) -> ScanResult:
        """Create a scan result, of a new tenant unless an account is given."""
        account = account or self.account()
        new = NewScanResult(
            account_id=account.account_id,
            provider_type="aws",
            started_at=datetime(2026, 1, 2, 3, 4, 5),
            status="running",
        )
        return self.store.create_scan_result(replace(new, **fields))  # type: ignore[arg-type]


@pytest.fixture
def make(store: Store) -> Making:
    """Makes records in the store under test."""
    return Making(store)
