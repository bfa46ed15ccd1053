"""Schedules. One whose `next_run_at` is None lacks the attribute, and so stays out of the index of due runs."""

from __future__ import annotations

from datetime import datetime
from typing import cast
from uuid import UUID

from onboarding.store import paging
from onboarding.store.dynamodb.expressions import Expression
from onboarding.store.dynamodb.items import ACCOUNT, SCHEDULE, TENANT
from onboarding.store.dynamodb.listings import Listing
from onboarding.store.dynamodb.records import NEXT_PARENT, PARENT, Records
from onboarding.store.interface import Changes, Page, PageRequest
from onboarding.store.paging import moment_text
from onboarding.store.records import NewSchedule, Receipt, Schedule


class Schedules(Records):
    """The calls for schedules."""

    def create_schedule(
        self, new: NewSchedule, *, owner: UUID | None = None, receipt: Receipt | None = None
    ) -> Schedule:
        """See the interface."""
        tenant = self._parent(TENANT, new.tenant_id, owner, PARENT)
        account = self._parent(ACCOUNT, new.account_id, new.tenant_id, NEXT_PARENT)
        schedule = self._new(SCHEDULE, new, run_count=0, success_count=0, failure_count=0)
        return cast(Schedule, self._create(SCHEDULE, schedule, receipt, tenant, account))

    def get_schedule(self, schedule_id: UUID, *, owner: UUID | None = None) -> Schedule:
        """See the interface."""
        return cast(Schedule, self._get(SCHEDULE, schedule_id, owner))

    def list_schedules_by_tenant(self, tenant_id: UUID, page: PageRequest) -> Page[Schedule]:
        """See the interface."""
        return self._list_schedules("tenant-schedules-index", "tenant_id", tenant_id, page)

    def list_schedules_by_account(
        self, account_id: UUID, page: PageRequest, *, owner: UUID | None = None
    ) -> Page[Schedule]:
        """See the interface."""
        paging.SCHEDULES.check(page)
        if owner is not None:
            self._get(ACCOUNT, account_id, owner)
        return self._list_schedules("account-schedules-index", "account_id", account_id, page)

    def _list_schedules(self, index: str, hash_: str, value: UUID, page: PageRequest) -> Page[Schedule]:
        table = self._names.schedules
        return Listing(SCHEDULE, table, index, hash_, str(value), paging.SCHEDULES).page(self._client, page)

    def due_schedules(self, now: datetime, page: PageRequest, *, owner: UUID | None = None) -> Page[Schedule]:
        """See the interface."""

        def active(expression: Expression) -> str:
            condition = f"{expression.name('status')} = {expression.value({'S': 'active'})}"
            if owner is None:
                return condition
            return f"{condition} AND {expression.name('tenant_id')} = {expression.value({'S': str(owner)})}"

        listing = Listing(
            SCHEDULE,
            self._names.schedules,
            "next-run-index",
            "enabled",
            "true",
            paging.DUE,
            most=moment_text(now),
            keep=active,
        )
        return listing.page(self._client, page)

    def update_schedule(
        self, schedule_id: UUID, changes: Changes, *, owner: UUID | None = None, seen: Schedule | None = None
    ) -> Schedule:
        """See the interface."""
        return cast(Schedule, self._update(SCHEDULE, schedule_id, changes, owner, seen))
