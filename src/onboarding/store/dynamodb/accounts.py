"""Accounts and their credentials, which Secrets Manager keeps."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast
from uuid import UUID

from onboarding.store import paging
from onboarding.store.documents import plain_document
from onboarding.store.dynamodb.items import ACCOUNT, PROVIDER, TENANT, can_be_key
from onboarding.store.dynamodb.listings import Listing
from onboarding.store.dynamodb.records import NEXT_PARENT, PARENT, Records
from onboarding.store.errors import NotFound
from onboarding.store.interface import Changes, Page, PageRequest
from onboarding.store.records import Account, Credential, CredentialInfo, NewAccount, NewCredential, Receipt


class Accounts(Records):
    """The calls for accounts and their credentials."""

    def create_account(self, new: NewAccount, *, owner: UUID | None = None, receipt: Receipt | None = None) -> Account:
        """See the interface."""
        tenant = self._parent(TENANT, new.tenant_id, owner, PARENT)
        provider = self._parent(PROVIDER, new.provider_id, new.tenant_id, NEXT_PARENT)
        return cast(Account, self._create(ACCOUNT, self._new(ACCOUNT, new), receipt, tenant, provider))

    def get_account(self, account_id: UUID, *, owner: UUID | None = None) -> Account:
        """See the interface."""
        return cast(Account, self._get(ACCOUNT, account_id, owner))

    def list_accounts_by_tenant(
        self, tenant_id: UUID, page: PageRequest, *, status: str | None = None
    ) -> Page[Account]:
        """See the interface."""
        return self._list_accounts("tenant-accounts-index", "tenant_id", tenant_id, page, status)

    def list_accounts_by_provider(
        self, provider_id: UUID, page: PageRequest, *, status: str | None = None, owner: UUID | None = None
    ) -> Page[Account]:
        """See the interface."""
        paging.ACCOUNTS.check(page)
        if owner is not None:
            self._get(PROVIDER, provider_id, owner)
        return self._list_accounts("provider-accounts-index", "provider_id", provider_id, page, status)

    def _list_accounts(
        self, index: str, hash_: str, value: UUID, page: PageRequest, status: str | None
    ) -> Page[Account]:
        if status is not None and not can_be_key(status):
            paging.ACCOUNTS.check(page)
            return Page((), None)
        table = self._names.accounts
        return Listing(ACCOUNT, table, index, hash_, str(value), paging.ACCOUNTS, equal=status, crowded=True).page(
            self._client, page
        )

    def update_account(
        self, account_id: UUID, changes: Changes, *, owner: UUID | None = None, seen: Account | None = None
    ) -> Account:
        """See the interface."""
        return cast(Account, self._update(ACCOUNT, account_id, changes, owner, seen))

    # Credentials

    def put_credential(self, account_id: UUID, new: NewCredential, *, owner: UUID | None = None) -> CredentialInfo:
        """See the interface."""
        self._get(ACCOUNT, account_id, owner)
        stored = self._secrets.store(account_id, new.credential_type, new.credentials, new.expires_at)
        try:
            self._get(ACCOUNT, account_id, owner)
        except NotFound:
            # HAZARD: it was deleted meanwhile, perhaps with its secret before this one was stored.
            self.drop_secret(account_id)
            raise
        return _info(stored)

    def drop_secret(self, account_id: UUID | str) -> None:
        """Delete the secret of an account that is gone. Idempotent."""
        try:
            self._secrets.delete(account_id)
        except NotFound:
            return

    def get_credential_info(self, account_id: UUID, *, owner: UUID | None = None) -> CredentialInfo:
        """See the interface."""
        self._get(ACCOUNT, account_id, owner)
        return _info(self._secrets.describe(account_id))

    def read_credential(self, account_id: UUID, *, owner: UUID | None = None) -> Credential:
        """See the interface."""
        self._get(ACCOUNT, account_id, owner)
        told = self._secrets.retrieve(account_id)
        return Credential(info=_info(told), credentials=plain_document(told["credentials"]))

    def delete_credential(self, account_id: UUID, *, owner: UUID | None = None) -> None:
        """See the interface."""
        self._get(ACCOUNT, account_id, owner)
        self._secrets.delete(account_id)


def _info(told: dict[str, Any]) -> CredentialInfo:
    expires_at = told["expires_at"]
    return CredentialInfo(
        account_id=UUID(told["account_id"]),
        credential_type=told["credential_type"],
        created_at=datetime.fromisoformat(told["created_at"]),
        expires_at=None if expires_at is None else datetime.fromisoformat(expires_at),
    )
