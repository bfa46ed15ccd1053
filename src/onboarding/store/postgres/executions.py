"""Executions of schedules in PostgreSQL, and what they do to their schedule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, update

from onboarding.store import paging
from onboarding.store.errors import Changed, Conflict, NotFound
from onboarding.store.interface import Changes, Page, PageRequest
from onboarding.store.postgres.records import Records, updated
from onboarding.store.postgres.rows import ACCOUNTS, EXECUTIONS, SCHEDULES, find
from onboarding.store.records import Advance, Execution, NewExecution, Receipt
from onboarding.store.rules import check_changes

COLUMNS = EXECUTIONS.table.c
SCHEDULE = SCHEDULES.table.c


class Executions(Records):
    """See `onboarding.store.interface.Store`, whose promises these calls keep."""

    def create_execution(
        self,
        new: NewExecution,
        *,
        owner: UUID | None = None,
        advance: Advance | None = None,
        receipt: Receipt | None = None,
    ) -> Execution:
        """See the interface."""

        def derive(connection: Connection) -> Mapping[str, Any]:
            account_id = find(connection, SCHEDULES, new.schedule_id, owner).account_id
            _hold_account(connection, account_id)
            if advance is None:
                find(connection, SCHEDULES, new.schedule_id, owner, lock="against deletion")
            else:
                _claim(connection, new.schedule_id, advance)
            return {"account_id": account_id, "status": "running"}

        return self._create(EXECUTIONS, new, receipt, derive)

    def get_execution(self, execution_id: UUID, *, owner: UUID | None = None) -> Execution:
        """See the interface."""
        return self._get(EXECUTIONS, execution_id, owner)

    def list_executions_by_schedule(
        self, schedule_id: UUID, page: PageRequest, *, owner: UUID | None = None
    ) -> Page[Execution]:
        """See the interface."""
        kept = COLUMNS.schedule_id == schedule_id
        return self._list(EXECUTIONS, paging.EXECUTIONS, page, kept, owner=owner, parent=(SCHEDULES, schedule_id))

    def list_executions_by_account(
        self, account_id: UUID, page: PageRequest, *, owner: UUID | None = None
    ) -> Page[Execution]:
        """See the interface."""
        kept = COLUMNS.account_id == account_id
        return self._list(EXECUTIONS, paging.EXECUTIONS, page, kept, owner=owner, parent=(ACCOUNTS, account_id))

    def update_execution(
        self, execution_id: UUID, changes: Changes, *, owner: UUID | None = None, seen: Execution | None = None
    ) -> Execution:
        """See the interface."""
        if "status" not in changes:
            return self._update(EXECUTIONS, execution_id, changes, owner, seen)
        check_changes(EXECUTIONS.name, changes)
        return self._transactions.run(lambda connection: _end(connection, execution_id, changes, owner, seen))


def _hold_account(connection: Connection, account_id: UUID) -> None:
    """Keep the account, before its schedule is held: a deletion takes them in this order."""
    try:
        find(connection, ACCOUNTS, account_id, lock="against deletion")
    except NotFound:
        raise NotFound(SCHEDULES.name) from None  # it went with its account


def _claim(connection: Connection, schedule_id: UUID, advance: Advance) -> None:
    """Move the schedule's next run from what was seen. Raises Conflict when it is another one, NotFound."""
    schedule = find(connection, SCHEDULES, schedule_id, lock="against change")
    if schedule.next_run_at != advance.seen:
        raise Conflict(SCHEDULES.name, "This run has been taken: the schedule's next run is another one.")
    connection.execute(
        update(SCHEDULES.table).where(SCHEDULE.schedule_id == schedule_id).values(next_run_at=advance.to)
    )


def _end(
    connection: Connection, execution_id: UUID, changes: Changes, owner: UUID | None, seen: Execution | None
) -> Execution:
    """Change an execution with its status; when it leaves `running`, its schedule counts it."""
    schedule_id = find(connection, EXECUTIONS, execution_id, owner).schedule_id
    try:
        find(connection, SCHEDULES, schedule_id, lock="against change")  # before its execution, as a deletion does
    except NotFound:
        raise NotFound(EXECUTIONS.name) from None  # it went with its schedule
    now = find(connection, EXECUTIONS, execution_id, owner, lock="against change")
    if seen is not None and seen != now:
        raise Changed(EXECUTIONS.name)
    ends = changes["status"] != now.status
    if ends and now.status != "running":
        raise Conflict(EXECUTIONS.name, "The execution has ended: its status cannot change.")
    if ends:
        _count(connection, now, changes["status"])
    return updated(connection, EXECUTIONS, execution_id, changes, owner, None)


def _count(connection: Connection, ended: Execution, status: str) -> None:
    values: dict[str, Any] = {"run_count": SCHEDULE.run_count + 1, "last_run_at": ended.started_at}
    counter = {"completed": SCHEDULE.success_count, "failed": SCHEDULE.failure_count}.get(status)
    if counter is not None:
        values[counter.name] = counter + 1
    connection.execute(update(SCHEDULES.table).where(SCHEDULE.schedule_id == ended.schedule_id).values(values))
