"""Schedules of accounts, and those that are due."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import Body, Query, Response

from onboarding.api.answers import Listing, ScheduleAnswer
from onboarding.api.call import Call, Changing, Creating, Reading
from onboarding.api.documented import CREATED, DELETED, LISTED, ONE, PATCHED, SchedulePath
from onboarding.api.permissions import Permission
from onboarding.api.problems import Problem
from onboarding.api.queries import PageQuery, SchedulesQuery
from onboarding.api.requests import OneTimeScheduleCreate, ScheduleChange, ScheduleCreate
from onboarding.api.schedule_changes import with_next_run
from onboarding.api.schedule_times import next_run
from onboarding.api.secured_route import DUE, requires, secured_router
from onboarding.store.errors import Changed, NotFound
from onboarding.store.interface import Page
from onboarding.store.records import NewSchedule, Receipt, Schedule

router = secured_router("schedules")
ATTEMPTS = 10
"""How often a change is reckoned anew when something else changed the schedule meanwhile."""


@router.post("/schedules", status_code=201, response_model=ScheduleAnswer, responses=CREATED)
@requires(Permission.SCHEDULES_CREATE)
def create_schedule(body: Annotated[ScheduleCreate, Body()], call: Creating) -> Response:
    """Create a schedule, of an account of the same tenant. Its next run is reckoned, or given when it runs once."""
    store, tenant_id = call.service.store, call.tenant(body.tenant_id)

    def create(new_id: UUID | None, receipt: Receipt | None) -> Schedule:
        new = _new(body, tenant_id, new_id, call)
        return store.create_schedule(new, owner=call.owner, receipt=receipt)

    return call.created(
        ScheduleAnswer,
        body,
        create,
        get=lambda new_id: store.get_schedule(new_id, owner=call.owner),
        path=lambda schedule: f"schedules/{schedule.schedule_id}",
    )


@router.get("/schedules", response_model=Listing[ScheduleAnswer], responses=LISTED)
@requires(Permission.SCHEDULES_READ)
def list_schedules(query: Annotated[SchedulesQuery, Query()], call: Reading) -> Response:
    """List the schedules of a tenant, or of one of its accounts, by id."""
    return call.listing(ScheduleAnswer, _page(query, call), query)


@router.get(f"/schedules/{DUE}", response_model=Listing[ScheduleAnswer], responses=LISTED)
@requires(Permission.SCHEDULES_READ)
def list_due_schedules(query: Annotated[PageQuery, Query()], call: Reading) -> Response:
    """List the schedules that are to run now, the longest due first: a tenant's own, or those of all tenants."""
    now = call.service.settings.clock()
    page = call.service.store.due_schedules(now, call.page(query), owner=call.owner)
    return call.listing(ScheduleAnswer, page, query)


@router.get("/schedules/{schedule_id}", response_model=ScheduleAnswer, responses=ONE)
@requires(Permission.SCHEDULES_READ)
def get_schedule(schedule_id: SchedulePath, call: Reading) -> Response:
    """Get a schedule."""
    return call.one(ScheduleAnswer, call.service.store.get_schedule(schedule_id, owner=call.owner))


@router.patch("/schedules/{schedule_id}", response_model=ScheduleAnswer, responses=PATCHED)
@requires(Permission.SCHEDULES_UPDATE)
def change_schedule(schedule_id: SchedulePath, body: ScheduleChange, call: Changing) -> Response:
    """Change a schedule. When the change touches when it runs, its next run is reckoned anew."""
    store, changes = call.service.store, body.given()
    for _ in range(ATTEMPTS):
        seen = store.get_schedule(schedule_id, owner=call.owner)
        call.require_match(ScheduleAnswer, seen)
        whole = with_next_run(seen, changes, call.service.settings.clock())
        try:
            return call.one(ScheduleAnswer, store.update_schedule(schedule_id, whole, owner=call.owner, seen=seen))
        except Changed:
            continue
    raise Problem(HTTPStatus.CONFLICT, "The schedule keeps changing: try again in a moment.")


@router.delete("/schedules/{schedule_id}", status_code=204, response_class=Response, responses=DELETED)
@requires(Permission.SCHEDULES_DELETE)
def delete_schedule(schedule_id: SchedulePath, call: Reading) -> Response:
    """Delete a schedule and its executions."""
    call.service.store.delete_schedule(schedule_id, owner=call.owner)
    return call.deleted()


def _new(body: ScheduleCreate, tenant_id: UUID, schedule_id: UUID | None, call: Call) -> NewSchedule:
    values = body.model_dump() | {"tenant_id": tenant_id, "schedule_id": schedule_id}
    new = NewSchedule(**values)
    if isinstance(body, OneTimeScheduleCreate):
        return new
    now = call.service.settings.clock()
    return NewSchedule(**values, next_run_at=next_run(new, now=now, since=now))


def _page(query: SchedulesQuery, call: Call) -> Page[Schedule]:
    store, page = call.service.store, call.page(query)
    if query.account_id is None:
        return store.list_schedules_by_tenant(call.tenant(query.tenant_id), page)
    # A tenant that is named besides must be the account's.
    if query.tenant_id is not None:
        account = store.get_account(query.account_id, owner=call.owner)
        if account.tenant_id != call.tenant(query.tenant_id):
            raise NotFound("account")
    return store.list_schedules_by_account(query.account_id, page, owner=call.owner)
