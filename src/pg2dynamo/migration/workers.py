"""Processes that work on segments: tasks out, results and progress back, nothing lost when one dies.

Owns how a call on plain values reaches another process; knows nothing of what the call does. Each worker has a
socket of its own, so that a worker killed at any moment can block no other, and a pipe whose end only the
parent holds: when the parent is gone, however it went, the worker exits at once and writes nothing more.
Workers are fresh interpreters: a caller's script needs no `if __name__ == "__main__"`.
"""

from __future__ import annotations

import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias, TypeVar

from pg2dynamo.errors import Pg2DynamoError

T = TypeVar("T")
R = TypeVar("R")
Report: TypeAlias = Callable[[Any], None]

END_SECONDS = 2.0
"""How long an idle worker has to end by itself before it is killed."""

_BOOTSTRAP = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from pg2dynamo.migration import workers; workers.serve(int(sys.argv[2]), int(sys.argv[3]))"  # noqa: E501


class WorkerDied(Pg2DynamoError):
    """A worker process ended before its task was done: see whether memory ran out, and run the command again."""


class WorkerFailed(Pg2DynamoError):
    """A task failed in a way that pg2dynamo does not know: report it with the place that the message names."""


@dataclass(slots=True)
class _Worker:
    process: subprocess.Popen[bytes]
    connection: Connection


class Workers:
    """Run calls in `processes` processes that have `environ` as their environment; a context manager.

    With `processes=0` calls run in this process, one after the other. Workers are started when first needed,
    kept between runs, so that what a call caches in its process stays, and ended when the context is left.
    """

    def __init__(self, processes: int, environ: Mapping[str, str]) -> None:
        self._processes = processes
        self._environ = dict(environ)
        self._workers: list[_Worker] = []
        self._lifeline: tuple[int, int] | None = None

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(at_once=kind is not None)

    def run(
        self,
        call: Callable[[T, Report], R],
        tasks: Iterable[T],
        on_progress: Callable[[Any], None] = lambda _: None,
    ) -> Iterator[tuple[T, R]]:
        """Yield each task with what `call(task, report)` returned, in order of completion.

        `call` is a function of an importable module; tasks and results are plain picklable values. A task is
        drawn only when a worker is free for it. What `call` gives to `report`, from its own thread, reaches
        `on_progress` in this one. The first exception ends the other workers and is raised here: errors of
        pg2dynamo as they are, others as WorkerFailed without their text, which may hold values. Raises
        WorkerDied when a worker ends before its task is done; leaving the iterator early ends the workers too.
        """
        if self._processes == 0:
            yield from self._run_here(call, tasks, on_progress)
            return
        finished = False
        try:
            yield from self._run_outside(call, iter(tasks), on_progress)
            finished = True
        finally:
            if not finished:
                self._end(at_once=True)

    def _run_here(
        self, call: Callable[[T, Report], R], tasks: Iterable[T], on_progress: Callable[[Any], None]
    ) -> Iterator[tuple[T, R]]:
        for task in tasks:
            with _environment(self._environ):
                result = call(task, on_progress)
            yield task, result

    def _run_outside(
        self, call: Callable[[T, Report], R], tasks: Iterator[T], on_progress: Callable[[Any], None]
    ) -> Iterator[tuple[T, R]]:
        busy: dict[Connection, tuple[_Worker, T]] = {}
        idle = list(self._workers)
        waiting: list[tuple[T, R]] = []
        while True:
            while len(busy) < self._processes and (drawn := next(((task,) for task in tasks), None)):
                worker = idle.pop() if idle else self._start()
                _send(worker, (call, drawn[0]))
                busy[worker.connection] = (worker, drawn[0])
            if not busy and not waiting:
                return
            done, waiting = waiting, []
            yield from done
            for connection in wait(list(busy)) if busy else ():
                worker, task = busy[connection]  # type: ignore[index]
                kind, value = _receive(worker)
                if kind == "progress":
                    on_progress(value)
                elif kind == "failed":
                    raise value
                else:
                    del busy[worker.connection]
                    idle.append(worker)
                    waiting.append((task, value))

    def _start(self) -> _Worker:
        if self._lifeline is None:
            self._lifeline = os.pipe()
        ours, theirs = socket.socketpair()
        arguments = (json.dumps(sys.path), str(theirs.fileno()), str(self._lifeline[0]))
        with theirs, _interrupt_blocked():
            process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-c", _BOOTSTRAP, *arguments],
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), self._lifeline[0]),
            )
            worker = _Worker(process, Connection(ours.detach()))
            self._workers.append(worker)
        return worker

    def _end(self, *, at_once: bool) -> None:
        """End every worker and wait for it; idle ones end by themselves, `at_once` kills."""
        workers, self._workers = self._workers, []
        for worker in workers:
            if at_once:
                worker.process.kill()
            worker.connection.close()
        for worker in workers:
            try:
                worker.process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
        if self._lifeline is not None:
            for end in self._lifeline:
                os.close(end)
            self._lifeline = None


def _send(worker: _Worker, message: Any) -> None:
    try:
        worker.connection.send(message)
    except OSError:
        raise _death(worker) from None


def _receive(worker: _Worker) -> tuple[str, Any]:
    try:
        message: tuple[str, Any] = worker.connection.recv()
    except (EOFError, OSError):
        raise _death(worker) from None
    return message


def _death(worker: _Worker) -> WorkerDied:
    try:
        code = worker.process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        return WorkerDied(f"The worker process {worker.process.pid} closed its connection.")
    how = f"was ended by signal {-code}" if code < 0 else f"exited with status {code}"
    return WorkerDied(
        f"The worker process {worker.process.pid} {how} before its task was done.",
        remedy="See whether memory ran out, and run the command again.",
    )


@contextmanager
def _interrupt_blocked() -> Iterator[None]:
    """Start a child with SIGINT blocked: it unblocks when it ignores it, so Ctrl-C never meets it unready."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _environment(environ: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    if before == environ:
        yield
        return
    _replace_environment(environ)
    try:
        yield
    finally:
        _replace_environment(before)


def _replace_environment(environ: Mapping[str, str]) -> None:
    for name in set(os.environ) - set(environ):
        del os.environ[name]
    os.environ.update(environ)


def serve(connection_fd: int, lifeline_fd: int) -> None:
    """Work off the tasks that come over the socket until it closes: the main function of a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    for fd in (connection_fd, lifeline_fd):
        os.set_inheritable(fd, False)
    threading.Thread(target=_exit_with_parent, args=(lifeline_fd,), daemon=True).start()
    connection = Connection(connection_fd)
    try:
        while True:
            message = connection.recv_bytes()
            connection.send(_outcome(message, connection))
    except (EOFError, OSError):
        return


def _exit_with_parent(lifeline_fd: int) -> None:
    os.read(lifeline_fd, 1)
    os._exit(1)


def _outcome(message: bytes, connection: Connection) -> tuple[str, Any]:
    """Do the task of `message`, and return the message that tells what came of it."""
    try:
        call, task = pickle.loads(message)  # noqa: S301 - from our own parent
        return "done", call(task, lambda value: connection.send(("progress", value)))
    except Pg2DynamoError as error:
        return "failed", error
    except Exception as error:  # noqa: BLE001 - the process's boundary: the parent raises what went wrong
        return "failed", WorkerFailed(_place(error))


def _place(error: Exception) -> str:
    """Say what failed and where, without the error's text: it may hold a value."""
    frames = traceback.extract_tb(error.__traceback__)
    where = " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in reversed(frames[1:]))
    return f"{type(error).__name__} at {where}."
