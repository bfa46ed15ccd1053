"""The command ends in good order when it is told to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

SCRIPT = """
import sys, threading
from onboarding.store import opening
from onboarding.store.memory import MemoryStore
from onboarding.traffic import command
command.open_store = lambda name, environ: MemoryStore(opening.utc_now)
command.use_kept_demo = lambda: None
import typer
app = typer.Typer()
app.command()(command.traffic)
first = threading.Event()
run = command.run_traffic
def telling(factory, options, progress, **more):
    def tell(now):
        if now.operations and not first.is_set():
            first.set()
            print("running", flush=True)
        progress(now)
    return run(factory, options, tell, **more)
command.run_traffic = telling
app(["--store", "postgres", "--seconds", "600", "--label", "stopped"])
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["interrupted", "terminated"])
def test_told_to_stop_it_cleans_up_and_sums_up(number: signal.Signals) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "running\n"
        running.send_signal(number)
        told, _ = running.communicate(timeout=60)
    assert running.returncode == 0
    assert "Every answer was right." in told
    assert "still there" not in told
