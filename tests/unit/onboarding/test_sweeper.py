"""The sweeper: sweeps every so often and soon after a deletion, goes on while something is left, outlives errors."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest

from onboarding.api.sweeper import Sweeper
from onboarding.store.memory import MemoryStore
from onboarding.store.opening import utc_now

DEADLINE_SECONDS = 20


class Swept(MemoryStore):
    """A store that counts its sweeps, and has as much left as it is told."""

    def __init__(self) -> None:
        super().__init__(utc_now)
        self.left: list[int | Exception] = []
        self.sweeps = threading.Semaphore(0)

    def sweep(self, *, seconds: float = 10.0) -> int:
        self.sweeps.release()
        left = self.left.pop(0) if self.left else 0
        if isinstance(left, Exception):
            raise left
        return left

    def wait(self, sweeps: int) -> bool:
        """Whether so many sweeps come."""
        return all(self.sweeps.acquire(timeout=DEADLINE_SECONDS) for _ in range(sweeps))


@pytest.fixture
def store() -> Swept:
    """A store that counts its sweeps."""
    return Swept()


@pytest.fixture
def idle(store: Swept) -> Iterator[Sweeper]:
    """A sweeper that would wait for an hour."""
    sweeper = Sweeper(store, every_seconds=3600)
    sweeper.start()
    yield sweeper
    sweeper.stop()


def test_it_sweeps_every_so_often(store: Swept) -> None:
    sweeper = Sweeper(store, every_seconds=0.01)
    sweeper.start()
    assert store.wait(3)
    sweeper.stop()


def test_a_deletion_wakes_it_and_it_goes_on_until_nothing_is_left(store: Swept, idle: Sweeper) -> None:
    store.left = [2, 1, 0]
    idle.wake()
    assert store.wait(3)
    assert store.left == []


def test_an_error_does_not_end_it_and_tells_nothing_of_itself(
    store: Swept, idle: Sweeper, caplog: pytest.LogCaptureFixture
) -> None:
    store.left = [RuntimeError("password=secret")]
    with caplog.at_level(logging.DEBUG):
        idle.wake()
        assert store.wait(1)
        store.left = [0]
        idle.wake()
        assert store.wait(1)
    assert "RuntimeError" in caplog.text
    assert "secret" not in caplog.text


def test_stopped_it_is_gone_at_once_and_can_be_stopped_again(store: Swept) -> None:
    sweeper = Sweeper(store, every_seconds=3600)
    sweeper.start()
    sweeper.stop()
    sweeper.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "onboarding-sweeper"]
