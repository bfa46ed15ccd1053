"""The service as a process: it says where it listens, logs lines of JSON, and stops when told to."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from cryptography.fernet import Fernet

from onboarding.database.schema import create_schema
from tests.conftest import Database

DEADLINE_SECONDS = 60
KEY = "a token key of these tests, long enough"


def environment(directory: Path, **variables: str) -> dict[str, str]:
    """Return an environment with nothing of this machine's, and with no kept servers to be found."""
    own = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return own | {"TMPDIR": str(directory)} | variables


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "from onboarding.cli import main; main()", *arguments]


@contextmanager
def served(environ: dict[str, str], log: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Start the service on a free port, and give its address once it listens."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            command("serve", "--store", "postgres", "--port", "0"), env=environ, stderr=file, stdout=subprocess.DEVNULL
        )
    try:
        yield _address(process, log), process
    finally:
        process.kill()
        process.wait()


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        found = re.search(r"^Listening on (\S+) \(docs at \1/docs\)$", log.read_text(), re.MULTILINE)
        if found:
            return found[1]
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)
    raise AssertionError(log.read_text())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_it_serves_what_its_tokens_let_do_until_it_is_stopped(
    any_database: Database, tmp_path: Path, number: signal.Signals
) -> None:
    create_schema(any_database.dsn)
    environ = environment(
        tmp_path,
        DATABASE_URL=any_database.dsn,
        CREDENTIAL_KEY=Fernet.generate_key().decode(),
        ONBOARDING_TOKEN_KEY=KEY,
    )
    made = subprocess.run(
        command("token", "--role", "platform"), env=environ, capture_output=True, text=True, check=True
    )
    headers = {"Authorization": f"Bearer {made.stdout.strip()}"}
    log = tmp_path / "log"
    with served(environ, log) as (address, process):
        assert httpx2.get(f"{address}/health").json() == {"status": "ok", "store": "postgres"}
        new = httpx2.post(f"{address}/tenants", json={"tenant_name": "a"}, headers=headers)
        assert new.status_code == 201
        assert httpx2.get(f"{address}/tenants").status_code == 401
        process.send_signal(number)
        assert process.wait(DEADLINE_SECONDS) == 0
    lines = [json.loads(line) for line in log.read_text().splitlines() if not line.startswith("Listening")]
    assert {(line["route"], line["status"]) for line in lines if line["logger"] == "onboarding.access"} == {
        ("/api/v1/health", 200),
        ("/api/v1/tenants", 201),
        ("/api/v1/tenants", 401),
    }
    assert made.stdout.strip() not in log.read_text()
    assert KEY not in log.read_text()


@pytest.mark.parametrize(
    ("arguments", "variables", "said"),
    [
        (["token", "--role", "platform"], {}, "Set ONBOARDING_TOKEN_KEY: `onboarding token-key` makes one."),
        (["token", "--role", "platform"], {"ONBOARDING_TOKEN_KEY": "short"}, "fewer than 32 bytes"),
        (["token", "--role", "reader"], {"ONBOARDING_TOKEN_KEY": KEY}, "The role reader needs a tenant."),
        (["serve", "--store", "postgres"], {"ONBOARDING_TOKEN_KEY": KEY}, "Set DATABASE_URL"),
    ],
    ids=["no key", "short key", "no tenant", "no database"],
)
def test_what_is_lacking_is_said_in_one_line(
    tmp_path: Path, arguments: list[str], variables: dict[str, str], said: str
) -> None:
    environ = environment(tmp_path, **variables)
    done = subprocess.run(command(*arguments), env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
