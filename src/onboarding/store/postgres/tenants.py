"""Tenants in PostgreSQL."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection, select

from onboarding.store import paging
from onboarding.store.errors import NotFound
from onboarding.store.interface import Changes, Page, PageRequest
from onboarding.store.postgres.records import Records
from onboarding.store.postgres.rows import TENANTS, equals
from onboarding.store.records import NewTenant, Receipt, Tenant


class Tenants(Records):
    """See `onboarding.store.interface.Store`, whose promises these calls keep."""

    def create_tenant(self, new: NewTenant, *, receipt: Receipt | None = None) -> Tenant:
        """See the interface."""
        return self._create(TENANTS, new, receipt, lambda _: {})

    def get_tenant(self, tenant_id: UUID) -> Tenant:
        """See the interface."""
        return self._get(TENANTS, tenant_id)

    def get_tenant_by_name(self, tenant_name: str) -> Tenant:
        """See the interface."""

        def read(connection: Connection) -> Tenant:
            statement = select(TENANTS.table).where(equals(TENANTS.table.c.tenant_name, tenant_name))
            row = connection.execute(statement).one_or_none()
            if row is None:
                raise NotFound(TENANTS.name)
            return TENANTS.made(row)

        return self._transactions.run(read)

    def list_tenants(self, page: PageRequest) -> Page[Tenant]:
        """See the interface."""
        return self._list(TENANTS, paging.TENANTS, page)

    def update_tenant(self, tenant_id: UUID, changes: Changes, *, seen: Tenant | None = None) -> Tenant:
        """See the interface."""
        return self._update(TENANTS, tenant_id, changes, seen=seen)

    def delete_tenant(self, tenant_id: UUID) -> None:
        """See the interface."""
        self._delete(TENANTS, tenant_id)
