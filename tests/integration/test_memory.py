"""Memory does not grow with the table: one segment of 150 MB takes about what one of 3 MB takes."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.bench.senders import run_sink
from tests.conftest import Database

SMALL, LARGE = 1_500, 75_000
MORE_MB = 25
"""What the allocator may keep; 150 MB of rows held at once would be far more."""


@pytest.fixture
def sink() -> Iterator[str]:
    """An endpoint that answers every BatchWriteItem and keeps nothing."""
    context = multiprocessing.get_context("spawn")
    ports = context.Queue()
    process = context.Process(target=run_sink, args=(ports,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ports.get(timeout=60)}"
    finally:
        process.kill()
        process.join()
        ports.close()


@pytest.fixture
def tables(any_database: Database) -> Database:
    """A small and a large table of 2 KB rows that do not compress."""
    with any_database.connect() as connection:
        for name, rows in (("small", SMALL), ("large", LARGE)):
            connection.execute(f"CREATE TABLE {name} (id int PRIMARY KEY, t text, j jsonb)".encode())
            connection.execute(
                f"INSERT INTO {name} SELECT n, repeat(md5(n::text), 50), jsonb_build_object('n', n, 't', "
                f"repeat(md5((n + 1)::text), 12)) FROM generate_series(1, {rows}) n".encode()
            )
    return any_database


def peak_mb(what: str, table: str, rows: int, environ: dict[str, str]) -> int:
    command = [sys.executable, "-m", "tests.integration.segment_memory", what, table]
    out = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=240, check=False)
    assert out.returncode == 0, out.stderr
    read, peak = map(int, out.stdout.split())
    assert read == rows
    return peak


@pytest.mark.parametrize("what", ["copy", "verify"])
def test_memory_does_not_grow_with_the_table(what: str, tables: Database, sink: str) -> None:
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "DATABASE_URL": tables.dsn,
        "AWS_ENDPOINT_URL_DYNAMODB": sink,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
    }
    small = peak_mb(what, "small", SMALL, environ)
    large = peak_mb(what, "large", LARGE, environ)
    assert large < small + MORE_MB
