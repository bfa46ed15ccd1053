"""Real servers for the tests: each is started once a session, when first needed, and ended with it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, Protocol, TypeVar, cast

import psycopg
import pytest
from psycopg import sql

from pg2dynamo.local import process
from pg2dynamo.local.aws import AwsServer, AwsStack, start_ministack, start_moto
from pg2dynamo.local.dynamodb_local import (
    default_cache,
    ensure_dynamodb_local,
    start_dynamodb_local,
    why_unavailable,
)
from pg2dynamo.local.postgres import THROWAWAY, PostgresServer, debian_binaries, start_postgres, wheel_binaries
from pg2dynamo.local.process import LocalServerError

POSTGRES_SERVERS = ("pg18-wheel", "pg15-debian")
AWS_STACKS = ("stand-in", "dynamodb-local")
LACKING = "this machine lacks a part: "
REQUIRE_ALL = "PG2DYNAMO_TEST_REQUIRE_ALL"
"""Set to 1, what this machine lacks fails the tests that need it instead of skipping them."""


class Stoppable(Protocol):
    """A server that ends when told to."""

    def stop(self) -> None:
        """End it."""


Server = TypeVar("Server", bound=Stoppable)


@dataclass(frozen=True)
class Database:
    """A database of the test's own, empty at first."""

    dsn: str = field(repr=False)
    name: str
    server: PostgresServer

    def connect(self, **settings: Any) -> psycopg.Connection[tuple[Any, ...]]:
        """Connect in autocommit mode, as superuser."""
        return psycopg.connect(self.dsn, autocommit=True, **settings)


class Servers:
    """The servers of one test session, by name."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._running: dict[str, Stoppable] = {}
        self._stops = ExitStack()

    def postgres(self, name: str) -> PostgresServer:
        """Return the PostgreSQL server `name`; skip the test when this machine lacks it."""
        binaries = wheel_binaries() if name == "pg18-wheel" else _debian_15()
        if binaries is None:
            lacking("PostgreSQL 15 needs Debian's package postgresql-15")
        return self._once(name, lambda folder: start_postgres(folder, binaries=binaries, settings=THROWAWAY))

    def aws(self, name: str) -> AwsStack:
        """Return the AWS stack `name`; skip the test when this machine lacks it."""
        ministack = self._once("ministack", start_ministack)
        moto = self._once("moto", start_moto)
        return AwsStack.of(ministack, moto, self._dynamodb_local() if name == "dynamodb-local" else None)

    def _dynamodb_local(self) -> AwsServer:
        cache = default_cache()
        try:
            libraries = ensure_dynamodb_local(cache)
        except LocalServerError as error:
            lacking(f"DynamoDB Local could not be fetched: {error}")
        if libraries is None:
            lacking(why_unavailable(cache) or "DynamoDB Local is not here")
        return self._once("dynamodb-local", lambda folder: start_dynamodb_local(folder, libraries))

    def aws_processes(self) -> dict[str, int]:
        """Return the process ids of the AWS servers that run, by name."""
        return {name: server.pid for name, server in self._running.items() if isinstance(server, AwsServer)}

    def _once(self, name: str, start: Callable[[Path], Server]) -> Server:
        if name not in self._running:
            folder = process.make_folder(self._directory / name)
            self._running[name] = start(folder)
            self._stops.callback(self._running[name].stop)
        return cast(Server, self._running[name])

    def stop(self) -> None:
        """End all that was started."""
        self._stops.close()


def lacking(reason: str) -> NoReturn:
    """Skip the test for want of a part that this machine has not; fail it where everything is required."""
    if os.environ.get(REQUIRE_ALL) == "1":
        pytest.fail(reason)
    pytest.skip(LACKING + reason)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Name last what this machine lacked, so that a passing run cannot be mistaken for a whole one.

    Read from the reports, which come from every process that ran tests.
    """
    terminal: pytest.TerminalReporter | None = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is None:
        return
    skipped = [report.longrepr for report in terminal.stats.get("skipped", [])]
    texts = {longrepr[2] for longrepr in skipped if isinstance(longrepr, tuple)}
    for text in sorted(text for text in texts if LACKING in text):
        terminal.write_line(f"Not run here: {text.partition(LACKING)[2]}.", yellow=True)


def _debian_15() -> Path | None:
    return next((binaries for binaries in debian_binaries() if binaries.parent.name == "15"), None)


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """The servers of this session, started when first asked for."""
    directory = process.make_directory("pg2dynamo-tests-")
    running = Servers(directory)
    try:
        yield running
    finally:
        running.stop()
        process.remove_directory(directory)


@pytest.fixture(scope="session", params=POSTGRES_SERVERS)
def postgres(request: pytest.FixtureRequest, servers: Servers) -> PostgresServer:
    """Each PostgreSQL of this machine in turn."""
    return servers.postgres(request.param)


@pytest.fixture(scope="session")
def any_postgres(servers: Servers) -> PostgresServer:
    """One PostgreSQL, the newest."""
    return servers.postgres(POSTGRES_SERVERS[0])


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[Database]:
    """An empty database of the test's own, on each PostgreSQL in turn."""
    yield from _fresh_database(postgres)


@pytest.fixture
def any_database(any_postgres: PostgresServer) -> Iterator[Database]:
    """An empty database of the test's own, on the newest PostgreSQL only."""
    yield from _fresh_database(any_postgres)


@pytest.fixture(scope="session", params=AWS_STACKS)
def aws(request: pytest.FixtureRequest, servers: Servers) -> AwsStack:
    """Each AWS of this machine in turn."""
    return servers.aws(request.param)


@pytest.fixture(scope="session")
def any_aws(servers: Servers) -> AwsStack:
    """One AWS, the stand-in."""
    return servers.aws(AWS_STACKS[0])


@pytest.fixture
def aws_environ(aws: AwsStack, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """This process's environment pointed at each AWS in turn, and at nothing else."""
    return _enter_aws(aws, monkeypatch)


@pytest.fixture
def any_aws_environ(any_aws: AwsStack, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """This process's environment pointed at the stand-in only."""
    return _enter_aws(any_aws, monkeypatch)


@pytest.fixture
def unique() -> str:
    """A short string that no other test has: for the names of tables, secrets, slots and roles."""
    return f"t{uuid.uuid4().hex[:10]}"


def _enter_aws(stack: AwsStack, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in stack.environ.items():
        monkeypatch.setenv(name, value)
    return dict(stack.environ)


def _fresh_database(server: PostgresServer) -> Iterator[Database]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
    yield Database(server.dsn.rpartition("/")[0] + f"/{name}", name, server)
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        slots = (
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = %s AND NOT active"
        )
        connection.execute(slots, (name,))
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
