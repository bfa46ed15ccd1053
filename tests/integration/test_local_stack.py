"""The servers of the demonstration: they end with their starter, or are kept and end when told."""

from __future__ import annotations

import json
import os
import select
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from pg2dynamo.local import process
from pg2dynamo.local.process import LocalServerError, ProcessIdentity
from pg2dynamo.local.stack import Stack, start_stack, stop_stack

START = "import sys; from pathlib import Path; from pg2dynamo.local.stack import start_stack\n"
ENDS_SECONDS = 20


@pytest.fixture
def directory() -> Iterator[Path]:
    directory = process.make_directory("pg2dynamo-test-")
    yield directory
    with suppress(LocalServerError):
        stop_stack(directory)
    process.remove_directory(directory)


def test_servers_end_when_their_starter_is_killed(directory: Path) -> None:
    script = START + "start_stack(Path(sys.argv[1])); print('ready', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as starter:
        assert starter.stdout is not None
        assert starter.stdout.readline() == b"ready\n"
        servers = _identities(directory)
        handles = [os.pidfd_open(server.pid) for server in servers]
        assert all(server.alive() for server in servers)
        starter.kill()
    ended = [bool(select.select([handle], [], [], ENDS_SECONDS)[0]) for handle in handles]
    for handle in handles:
        os.close(handle)
    assert ended == [True, True, True]


def test_kept_servers_outlive_their_starter_and_end_when_told(directory: Path) -> None:
    script = START + "start_stack(Path(sys.argv[1]), keep=True, extra={'CREDENTIAL_KEY': 'a b$c'})"
    subprocess.run([sys.executable, "-c", script, str(directory)], check=True)
    servers = _identities(directory)
    assert all(server.alive() for server in servers)
    dsn, key = _sourced(directory / "env.sh", "DATABASE_URL", "CREDENTIAL_KEY")
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert key == "a b$c"
    stop = subprocess.run(
        [sys.executable, "-m", "pg2dynamo.local", "stop", str(directory)], check=True, capture_output=True, text=True
    )
    assert stop.stdout == "Ended 3 servers.\n"
    assert not any(server.alive() for server in servers)
    assert not directory.exists()


def test_sourcing_drops_the_aws_settings_of_the_shell(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "of-this-machine")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "https://elsewhere.invalid")
    stack = start_stack(directory)
    assert _sourced(stack.environment_file, "AWS_PROFILE", "AWS_ENDPOINT_URL_STS") == ["", ""]
    stack.stop()


def test_the_database_asked_for_is_there_and_the_files_are_private(directory: Path) -> None:
    stack = start_stack(directory, database="onboarding")
    with psycopg.connect(stack.dsn) as connection:
        assert connection.execute("SELECT current_database()").fetchone() == ("onboarding",)
    assert stack.environ["DATABASE_URL"] == stack.dsn
    assert stat.S_IMODE(stack.environment_file.stat().st_mode) == 0o600
    stack.stop()


def test_a_process_that_only_has_the_same_id_is_left_alone(directory: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as bystander:
        identity = ProcessIdentity.of(bystander.pid)
        recorded = {"pid": identity.pid, "started": identity.started - 1, "stop_signal": "SIGTERM"}
        (directory / "stack.json").write_text(json.dumps({"processes": [recorded]}))
        assert stop_stack(directory) == 0
        assert identity.alive()
        bystander.communicate(b"\n")


def test_what_others_put_into_the_directory_stays(directory: Path) -> None:
    stack = start_stack(directory)
    (directory / "report.jsonl").write_text("{}\n")
    stack.stop()
    assert [path.name for path in directory.iterdir()] == ["report.jsonl"]


def test_a_directory_whose_servers_run_is_refused(directory: Path) -> None:
    stack: Stack = start_stack(directory)
    with pytest.raises(LocalServerError, match="holds servers already"):
        start_stack(directory)
    assert all(server.alive() for server in stack.processes)
    stack.stop()


def test_a_start_that_fails_leaves_nothing_running(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(LocalServerError, match="DynamoDB Local needs Java"):
        start_stack(directory, keep=True, with_dynamodb_local=True)
    assert not directory.exists()
    assert _processes_in(directory) == []


def test_stopping_where_nothing_was_kept_is_an_error(directory: Path) -> None:
    with pytest.raises(LocalServerError, match="No servers were kept"):
        stop_stack(directory)


def _identities(directory: Path) -> list[ProcessIdentity]:
    recorded = json.loads((directory / "stack.json").read_text())["processes"]
    return [ProcessIdentity(one["pid"], one["started"]) for one in recorded]


def _sourced(file: Path, *names: str) -> list[str]:
    shown = "; ".join(f'printf "%s\\n" "${{{name}-}}"' for name in names)
    done = subprocess.run(
        ["bash", "-euc", f'. "$1"; {shown}', "bash", str(file)], check=True, capture_output=True, text=True
    )
    return done.stdout.splitlines()


def _processes_in(directory: Path) -> list[int]:
    """Return the processes whose command line names the directory."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if str(directory).encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found
