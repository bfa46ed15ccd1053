"""Rates: so many at once, so many a second after that, each caller for itself, in bounded memory."""

from __future__ import annotations

from onboarding.api.rates import TokenBuckets
from onboarding.api.settings import Rate


class Seconds:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def buckets(seconds: Seconds, rate: Rate, remembered: int = 10) -> TokenBuckets:
    return TokenBuckets(rate, monotonic_seconds=seconds, remembered=remembered)


def test_a_caller_may_make_its_burst_at_once_and_then_as_many_as_time_gives() -> None:
    seconds = Seconds()
    limited = buckets(seconds, Rate(per_second=2, burst=3))
    assert [limited.wait_seconds("a") for _ in range(4)] == [0, 0, 0, 1]
    seconds.now += 0.5
    assert [limited.wait_seconds("a") for _ in range(2)] == [0, 1]
    seconds.now += 1_000
    assert [limited.wait_seconds("a") for _ in range(4)] == [0, 0, 0, 1]


def test_a_refused_caller_is_told_when_it_will_be_let_in() -> None:
    seconds = Seconds()
    limited = buckets(seconds, Rate(per_second=0.1, burst=1))
    assert limited.wait_seconds("a") == 0
    wait = limited.wait_seconds("a")
    assert wait == 10
    seconds.now += wait
    assert limited.wait_seconds("a") == 0


def test_callers_do_not_use_up_each_others_rate() -> None:
    limited = buckets(Seconds(), Rate(per_second=1, burst=1))
    assert [limited.wait_seconds(caller) for caller in ("a", "b", "a")] == [0, 0, 1]


def test_no_more_callers_are_remembered_than_said_and_those_that_asked_last_are() -> None:
    limited = buckets(Seconds(), Rate(per_second=1, burst=1), remembered=3)
    for number in range(100):
        assert limited.wait_seconds(number) == 0
    assert len(limited) == 3
    assert [limited.wait_seconds(number) for number in (99, 98, 97)] == [1, 1, 1]
