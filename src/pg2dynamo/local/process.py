"""Start, await and end server processes by their process id. Knows nothing of the servers themselves.

A server that is not kept gets a signal from the kernel when the *thread* that started it ends, even by SIGKILL: start
servers from a thread that lives as long as they are needed. All servers run in sessions of their own, so Ctrl-C in the
terminal does not reach them.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import random
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from pg2dynamo.errors import Pg2DynamoError

HOST = "127.0.0.1"
START_SECONDS = 60.0
STOP_SECONDS = 15.0
POLL_SECONDS = 0.05
LOG_TAIL_BYTES = 2_000
NOBODY = 65_534
PORTS = range(10_000, 32_000)
"""Below 32,768, where Linux begins to take ports for outgoing connections (net.ipv4.ip_local_port_range)."""
PORT_ATTEMPTS = 200

_CHILD = Path(__file__).with_name("child.py")


class LocalServerError(Pg2DynamoError):
    """A local server could not be started or stopped."""


@dataclass(frozen=True)
class ProcessIdentity:
    """One process, never another that got its id later: the id and the start time (clock ticks since boot)."""

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> ProcessIdentity:
        """Identify the running process `pid`. Raises ProcessLookupError when there is none."""
        started = _start_time(pid)
        if started is None:
            raise ProcessLookupError(pid)
        return cls(pid, started)

    def alive(self) -> bool:
        """Tell whether this very process still runs; a zombie does not."""
        return _start_time(self.pid) == self.started


@dataclass(frozen=True)
class ServerProcess:
    """A running server and the signal that ends it in good order."""

    identity: ProcessIdentity
    stop_signal: signal.Signals
    log: Path
    child: subprocess.Popen[bytes] | None = field(default=None, repr=False, compare=False)

    @property
    def pid(self) -> int:
        """The process id."""
        return self.identity.pid

    def alive(self) -> bool:
        """Tell whether the server still runs."""
        if self.child is not None:
            return self.child.poll() is None
        return self.identity.alive()

    def stop(self) -> None:
        """End the server and wait until it is gone; harmless when it is gone already."""
        end_process(self.identity, self.stop_signal)
        if self.child is not None:
            self.child.wait(STOP_SECONDS)

    def log_tail(self) -> str:
        """Return the end of what the server wrote."""
        return log_tail(self.log)


@dataclass(frozen=True)
class Account:
    """The operating-system user that a server runs as."""

    user: int
    group: int


def unprivileged_account() -> Account | None:
    """Return the account for servers that refuse root, or None when this process is not root and needs no other."""
    if os.geteuid() != 0:
        return None
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        return Account(NOBODY, NOBODY)
    return Account(nobody.pw_uid, nobody.pw_gid)


def reachable(path: Path) -> bool:
    """Tell whether every user may pass through `path` and all the folders above it."""
    path = path.resolve()
    return all(folder.stat().st_mode & 0o001 for folder in (path, *path.parents))


def make_directory(prefix: str) -> Path:
    """Create a new directory for servers, below one that an unprivileged server can reach; mode 0711."""
    for parent in dict.fromkeys((tempfile.gettempdir(), "/tmp", "/var/tmp")):  # noqa: S108 - mkdtemp makes it safe
        if os.geteuid() != 0 or (Path(parent).is_dir() and reachable(Path(parent))):
            directory = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
            directory.chmod(0o711)
            return directory
    raise LocalServerError(
        "No temporary directory that an unprivileged server can reach.", remedy="Set TMPDIR to one that all may enter."
    )


def make_folder(folder: Path) -> Path:
    """Create `folder` with mode 0711 whatever the umask, unless it is there; return it."""
    if not folder.is_dir():
        folder.mkdir(parents=True)
        folder.chmod(0o711)
    return folder


def remove_directory(directory: Path) -> None:
    """Remove a directory of stopped servers; what is gone already is no error."""
    shutil.rmtree(directory, ignore_errors=True)


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nothing listens on at this moment, and that no outgoing connection takes."""
    for port in random.sample(PORTS, PORT_ATTEMPTS):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            return port
    raise LocalServerError(f"No free port between {PORTS.start} and {PORTS.stop}.")


