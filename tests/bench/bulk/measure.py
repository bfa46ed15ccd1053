"""Make one call in a process of its own and print what it took: `python -m tests.bench.bulk.measure SPEC`.

What the call needs (imports, the plan) is made ready first and not measured. Imports nothing of pg2dynamo, so that the
interpreter may be one without it.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

NATIVE_MODULE = "pg2dynamo_native"
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")

Call = Callable[[], int]
"""Does the work and returns how many rows it has done; raises when it has not done all."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One call: CPU seconds of all our processes and of all processes of the server, and the largest of ours."""

    rows: int
    seconds: float
    client_cpu_s: float
    server_cpu_s: float
    peak_rss_mb: float


def measure(call: Call, postmaster: int) -> Sample:
    """Call, and return what it took; processes that it started must have been waited for when it returns."""
    server, client, began = server_cpu_seconds(postmaster), _client_cpu_seconds(), time.perf_counter()
    rows = call()
    seconds = time.perf_counter() - began
    client = _client_cpu_seconds() - client
    server = server_cpu_seconds(postmaster) - server
    return Sample(rows, seconds, client, server, _peak_rss_mb())


def _client_cpu_seconds() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _peak_rss_mb() -> float:
    """Return the peak of the largest of this process and those it has waited for (proc(5), getrusage(2))."""
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    own = int(found[1]) if found else 0
    return max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1024


def server_cpu_seconds(postmaster: int) -> float:
    """Return the CPU seconds of the server so far: the postmaster, its processes, and those that have ended.

    Exact to some ticks of 10 ms. A process that ends moves its time to the postmaster's account of ended ones: read
    again when that has changed meanwhile, so that nothing counts twice or not at all.
    """
    while True:
        own, ended = _ticks(postmaster)
        living = sum(_ticks(pid)[0] for pid in _children(postmaster))
        if _ticks(postmaster)[1] == ended:
            return (own + ended + living) / TICKS_PER_SECOND


def _ticks(pid: int) -> tuple[int, int]:
    """Return the ticks of a process and of its ended children, nothing when it is gone (proc(5): fields 14 to 17)."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])) if fields else (0, 0)


def _children(parent: int) -> list[int]:
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [pid for pid in pids if (fields := _stat(pid)) and int(fields[1]) == parent]


def _stat(pid: int) -> list[str]:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return []
    return stat.rpartition(")")[2].split()


def main() -> None:
    """Make the call of the specification: {"module", "call", "arguments", "postmaster"}."""
    spec: dict[str, Any] = json.loads(sys.argv[1])
    ready = getattr(importlib.import_module(f"tests.bench.bulk.{spec['module']}"), spec["call"])
    call: Call = ready(**spec["arguments"])
    sys.stdout.write(json.dumps(asdict(measure(call, spec["postmaster"]))))


if __name__ == "__main__":
    main()
