"""Accounts of a tenant at its providers."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Response

from onboarding.api.answers import AccountAnswer, Listing
from onboarding.api.call import Call, Changing, Creating, Reading
from onboarding.api.documented import CREATED, DELETED, LISTED, ONE, PATCHED, AccountPath
from onboarding.api.permissions import Permission
from onboarding.api.queries import AccountsQuery
from onboarding.api.requests import AccountChange, AccountCreate
from onboarding.api.secured_route import requires, secured_router
from onboarding.store.errors import NotFound
from onboarding.store.interface import Page
from onboarding.store.records import Account, NewAccount

router = secured_router("accounts")


@router.post("/accounts", status_code=201, response_model=AccountAnswer, responses=CREATED)
@requires(Permission.ACCOUNTS_CREATE)
def create_account(body: AccountCreate, call: Creating) -> Response:
    """Create an account, of a provider of the same tenant."""
    store = call.service.store
    values = body.model_dump() | {"tenant_id": call.tenant(body.tenant_id)}
    return call.created(
        AccountAnswer,
        body,
        create=lambda new_id, receipt: store.create_account(
            NewAccount(**values, account_id=new_id), owner=call.owner, receipt=receipt
        ),
        get=lambda new_id: store.get_account(new_id, owner=call.owner),
        path=lambda account: f"accounts/{account.account_id}",
    )


@router.get("/accounts", response_model=Listing[AccountAnswer], responses=LISTED)
@requires(Permission.ACCOUNTS_READ)
def list_accounts(query: Annotated[AccountsQuery, Query()], call: Reading) -> Response:
    """List the accounts of a tenant, or of one of its providers, by status and id."""
    return call.listing(AccountAnswer, _page(query, call), query)


@router.get("/accounts/{account_id}", response_model=AccountAnswer, responses=ONE)
@requires(Permission.ACCOUNTS_READ)
def get_account(account_id: AccountPath, call: Reading) -> Response:
    """Get an account."""
    return call.one(AccountAnswer, call.service.store.get_account(account_id, owner=call.owner))


@router.patch("/accounts/{account_id}", response_model=AccountAnswer, responses=PATCHED)
@requires(Permission.ACCOUNTS_UPDATE)
def change_account(account_id: AccountPath, body: AccountChange, call: Changing) -> Response:
    """Change an account."""
    store = call.service.store
    return call.changed(
        AccountAnswer,
        get=lambda: store.get_account(account_id, owner=call.owner),
        update=lambda seen: store.update_account(account_id, body.given(), owner=call.owner, seen=seen),
    )


@router.delete("/accounts/{account_id}", status_code=204, response_class=Response, responses=DELETED)
@requires(Permission.ACCOUNTS_DELETE)
def delete_account(account_id: AccountPath, call: Reading) -> Response:
    """Delete an account with its credentials, schedules, executions and scan results."""
    call.service.store.delete_account(account_id, owner=call.owner)
    return call.deleted()


def _page(query: AccountsQuery, call: Call) -> Page[Account]:
    store, page = call.service.store, call.page(query)
    if query.provider_id is None:
        return store.list_accounts_by_tenant(call.tenant(query.tenant_id), page, status=query.status)
    # A tenant that is named besides must be the provider's.
    if query.tenant_id is not None:
        provider = store.get_provider(query.provider_id, owner=call.owner)
        if provider.tenant_id != call.tenant(query.tenant_id):
            raise NotFound("provider")
    return store.list_accounts_by_provider(query.provider_id, page, status=query.status, owner=call.owner)
