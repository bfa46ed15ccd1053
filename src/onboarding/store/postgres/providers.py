"""Providers in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select

from onboarding.store import paging
from onboarding.store.errors import NotFound
from onboarding.store.interface import Changes, Page, PageRequest
from onboarding.store.postgres.records import Records
from onboarding.store.postgres.rows import PROVIDERS, TENANTS, equals, find
from onboarding.store.records import NewProvider, Provider, Receipt

COLUMNS = PROVIDERS.table.c


class Providers(Records):
    """See `onboarding.store.interface.Store`, whose promises these calls keep."""

    def create_provider(
        self, new: NewProvider, *, owner: UUID | None = None, receipt: Receipt | None = None
    ) -> Provider:
        """See the interface."""

        def derive(connection: Connection) -> Mapping[str, Any]:
            find(connection, TENANTS, new.tenant_id, owner, lock="against deletion")
            return {}

        return self._create(PROVIDERS, new, receipt, derive)

    def get_provider(self, provider_id: UUID, *, owner: UUID | None = None) -> Provider:
        """See the interface."""
        return self._get(PROVIDERS, provider_id, owner)

    def get_provider_by_tenant_and_type(self, tenant_id: UUID, provider_type: str) -> Provider:
        """See the interface."""
        pair = (COLUMNS.tenant_id == tenant_id, equals(COLUMNS.provider_type, provider_type))

        def read(connection: Connection) -> Provider:
            row = connection.execute(select(PROVIDERS.table).where(*pair)).one_or_none()
            if row is None:
                raise NotFound(PROVIDERS.name)
            return PROVIDERS.made(row)

        return self._transactions.run(read)

    def list_providers(self, tenant_id: UUID, page: PageRequest) -> Page[Provider]:
        """See the interface."""
        return self._list(PROVIDERS, paging.PROVIDERS, page, COLUMNS.tenant_id == tenant_id)

    def update_provider(
        self, provider_id: UUID, changes: Changes, *, owner: UUID | None = None, seen: Provider | None = None
    ) -> Provider:
        """See the interface."""
        return self._update(PROVIDERS, provider_id, changes, owner, seen)

    def delete_provider(self, provider_id: UUID, *, owner: UUID | None = None) -> None:
        """See the interface."""
        self._delete(PROVIDERS, provider_id, owner)
