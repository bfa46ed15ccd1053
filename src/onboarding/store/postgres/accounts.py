"""Accounts in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection

from onboarding.store import paging
from onboarding.store.interface import Changes, Page, PageRequest
from onboarding.store.postgres.records import Records
from onboarding.store.postgres.rows import ACCOUNTS, PROVIDERS, TENANTS, equals, find
from onboarding.store.records import Account, NewAccount, Receipt

COLUMNS = ACCOUNTS.table.c


class Accounts(Records):
    """See `onboarding.store.interface.Store`, whose promises these calls keep."""

    def create_account(self, new: NewAccount, *, owner: UUID | None = None, receipt: Receipt | None = None) -> Account:
        """See the interface."""

        def derive(connection: Connection) -> Mapping[str, Any]:
            find(connection, TENANTS, new.tenant_id, owner, lock="against deletion")
            find(connection, PROVIDERS, new.provider_id, new.tenant_id, lock="against deletion")
            return {}

        return self._create(ACCOUNTS, new, receipt, derive)

    def get_account(self, account_id: UUID, *, owner: UUID | None = None) -> Account:
        """See the interface."""
        return self._get(ACCOUNTS, account_id, owner)

    def list_accounts_by_tenant(
        self, tenant_id: UUID, page: PageRequest, *, status: str | None = None
    ) -> Page[Account]:
        """See the interface."""
        return self._list(ACCOUNTS, paging.ACCOUNTS, page, COLUMNS.tenant_id == tenant_id, *_of_status(status))

    def list_accounts_by_provider(
        self, provider_id: UUID, page: PageRequest, *, status: str | None = None, owner: UUID | None = None
    ) -> Page[Account]:
        """See the interface."""
        kept = (COLUMNS.provider_id == provider_id, *_of_status(status))
        return self._list(ACCOUNTS, paging.ACCOUNTS, page, *kept, owner=owner, parent=(PROVIDERS, provider_id))

    def update_account(
        self, account_id: UUID, changes: Changes, *, owner: UUID | None = None, seen: Account | None = None
    ) -> Account:
        """See the interface."""
        return self._update(ACCOUNTS, account_id, changes, owner, seen)

    def delete_account(self, account_id: UUID, *, owner: UUID | None = None) -> None:
        """See the interface."""
        self._delete(ACCOUNTS, account_id, owner)


def _of_status(status: str | None) -> list[ColumnElement[bool]]:
    return [] if status is None else [equals(COLUMNS.status, status)]
