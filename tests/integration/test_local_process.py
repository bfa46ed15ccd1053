"""Ending processes: exactly the one that was meant, and for certain."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pg2dynamo.local import process
from pg2dynamo.local.process import LocalServerError, ProcessIdentity

LINUX_FIRST_OUTGOING_PORT = 32_768
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); input()"


def test_a_process_that_ignores_the_signal_is_killed() -> None:
    with _child(DEAF) as child:
        assert process.end_process(ProcessIdentity.of(child.pid), signal.SIGTERM, seconds=0.1)
        assert child.wait() == -signal.SIGKILL


def test_an_ended_process_is_not_alive_even_before_it_is_reaped() -> None:
    with _child(DEAF) as child:
        identity = ProcessIdentity.of(child.pid)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not identity.alive()
        assert not process.end_process(identity, signal.SIGTERM)


def test_ports_are_not_those_of_outgoing_connections() -> None:
    assert process.free_port() < LINUX_FIRST_OUTGOING_PORT


def test_a_server_that_never_answers_is_ended_and_its_log_shown(tmp_path: Path) -> None:
    server = process.start_process(
        [sys.executable, "-c", "print('waiting for nothing', flush=True); import time; time.sleep(600)"],
        tmp_path,
        log=tmp_path / "log",
        environ=process.plain_environment(tmp_path),
    )
    with pytest.raises(LocalServerError, match=r"did not answer in 1 s\. .*waiting for nothing"):
        process.await_ready(server, "It", lambda: False, seconds=1)
    assert not server.alive()


def test_a_program_that_is_not_there_is_an_error_with_the_reason(tmp_path: Path) -> None:
    environ = process.plain_environment(tmp_path)

    def start() -> None:
        server = process.start_process([tmp_path / "missing"], tmp_path, log=tmp_path / "log", environ=environ)
        process.await_ready(server, "It", lambda: False)

    with pytest.raises(LocalServerError, match="No such file"):
        start()


@pytest.mark.parametrize("name", ["AWS_PROFILE", "HTTPS_PROXY", "PGPASSWORD", "PGOPTIONS"])
def test_servers_know_nothing_of_the_users_settings(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(name, "x")
    assert name not in process.plain_environment(tmp_path)


@contextmanager
def _child(script: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        yield child
