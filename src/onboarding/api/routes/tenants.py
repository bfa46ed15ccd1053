"""Tenants: the platform makes and removes them, a tenant sees and changes itself."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Response

from onboarding.api.answers import Listing, TenantAnswer
from onboarding.api.call import Call, Changing, Creating, Reading
from onboarding.api.documented import CREATED, DELETED, LISTED, ONE, PATCHED, TenantPath
from onboarding.api.permissions import Permission
from onboarding.api.queries import TenantsQuery
from onboarding.api.requests import TenantChange, TenantCreate
from onboarding.api.secured_route import requires, secured_router
from onboarding.store.errors import NotFound
from onboarding.store.interface import Page
from onboarding.store.records import NewTenant, Tenant

router = secured_router("tenants")


@router.post("/tenants", status_code=201, response_model=TenantAnswer, responses=CREATED)
@requires(Permission.TENANTS_CREATE)
def create_tenant(body: TenantCreate, call: Creating) -> Response:
    """Create a tenant."""
    store, values = call.service.store, body.model_dump()
    return call.created(
        TenantAnswer,
        body,
        create=lambda new_id, receipt: store.create_tenant(NewTenant(**values, tenant_id=new_id), receipt=receipt),
        get=store.get_tenant,
        path=lambda tenant: f"tenants/{tenant.tenant_id}",
    )


@router.get("/tenants", response_model=Listing[TenantAnswer], responses=LISTED)
@requires(Permission.TENANTS_LIST)
def list_tenants(query: Annotated[TenantsQuery, Query()], call: Reading) -> Response:
    """List tenants by id, or the one of a name."""
    page = call.page(query)
    if query.name is None:
        return call.listing(TenantAnswer, call.service.store.list_tenants(page), query)
    return call.listing(TenantAnswer, _of_name(call, query.name), query)


@router.get("/tenants/{tenant_id}", response_model=TenantAnswer, responses=ONE)
@requires(Permission.TENANTS_READ)
def get_tenant(tenant_id: TenantPath, call: Reading) -> Response:
    """Get a tenant."""
    return call.one(TenantAnswer, call.service.store.get_tenant(call.tenant(tenant_id)))


@router.patch("/tenants/{tenant_id}", response_model=TenantAnswer, responses=PATCHED)
@requires(Permission.TENANTS_UPDATE)
def change_tenant(tenant_id: TenantPath, body: TenantChange, call: Changing) -> Response:
    """Change a tenant."""
    store, reached = call.service.store, call.tenant(tenant_id)
    return call.changed(
        TenantAnswer,
        get=lambda: store.get_tenant(reached),
        update=lambda seen: store.update_tenant(reached, body.given(), seen=seen),
    )


@router.delete("/tenants/{tenant_id}", status_code=204, response_class=Response, responses=DELETED)
@requires(Permission.TENANTS_DELETE)
def delete_tenant(tenant_id: TenantPath, call: Reading) -> Response:
    """Delete a tenant with all that is its; the last of it may be gone a little later."""
    call.service.store.delete_tenant(tenant_id)
    return call.deleted()


def _of_name(call: Call, name: str) -> Page[Tenant]:
    try:
        return Page((call.service.store.get_tenant_by_name(name),), None)
    except NotFound:
        return Page((), None)
