"""The process pool: results, errors, deaths and Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pg2dynamo.errors import SourceChanged, TargetThrottled
from pg2dynamo.migration.workers import WorkerDied, WorkerFailed, Workers
from tests.unit import worker_calls as calls

DEADLINE_SECONDS = 20


def _await_end(pids: list[int]) -> None:
    """Return when none of the processes lives any more; they need not be our children."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            fd = os.pidfd_open(pid)
            try:
                assert select.select([fd], [], [], DEADLINE_SECONDS)[0], f"process {pid} still lives"
            finally:
                os.close(fd)


@pytest.mark.parametrize("processes", [0, 1, 2])
def test_every_task_comes_back_once_with_its_result_and_progress(processes: int) -> None:
    reported: list[object] = []
    with Workers(processes, os.environ) as workers:
        results = sorted(workers.run(calls.double, range(20), reported.append))
    assert results == [(n, 2 * n) for n in range(20)]
    assert sorted(reported) == [("rows", n) for n in range(20)]  # type: ignore[type-var]


def test_tasks_are_drawn_only_when_a_worker_is_free() -> None:
    drawn = []

    def tasks() -> Iterator[int]:
        for n in range(10):
            drawn.append(n)
            yield n

    with Workers(2, os.environ) as workers:
        next(workers.run(calls.double, tasks()))
        assert len(drawn) <= 4


def test_no_tasks_start_no_process() -> None:
    with Workers(2, os.environ) as workers:
        assert list(workers.run(calls.double, [])) == []
        assert workers._workers == []


def test_workers_and_what_they_cache_stay_between_runs() -> None:
    with Workers(1, os.environ) as workers:
        [(_, first)] = workers.run(calls.count_in_this_process, [1])
        [(_, second)] = workers.run(calls.count_in_this_process, [1])
    assert (first[0], first[1] + 1) == second


@pytest.mark.parametrize("processes", [0, 1])
def test_calls_see_the_given_environment_and_ours_stays(processes: int) -> None:
    with Workers(processes, {**os.environ, "ONLY_THERE": "yes"}) as workers:
        [(_, (pid, value))] = workers.run(calls.environment, ["ONLY_THERE"])
    assert value == "yes"
    assert (pid == os.getpid()) == (processes == 0)
    assert "ONLY_THERE" not in os.environ


@pytest.mark.parametrize("processes", [0, 2])
def test_our_errors_arrive_as_themselves_with_their_remedy(processes: int) -> None:
    with Workers(processes, os.environ) as workers, pytest.raises(SourceChanged) as caught:
        list(workers.run(calls.raise_ours, range(100)))
    assert str(caught.value) == "The table public.t was rewritten. Run again."


def test_an_error_without_message_keeps_its_docstring() -> None:
    with Workers(1, os.environ) as workers, pytest.raises(TargetThrottled) as caught:
        list(workers.run(calls.raise_throttled, [1]))
    assert str(caught.value) == str(TargetThrottled())


def test_a_foreign_error_arrives_without_its_text() -> None:
    with Workers(1, os.environ) as workers, pytest.raises(WorkerFailed) as caught:
        list(workers.run(calls.raise_foreign, [1]))
    assert "ValueError at worker_calls.py:" in str(caught.value)
    assert "hunter2" not in repr((caught.value, caught.value.__cause__, caught.value.__context__))


def test_a_killed_worker_raises_and_the_others_end() -> None:
    with Workers(2, os.environ) as workers:
        with pytest.raises(WorkerDied, match="signal 9"):
            list(workers.run(calls.be_killed, range(50)))
        assert workers._workers == []


def test_a_pool_works_again_after_a_failure() -> None:
    with Workers(2, os.environ) as workers:
        with pytest.raises(WorkerDied):
            list(workers.run(calls.be_killed, range(50)))
        assert sorted(workers.run(calls.double, [1, 2])) == [(1, 2), (2, 4)]


def test_a_worker_killed_while_idle_raises_on_the_next_run() -> None:
    with Workers(1, os.environ) as workers:
        list(workers.run(calls.double, [1]))
        workers._workers[0].process.kill()
        workers._workers[0].process.wait()
        with pytest.raises(WorkerDied):
            list(workers.run(calls.double, [1]))


def test_a_result_that_cannot_travel_raises() -> None:
    with Workers(1, os.environ) as workers, pytest.raises((WorkerDied, WorkerFailed)):
        list(workers.run(calls.unpicklable, [1]))


def test_leaving_a_run_early_ends_the_workers_that_still_work() -> None:
    pids: list[int] = []
    with Workers(2, os.environ) as workers:

        def interrupt(pid: int) -> None:
            pids.append(pid)
            if len(pids) == 2:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            list(workers.run(calls.hang, ["", ""], interrupt))
        _await_end(pids)


def test_workers_ignore_the_interrupt_that_the_terminal_sends_to_all() -> None:
    with Workers(1, os.environ) as workers:
        assert list(workers.run(calls.interrupt_me_then_answer, [1])) == [(1, "still here")]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_are_gone_when_the_parent_is(how: signal.Signals, tmp_path: Path) -> None:
    program = (
        f"from tests.unit import worker_calls; worker_calls.parent_of_two_hanging_workers({str(tmp_path / 'pids')!r})"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    pids = [int(parent.stdout.readline()), int(parent.stdout.readline())]
    parent.send_signal(how)
    _await_end(pids)
    parent.communicate(timeout=DEADLINE_SECONDS)
    assert sorted(int(line) for line in (tmp_path / "pids").read_text().split()) == sorted(pids), "a task was begun"
