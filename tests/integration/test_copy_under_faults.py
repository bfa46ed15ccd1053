"""A copy of a real database to a DynamoDB that misbehaves, over TLS: nothing is lost, what cannot be written is told.

The same path as every copy: whole batches of rows, encoded by the code of their table, sent and answered for.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pg2dynamo.dynamodb import retry
from pg2dynamo.migration.verify import verify
from pg2dynamo.plan.load import parse_plan
from tests.authority import make_authority
from tests.case import Case, make_case
from tests.conftest import Database
from tests.faulty_front import FaultyFront
from tests.scripted_endpoint import (
    Exchange,
    Hangup,
    Item,
    Step,
    answer,
    apply_then_drop,
    close_after,
    drop,
    error,
    raw,
    throttle,
    truncated,
    unprocessed,
    wrong_checksum,
)

PEOPLE, VISITS = 0, 1


def held_and_done_late(exchange: Exchange) -> None:
    """Give no answer; do it when the client has given up."""
    exchange.wait_until_closed()
    exchange.endpoint.execute(exchange)
    raise Hangup


def done_but_failed(exchange: Exchange) -> None:
    """Do it, and say that it failed."""
    exchange.endpoint.execute(exchange)
    exchange.fail(500, "InternalServerError")


FAULTS: dict[str, list[Step]] = {
    "throttles": [throttle, error(400, "RequestLimitExceeded"), answer(b"", 429)],
    "splits batches": [unprocessed(7), unprocessed(1), unprocessed(25)],
    "applies and then fails": [done_but_failed, apply_then_drop],
    "closes the connection": [drop, close_after, raw(b"HTTP/1.1 200 OK\r\ncontent-le")],
    "answers too late": [held_and_done_late],
    "answers garbage": [answer(b"<html>"), raw(b"\x16\x03\x01 nonsense"), truncated, wrong_checksum, answer(b"{}")],
}


@pytest.fixture
def front(any_aws_environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FaultyFront]:
    """A faulty DynamoDB before the stand-in, whose certificate the environment trusts."""
    authority = make_authority(tmp_path / "tls", "localhost")
    with FaultyFront(any_aws_environ["AWS_ENDPOINT_URL_DYNAMODB"], authority.server) as found:
        for name, value in (found.environ | {"AWS_CA_BUNDLE": str(authority.bundle)}).items():
            monkeypatch.setenv(name, value)
            any_aws_environ[name] = value
        yield found
    assert found.bad_signatures == 0


@pytest.fixture
def case(front: FaultyFront, any_database: Database, any_aws_environ: dict[str, str], unique: str) -> Case:
    """A filled source, and a target behind the front."""
    return make_case(any_database, any_aws_environ, unique)


def assert_equal(case: Case) -> None:
    assert verify(case.plan, case.environ, processes=0).equal


@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_is_lost_to_a_target_that(
    case: Case, front: FaultyFront, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(retry, "BACKOFF_CAP_SECONDS", 0.2)
    for step in FAULTS[fault]:
        front.faults.extend([None, step, step])

    report = case.copy()

    assert report.ok
    assert {name: (c.rows, c.written) for name, c in report.tables.items()} == {
        "public.people": (300, 300),
        "public.visits": (200, 200),
    }
    assert front.faults_met == 2 * len(FAULTS[fault])
    assert_equal(case)


def test_nothing_is_lost_to_all_of_that_by_turns_with_two_processes_and_a_budget(
    case: Case, front: FaultyFront
) -> None:
    steps = [step for kind, steps in FAULTS.items() for step in steps if kind != "answers too late"]
    front.faults.extend(steps)

    report = case.copy(processes=2, write_units=2_000)

    assert report.ok
    assert front.faults_met == len(steps)
    assert_equal(case)


def test_an_item_that_the_service_rejects_is_in_quarantine_and_those_of_its_batch_are_written(
    case: Case, front: FaultyFront
) -> None:
    front.refuse_when = lambda item: item.get("id") in ({"N": "13"}, {"N": "57"})
    front.faults.extend([throttle, apply_then_drop])

    report = case.copy()

    assert not report.ok
    assert {row.key["id"] for row in case.journal().quarantined()} == {"13", "57"}
    assert {row.reason for row in case.journal().quarantined()} == {"the item is larger than 409,600 bytes"}
    assert case.items(PEOPLE).keys() == {str(n) for n in range(1, 301) if n not in (13, 57)}
    assert len(case.items(VISITS)) == 200


def test_a_budget_of_the_plan_is_kept_by_what_arrives(case: Case, front: FaultyFront) -> None:
    """500 items at 150 units a second: more than a second's worth must wait, however fast the copy is."""
    arrivals: list[float] = []

    def note(item: Item) -> bool:
        arrivals.append(time.monotonic())
        return False

    front.refuse_when = note
    text = case.plan_text.replace("target: {", "target: {write_units_per_second: 150, ")
    limited = replace(case, plan=parse_plan(text, case.environ))

    limited.copy()

    two_requests = 50  # what may have been late at the front, after the moment that the budget let it go
    assert len(arrivals) == 500
    assert all(n <= 150 * (1 + moment - arrivals[0]) + two_requests for n, moment in enumerate(arrivals, start=1))
    assert_equal(case)
