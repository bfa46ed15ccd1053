"""Schedules in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, literal_column

from onboarding.store import paging
from onboarding.store.interface import Changes, Page, PageRequest
from onboarding.store.postgres.records import Records
from onboarding.store.postgres.rows import ACCOUNTS, SCHEDULES, TENANTS, find
from onboarding.store.records import NewSchedule, Receipt, Schedule

COLUMNS = SCHEDULES.table.c


class Schedules(Records):
    """See `onboarding.store.interface.Store`, whose promises these calls keep."""

    def create_schedule(
        self, new: NewSchedule, *, owner: UUID | None = None, receipt: Receipt | None = None
    ) -> Schedule:
        """See the interface."""

        def derive(connection: Connection) -> Mapping[str, Any]:
            find(connection, TENANTS, new.tenant_id, owner, lock="against deletion")
            find(connection, ACCOUNTS, new.account_id, new.tenant_id, lock="against deletion")
            return {}

        return self._create(SCHEDULES, new, receipt, derive)

    def get_schedule(self, schedule_id: UUID, *, owner: UUID | None = None) -> Schedule:
        """See the interface."""
        return self._get(SCHEDULES, schedule_id, owner)

    def list_schedules_by_tenant(self, tenant_id: UUID, page: PageRequest) -> Page[Schedule]:
        """See the interface."""
        return self._list(SCHEDULES, paging.SCHEDULES, page, COLUMNS.tenant_id == tenant_id)

    def list_schedules_by_account(
        self, account_id: UUID, page: PageRequest, *, owner: UUID | None = None
    ) -> Page[Schedule]:
        """See the interface."""
        kept = COLUMNS.account_id == account_id
        return self._list(SCHEDULES, paging.SCHEDULES, page, kept, owner=owner, parent=(ACCOUNTS, account_id))

    def due_schedules(self, now: datetime, page: PageRequest, *, owner: UUID | None = None) -> Page[Schedule]:
        """See the interface."""
        # Written as the partial index on next_run_at is, with no parameter in it, or the index could not be used.
        due = [COLUMNS.enabled, COLUMNS.status == literal_column("'active'"), COLUMNS.next_run_at <= now]
        if owner is not None:
            due.append(COLUMNS.tenant_id == owner)
        return self._list(SCHEDULES, paging.DUE, page, *due)

    def update_schedule(
        self, schedule_id: UUID, changes: Changes, *, owner: UUID | None = None, seen: Schedule | None = None
    ) -> Schedule:
        """See the interface."""
        return self._update(SCHEDULES, schedule_id, changes, owner, seen)

    def delete_schedule(self, schedule_id: UUID, *, owner: UUID | None = None) -> None:
        """See the interface."""
        self._delete(SCHEDULES, schedule_id, owner)
