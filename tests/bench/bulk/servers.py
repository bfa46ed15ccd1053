"""All servers of one benchmark: PostgreSQL with the rows, the stand-ins, the sinks; ended with it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from pg2dynamo.local import process
from pg2dynamo.local.aws import isolated_environment, start_ministack
from pg2dynamo.local.dynamodb_local import (
    default_cache,
    ensure_dynamodb_local,
    start_dynamodb_local,
    why_unavailable,
)
from pg2dynamo.local.postgres import THROWAWAY, PostgresServer, start_postgres
from pg2dynamo.local.process import LocalServerError
from tests.bench.bulk.certificates import make_certificates
from tests.bench.bulk.front import ROOT, Front, start_front, start_scanned
from tests.bench.bulk.rows import fill
from tests.bench.bulk.target import make_pages, prepare_targets

POSTGRES_SETTINGS: Mapping[str, str] = {
    **THROWAWAY,
    # Nothing runs beside what is measured, and the filling of tables writes no WAL.
    "autovacuum": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "1h",
    # Indexes are made fast; reading does not use it.
    "maintenance_work_mem": "512MB",
}
SCANNED_TABLE = "small_short"

Say = Callable[[str], None]


@dataclass(frozen=True)
class Servers:
    """Running servers. `lacking` says why one is not there, by its name."""

    directory: Path
    postgres: PostgresServer
    rows: Mapping[str, int]
    stand_in: str
    front: Front
    scanned: Front | None
    dynamodb_local: str | None
    lacking: Mapping[str, str] = field(default_factory=dict)

    def environ(self, **more: str) -> dict[str, str]:
        """Return the environment of a process that is measured: ours, this machine's path, and no more."""
        settings = {name: value for name, value in os.environ.items() if name.startswith("PG2DYNAMO_")}
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        own = {"DATABASE_URL": self.postgres.dsn, "PYTHONPATH": path, "HOME": str(self.directory)}
        return isolated_environment() | {"PATH": os.environ.get("PATH", "")} | settings | own | more


@contextmanager
def running_servers(
    kind: str, rows: Mapping[str, int], say: Say, *, scanned: bool = False, dynamodb_local: bool = False
) -> Iterator[Servers]:
    """Start the servers that are needed, and fill tables with so many `rows`, by name. Raises LocalServerError."""
    directory = process.make_directory("pg2dynamo-bench-")
    with ExitStack() as stack:
        stack.callback(process.remove_directory, directory)
        postgres = start_postgres(process.make_folder(directory / "postgres"), settings=POSTGRES_SETTINGS)
        stack.callback(postgres.stop)
        _fill(postgres, rows, say)
        stand_in = start_ministack(process.make_folder(directory / "ministack"))
        stack.callback(stand_in.stop)
        certificates = make_certificates(process.make_folder(directory / "certificates"))
        front = start_front(kind, process.make_folder(directory / "sink"), stand_in.url, certificates)
        stack.callback(front.process.stop)
        work = process.make_folder(directory / "work")
        servers = Servers(work, postgres, rows, stand_in.url, front, None, None)
        prepare_targets(list(rows), servers.environ(AWS_ENDPOINT_URL=stand_in.url))
        pages = None
        if scanned:
            say(f"Writing the items of {SCANNED_TABLE} for Scan.")
            path = make_pages(SCANNED_TABLE, work / "pages", servers.environ(AWS_ENDPOINT_URL=stand_in.url))
            pages = start_scanned(process.make_folder(directory / "scanned"), stand_in.url, path, certificates)
            stack.callback(pages.process.stop)
        local, lacking = _dynamodb_local(directory, stack) if dynamodb_local else (None, {})
        yield Servers(work, postgres, rows, stand_in.url, front, pages, local, lacking)


def _fill(postgres: PostgresServer, rows: Mapping[str, int], say: Say) -> None:
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        for name, count in rows.items():
            began = time.monotonic()
            fill(connection, name, count)
            say(f"Filled {name} with {count:,} rows in {time.monotonic() - began:.1f} s.")
        connection.execute("CHECKPOINT")


def _dynamodb_local(directory: Path, stack: ExitStack) -> tuple[str | None, dict[str, str]]:
    cache = default_cache()
    try:
        libraries = ensure_dynamodb_local(cache)
        if libraries is None:
            return None, {"DynamoDB Local": why_unavailable(cache) or "DynamoDB Local is not here"}
        server = start_dynamodb_local(process.make_folder(directory / "dynamodb-local"), libraries)
    except LocalServerError as error:
        return None, {"DynamoDB Local": str(error)}
    stack.callback(server.stop)
    return server.url, {}
