"""Executions of schedules, and the schedules' counts of them."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from onboarding.store import paging
from onboarding.store.dynamodb.items import ACCOUNT, EXECUTION, SCHEDULE, Item, attribute, decode
from onboarding.store.dynamodb.listings import Listing
from onboarding.store.dynamodb.records import CONFLICT, NEXT_PARENT, PARENT, Records
from onboarding.store.dynamodb.transactions import Action, transact, update
from onboarding.store.errors import Changed, Conflict, NotFound
from onboarding.store.interface import Changes, Page, PageRequest
from onboarding.store.records import Advance, Execution, NewExecution, Receipt, Schedule
from onboarding.store.rules import check_changes

RUNNING = "running"


class Executions(Records):
    """The calls for executions."""

    def create_execution(
        self,
        new: NewExecution,
        *,
        owner: UUID | None = None,
        advance: Advance | None = None,
        receipt: Receipt | None = None,
    ) -> Execution:
        """See the interface."""
        found = self._item(self._names.schedules, SCHEDULE.key_item(new.schedule_id))
        schedule: Schedule | None = None if found is None else decode(SCHEDULE, found)
        if schedule is None or owner not in (None, schedule.tenant_id):
            self._refuse_twice(new, receipt)
            raise NotFound("schedule")
        execution = self._new(EXECUTION, new, account_id=schedule.account_id, status=RUNNING)
        of = self._advance(new.schedule_id, owner, advance)
        account = self._parent(ACCOUNT, schedule.account_id, None, NEXT_PARENT, "schedule")
        return cast(Execution, self._create(EXECUTION, execution, receipt, of, account))

    def _refuse_twice(self, new: NewExecution, receipt: Receipt | None) -> None:
        """Raise AlreadyExists for what was created before, also when its schedule has gone since."""
        there = new.execution_id and self._item(self._names.executions, EXECUTION.key_item(new.execution_id))
        if there or (receipt and self.receipt(receipt.key)):
            raise self._exists(EXECUTION)

    def _advance(self, schedule_id: UUID, owner: UUID | None, advance: Advance | None) -> Action:
        """Claim the schedule's due run, or only require that the schedule is there."""
        if advance is None:
            return self._parent(SCHEDULE, schedule_id, owner, PARENT)

        def refusal(item: Item | None) -> Exception:
            if item is None or owner not in (None, UUID(item["tenant_id"]["S"])):
                return NotFound("schedule")
            return Conflict("schedule", "This run has been taken: the schedule's next run is another one.")

        condition = self._condition(SCHEDULE, owner, None)
        condition.equals("next_run_at", attribute(SCHEDULE, "next_run_at", advance.seen))
        moved = condition.update(self._attributes(SCHEDULE, {"next_run_at": advance.to}))
        # What is taken ranks after what is missing.
        return update(self._names.schedules, SCHEDULE.key_item(schedule_id), moved, refusal, CONFLICT)

    def get_execution(self, execution_id: UUID, *, owner: UUID | None = None) -> Execution:
        """See the interface."""
        return cast(Execution, self._get(EXECUTION, execution_id, owner))

    def list_executions_by_schedule(
        self, schedule_id: UUID, page: PageRequest, *, owner: UUID | None = None
    ) -> Page[Execution]:
        """See the interface."""
        paging.EXECUTIONS.check(page)
        if owner is not None:
            self._get(SCHEDULE, schedule_id, owner)
        return self._list_executions("schedule-executions-index", "schedule_id", schedule_id, page)

    def list_executions_by_account(
        self, account_id: UUID, page: PageRequest, *, owner: UUID | None = None
    ) -> Page[Execution]:
        """See the interface."""
        paging.EXECUTIONS.check(page)
        if owner is not None:
            self._get(ACCOUNT, account_id, owner)
        return self._list_executions("account-executions-index", "account_id", account_id, page)

    def _list_executions(self, index: str, hash_: str, value: UUID, page: PageRequest) -> Page[Execution]:
        table = self._names.executions
        return Listing(EXECUTION, table, index, hash_, str(value), paging.EXECUTIONS).page(self._client, page)

    def update_execution(
        self, execution_id: UUID, changes: Changes, *, owner: UUID | None = None, seen: Execution | None = None
    ) -> Execution:
        """See the interface."""
        check_changes("execution", changes)
        if "status" in changes:
            return self._until_still(lambda: self._change_status(execution_id, changes, owner, seen))
        if owner is not None and changes:
            self._get(EXECUTION, execution_id, owner)
        return cast(Execution, self._update(EXECUTION, execution_id, changes, owner, seen))

    def _change_status(
        self, execution_id: UUID, changes: Changes, owner: UUID | None, seen: Execution | None
    ) -> Execution:
        item = self._item(self._names.executions, EXECUTION.key_item(execution_id))
        execution: Execution | None = None if item is None else decode(EXECUTION, item)
        if item is None or execution is None or owner not in (None, owner and self._tenant_of(execution)):
            raise NotFound("execution")
        if seen is not None and execution != seen:
            raise Changed("execution")
        if execution.status not in (RUNNING, changes["status"]):
            raise Conflict("execution", "The execution has ended: its status cannot change.")
        own, changed = self._exactly(EXECUTION, item, changes)
        counted = [] if execution.status == changes["status"] else [self._count(execution, changes["status"])]
        transact(self._client, [own, *counted])
        return cast(Execution, changed)

    def _count(self, execution: Execution, status: str) -> Action:
        """Count an execution that ends in its schedule. One whose schedule is gone is about to go too."""
        added = {"run_count": 1, "success_count": int(status == "completed"), "failure_count": int(status == "failed")}
        changes: dict[str, Any] = {"last_run_at": execution.started_at}
        condition = self._condition(SCHEDULE, None, None)
        parameters = condition.update(self._attributes(SCHEDULE, changes), added)
        key = SCHEDULE.key_item(execution.schedule_id)
        return update(self._names.schedules, key, parameters, lambda _: NotFound("execution"), PARENT)
