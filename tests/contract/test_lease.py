"""One runner at a time, proved with processes that compete, are killed and are stopped."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ConnectionClosedError

from pg2dynamo.dynamodb import records
from pg2dynamo.dynamodb.client import dynamodb_client
from pg2dynamo.dynamodb.holder import Holder, clock_seconds
from pg2dynamo.dynamodb.journal import Journal
from pg2dynamo.dynamodb.lease import Lease
from pg2dynamo.dynamodb.lease_record import ENTRY, LeaseRecord, lease_values
from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.dynamodb.takeover import LeaseTimes
from pg2dynamo.errors import RunnerActive, StageError
from pg2dynamo.local.process import free_port
from tests.contract.lease_holder import SEGMENT

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

QUICK: dict[str, Any] = {"request_timeout_seconds": 0.5, "heartbeat_seconds": 0.2, "expiry_seconds": 2.0}
PATIENT: dict[str, Any] = {"request_timeout_seconds": 1.0, "heartbeat_seconds": 5.0, "expiry_seconds": 600.0}
DEADLINE_SECONDS = 60.0


@pytest.fixture
def client(aws_environ: dict[str, str]) -> DynamoDBClient:
    return dynamodb_client(TargetSettings())


@pytest.fixture
def journal(client: DynamoDBClient, unique: str) -> Journal:
    journal = Journal(client, f"control-{unique}", "m")
    journal.ensure_table()
    return journal


class Process:
    """Another process that asks for the lease."""

    def __init__(self, journal: Journal, times: dict[str, Any]) -> None:
        arguments = json.dumps({"table": journal.control_table, **times})
        self.child = subprocess.Popen(
            [sys.executable, "-m", "tests.contract.lease_holder", arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def line(self) -> str:
        assert self.child.stdout is not None
        return self.child.stdout.readline().strip()

    def tell(self, word: str) -> str:
        assert self.child.stdin is not None
        self.child.stdin.write(f"{word}\n")
        self.child.stdin.flush()
        return self.line()


@contextmanager
def process(journal: Journal, times: dict[str, Any]) -> Iterator[Process]:
    started = Process(journal, times)
    with started.child:
        try:
            yield started
        finally:
            started.child.send_signal(signal.SIGCONT)
            started.child.kill()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def holder_elsewhere(**changes: Any) -> LeaseRecord:
    """A lease held by a process of another machine, renewed just now."""
    record = LeaseRecord(
        epoch=7,
        token="elsewhere",
        command="copy",
        held=True,
        holder=Holder("elsewhere", "another boot", 1, "1"),
        beat=1,
        renewed_at=datetime.now(UTC).isoformat(),
        renewed_clock=clock_seconds(),
        expiry_seconds=30.0,
        request_seconds=1.0,
    )
    return replace(record, **changes)


def store(journal: Journal, record: LeaseRecord) -> None:
    item = records.to_item(journal.migration, ENTRY, lease_values(record))
    journal.client.put_item(TableName=journal.control_table, Item=item)


def test_of_two_processes_that_compete_one_wins(journal: Journal) -> None:
    with process(journal, PATIENT) as one, process(journal, PATIENT) as other:
        assert sorted([one.line(), other.line()]) == ["held 1", "refused"]


def test_a_second_runner_is_told_who_works(journal: Journal) -> None:
    with process(journal, PATIENT) as other:
        assert other.line() == "held 1"
        with pytest.raises(RunnerActive, match=f"`copy`, process {other.child.pid} on "), journal.lease(**PATIENT):
            pass


def test_two_migrations_of_one_control_table_do_not_wait_for_each_other(journal: Journal) -> None:
    other = Journal(journal.client, journal.control_table, "m2")
    with journal.lease(**PATIENT), other.lease(**PATIENT) as lease:
        lease.check()


def test_a_lease_given_back_is_had_at_once_with_the_next_epoch(journal: Journal) -> None:
    epochs = []
    for _ in range(3):
        with journal.lease(**PATIENT, say=pytest.fail) as lease:
            epochs.append(lease.epoch)
    assert epochs == [1, 2, 3]
    record = journal.holder()
    assert record is not None
    assert not record.held


def test_a_run_that_failed_gives_its_lease_back_but_its_requests_are_waited_for(journal: Journal) -> None:
    told: list[str] = []
    with pytest.raises(KeyError), journal.lease(**PATIENT):
        raise KeyError
    failed = time.monotonic()
    with journal.lease(**PATIENT, say=told.append):
        assert time.monotonic() - failed > PATIENT["request_timeout_seconds"] * 0.9
    assert len(told) == 1


def test_a_holder_is_given_its_own_time_however_impatient_the_newcomer(journal: Journal) -> None:
    silent = (datetime.now(UTC) - timedelta(seconds=20)).isoformat()
    store(journal, holder_elsewhere(renewed_at=silent))
    with pytest.raises(RunnerActive), journal.lease(**QUICK):
        pass


def test_a_killed_holder_is_taken_over_once_its_last_request_has_landed(journal: Journal) -> None:
    with process(journal, PATIENT) as other:
        assert other.line() == "held 1"
        other.child.kill()
        other.child.wait()
        seen_dead = time.monotonic()
        with journal.lease(**PATIENT) as lease:
            waited = time.monotonic() - seen_dead
            assert lease.epoch == 2
    assert PATIENT["request_timeout_seconds"] <= waited < PATIENT["expiry_seconds"] / 10


def test_a_holder_renews_its_lease_while_it_works(journal: Journal) -> None:
    with journal.lease(**QUICK) as lease:
        until(lambda: (record := journal.holder()) is not None and record.beat >= 3)
        lease.check()
        assert not lease.lost


def take_when_free(journal: Journal, times: dict[str, Any]) -> Lease:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        try:
            return journal.lease(**times).__enter__()
        except RunnerActive:
            assert time.monotonic() < deadline


def test_a_stopped_holder_is_taken_over_and_notices_when_it_goes_on(journal: Journal) -> None:
    with process(journal, QUICK) as other:
        assert other.line() == "held 1"
        assert other.tell("check") == "done"
        other.child.send_signal(signal.SIGSTOP)
        lease = take_when_free(journal, PATIENT)
        try:
            assert lease.epoch == 2
            other.child.send_signal(signal.SIGCONT)
            assert other.tell("check") == "lost"
            assert other.tell("journal") == "lost"
            assert journal.segments("public.a") == []
            lease.check()
        finally:
            lease.__exit__(None, None, None)


def test_a_holder_that_was_stopped_but_not_taken_over_goes_on(journal: Journal) -> None:
    with process(journal, QUICK) as other:
        assert other.line() == "held 1"
        other.child.send_signal(signal.SIGSTOP)
        stopped = time.monotonic()
        until(lambda: time.monotonic() - stopped > QUICK["expiry_seconds"] * 1.1)
        other.child.send_signal(signal.SIGCONT)
        assert other.tell("check") == "done"
        assert other.tell("journal") == "done"


def test_a_holder_that_does_not_know_of_its_loss_yet_cannot_write_to_the_journal(journal: Journal) -> None:
    lost = threading.Event()
    with journal.lease(**PATIENT, on_lost=lost.set) as lease:
        journal.put_segment("public.a", SEGMENT)
        store(journal, holder_elsewhere())
        lease.check()
        with pytest.raises(StageError, match="lost its lease"):
            journal.put_segment("public.a", replace(SEGMENT, rows=2))
        assert lost.is_set()
        with pytest.raises(StageError, match="lost its lease"):
            lease.check()
    assert journal.segments("public.a") == [SEGMENT]
    record = journal.holder()
    assert record is not None
    assert record.token == "elsewhere"


def test_renewals_and_journal_writes_at_the_same_moment_do_not_fail_each_other(journal: Journal) -> None:
    with journal.lease(request_timeout_seconds=5.0, heartbeat_seconds=0.01, expiry_seconds=30.0) as lease:
        for number in range(60):
            journal.put_segment("public.a", replace(SEGMENT, number=number))
        lease.check()
    assert len(journal.segments("public.a")) == 60


def test_a_holder_that_cannot_renew_stops_before_its_lease_expires(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"http://127.0.0.1:{free_port()}")
    cut_off = dynamodb_client(TargetSettings(request_timeout_seconds=0.2), attempts=1)
    lost = threading.Event()
    times = LeaseTimes(request=0.5, heartbeat=0.2, expiry=1.5)
    with Lease(
        journal.client, cut_off, journal.control_table, journal.migration, "copy", times, on_lost=lost.set
    ) as lease:
        taken = time.monotonic()
        lease.check()
        assert lost.wait(DEADLINE_SECONDS)
        assert time.monotonic() - taken < DEADLINE_SECONDS / 2
        with pytest.raises(StageError, match="could not renew it in time"):
            lease.check()


def test_a_lost_answer_to_the_taking_of_a_lease_is_no_loss_of_it(journal: Journal) -> None:
    client: Any = journal.client
    lost_answers: list[int] = []

    def send_and_lose_the_answer(request: Any, **_: Any) -> None:
        if not lost_answers:
            lost_answers.append(client._endpoint.http_session.send(request).status_code)
            raise ConnectionClosedError(endpoint_url=request.url)

    client.meta.events.register("before-send.dynamodb.PutItem", send_and_lose_the_answer)
    with journal.lease(**PATIENT) as lease:
        assert lost_answers == [200]
        assert lease.epoch == 1
        lease.check()


def test_a_holder_elsewhere_that_was_just_heard_of_is_not_disturbed(journal: Journal) -> None:
    store(journal, holder_elsewhere())
    with pytest.raises(RunnerActive, match="on elsewhere"), journal.lease(**PATIENT):
        pass


def test_a_holder_elsewhere_whose_clock_is_wrong_is_watched_and_spared_when_it_lives(journal: Journal) -> None:
    wrong = (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
    store(journal, holder_elsewhere(renewed_at=wrong))
    watching = threading.Event()

    def renew() -> None:
        watching.wait()
        store(journal, holder_elsewhere(renewed_at=wrong, beat=2))

    renewal = threading.Thread(target=renew)
    renewal.start()
    with (
        pytest.raises(RunnerActive, match="on elsewhere"),
        journal.lease(**PATIENT, say=lambda _: watching.set()),
    ):
        pass
    renewal.join()


def test_a_holder_elsewhere_that_stays_silent_while_watched_is_taken_over(journal: Journal) -> None:
    wrong = (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
    store(journal, holder_elsewhere(renewed_at=wrong, expiry_seconds=1.5, request_seconds=1.0))
    began = time.monotonic()
    with journal.lease(**PATIENT) as lease:
        assert time.monotonic() - began >= 2.5
        assert lease.epoch == 8


def test_a_holder_elsewhere_that_is_silent_since_long_is_taken_over_at_once(journal: Journal) -> None:
    store(journal, holder_elsewhere(renewed_at=(datetime.now(UTC) - timedelta(hours=1)).isoformat()))
    with journal.lease(**PATIENT, say=pytest.fail) as lease:
        assert lease.epoch == 8
