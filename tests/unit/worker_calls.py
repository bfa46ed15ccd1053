"""Calls for the tests of the process pool: in a module of their own, as workers import them by name."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from pg2dynamo.errors import SourceChanged, TargetThrottled
from pg2dynamo.migration.workers import Report, Workers

_seen_here = 0


def double(task: int, report: Report) -> int:
    report(("rows", task))
    return task * 2


def count_in_this_process(task: int, report: Report) -> tuple[int, int]:
    global _seen_here
    _seen_here += 1
    return os.getpid(), _seen_here


def environment(task: str, report: Report) -> tuple[int, str | None]:
    return os.getpid(), os.environ.get(task)


def raise_ours(task: int, report: Report) -> int:
    if task == 3:
        raise SourceChanged("The table public.t was rewritten.", remedy="Run again.")
    return task


def raise_foreign(task: int, report: Report) -> int:
    raise ValueError("hunter2")


def be_killed(task: int, report: Report) -> int:
    if task == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return task


def unpicklable(task: int, report: Report) -> Any:
    return lambda: task


def hang(task: str, report: Report) -> None:
    """Say who works here, then work until killed."""
    if task:
        with Path(task).open("a") as pids:
            pids.write(f"{os.getpid()}\n")
    report(os.getpid())
    while True:
        signal.pause()


def interrupt_me_then_answer(task: int, report: Report) -> str:
    os.kill(os.getpid(), signal.SIGINT)
    return "still here"


def raise_throttled(task: int, report: Report) -> int:
    raise TargetThrottled


def parent_of_two_hanging_workers(pids: str) -> None:
    """The main function of a parent process that a test kills or interrupts."""
    with Workers(2, os.environ) as workers:
        for _ in workers.run(hang, [pids, pids, pids], lambda pid: print(pid, flush=True)):
            pass
