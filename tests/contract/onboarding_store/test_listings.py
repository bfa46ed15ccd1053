"""The contract of every store: listings are complete, in order, and page the same way."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from onboarding.database.models import ACCOUNT_STATUSES
from onboarding.store.errors import Invalid
from onboarding.store.interface import MAX_PAGE, Page, PageRequest, Position, Store
from onboarding.store.paging import moment_text
from onboarding.store.records import Execution, NewAccount, NewTenant, Schedule
from tests.contract.onboarding_store.conftest import Making

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 600_000)
Listing = Callable[[PageRequest], Page[Any]]


def walk(listing: Listing, limit: int) -> list[Any]:
    """Return all records of a listing, by pages of `limit`, having checked how the pages end."""
    found: list[Any] = []
    after: Position | None = None
    while True:
        page = listing(PageRequest(limit, after))
        assert len(page.items) == limit or page.next is None
        found += page.items
        if page.next is None:
            return found
        after = page.next


def assert_pages(listing: Listing, expected: list[Any]) -> None:
    """Every way of paging gives the same records in the same order, and no empty page at the end."""
    for limit in (1, 2, 3, len(expected), MAX_PAGE):
        assert walk(listing, max(limit, 1)) == expected
    if expected:
        assert listing(PageRequest(len(expected))).next is None


def test_accounts_stand_by_status_and_then_id(store: Store, make: Making) -> None:
    provider = make.provider()
    other = make.provider(store.get_tenant(provider.tenant_id), "gcp")
    statuses = [status for status in ACCOUNT_STATUSES for _ in range(2)]
    random.Random(4).shuffle(statuses)
    ours = [make.account(provider, status=status) for status in statuses]
    theirs = [make.account(other, status="active") for _ in range(2)]
    make.account(status="active")
    for status in (None, *ACCOUNT_STATUSES):
        of_tenant = _by_status_and_id(ours + theirs, status)
        assert_pages(partial(store.list_accounts_by_tenant, provider.tenant_id, status=status), of_tenant)
        of_provider = _by_status_and_id(ours, status)
        assert_pages(partial(store.list_accounts_by_provider, provider.provider_id, status=status), of_provider)


def _by_status_and_id(accounts: list[Any], status: str | None) -> list[Any]:
    kept = [account for account in accounts if status in (None, account.status)]
    return sorted(kept, key=lambda account: (account.status, str(account.account_id)))


def test_providers_stand_by_type(store: Store, make: Making) -> None:
    tenant = make.tenant()
    made = [make.provider(tenant, kind) for kind in ("oci", "aws", "ibm", "gcp")]
    make.provider()
    expected = sorted(made, key=lambda provider: provider.provider_type)
    assert_pages(lambda page: store.list_providers(tenant.tenant_id, page), expected)


def test_schedules_stand_by_id(store: Store, make: Making) -> None:
    account = make.account()
    second = make.account(store.get_provider(account.provider_id))
    ours = [make.schedule(account) for _ in range(4)]
    theirs = [make.schedule(second) for _ in range(2)]
    make.schedule()
    assert_pages(lambda page: store.list_schedules_by_account(account.account_id, page), _by_id(ours))
    assert_pages(lambda page: store.list_schedules_by_tenant(account.tenant_id, page), _by_id(ours + theirs))


def _by_id(schedules: list[Schedule]) -> list[Schedule]:
    return sorted(schedules, key=lambda schedule: str(schedule.schedule_id))


def _newest(executions: list[Execution]) -> list[Execution]:
    return sorted(executions, key=lambda e: (e.started_at, str(e.execution_id)), reverse=True)


def test_executions_stand_newest_first_also_when_many_began_at_once(store: Store, make: Making) -> None:
    account = make.account()
    schedule, second = make.schedule(account), make.schedule(account)
    moments = [MOMENT, MOMENT, MOMENT, MOMENT + timedelta(microseconds=1), MOMENT - timedelta(days=400), MOMENT]
    ours = [make.execution(schedule, started_at=moment) for moment in moments]
    theirs = [make.execution(second, started_at=MOMENT)]
    make.execution()
    assert_pages(lambda page: store.list_executions_by_schedule(schedule.schedule_id, page), _newest(ours))
    assert_pages(lambda page: store.list_executions_by_account(account.account_id, page), _newest(ours + theirs))


def test_scan_results_stand_newest_first(store: Store, make: Making) -> None:
    account = make.account()
    moments = [MOMENT, MOMENT, MOMENT + timedelta(seconds=1), MOMENT]
    ours = [make.scan(account, started_at=m, scan_id=f"S{n % 2}{uuid.uuid4()}") for n, m in enumerate(moments)]
    ours.append(make.scan(account, started_at=MOMENT, scan_id=f"a:{uuid.uuid4()}"))
    make.scan()
    expected = sorted(ours, key=lambda scan: (scan.started_at, scan.scan_id), reverse=True)
    assert_pages(lambda page: store.list_scan_results_by_account(account.account_id, page), expected)


def test_scan_results_of_a_status_are_of_all_tenants(store: Store, make: Making) -> None:
    begun = datetime(2000 + random.randrange(20), 1, 1) + timedelta(microseconds=random.randrange(10**12))
    ours = [make.scan(status="cancelled", started_at=begun) for _ in range(3)]
    make.scan(status="failed", started_at=begun)
    found = walk(lambda page: store.list_scan_results_by_status("cancelled", page), MAX_PAGE)
    expected = sorted(ours, key=lambda scan: scan.scan_id, reverse=True)
    assert [scan for scan in found if scan.started_at == begun] == expected
    assert found == sorted(found, key=lambda scan: (scan.started_at, scan.scan_id), reverse=True)


def test_what_is_due_stands_by_time(store: Store, make: Making) -> None:
    account = make.account()
    due = [make.schedule(account, next_run_at=MOMENT - timedelta(hours=n % 2)) for n in range(4)]
    exact = make.schedule(account, next_run_at=MOMENT)
    make.schedule(account, next_run_at=MOMENT + timedelta(microseconds=1))
    make.schedule(account, next_run_at=MOMENT, enabled=False)
    make.schedule(account, next_run_at=MOMENT, status="paused")
    make.schedule(account)
    elsewhere = make.schedule(next_run_at=MOMENT)
    expected = sorted([*due, exact], key=lambda schedule: (schedule.next_run_at, str(schedule.schedule_id)))
    assert_pages(lambda page: store.due_schedules(MOMENT, page, owner=account.tenant_id), expected)
    everywhere = walk(lambda page: store.due_schedules(MOMENT, page), MAX_PAGE)
    assert {schedule.schedule_id for schedule in (*expected, elsewhere)} <= {s.schedule_id for s in everywhere}
    assert everywhere == sorted(everywhere, key=lambda schedule: (schedule.next_run_at, str(schedule.schedule_id)))


def test_tenants_stand_by_id(store: Store, make: Making) -> None:
    made = {make.tenant().tenant_id for _ in range(5)}
    for limit in (3, MAX_PAGE):
        found = walk(store.list_tenants, limit)
        assert made <= {tenant.tenant_id for tenant in found}
        assert found == sorted(found, key=lambda tenant: str(tenant.tenant_id))
        assert len(found) == len({tenant.tenant_id for tenant in found})


def test_what_has_nothing_lists_nothing(store: Store) -> None:
    nobody = uuid.uuid4()
    page = PageRequest()
    for listed in (
        store.list_providers(nobody, page),
        store.list_accounts_by_tenant(nobody, page),
        store.list_accounts_by_provider(nobody, page),
        store.list_schedules_by_tenant(nobody, page),
        store.list_schedules_by_account(nobody, page),
        store.list_executions_by_schedule(nobody, page),
        store.list_executions_by_account(nobody, page),
        store.list_scan_results_by_account(nobody, page),
    ):
        assert listed == Page((), None)


def test_a_listing_goes_on_after_a_position_whose_record_is_gone(store: Store, make: Making) -> None:
    account = make.account()
    made = sorted((make.schedule(account) for _ in range(4)), key=lambda schedule: str(schedule.schedule_id))
    page = store.list_schedules_by_account(account.account_id, PageRequest(2))
    assert page.next == (str(made[1].schedule_id),)
    store.delete_schedule(made[1].schedule_id)
    rest = store.list_schedules_by_account(account.account_id, PageRequest(2, page.next))
    assert rest == Page(tuple(made[2:]), None)


def test_a_position_is_the_same_in_every_store(store: Store, make: Making) -> None:
    schedule = make.schedule()
    first, second = sorted(
        (make.execution(schedule, started_at=MOMENT) for _ in range(2)), key=lambda e: str(e.execution_id), reverse=True
    )
    page = store.list_executions_by_schedule(schedule.schedule_id, PageRequest(1))
    assert page.next == (moment_text(MOMENT), str(first.execution_id))
    made_by_hand = ("2026-01-02T03:04:05.600000", str(first.execution_id))
    assert store.list_executions_by_schedule(schedule.schedule_id, PageRequest(1, made_by_hand)).items == (second,)


@pytest.mark.parametrize(
    "page",
    [
        PageRequest(0),
        PageRequest(MAX_PAGE + 1),
        PageRequest(1, ()),
        PageRequest(1, ("2026-01-02T03:04:05", str(uuid.UUID(int=1)))),
        PageRequest(1, ("2026-01-02T03:04:05.000000", "nobody")),
        PageRequest(1, ("2026-01-02T03:04:05.000000",)),
    ],
    ids=range(6),
)
def test_a_page_that_cannot_be_is_refused(store: Store, page: PageRequest) -> None:
    with pytest.raises(Invalid):
        store.list_executions_by_schedule(uuid.uuid4(), page)


def test_a_thousand_accounts_of_one_tenant_list_completely(store: Store, make: Making) -> None:
    provider = make.provider()
    # About 1.3 MB, beyond what one answer of DynamoDB holds.
    new = NewAccount(
        provider_id=provider.provider_id,
        tenant_id=provider.tenant_id,
        account_name="\U0001f319" * 250,
        account_number="9" * 250,
        status="active",
    )
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: store.create_account(replace(new, account_id=uuid.uuid4())), range(1_000)))
    expected = sorted(made, key=lambda account: str(account.account_id))
    assert walk(lambda page: store.list_accounts_by_tenant(provider.tenant_id, page), 600) == expected
    listed = store.list_accounts_by_provider(provider.provider_id, PageRequest(MAX_PAGE), status="active")
    assert listed == Page(tuple(expected), None)


def test_names_are_compared_by_code_points_not_by_language(store: Store, make: Making) -> None:
    unique = uuid.uuid4()
    for name in (f"a {unique}", f"A {unique}", f"ä {unique}", f"a  {unique}"):
        made = store.create_tenant(NewTenant(tenant_name=name))
        assert store.get_tenant_by_name(name) == made
