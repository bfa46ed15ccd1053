"""All servers of one demonstration, in one directory: started together, reached by one file, ended together.

The directory holds `env.sh` (to be sourced; it has the passwords, mode 0600), `stack.json` (which processes) and
`servers/` (their data and logs). Ending the stack removes these three and nothing else.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

from pg2dynamo.local import process
from pg2dynamo.local.aws import AwsServer, AwsStack, start_ministack, start_moto
from pg2dynamo.local.dynamodb_local import (
    default_cache,
    ensure_dynamodb_local,
    start_dynamodb_local,
    why_unavailable,
)
from pg2dynamo.local.postgres import THROWAWAY, PostgresServer, start_postgres
from pg2dynamo.local.process import LocalServerError, ProcessIdentity, ServerProcess

ENVIRONMENT_FILE = "env.sh"
STATE_FILE = "stack.json"
SERVERS_FOLDER = "servers"


@dataclass(frozen=True)
class Stack:
    """Running servers. `environ` has DATABASE_URL and all AWS variables, and what was given as `extra`."""

    directory: Path
    dsn: str = field(repr=False)
    environ: Mapping[str, str] = field(repr=False)
    processes: tuple[ServerProcess, ...]
    kept: bool

    @property
    def environment_file(self) -> Path:
        """The file to `source` in a shell to reach the servers."""
        return self.directory / ENVIRONMENT_FILE

    @property
    def stop_command(self) -> str:
        """What to type to end the servers."""
        return shlex.join([sys.executable, "-m", "pg2dynamo.local", "stop", str(self.directory)])

    def write_environment(self, extra: Mapping[str, str]) -> None:
        """Write the environment file again with `extra` variables besides the stack's own."""
        _write_private(self.environment_file, _shell(dict(self.environ) | dict(extra)))

    def stop(self) -> None:
        """End the servers and remove their files; harmless when that is done already."""
        for server in reversed(self.processes):
            server.stop()
        _remove_files(self.directory)


def start_stack(
    directory: Path | None = None,
    keep: bool = False,
    with_dynamodb_local: bool = False,
    *,
    database: str = "postgres",
    extra: Mapping[str, str] | None = None,
) -> Stack:
    """Start PostgreSQL, ministack and moto, and DynamoDB Local when asked, in `directory` or in a new temporary one.

    With `keep` they outlive this process until `stop_stack`; without, they end with the calling thread at the latest.
    `database` is created when it is not there. Raises LocalServerError and leaves nothing running behind.
    """
    directory = _claim(directory)
    with ExitStack() as undo:
        undo.callback(_remove_files, directory)
        started: list[ServerProcess] = []

        def running(server: ServerProcess) -> None:
            undo.callback(server.stop)
            started.append(server)
            _write_private(directory / STATE_FILE, _state(started))

        servers = directory / SERVERS_FOLDER
        postgres = start_postgres(servers, settings=THROWAWAY, keep=keep)
        running(postgres.process)
        ministack = start_ministack(servers, keep=keep)
        running(ministack.process)
        moto = start_moto(servers, keep=keep)
        running(moto.process)
        dynamodb = _dynamodb_local(servers, keep) if with_dynamodb_local else None
        if dynamodb is not None:
            running(dynamodb.process)
        dsn = _database(postgres, database)
        environ = {"DATABASE_URL": dsn, **AwsStack.of(ministack, moto, dynamodb).environ, **(extra or {})}
        stack = Stack(directory, dsn, environ, tuple(started), keep)
        stack.write_environment({})
        undo.pop_all()
        return stack


def stop_stack(directory: Path) -> int:
    """End the processes of the stack in `directory` and remove its files; return how many still ran.

    Only processes whose id and start time are the recorded ones are ended. Raises LocalServerError when there is no
    stack.
    """
    try:
        recorded = json.loads((directory / STATE_FILE).read_text())["processes"]
        servers = [(ProcessIdentity(p["pid"], p["started"]), signal.Signals[p["stop_signal"]]) for p in recorded]
    except FileNotFoundError:
        raise LocalServerError(f"No servers were kept in {directory}: it has no {STATE_FILE}.") from None
    except (ValueError, KeyError, TypeError):
        raise LocalServerError(f"{directory / STATE_FILE} is damaged; nothing was ended.") from None
    ended = sum(process.end_process(identity, stop_signal) for identity, stop_signal in reversed(servers))
    _remove_files(directory)
    return ended


def _claim(directory: Path | None) -> Path:
    """Make the directory ready; one whose servers still run is refused."""
    if directory is None:
        directory = process.make_directory("pg2dynamo-")
    directory = directory.resolve()
    if (directory / STATE_FILE).exists() or (directory / SERVERS_FOLDER).exists():
        raise LocalServerError(
            f"{directory} holds servers already.",
            remedy=f"End them with: {shlex.join([sys.executable, '-m', 'pg2dynamo.local', 'stop', str(directory)])}",
        )
    process.make_folder(process.make_folder(directory) / SERVERS_FOLDER)
    return directory


def _dynamodb_local(directory: Path, keep: bool) -> AwsServer:
    cache = default_cache()
    libraries = ensure_dynamodb_local(cache)
    if libraries is None:
        raise LocalServerError(f"{why_unavailable(cache)}.")
    return start_dynamodb_local(directory, libraries, keep=keep)


def _database(server: PostgresServer, name: str) -> str:
    """Return the DSN of the database `name`, created unless it is there."""
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone() is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return f"{server.dsn.rpartition('/')[0]}/{name}"


def _state(servers: list[ServerProcess]) -> str:
    processes = [
        {"pid": s.pid, "started": s.identity.started, "stop_signal": s.stop_signal.name, "log": str(s.log)}
        for s in servers
    ]
    return json.dumps({"processes": processes}, indent=2) + "\n"


def _shell(environ: Mapping[str, str]) -> str:
    """Return shell lines that drop every AWS setting of the machine and set those of the stack."""
    lines = ["# Reaches the local servers. Use it with: source env.sh"]
    lines += [r"""for name in $(env | sed -n 's/^\(AWS_[A-Z0-9_]*\)=.*/\1/p'); do unset "$name"; done; unset name"""]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in environ.items()]
    return "\n".join(lines) + "\n"


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    partial.replace(path)


def _remove_files(directory: Path) -> None:
    """Remove what a stack made; the directory too when nothing else is in it."""
    process.remove_directory(directory / SERVERS_FOLDER)
    for name in (ENVIRONMENT_FILE, STATE_FILE):
        (directory / name).unlink(missing_ok=True)
    if directory.is_dir() and not any(directory.iterdir()):
        directory.rmdir()
