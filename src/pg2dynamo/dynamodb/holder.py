"""Who holds a lease: a process of a machine, named so that another process can tell whether it still lives.

A process id alone proves nothing: it is used again, and means another process in another container. It counts
only together with the kernel's boot, the namespace of process ids, and the moment at which the process began.
"""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_STATE, _STARTED = 0, 19
"""Where proc(5) has state and start time in /proc/PID/stat, counted from behind the name in parentheses."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A process. `machine` is empty where the system does not tell; then nobody can see whether it lives."""

    host: str
    machine: str
    process: int
    started: str


def this_process() -> Holder:
    """Return the holder that this process is."""
    process = os.getpid()
    return Holder(socket.gethostname(), _machine(), process, _start(process) or "")


def has_died(holder: Holder) -> bool:
    """Return whether the holder is known to be dead: only ever true for a process of this machine."""
    return is_local(holder) and _start(holder.process) != holder.started


def is_local(holder: Holder) -> bool:
    """Return whether the holder's process id means what it means here."""
    return holder.machine != "" and holder.machine == _machine()


def clock_seconds() -> float:
    """Return seconds since the machine's start, of a clock that all processes share and that runs in suspension."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


def _machine() -> str:
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {(_PROC / 'self/ns/pid').readlink()}"
    except OSError:
        return ""


def _start(process: int) -> str | None:
    """Return when a process began, in the kernel's ticks; None when it is gone or only waits to be reaped."""
    try:
        fields = (_PROC / str(process) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[_STATE] in "ZX" else fields[_STARTED]
