"""Tenants. The table of names keeps each name unique; every write of a tenant that concerns its name writes both."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from onboarding.store import paging
from onboarding.store.dynamodb.expressions import Expression
from onboarding.store.dynamodb.items import TENANT, Item, can_be_key, decode
from onboarding.store.dynamodb.listings import scanned
from onboarding.store.dynamodb.records import CONFLICT, Records
from onboarding.store.dynamodb.transactions import Action, Refusal, delete, put, transact
from onboarding.store.errors import Changed, Conflict, NotFound
from onboarding.store.interface import Changes, Page, PageRequest
from onboarding.store.records import NewTenant, Receipt, Tenant
from onboarding.store.rules import check_changes

LOOKS = 3
"""How often a name is looked up whose tenant is no longer of this name: it was renamed between the two reads."""


class Tenants(Records):
    """The calls for tenants."""

    def create_tenant(self, new: NewTenant, *, receipt: Receipt | None = None) -> Tenant:
        """See the interface."""
        tenant: Tenant = self._new(TENANT, new)
        return cast(Tenant, self._create(TENANT, tenant, receipt, self._name(tenant.tenant_name, tenant.tenant_id)))

    def _name(self, name: str, tenant_id: UUID) -> Action:
        item = {"tenant_name": {"S": name}, "tenant_id": {"S": str(tenant_id)}}
        taken: Refusal = lambda _: Conflict("tenant", "Another tenant has this name.")  # noqa: E731
        return put(self._names.tenant_names, item, Expression().absent("tenant_name"), taken, CONFLICT)

    def get_tenant(self, tenant_id: UUID) -> Tenant:
        """See the interface."""
        return cast(Tenant, self._get(TENANT, tenant_id, None))

    def get_tenant_by_name(self, tenant_name: str) -> Tenant:
        """See the interface."""
        for _ in range(LOOKS if can_be_key(tenant_name) else 0):
            held = self._item(self._names.tenant_names, {"tenant_name": {"S": tenant_name}})
            if held is None:
                break
            item = self._item(self._names.tenants, TENANT.key_item(held["tenant_id"]["S"]))
            if item is not None and item["tenant_name"]["S"] == tenant_name:
                return cast(Tenant, decode(TENANT, item))
        raise NotFound("tenant")

    def list_tenants(self, page: PageRequest) -> Page[Tenant]:
        """See the interface. Reads the whole table: the only operation that does."""
        paging.TENANTS.check(page)
        found = [decode(TENANT, item) for item in scanned(self._client, self._names.tenants)]
        found.sort(key=paging.TENANTS.position)
        rest = [tenant for tenant in found if page.after is None or paging.TENANTS.position(tenant) > page.after]
        return paging.cut(rest, paging.TENANTS, page.limit)

    def update_tenant(self, tenant_id: UUID, changes: Changes, *, seen: Tenant | None = None) -> Tenant:
        """See the interface."""
        if "tenant_name" not in changes:
            return cast(Tenant, self._update(TENANT, tenant_id, changes, None, seen))
        check_changes("tenant", changes)
        return self._until_still(lambda: self._rename(tenant_id, changes, seen))

    def _rename(self, tenant_id: UUID, changes: Changes, seen: Tenant | None) -> Tenant:
        item = self._item(self._names.tenants, TENANT.key_item(tenant_id))
        if item is None:
            raise NotFound("tenant")
        if seen is not None and decode(TENANT, item) != seen:
            raise Changed("tenant")
        own, changed = self._exactly(TENANT, item, changes)
        old, new = item["tenant_name"]["S"], changes["tenant_name"]
        moved = [] if old == new else [self._release(item), self._name(new, tenant_id)]
        transact(self._client, [own, *moved])
        return cast(Tenant, changed)

    def _release(self, item: Item) -> Action:
        """Give up a tenant's name. One that is another's is left alone; it could only be by a hand from outside."""
        key = {"tenant_name": item["tenant_name"]}
        ours = Expression().absent_or("tenant_name", "tenant_id", "=", item["tenant_id"])
        foreign: Refusal = lambda _: Conflict("tenant", "The tenant's name is kept for another one.")  # noqa: E731
        return delete(self._names.tenant_names, key, ours, foreign, CONFLICT)
