"""A budget of write units per second: shared by processes, exact, and none the worse for a process that is killed."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pg2dynamo.dynamodb import budget as module
from pg2dynamo.dynamodb.budget import WriteBudget
from pg2dynamo.errors import StageError
from tests.clock import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(module, "time", found)
    return found


@pytest.fixture
def budget(tmp_path: Path, clock: Clock) -> Iterator[WriteBudget]:
    with WriteBudget.create(tmp_path / "budget", 100) as made:
        yield made


def test_one_second_of_units_may_be_used_at_once(budget: WriteBudget) -> None:
    assert budget.take(60) == 0.0
    assert budget.take(40) == 0.0
    assert budget.take(1) == pytest.approx(0.01)


def test_whoever_comes_later_waits_for_all_that_were_reserved_before(budget: WriteBudget) -> None:
    assert [budget.take(100) for _ in range(4)] == pytest.approx([0.0, 1.0, 2.0, 3.0])


def test_more_than_the_bucket_holds_can_be_reserved_and_is_waited_for(budget: WriteBudget) -> None:
    assert budget.take(1000) == pytest.approx(9.0)


def test_a_pause_saves_up_no_more_than_a_second_of_units(budget: WriteBudget, clock: Clock) -> None:
    budget.take(100)
    clock.now += 3600

    assert budget.take(100) == 0.0
    assert budget.take(50) == pytest.approx(0.5)


def test_units_come_back_with_time_at_the_rate(budget: WriteBudget, clock: Clock) -> None:
    budget.take(100)
    clock.now += 0.25

    assert budget.take(25) == pytest.approx(0.0)
    assert budget.take(1) == pytest.approx(0.01)


def test_what_was_used_beyond_the_reservation_is_waited_for_by_the_next(budget: WriteBudget) -> None:
    budget.take(100)
    budget.settle(50)

    assert budget.take(0) == pytest.approx(0.5)


def test_what_was_reserved_and_not_used_is_given_back(budget: WriteBudget) -> None:
    budget.take(100)
    budget.settle(-40)

    assert budget.take(40) == pytest.approx(0.0)
    assert budget.take(1) == pytest.approx(0.01)


def test_giving_back_fills_the_bucket_no_higher_than_a_second(budget: WriteBudget) -> None:
    budget.settle(-1_000_000)

    assert budget.take(100) == 0.0
    assert budget.take(10) == pytest.approx(0.1)


def test_whoever_opens_the_file_shares_the_budget_and_knows_its_rate(tmp_path: Path, budget: WriteBudget) -> None:
    with WriteBudget.open(tmp_path / "budget") as other:
        assert other.units_per_second == 100
        budget.take(100)
        assert other.take(10) == pytest.approx(0.1)
        assert budget.take(10) == pytest.approx(0.2)


def test_closing_one_of_two_leaves_the_other_at_work(tmp_path: Path, budget: WriteBudget) -> None:
    other = WriteBudget.open(tmp_path / "budget")
    other.close()
    other.close()

    assert budget.take(200) == pytest.approx(1.0)


def test_a_budget_is_made_once(tmp_path: Path, budget: WriteBudget) -> None:
    with pytest.raises(FileExistsError):
        WriteBudget.create(tmp_path / "budget", 5)
    assert budget.take(200) == pytest.approx(1.0)


@pytest.mark.parametrize("rate", [0, -1, float("inf"), float("nan")])
def test_a_budget_has_a_rate(tmp_path: Path, rate: float) -> None:
    with pytest.raises(ValueError, match="above zero"):
        WriteBudget.create(tmp_path / "budget", rate)


def test_a_file_that_is_gone_or_another_is_told_without_its_name(tmp_path: Path) -> None:
    path = tmp_path / "some-name"
    with pytest.raises(StageError, match="is gone") as gone:
        WriteBudget.open(path)
    assert "some-name" not in str(gone.value)

    for other in (b"", b"pg2dwu 1", b"something of another kind"):
        path.write_bytes(other)
        with pytest.raises(StageError, match="holds something else"):
            WriteBudget.open(path)


def test_the_file_is_for_its_owner_alone(tmp_path: Path, budget: WriteBudget) -> None:
    assert (tmp_path / "budget").stat().st_mode & 0o777 == 0o600


def paid_until(path: Path) -> float:
    return float(struct.unpack_from("=d", path.read_bytes(), 16)[0])


def reserved_in_all(path: Path, rate: float, before: float) -> float:
    """Return the units that have been reserved, by a budget too slow for any to come back."""
    return (paid_until(path) - before) * rate


TAKER = """
import sys
from pg2dynamo.dynamodb.budget import WriteBudget
budget = WriteBudget.open(sys.argv[1])
print("ready", flush=True)
for _ in range(int(sys.argv[2])):
    budget.take(1)
"""


def start_taker(path: Path, times: int) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", TAKER, str(path), str(times)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def end(process: subprocess.Popen[bytes]) -> None:
    process.wait(30)
    assert process.stdout is not None
    process.stdout.close()


def test_nothing_that_processes_take_at_the_same_time_is_lost(tmp_path: Path) -> None:
    path, rate, times = tmp_path / "budget", 0.5, 20_000
    with WriteBudget.create(path, rate) as budget:
        budget.take(1000)
        before = paid_until(path)
        takers = [start_taker(path, times) for _ in range(3)]
        for taker in takers:
            end(taker)

        assert reserved_in_all(path, rate, before) == pytest.approx(3 * times, abs=0.01)


def test_nothing_that_threads_take_at_the_same_time_is_lost(tmp_path: Path) -> None:
    path, rate = tmp_path / "budget", 0.5
    with WriteBudget.create(path, rate) as budget:
        budget.take(1000)
        before = paid_until(path)
        threads = [threading.Thread(target=lambda: [budget.take(1) for _ in range(3000)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert reserved_in_all(path, rate, before) == pytest.approx(4 * 3000, abs=0.01)


def test_a_process_killed_while_it_takes_leaves_the_budget_to_the_others(tmp_path: Path) -> None:
    path, rate = tmp_path / "budget", 0.5
    with WriteBudget.create(path, rate) as budget:
        budget.take(1000)
        before = paid_until(path)
        for _ in range(5):
            taker = start_taker(path, 100_000_000)
            os.kill(taker.pid, signal.SIGKILL)
            end(taker)
        after_kills = reserved_in_all(path, rate, before)
        budget.take(7)

        assert after_kills >= 0
        assert reserved_in_all(path, rate, before) == pytest.approx(after_kills + 7, abs=0.01)
