"""Operations begin at the rate that was asked for, and stop when told to."""

from __future__ import annotations

import threading

import pytest

from onboarding.store.memory import MemoryStore
from onboarding.store.opening import utc_now
from onboarding.traffic import Target, TrafficOptions, TrafficProgress, run_traffic
from onboarding.traffic.pacing import Pacer, Watch
from onboarding.traffic.report import Times
from tests.unit.onboarding_traffic.stores import QuickWatch, run


def test_turns_come_at_the_rate_and_slow_answers_do_not_slow_them() -> None:
    watch = QuickWatch()
    pacer = Pacer(10, Watch(watch.now, watch.sleep))
    begun = []
    for number in range(30):
        pacer.wait()
        begun.append(watch.seconds)
        watch.sleep(0.35 if number == 10 else 0.0)
    assert begun[10] == pytest.approx(1.0)
    assert begun[11:14] == pytest.approx([1.35, 1.35, 1.35])
    assert begun[29] == pytest.approx(2.9)


def test_what_a_long_pause_missed_is_not_made_up_for() -> None:
    watch = QuickWatch()
    pacer = Pacer(10, Watch(watch.now, watch.sleep))
    pacer.wait()
    watch.sleep(1_000)
    at_once = 0
    while watch.seconds < 1_000.01:
        pacer.wait()
        at_once += 1
    assert at_once == pytest.approx(50, abs=2)


def test_a_run_takes_as_long_as_its_rate_says() -> None:
    watch = QuickWatch()
    report = run(MemoryStore(utc_now), operations=500, rate=50, workers=2, watch=Watch(watch.now, watch.sleep))
    assert watch.slept >= report.operations / 50 - 1


def test_a_run_of_a_time_ends_then_and_can_be_stopped_before() -> None:
    target, told = Target(MemoryStore(utc_now)), list[TrafficProgress]()
    report = run_traffic(lambda: target, TrafficOptions(label="a", seconds=0.3), told.append)
    assert 0.3 <= report.seconds < 10
    assert told[-1].operations == report.operations > 0
    stop = threading.Event()
    stop.set()
    stopped = run_traffic(lambda: target, TrafficOptions(label="b", seconds=600), stop=stop)
    assert stopped.left == ()
    assert stopped.seconds < 10


def test_percentiles_are_right_to_two_per_cent() -> None:
    times = Times()
    for number in range(1, 1_001):
        times.add(number / 1_000)
    for share in (0.5, 0.95, 0.99):
        assert times.percentile_seconds(share) == pytest.approx(share, rel=0.025)
    assert times.longest_seconds == 1.0
