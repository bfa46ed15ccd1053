"""Answers that are lost, refused or late; processes that end in the middle; several at once."""

from __future__ import annotations

import json
import multiprocessing
import traceback
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError

from onboarding import aws
from onboarding.store.dynamodb import DynamoDBStore, transactions
from onboarding.store.errors import NotFound, StoreError, Unavailable
from onboarding.store.interface import PageRequest
from onboarding.store.records import NewCredential, NewTenant, Receipt, Tenant
from pg2dynamo.local.process import free_port
from tests.contract.onboarding_dynamodb.conftest import World
from tests.contract.onboarding_store.conftest import Making

CREDENTIAL = NewCredential(credential_type="ibm_api_key", credentials={"api_key": "very-secret"})


def lose_one_answer(client: Any, operation: str) -> list[int]:
    """Have the next request carried out and its answer lost; return where its status will be."""
    lost: list[int] = []

    def send_and_lose(request: Any, **_: Any) -> None:
        if not lost:
            lost.append(client._endpoint.http_session.send(request).status_code)
            raise ConnectionClosedError(endpoint_url=request.url)

    client.meta.events.register(f"before-send.dynamodb.{operation}", send_and_lose)
    return lost


def answer_instead(client: Any, operation: str, *answers: dict[str, Any]) -> list[dict[str, Any]]:
    """Answer the next requests with these, one each, without sending them; return those that are left."""
    left = list(answers)

    def answer(params: dict[str, Any], **_: Any) -> Any:
        if not left:
            return None
        return Refused(), {**left.pop(0), "ResponseMetadata": {}}

    client.meta.events.register(f"before-call.{client.meta.service_model.service_name}.{operation}", answer)
    return left


class Refused:
    """As much of an HTTP answer as is looked at."""

    status_code = 400


def refused(code: str, *reasons: str) -> dict[str, Any]:
    """An error of the service."""
    return {"Error": {"Code": code, "Message": ""}, "CancellationReasons": [{"Code": reason} for reason in reasons]}


CONFLICT = refused("TransactionCanceledException", "TransactionConflict", "None")
MIXED = refused("TransactionCanceledException", "ConditionalCheckFailed", "TransactionConflict")


def test_a_creation_whose_answer_was_lost_is_no_second_one(world: World) -> None:
    client = world.client()
    store, name = world.store(client), f"tenant {uuid.uuid4()}"
    lost = lose_one_answer(client, "TransactWriteItems")
    receipt = Receipt(uuid.uuid4().hex, "f", world.clock().max)
    tenant = store.create_tenant(NewTenant(tenant_name=name, tenant_id=uuid.uuid4()), receipt=receipt)
    assert lost == [200]
    assert store.get_tenant_by_name(name) == tenant


def test_a_deletion_whose_answer_was_lost_is_done(world: World) -> None:
    client = world.client()
    store = world.store(client)
    account = Making(store).account()
    lost = lose_one_answer(client, "TransactWriteItems")
    store.delete_account(account.account_id)
    assert lost == [200]
    with pytest.raises(NotFound):
        store.get_account(account.account_id)


def test_an_end_whose_answer_was_lost_is_counted_once(world: World) -> None:
    client = world.client()
    store = world.store(client)
    execution = Making(store).execution()
    lose_one_answer(client, "TransactWriteItems")
    store.update_execution(execution.execution_id, {"status": "completed"})
    assert store.get_schedule(execution.schedule_id).run_count == 1


@pytest.mark.parametrize("fault", [CONFLICT, MIXED, refused("TransactionInProgressException")])
def test_another_transaction_in_the_way_is_waited_for(any_world: World, fault: dict[str, Any]) -> None:
    client = any_world.client()
    left = answer_instead(client, "TransactWriteItems", fault, fault, fault)
    tenant = any_world.store(client).create_tenant(NewTenant(tenant_name=f"tenant {uuid.uuid4()}"))
    assert left == []
    assert tenant.status == "active"


def test_others_in_the_way_for_long_are_told_and_nothing_is_done(
    any_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactions, "LONGEST_PAUSE_SECONDS", 0.001)
    client = any_world.client()
    answer_instead(client, "TransactWriteItems", *[CONFLICT] * 100)
    name = f"tenant {uuid.uuid4()}"
    with pytest.raises(Unavailable):
        any_world.store(client).create_tenant(NewTenant(tenant_name=name))
    with pytest.raises(NotFound):
        any_world.store().get_tenant_by_name(name)


def test_what_a_batch_left_is_sent_again(any_world: World) -> None:
    client = any_world.client()
    store = any_world.store(client)
    execution = Making(store).execution()
    deleted: list[dict[str, Any]] = []

    def leave_all_once(params: dict[str, Any], **_: Any) -> Any:
        if deleted:
            return None
        deleted.append(json.loads(params["body"])["RequestItems"])
        return type("Answer", (), {"status_code": 200})(), {"UnprocessedItems": deleted[0], "ResponseMetadata": {}}

    client.meta.events.register("before-call.dynamodb.BatchWriteItem", leave_all_once)
    store.delete_schedule(execution.schedule_id)
    assert deleted
    with pytest.raises(NotFound):
        store.get_execution(execution.execution_id)


