"""Scan results of accounts."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from urllib.parse import quote
from uuid import UUID

from fastapi import Query, Response

from onboarding.api.answers import Listing, ScanResultAnswer
from onboarding.api.call import Call, Changing, Creating, Reading
from onboarding.api.documented import CREATED, LISTED, ONE, PATCHED, ScanPath
from onboarding.api.permissions import Permission
from onboarding.api.problems import Problem, field_problem
from onboarding.api.queries import ScanResultsQuery
from onboarding.api.requests import ScanResultChange, ScanResultCreate
from onboarding.api.secured_route import requires, secured_router
from onboarding.store.interface import Page
from onboarding.store.records import NewScanResult, Receipt, ScanResult

router = secured_router("scan results")


@router.post("/scan-results", status_code=201, response_model=ScanResultAnswer, responses=CREATED)
@requires(Permission.SCAN_RESULTS_CREATE)
def create_scan_result(body: ScanResultCreate, call: Creating) -> Response:
    """Create a scan result."""
    store, values = call.service.store, body.model_dump()

    def create(new_id: UUID | None, receipt: Receipt | None) -> ScanResult:
        new = NewScanResult(**values, scan_id=None if new_id is None else _scan_id(new_id))
        return store.create_scan_result(new, owner=call.owner, receipt=receipt)

    return call.created(
        ScanResultAnswer,
        body,
        create,
        get=lambda new_id: store.get_scan_result(_scan_id(new_id), owner=call.owner),
        path=lambda result: f"scan-results/{quote(result.scan_id, safe='')}",
    )


@router.get("/scan-results", response_model=Listing[ScanResultAnswer], responses=LISTED)
@requires(Permission.SCAN_RESULTS_READ)
def list_scan_results(query: Annotated[ScanResultsQuery, Query()], call: Reading) -> Response:
    """List the scan results of an account, or those of all tenants in one status, the newest first."""
    return call.listing(ScanResultAnswer, _page(query, call), query)


# `:path` lets an id hold slashes: ids that were migrated may.
@router.get("/scan-results/{scan_id:path}", response_model=ScanResultAnswer, responses=ONE)
@requires(Permission.SCAN_RESULTS_READ)
def get_scan_result(scan_id: ScanPath, call: Reading) -> Response:
    """Get a scan result."""
    return call.one(ScanResultAnswer, call.service.store.get_scan_result(scan_id, owner=call.owner))


@router.patch("/scan-results/{scan_id:path}", response_model=ScanResultAnswer, responses=PATCHED)
@requires(Permission.SCAN_RESULTS_UPDATE)
def change_scan_result(scan_id: ScanPath, body: ScanResultChange, call: Changing) -> Response:
    """Change a scan result."""
    store = call.service.store
    return call.changed(
        ScanResultAnswer,
        get=lambda: store.get_scan_result(scan_id, owner=call.owner),
        update=lambda seen: store.update_scan_result(scan_id, body.given(), owner=call.owner, seen=seen),
    )


def _page(query: ScanResultsQuery, call: Call) -> Page[ScanResult]:
    store, page = call.service.store, call.page(query)
    if query.account_id is not None and query.status is None:
        return store.list_scan_results_by_account(query.account_id, page, owner=call.owner)
    if query.status is None or query.account_id is not None:
        raise field_problem("account_id", "or status must be given, and not both")
    if call.owner is not None:
        raise Problem(HTTPStatus.FORBIDDEN, "Listing by status reaches all tenants, and is for roles of the platform.")
    return store.list_scan_results_by_status(query.status, page)


def _scan_id(new_id: UUID) -> str:
    return f"scan-{new_id}"
