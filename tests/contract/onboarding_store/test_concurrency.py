"""The contract of every store: what happens at the same time loses nothing and makes nothing twice."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from onboarding.store.errors import AlreadyExists, Changed, Conflict, NotFound, StoreError
from onboarding.store.interface import Store
from onboarding.store.records import Advance, NewExecution, NewProvider, NewTenant
from tests.contract.onboarding_store.conftest import Making

MOMENT = datetime(2026, 1, 2)


def at_once(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run the calls in threads that set out together; return answers and refusals in their order."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        barrier.wait(timeout=30)
        try:
            return call()
        except StoreError as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def test_of_several_tenants_of_one_name_one_is_made(store: Store) -> None:
    name = f"wanted {uuid.uuid4()}"
    answers = at_once([lambda: store.create_tenant(NewTenant(tenant_name=name))] * 6)
    made = [answer for answer in answers if not isinstance(answer, StoreError)]
    assert [type(answer) for answer in answers].count(Conflict) == 5
    assert [store.get_tenant_by_name(name)] == made


def test_of_several_providers_of_one_type_one_is_made(store: Store, make: Making) -> None:
    tenant = make.tenant()
    new = NewProvider(tenant_id=tenant.tenant_id, provider_type="aws")
    answers = at_once([lambda: store.create_provider(new)] * 6)
    assert [type(answer) for answer in answers].count(Conflict) == 5


def test_of_several_creations_of_one_id_one_is_made(store: Store, make: Making) -> None:
    tenant, identifier = make.tenant(), uuid.uuid4()
    new = NewProvider(tenant_id=tenant.tenant_id, provider_type="aws", provider_id=identifier)
    answers = at_once([lambda: store.create_provider(new)] * 6)
    assert [type(answer) for answer in answers].count(AlreadyExists) == 5


def test_two_names_change_hands_without_one_being_held_twice(store: Store, make: Making) -> None:
    first, second, wanted = make.tenant(), make.tenant(), f"wanted {uuid.uuid4()}"
    answers = at_once([partial(store.update_tenant, t.tenant_id, {"tenant_name": wanted}) for t in (first, second)])
    assert [type(answer) for answer in answers].count(Conflict) == 1
    holder = store.get_tenant_by_name(wanted)
    assert [t.tenant_name for t in map(store.get_tenant, (first.tenant_id, second.tenant_id))].count(wanted) == 1
    loser = next(t for t in (first, second) if t.tenant_id != holder.tenant_id)
    assert store.get_tenant_by_name(loser.tenant_name).tenant_id == loser.tenant_id


def test_updates_of_different_fields_are_all_kept(store: Store, make: Making) -> None:
    schedule = make.schedule()
    changes: list[dict[str, Any]] = [
        {"name": "changed"},
        {"description": "changed"},
        {"enabled": False},
        {"regions": ("changed",)},
        {"timezone": "Europe/Berlin"},
        {"next_run_at": MOMENT},
    ]
    answers = at_once([partial(store.update_schedule, schedule.schedule_id, c) for c in changes])
    assert not [answer for answer in answers if isinstance(answer, StoreError)]
    after = store.get_schedule(schedule.schedule_id)
    for change in changes:
        assert {name: getattr(after, name) for name in change} == change


def test_of_several_updates_of_what_was_seen_one_is_made(store: Store, make: Making) -> None:
    seen = make.schedule()
    answers = at_once(
        [partial(store.update_schedule, seen.schedule_id, {"name": f"n{n}"}, seen=seen) for n in range(6)]
    )
    made = [answer for answer in answers if not isinstance(answer, StoreError)]
    assert [type(answer) for answer in answers].count(Changed) == 5
    assert [store.get_schedule(seen.schedule_id)] == made


def test_every_ended_execution_is_counted(store: Store, make: Making) -> None:
    schedule = make.schedule()
    executions = [make.execution(schedule) for _ in range(8)]
    ends = ["completed", "failed"] * 4
    ending: list[Callable[[], Any]] = [
        partial(store.update_execution, e.execution_id, {"status": s}) for e, s in zip(executions, ends, strict=True)
    ]
    naming: list[Callable[[], Any]] = [
        partial(store.update_schedule, schedule.schedule_id, {"name": f"n{n}"}) for n in range(4)
    ]
    answers = at_once(ending + naming)
    assert not [answer for answer in answers if isinstance(answer, StoreError)]
    counted = store.get_schedule(schedule.schedule_id)
    assert (counted.run_count, counted.success_count, counted.failure_count) == (8, 4, 4)


def test_an_execution_ends_once_however_many_say_so(store: Store, make: Making) -> None:
    schedule = make.schedule()
    execution = make.execution(schedule)
    ends = ("completed", "failed", "cancelled", "failed")
    answers = at_once([partial(store.update_execution, execution.execution_id, {"status": s}) for s in ends])
    ended = store.get_execution(execution.execution_id).status
    same = sum(end == ended for end in ends)
    assert [type(answer) for answer in answers].count(Conflict) == len(ends) - same
    assert store.get_schedule(schedule.schedule_id).run_count == 1


def test_a_due_run_is_taken_by_one_of_several_schedulers(store: Store, make: Making) -> None:
    schedule = make.schedule(next_run_at=MOMENT)
    new = NewExecution(schedule_id=schedule.schedule_id, started_at=MOMENT)
    advance = Advance(MOMENT, MOMENT + timedelta(hours=1))
    answers = at_once([lambda: store.create_execution(new, advance=advance)] * 6)
    assert [type(answer) for answer in answers].count(Conflict) == 5


def test_no_child_is_born_to_a_parent_that_goes(store: Store, make: Making) -> None:
    tenant = make.tenant()
    kinds = ("aws", "azure", "gcp", "alicloud", "oci")
    births: list[Callable[[], Any]] = [partial(make.provider, tenant, k) for k in kinds]
    answers = at_once([*births, lambda: store.delete_tenant(tenant.tenant_id)])
    store.sweep()
    assert not [answer for answer in answers if isinstance(answer, StoreError) and not isinstance(answer, NotFound)]
    for answer in answers[:-1]:
        if not isinstance(answer, StoreError):
            with pytest.raises(NotFound):
                store.get_provider(answer.provider_id)