def test_a_server_that_is_not_there_is_told_without_a_value(any_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws, "ATTEMPTS", 1)
    nowhere = f"http://127.0.0.1:{free_port()}"
    lost = World({**any_world.environ, "AWS_ENDPOINT_URL_DYNAMODB": nowhere}, any_world.prefix)
    name = uuid.uuid4().hex
    with pytest.raises(Unavailable) as raised:
        lost.store().create_tenant(NewTenant(tenant_name=name))
    assert raised.value.__cause__ is None
    assert name not in "".join(traceback.format_exception(raised.value))
    with pytest.raises(Unavailable):
        lost.store().check()


def test_tables_that_are_not_there_are_told_with_what_creates_them(any_world: World) -> None:
    bare = World({**any_world.environ, "DYNAMODB_TENANTS_TABLE": f"{any_world.prefix}-none"}, any_world.prefix)
    for call in (
        lambda: bare.store().get_tenant(uuid.uuid4()),
        lambda: bare.store().create_tenant(NewTenant(tenant_name=str(uuid.uuid4()))),
        lambda: bare.store().list_tenants(PageRequest()),
    ):
        with pytest.raises(StoreError, match="pg2dynamo prepare"):
            call()


class Crash(BaseException):
    """The process ends here."""


class Crashing:
    """A store of a process that ends at its call of a number; every call's name is noted."""

    def __init__(self, world: World) -> None:
        client = world.client()
        self.store = world.store(client)
        self.calls: list[str] = []
        self.end_at = 0
        for each in (client, self.store._secrets._client()):
            each.meta.events.register("before-call.*.*", self._count)

    def _count(self, model: Any, **_: Any) -> None:
        self.calls.append(model.name)
        if len(self.calls) == self.end_at:
            raise Crash

    def delete(self, tenant: Tenant, end_at: int) -> bool:
        """Delete a tenant; tell whether the process ended within."""
        self.calls, self.end_at = [], end_at
        try:
            self.store.delete_tenant(tenant.tenant_id)
        except Crash:
            return True
        return False


def make_family(store: DynamoDBStore, accounts: int = 2) -> Tenant:
    make = Making(store)
    provider = make.provider()
    for _ in range(accounts):
        account = make.account(provider)
        store.put_credential(account.account_id, CREDENTIAL)
        schedule = make.schedule(account)
        make.execution(schedule)
        make.scan(account)
    return store.get_tenant(provider.tenant_id)


def test_a_deletion_that_ended_anywhere_is_finished_by_another_process(empty_world: World) -> None:
    crashing, another = Crashing(empty_world), empty_world.store(grace=GRACELESS)
    assert not crashing.delete(make_family(another, 1), end_at=0)
    every = len(crashing.calls)
    for end_at in range(1, every + 1):
        tenant = make_family(another, 1)
        assert crashing.delete(tenant, end_at)
        with suppress(NotFound):
            another.delete_tenant(tenant.tenant_id)
        assert finishes(another.sweep)
    assert {name: count for name, count in empty_world.count().items() if count} == {}


GRACELESS = type(World.ahead)(0)


def finishes(sweep: Callable[[], int]) -> bool:
    """Sweep until nothing is left, some times at most."""
    return any(sweep() == 0 for _ in range(6))


def test_a_sweep_that_has_no_time_leaves_the_rest_and_says_so(empty_world: World) -> None:
    make_family(empty_world.store())
    [tenant] = empty_world.store().list_tenants(PageRequest()).items
    store = empty_world.store(grace=GRACELESS, foreground_seconds=0)
    store.delete_tenant(tenant.tenant_id)
    assert store.sweep(seconds=0) == 1
    assert finishes(store.sweep)
    assert set(empty_world.count().values()) == {0}


def test_a_deletion_that_is_stuck_does_not_keep_the_others_waiting(empty_world: World) -> None:
    world = empty_world
    for _ in range(2):
        make_family(world.store())
    hasty = world.store(foreground_seconds=0)
    for tenant in world.store().list_tenants(PageRequest()).items:
        hasty.delete_tenant(tenant.tenant_id)
    store = world.store(grace=GRACELESS)
    answer_instead(store._secrets._client(), "DescribeSecret", refused("InternalServiceError"))
    with pytest.raises(Unavailable):
        store.sweep()
    assert world.count()["secrets"] == 1
    assert finishes(store.sweep)
    assert set(world.count().values()) == {0}


def race(environ: dict[str, str], prefix: str, names: list[str], schedule_id: str, field: str, results: Any) -> None:
    """Create tenants of these names, and change a field of a schedule again and again, in a process."""
    store = World(environ, prefix).store()
    made = 0
    for number, name in enumerate(names):
        try:
            store.create_tenant(NewTenant(tenant_name=name))
            made += 1
        except StoreError:
            pass
        store.update_schedule(uuid.UUID(schedule_id), {field: f"{field} {number}"})
    results.put(made)


def test_two_processes_make_one_tenant_of_a_name_and_lose_no_update(any_world: World) -> None:
    store = any_world.store()
    schedule = Making(store).schedule()
    names = [f"tenant {uuid.uuid4()}" for _ in range(10)]
    spawn = multiprocessing.get_context("spawn")
    results: Any = spawn.Queue()
    given = (any_world.environ, any_world.prefix, names, str(schedule.schedule_id))
    processes = [spawn.Process(target=race, args=(*given, field, results)) for field in ("name", "description")]
    for process in processes:
        process.start()
    made = sum(results.get(timeout=60) for _ in processes)
    for process in processes:
        process.join()
    assert made == len(names)
    changed = store.get_schedule(schedule.schedule_id)
    assert (changed.name, changed.description) == ("name 9", "description 9")
