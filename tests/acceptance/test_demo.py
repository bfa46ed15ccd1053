"""`onboarding demo`, as a user runs it: servers of its own, the whole migration, nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pg2dynamo.local import process

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(600)]

ONBOARDING = Path(sys.executable).with_name("onboarding")
PG2DYNAMO = Path(sys.executable).with_name("pg2dynamo")
TABLES = {
    *("public.tenants", "public.providers", "public.accounts", "public.schedules", "public.schedule_executions"),
    *("public.scan_results", "tenant-names", "tenant-providers"),
}


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory that the unprivileged user which PostgreSQL runs as can reach."""
    parent = process.make_directory("pg2dynamo-test-demo-")
    yield parent / "demo"
    process.remove_directory(parent)


def demo(directory: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [str(ONBOARDING), "demo", "--accounts", "12", "--directory", str(directory), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def expect_whole(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    assert set(report) == {"ok", "seconds", "tables", "secrets", "verify"}
    assert report["ok"] is report["verify"]["equal"] is True
    assert set(report["tables"]) == TABLES
    assert report["tables"]["tenant-names"] == report["tables"]["public.tenants"]
    assert report["tables"]["tenant-providers"] == report["tables"]["public.providers"]
    for counts in report["tables"].values():
        assert counts["items"] == counts["rows"] > 0
        assert counts["quarantined"] == 0
    secrets = report["secrets"]
    assert secrets["rows"] == secrets["current"] + secrets["older"] + secrets["refused"]
    assert secrets["refused"] == 7
    return report


def test_the_demo_migrates_everything_and_ends_its_servers(directory: Path) -> None:
    report = expect_whole(demo(directory, "--json"))
    assert Path(report["verify"]["report"]).is_file()
    assert {path.name for path in directory.iterdir()} == {"report"}


def test_without_json_the_summary_is_for_people(directory: Path) -> None:
    done = demo(directory)
    assert done.returncode == 0, done.stderr
    assert "Every row, item and secret was compared: equal." in done.stdout
    assert "put there on purpose" in done.stdout
    assert "verify.html" in done.stdout


def test_kept_servers_are_reached_as_it_says_and_the_guides_commands_find_them(directory: Path) -> None:
    expect_whole(demo(directory, "--json", "--keep"))
    try:
        for command in (
            f"{PG2DYNAMO} status --plan $PG2DYNAMO_PLAN",
            f"{PG2DYNAMO} copy --plan $PG2DYNAMO_PLAN --expect-refused 7",
            f"cd {directory} && {sys.executable} -c 'from onboarding.guide import *; main(export_postgres)'",
            f"cd {directory} && {sys.executable} -c 'from onboarding.guide import *; main(decrypt_credentials)'",
            f"cd {directory} && {sys.executable} -c 'from onboarding.guide import *; main(import_dynamodb)'",
            f"cd {directory} && {sys.executable} -c 'from onboarding.guide import *; main(verify_migration)'",
        ):
            script = f"source {directory}/env.sh && {command}"
            done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
    finally:
        stop = [sys.executable, "-m", "pg2dynamo.local", "stop", str(directory)]
        stopped = subprocess.run(stop, capture_output=True, text=True, check=True)
    assert "Ended 3 servers" in stopped.stdout + stopped.stderr
    assert not (directory / "env.sh").exists()


def test_an_interrupted_demo_ends_its_servers(directory: Path) -> None:
    command = [str(ONBOARDING), "demo", "--accounts", "2000", "--directory", str(directory)]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert running.stderr is not None
    for line in running.stderr:
        if line.startswith("Filling"):
            break
    pids = [process["pid"] for process in json.loads((directory / "stack.json").read_text())["processes"]]
    assert len(pids) == 3
    running.send_signal(signal.SIGINT)
    _, narration = running.communicate()
    assert running.returncode != 0
    assert "Traceback" not in narration
    deadline = time.monotonic() + 20
    while any(_runs(pid) for pid in pids):
        assert time.monotonic() < deadline, "a server outlived the demo"
        time.sleep(0.05)
    assert not (directory / "stack.json").exists()


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
