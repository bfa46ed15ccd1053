"""Executions of schedules: begun by the scheduler when due, or out of turn."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Body, Query, Response

from onboarding.api.answers import ExecutionAnswer, Listing
from onboarding.api.call import Call, Changing, Creating, Reading
from onboarding.api.documented import CREATED, LISTED, ONE, PATCHED, ExecutionPath
from onboarding.api.permissions import Permission
from onboarding.api.problems import field_problem
from onboarding.api.queries import ExecutionsQuery
from onboarding.api.requests import DueExecutionCreate, ExecutionChange, ExecutionCreate
from onboarding.api.schedule_times import run_after
from onboarding.api.secured_route import requires, secured_router
from onboarding.store.errors import Conflict
from onboarding.store.interface import Page
from onboarding.store.records import Advance, Execution, NewExecution, Receipt

router = secured_router("executions")


@router.post("/executions", status_code=201, response_model=ExecutionAnswer, responses=CREATED)
@requires(Permission.EXECUTIONS_CREATE)
def create_execution(body: Annotated[ExecutionCreate, Body()], call: Creating) -> Response:
    """Begin an execution. One of the scheduler claims the schedule's due run: of two that saw it, one gets it."""
    store = call.service.store

    def create(new_id: UUID | None, receipt: Receipt | None) -> Execution:
        new = NewExecution(
            schedule_id=body.schedule_id,
            started_at=body.started_at or call.service.settings.clock(),
            triggered_by=body.triggered_by,
            scan_id=body.scan_id,
            execution_id=new_id,
        )
        advance = _advance(body, call) if isinstance(body, DueExecutionCreate) else None
        return store.create_execution(new, owner=call.owner, advance=advance, receipt=receipt)

    return call.created(
        ExecutionAnswer,
        body,
        create,
        get=lambda new_id: store.get_execution(new_id, owner=call.owner),
        path=lambda execution: f"executions/{execution.execution_id}",
    )


@router.get("/executions", response_model=Listing[ExecutionAnswer], responses=LISTED)
@requires(Permission.EXECUTIONS_READ)
def list_executions(query: Annotated[ExecutionsQuery, Query()], call: Reading) -> Response:
    """List the executions of a schedule or of an account, the newest first."""
    return call.listing(ExecutionAnswer, _page(query, call), query)


@router.get("/executions/{execution_id}", response_model=ExecutionAnswer, responses=ONE)
@requires(Permission.EXECUTIONS_READ)
def get_execution(execution_id: ExecutionPath, call: Reading) -> Response:
    """Get an execution."""
    return call.one(ExecutionAnswer, call.service.store.get_execution(execution_id, owner=call.owner))


@router.patch("/executions/{execution_id}", response_model=ExecutionAnswer, responses=PATCHED)
@requires(Permission.EXECUTIONS_UPDATE)
def change_execution(execution_id: ExecutionPath, body: ExecutionChange, call: Changing) -> Response:
    """Change an execution. When its status leaves `running`, its schedule counts it."""
    store = call.service.store
    return call.changed(
        ExecutionAnswer,
        get=lambda: store.get_execution(execution_id, owner=call.owner),
        update=lambda seen: store.update_execution(execution_id, body.given(), owner=call.owner, seen=seen),
    )


def _advance(body: DueExecutionCreate, call: Call) -> Advance:
    """Return the claim of the due run. Raises Conflict for a schedule that does not run."""
    schedule = call.service.store.get_schedule(body.schedule_id, owner=call.owner)
    if not schedule.enabled or schedule.status != "active":
        raise Conflict("execution", "The schedule is disabled or paused: it has no due run.")
    return Advance(body.next_run_at, run_after(schedule, now=call.service.settings.clock()))


def _page(query: ExecutionsQuery, call: Call) -> Page[Execution]:
    store, page = call.service.store, call.page(query)
    if query.schedule_id is not None and query.account_id is None:
        return store.list_executions_by_schedule(query.schedule_id, page, owner=call.owner)
    if query.account_id is not None and query.schedule_id is None:
        return store.list_executions_by_account(query.account_id, page, owner=call.owner)
    raise field_problem("schedule_id", "or account_id must be given, and not both")