def plain_environment(home: Path) -> dict[str, str]:
    """Return the few variables that a server may know of the world: no proxies, no AWS or PostgreSQL settings."""
    kept = {name: os.environ[name] for name in ("PATH", "JAVA_HOME", "PYTHONPATH") if name in os.environ}
    return kept | {"HOME": str(home), "TMPDIR": str(home), "LC_ALL": "C", "TZ": "UTC"}


def start_process(
    program: Sequence[str | Path],
    directory: Path,
    *,
    log: Path,
    environ: Mapping[str, str],
    account: Account | None = None,
    stop_signal: signal.Signals = signal.SIGTERM,
    death_signal: signal.Signals = signal.SIGKILL,
    keep: bool = False,
) -> ServerProcess:
    """Start `program` in `directory`, its output appended to `log`.

    Unless `keep`, the kernel sends `death_signal` when the calling thread ends. A kept server belongs to process 1.
    """
    wish: dict[str, int | None] = {
        "user": account.user if account else None,
        "group": account.group if account else None,
        "dies_by": None if keep else int(death_signal),
        "parent": os.getpid(),
        "report": None,
    }
    spawn = partial(_spawn, list(map(str, program)), directory, log, environ)
    try:
        if keep:
            return ServerProcess(ProcessIdentity.of(_spawn_detached(spawn, wish)), stop_signal, log)
        child = spawn(wish)
        return ServerProcess(ProcessIdentity.of(child.pid), stop_signal, log, child)
    except (ValueError, ProcessLookupError):
        raise LocalServerError(f"{program[0]} ended at once. Its log ends: {log_tail(log)}") from None


def _spawn(
    program: list[str],
    directory: Path,
    log: Path,
    environ: Mapping[str, str],
    wish: Mapping[str, int | None],
) -> subprocess.Popen[bytes]:
    report = wish["report"]
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(_CHILD), json.dumps(wish), *program],
            cwd=directory,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=() if report is None else (report,),
        )


def _spawn_detached(
    spawn: Callable[[Mapping[str, int | None]], subprocess.Popen[bytes]], wish: dict[str, int | None]
) -> int:
    """Start a process that belongs to process 1; return the id that it reports."""
    read, write = os.pipe()
    with os.fdopen(read, "rb") as report:
        try:
            child = spawn(wish | {"report": write})
        finally:
            os.close(write)
        answer = report.read()
    child.wait(START_SECONDS)
    return int(answer)


def await_ready(server: ServerProcess, name: str, answers: Callable[[], bool], seconds: float = START_SECONDS) -> None:
    """Ask the server until it answers. Raises LocalServerError with the end of its log when it ends or is too slow."""
    deadline = time.monotonic() + seconds
    while not answers():
        if not server.alive():
            raise LocalServerError(f"{name} ended while starting. Its log ends: {server.log_tail()}")
        if time.monotonic() > deadline:
            server.stop()
            raise LocalServerError(f"{name} did not answer in {seconds:.0f} s. Its log ends: {server.log_tail()}")
        time.sleep(POLL_SECONDS)
    if not server.alive():
        raise LocalServerError(f"Something else answers in the place of {name}. Its log ends: {server.log_tail()}")


def end_process(identity: ProcessIdentity, stop_signal: signal.Signals, seconds: float = STOP_SECONDS) -> bool:
    """End exactly this process: `stop_signal`, after `seconds` SIGKILL. Return whether it still ran."""
    try:
        handle = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return False
    try:
        # The handle is opened first and the start time read after it: both then speak of one process.
        if not identity.alive():
            return False
        for number in (stop_signal, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, number)
            if select.select([handle], [], [], seconds)[0]:
                return True
        raise LocalServerError(f"Process {identity.pid} does not end.")
    except PermissionError:
        raise LocalServerError(
            f"Process {identity.pid} belongs to another user.", remedy="Stop it as the user that started it."
        ) from None
    finally:
        os.close(handle)


def log_tail(log: Path) -> str:
    """Return the last lines of a log file, or a word that there is none."""
    try:
        return log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace").strip() or "(empty)"
    except OSError:
        return "(no log)"


def _start_time(pid: int) -> int | None:
    """Read field 22 of /proc/PID/stat (proc(5)); None when the process is gone or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name in parentheses may itself hold spaces and parentheses: count from the last one.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])
