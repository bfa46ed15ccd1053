"""Measure the lines in rounds: each once a round, each call in a fresh process that begins from an empty journal."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.bulk.front import SinkDiffers
from tests.bench.bulk.lines import (
    DYNAMODB_LOCAL,
    FRESH_TARGET,
    SCANNED,
    SINK,
    SINK_TLS,
    STAND_IN,
    Line,
    Result,
    result_of,
)
from tests.bench.bulk.measure import NATIVE_MODULE, Sample
from tests.bench.bulk.ours import plan_text
from tests.bench.bulk.servers import Servers
from tests.bench.bulk.wrangler import wrangler_python

CALL_SECONDS = 3_600
NO_NATIVE = f"the module {NATIVE_MODULE} is not installed"

Say = Callable[[str], None]


class LineFailed(Exception):
    """A call failed or did not do what it should: there is no number for its line, and the benchmark ends."""


@dataclass(frozen=True)
class Bench:
    """What the lines are measured with. `wrangler` is the interpreter that has awswrangler."""

    servers: Servers
    wrangler: Path | None = None

    def sample(self, line: Line, asked_rows: int) -> Sample:
        """Measure a line once. Raises LineFailed."""
        front, counted = self.servers.front, line.to in (SINK, SINK_TLS)
        front.reset()
        before = front.counts()
        sample = self._call(line, rows_of(line, asked_rows, self.servers))
        try:
            if counted:
                front.require(sample.rows, before)
        except SinkDiffers as error:
            raise LineFailed(f"{line.name}: {error}") from None
        return sample

    def _call(self, line: Line, rows: int) -> Sample:
        spec = {
            "module": line.module,
            "call": line.call,
            "arguments": _arguments(line, rows),
            "postmaster": self.servers.postgres.pid,
        }
        python = self.wrangler if line.wrangler else sys.executable
        try:
            done = subprocess.run(
                [str(python), "-m", "tests.bench.bulk.measure", json.dumps(spec)],
                env=self._environ(line),
                cwd=self.servers.directory,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=CALL_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise LineFailed(f"{line.name}: the call did not end in {CALL_SECONDS:,} s.") from None
        if done.returncode != 0:
            raise LineFailed(f"{line.name}: the call failed (status {done.returncode}).\n{done.stderr[-2_000:]}")
        return Sample(**json.loads(done.stdout))

    def _environ(self, line: Line) -> dict[str, str]:
        servers = self.servers
        to: dict[str, str] = {
            SINK: servers.front.environ(),
            SINK_TLS: servers.front.environ(tls=True),
            STAND_IN: {"AWS_ENDPOINT_URL": servers.stand_in},
            DYNAMODB_LOCAL: {"AWS_ENDPOINT_URL": servers.dynamodb_local or ""},
            SCANNED: servers.scanned.environ() if servers.scanned else {},
        }.get(line.to, {})
        environ = servers.environ(**to)
        environ.pop("PG2DYNAMO_NATIVE", None)
        return environ | ({"PG2DYNAMO_NATIVE": "0"} if line.native is False else {})


def rows_of(line: Line, asked_rows: int, servers: Servers) -> int:
    """Return how many rows one call of the line does."""
    return servers.rows[line.table] if line.share is None else max(25, round(asked_rows * line.share))


def _arguments(line: Line, rows: int) -> dict[str, Any]:
    if line.workers is None:
        return {"table": line.table, "rows": rows}
    # A migration of its own each time: an earlier one's journal would spare this one its work.
    name = f"bench-{uuid.uuid4().hex[:12]}"
    target = name if line.call == FRESH_TARGET else ""
    arguments = {"plan": plan_text(name, line.table, target), "processes": line.workers, "rows": rows}
    return arguments | ({"native": True} if line.native else {})


def lacking(lines: Sequence[Line], servers: Servers, say: Say) -> tuple[Path | None, dict[str, str]]:
    """Return the interpreter for awswrangler, and why lines cannot be measured here, by their names."""
    python, no_wrangler = wrangler_python(say) if any(line.wrangler for line in lines) else (None, "")
    native = importlib.util.find_spec(NATIVE_MODULE) is not None
    reasons: dict[str, str] = {}
    for line in lines:
        if line.native and not native:
            reasons[line.name] = NO_NATIVE
        elif line.wrangler and python is None:
            reasons[line.name] = no_wrangler
        elif line.to == DYNAMODB_LOCAL and servers.dynamodb_local is None:
            reasons[line.name] = servers.lacking["DynamoDB Local"]
    return python, reasons


def measure_lines(lines: Sequence[Line], asked_rows: int, runs: int, servers: Servers, say: Say) -> dict[str, Result]:
    """Measure each line `runs` times, interleaved, and return the medians. Raises LineFailed."""
    python, reasons = lacking(lines, servers, say)
    bench = Bench(servers, python)
    able = [line for line in lines if line.name not in reasons]
    samples: dict[str, list[Sample]] = {line.name: [] for line in able}
    for number, line in _interleaved(able, runs):
        sample = bench.sample(line, asked_rows)
        samples[line.name].append(sample)
        say(f"round {number} of {runs}  {line.name:52} {sample.rows / sample.seconds:10,.0f} rows/s")
    return {
        line.name: result_of(line, samples[line.name])
        if line.name in samples
        else Result(line, rows_of(line, asked_rows, servers), lacking=reasons[line.name])
        for line in lines
    }


def _interleaved(lines: list[Line], runs: int) -> Iterator[tuple[int, Line]]:
    """Yield each line once a round, each round beginning with another, so that no line always follows the same one."""
    for number in range(1, runs + 1):
        start = (number - 1) * 3 % max(1, len(lines))
        yield from ((number, line) for line in (*lines[start:], *lines[:start]))
