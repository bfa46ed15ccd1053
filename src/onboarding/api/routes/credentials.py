"""The credential of an account: written and removed over HTTP, never read."""

from __future__ import annotations

from fastapi import Response

from onboarding.api.answers import CredentialAnswer, CredentialPresence
from onboarding.api.call import Reading
from onboarding.api.credential_fields import missing_fields
from onboarding.api.documented import DELETED, TOLD, WRITTEN, AccountPath
from onboarding.api.permissions import Permission
from onboarding.api.requests import CredentialWrite
from onboarding.api.secured_route import requires, secured_router
from onboarding.store.errors import Unreadable
from onboarding.store.records import NewCredential

router = secured_router("credentials")
PATH = "/accounts/{account_id}/credentials"


@router.put(PATH, response_model=CredentialAnswer, responses=WRITTEN)
@requires(Permission.CREDENTIALS_WRITE)
def put_credential(account_id: AccountPath, body: CredentialWrite, call: Reading) -> Response:
    """Store a credential as the account's current one. Written twice, it is there as if once."""
    new = NewCredential(credential_type=body.credential_type, credentials=body.credentials, expires_at=body.expires_at)
    return call.plain(CredentialAnswer, call.service.store.put_credential(account_id, new, owner=call.owner))


@router.get(PATH, response_model=CredentialPresence, responses=TOLD)
@requires(Permission.CREDENTIALS_READ)
def get_credential(account_id: AccountPath, call: Reading) -> Response:
    """Tell of what type the account's credential is, and whether it has all that this type needs; never its value."""
    store = call.service.store
    info = store.get_credential_info(account_id, owner=call.owner)
    try:
        missing: tuple[str, ...] | None = tuple(missing_fields(store.read_credential(account_id, owner=call.owner)))
    except Unreadable:
        missing = None
    presence = CredentialPresence(
        account_id=info.account_id,
        credential_type=info.credential_type,
        created_at=info.created_at,
        expires_at=info.expires_at,
        readable=missing is not None,
        complete=missing == (),
        missing_fields=list(missing or ()),
    )
    return call.plain(CredentialPresence, presence)


@router.delete(PATH, status_code=204, response_class=Response, responses=DELETED)
@requires(Permission.CREDENTIALS_DELETE)
def delete_credential(account_id: AccountPath, call: Reading) -> Response:
    """Delete all credentials of the account."""
    call.service.store.delete_credential(account_id, owner=call.owner)
    return call.deleted()
