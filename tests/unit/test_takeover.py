"""When a lease may be taken: the rules at their edges."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pg2dynamo.dynamodb.holder import Holder, has_died, is_local, this_process
from pg2dynamo.dynamodb.lease_record import LeaseRecord, lease_from, lease_values
from pg2dynamo.dynamodb.takeover import CLOCK_SKEW_SECONDS, LeaseTimes, Sight, decide

TIMES = LeaseTimes(request=10.0, heartbeat=5.0, expiry=30.0)
NOON = datetime(2024, 1, 2, 12, tzinfo=UTC)
RENEWED = 1000.0
HELD = LeaseRecord(
    epoch=3,
    token="t",
    command="copy",
    held=True,
    holder=Holder("h", "boot pid", 17, "123"),
    beat=8,
    renewed_at=NOON.isoformat(),
    renewed_clock=RENEWED,
    expiry_seconds=30.0,
    request_seconds=10.0,
)


def sight(
    *, local: bool = False, dead: bool = False, age: float = 0.0, silent: float = 0.0, watched: float = 0.0
) -> Sight:
    """What is seen `age` seconds later by the wall, `silent` by the machine's clock, after `watched` of watching."""
    clock = RENEWED + silent
    return Sight(NOON + timedelta(seconds=age), clock, local, dead, clock - watched)


def test_a_lease_that_nobody_ever_had_is_free() -> None:
    assert decide(None, sight()) == 0


def test_a_lease_given_back_is_free_at_once() -> None:
    assert decide(replace(HELD, held=False), sight()) == 0


def test_a_lease_given_back_by_a_run_that_failed_is_free_when_its_requests_can_no_longer_land() -> None:
    released = replace(HELD, held=False, settle_seconds=10.0)
    assert decide(released, sight(local=True, silent=4)) == 6
    assert decide(released, sight(local=True, silent=10)) == 0
    assert decide(released, sight(silent=4, age=600, watched=4)) == 6
    assert decide(released, sight(silent=4, age=CLOCK_SKEW_SECONDS + 11)) == 0


@pytest.mark.parametrize("age", [0, 29.9, -29.9])
def test_a_holder_elsewhere_that_was_just_heard_of_keeps_it(age: float) -> None:
    assert decide(HELD, sight(age=age)) is None


@pytest.mark.parametrize("age", [30, -30, -7200, CLOCK_SKEW_SECONDS])
def test_a_silent_holder_elsewhere_is_watched_because_clocks_differ(age: float) -> None:
    assert decide(HELD, sight(age=age)) == 40
    assert decide(HELD, sight(age=age, watched=39)) == 1
    assert decide(HELD, sight(age=age, watched=40)) == 0


def test_a_holder_elsewhere_silent_for_longer_than_clocks_may_differ_is_taken_over_at_once() -> None:
    assert decide(HELD, sight(age=CLOCK_SKEW_SECONDS + 40)) == 40
    assert decide(HELD, sight(age=CLOCK_SKEW_SECONDS + 40.1)) == 0


def test_a_live_holder_here_keeps_it_until_it_expires_and_its_requests_have_landed() -> None:
    assert decide(HELD, sight(local=True, silent=29.9)) is None
    assert decide(HELD, sight(local=True, silent=30)) == 10
    assert decide(HELD, sight(local=True, silent=40)) == 0


def test_a_dead_holder_here_is_waited_for_only_until_its_last_request_has_landed() -> None:
    assert decide(HELD, sight(local=True, dead=True, silent=3)) == 10
    assert decide(HELD, sight(local=True, dead=True, silent=7, watched=4)) == 6
    assert decide(HELD, sight(local=True, dead=True, silent=13, watched=10)) == 0
    assert decide(HELD, sight(local=True, dead=True, silent=35)) == 5
    assert decide(HELD, sight(local=True, dead=True, silent=40)) == 0


def test_a_holder_stops_itself_before_anyone_may_take_over() -> None:
    assert TIMES.holder_stops < TIMES.expiry


def test_this_process_lives_and_one_of_its_number_that_began_at_another_time_is_dead() -> None:
    here = this_process()
    assert here.process == os.getpid()
    assert is_local(here)
    assert not has_died(here)
    assert has_died(replace(here, started="1"))


def test_a_process_of_another_machine_or_container_is_never_known_to_be_dead() -> None:
    here = this_process()
    for machine in ("", "another-boot pid:[1]", here.machine + "1"):
        assert not has_died(replace(here, machine=machine, started="1"))


def test_a_killed_process_is_dead_even_before_its_parent_has_taken_note() -> None:
    child = subprocess.Popen([sys.executable, "-c", "print(1, flush=True); input()"], stdin=-1, stdout=-1)
    with child:
        assert child.stdout is not None
        child.stdout.readline()
        started = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[19]
        holder = replace(this_process(), process=child.pid, started=started)
        assert not has_died(holder)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert has_died(holder)
    assert has_died(holder)


def test_the_lease_comes_back_equal_from_its_entry() -> None:
    record = replace(HELD, renewed_clock=1234.000000001, settle_seconds=0.1, held=False)
    assert lease_from(lease_values(record)) == record
