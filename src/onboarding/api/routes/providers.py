"""Providers of a tenant."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Response

from onboarding.api.answers import Listing, ProviderAnswer
from onboarding.api.call import Changing, Creating, Reading
from onboarding.api.documented import CREATED, DELETED, LISTED, ONE, PATCHED, ProviderPath
from onboarding.api.permissions import Permission
from onboarding.api.queries import ProvidersQuery
from onboarding.api.requests import ProviderChange, ProviderCreate
from onboarding.api.secured_route import requires, secured_router
from onboarding.store.errors import NotFound
from onboarding.store.interface import Page, PageRequest, Store
from onboarding.store.records import NewProvider, Provider

router = secured_router("providers")


@router.post("/providers", status_code=201, response_model=ProviderAnswer, responses=CREATED)
@requires(Permission.PROVIDERS_CREATE)
def create_provider(body: ProviderCreate, call: Creating) -> Response:
    """Create a provider."""
    store = call.service.store
    values = body.model_dump() | {"tenant_id": call.tenant(body.tenant_id)}
    return call.created(
        ProviderAnswer,
        body,
        create=lambda new_id, receipt: store.create_provider(
            NewProvider(**values, provider_id=new_id), owner=call.owner, receipt=receipt
        ),
        get=lambda new_id: store.get_provider(new_id, owner=call.owner),
        path=lambda provider: f"providers/{provider.provider_id}",
    )


@router.get("/providers", response_model=Listing[ProviderAnswer], responses=LISTED)
@requires(Permission.PROVIDERS_READ)
def list_providers(query: Annotated[ProvidersQuery, Query()], call: Reading) -> Response:
    """List a tenant's providers by type."""
    page = _page(call.service.store, call.page(query), query, call)
    return call.listing(ProviderAnswer, page, query)


@router.get("/providers/{provider_id}", response_model=ProviderAnswer, responses=ONE)
@requires(Permission.PROVIDERS_READ)
def get_provider(provider_id: ProviderPath, call: Reading) -> Response:
    """Get a provider."""
    return call.one(ProviderAnswer, call.service.store.get_provider(provider_id, owner=call.owner))


@router.patch("/providers/{provider_id}", response_model=ProviderAnswer, responses=PATCHED)
@requires(Permission.PROVIDERS_UPDATE)
def change_provider(provider_id: ProviderPath, body: ProviderChange, call: Changing) -> Response:
    """Change a provider."""
    store = call.service.store
    return call.changed(
        ProviderAnswer,
        get=lambda: store.get_provider(provider_id, owner=call.owner),
        update=lambda seen: store.update_provider(provider_id, body.given(), owner=call.owner, seen=seen),
    )


@router.delete("/providers/{provider_id}", status_code=204, response_class=Response, responses=DELETED)
@requires(Permission.PROVIDERS_DELETE)
def delete_provider(provider_id: ProviderPath, call: Reading) -> Response:
    """Delete a provider and its accounts with all of theirs."""
    call.service.store.delete_provider(provider_id, owner=call.owner)
    return call.deleted()


def _page(store: Store, page: PageRequest, query: ProvidersQuery, call: Reading) -> Page[Provider]:
    tenant_id = call.tenant(query.tenant_id)
    if query.provider_type is None:
        return store.list_providers(tenant_id, page)
    try:
        return Page((store.get_provider_by_tenant_and_type(tenant_id, query.provider_type),), None)
    except NotFound:
        return Page((), None)
