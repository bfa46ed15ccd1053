"""What a writer takes of the budget: before a request by sizes, after it by the answer; nothing undone is paid for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from pg2dynamo.dynamodb import budget as budget_module
from pg2dynamo.dynamodb import pacing as pacing_module
from pg2dynamo.dynamodb.batch import Operation
from pg2dynamo.dynamodb.budget import WriteBudget
from pg2dynamo.dynamodb.delivery import Delivery
from pg2dynamo.dynamodb.pacing import Pacing
from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.dynamodb.wire import Answer
from pg2dynamo.mapping.table import IndexMapping
from pg2dynamo.mapping.types import Kind
from pg2dynamo.mapping.write_units import WriteUnits
from tests.clock import Clock
from tests.mappings import column, mapping_of


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(budget_module, "time", found)
    monkeypatch.setattr(pacing_module, "time", found)
    return found


@pytest.fixture
def budget(tmp_path: Path, clock: Clock) -> Iterator[WriteBudget]:
    with WriteBudget.create(tmp_path / "budget", 10) as made:
        yield made


def pacing(tmp_path: Path, *, count_consumed: bool = False) -> Pacing:
    settings = TargetSettings(budget_file=str(tmp_path / "budget"), count_consumed=count_consumed)
    return Pacing(settings, WriteUnits())


def operations(count: int) -> list[Operation]:
    return [(b'{"id":{"N":"%d"}}' % n, b'{"id":{"N":"%d"}}' % n) for n in range(count)]


DONE = Answer(200, b'{"UnprocessedItems":{}}')


def test_a_delivery_waits_until_its_units_are_there_and_reserves_them_once(
    tmp_path: Path, budget: WriteBudget, clock: Clock
) -> None:
    taking = pacing(tmp_path)
    first, second = Delivery(operations(10), 0), Delivery(operations(5), 0)

    assert taking.allows(first)
    assert not taking.allows(second)
    assert not taking.allows(second)
    clock.now += 0.49
    assert not taking.allows(second)
    clock.now += 0.02
    assert taking.allows(second)
    taking.close()


def test_what_was_left_undone_is_given_back_and_paid_for_when_it_is_sent_again(
    tmp_path: Path, budget: WriteBudget, clock: Clock
) -> None:
    taking = pacing(tmp_path)
    delivery = Delivery(operations(10), 0)
    assert taking.allows(delivery)

    taking.settle(delivery, DONE, delivery.operations[6:])

    assert budget.take(4) == 0.0
    assert not taking.allows(delivery)
    taking.close()


@pytest.mark.parametrize("answer", [Answer(0, uncertain=True), Answer(200, b"<html>"), Answer(500)])
def test_what_may_have_been_done_counts_as_done(
    tmp_path: Path, budget: WriteBudget, clock: Clock, answer: Answer
) -> None:
    taking = pacing(tmp_path)
    delivery = Delivery(operations(10), 0)
    assert taking.allows(delivery)

    taking.settle(delivery, answer, None)

    assert budget.take(1) == pytest.approx(0.1)
    taking.close()


@pytest.mark.parametrize(("consumed", "wait_seconds"), [(25.0, 1.6), (10.0, 0.1), (4.0, 0.0)])
def test_what_the_service_counted_takes_the_place_of_what_was_reckoned(
    tmp_path: Path, budget: WriteBudget, clock: Clock, consumed: float, wait_seconds: float
) -> None:
    body = orjson.dumps({"UnprocessedItems": {}, "ConsumedCapacity": [{"CapacityUnits": consumed}]})
    taking = pacing(tmp_path, count_consumed=True)
    delivery = Delivery(operations(10), 0)
    assert taking.allows(delivery)

    taking.settle(delivery, Answer(200, body), [])

    assert budget.take(1) == pytest.approx(wait_seconds)
    taking.close()


def test_without_a_budget_nothing_waits() -> None:
    taking = Pacing(TargetSettings(), WriteUnits())
    delivery = Delivery(operations(10_000), 0)

    assert taking.allows(delivery)
    taking.settle(delivery, DONE, delivery.operations)
    taking.close()


# How many units an item takes


INDEXED = mapping_of(
    column("tenant", Kind.TEXT),
    column("status", Kind.TEXT),
    column("v", Kind.TEXT),
    indexes=[IndexMapping("a", "tenant", "status"), IndexMapping("b", "id", "status", local=True)],
)


def item(size: int, **more: str) -> bytes:
    """An item of that many bytes as DynamoDB counts them."""
    values = {"id": "1", **more}
    taken = sum(len(name) + len(value) for name, value in values.items())
    return orjson.dumps({name: {"S": value} for name, value in {**values, "v": "x" * (size - taken - 1)}.items()})


@pytest.mark.parametrize(("size", "units"), [(10, 1), (1024, 1), (1030, 2), (2048, 2), (2054, 3), (409_600, 400)])
def test_a_unit_covers_a_kilobyte_of_an_item(size: int, units: int) -> None:
    assert WriteUnits()(item(size)) == units


def test_never_fewer_units_are_reckoned_than_dynamodb_counts() -> None:
    assert all(WriteUnits()(item(size)) * 1024 >= size for size in range(20, 3000))


def test_every_index_that_an_item_is_in_costs_as_much_again() -> None:
    units = WriteUnits(INDEXED)

    assert units(item(2000)) == 2
    assert units(item(2000, status="s")) == 4
    assert units(item(2000, status="s", tenant="t")) == 6
    assert units(item(2000, tenant="t")) == 2
    assert units(None) == 3
