"""Providers. The table of pairs keeps each type unique among a tenant's providers."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from onboarding.store import paging
from onboarding.store.dynamodb.expressions import Expression
from onboarding.store.dynamodb.items import PROVIDER, TENANT, Item, can_be_key, decode
from onboarding.store.dynamodb.listings import Listing
from onboarding.store.dynamodb.records import CONFLICT, PARENT, Records
from onboarding.store.dynamodb.transactions import Refusal, put
from onboarding.store.errors import Conflict, NotFound
from onboarding.store.interface import Changes, Page, PageRequest
from onboarding.store.records import NewProvider, Provider, Receipt


class Providers(Records):
    """The calls for providers."""

    def create_provider(
        self, new: NewProvider, *, owner: UUID | None = None, receipt: Receipt | None = None
    ) -> Provider:
        """See the interface."""
        provider: Provider = self._new(PROVIDER, new)
        pair = pair_key(str(new.tenant_id), new.provider_type) | {"provider_id": {"S": str(provider.provider_id)}}
        taken: Refusal = lambda _: Conflict("provider", "The tenant has this provider already.")  # noqa: E731
        free = Expression().absent("tenant_id")
        lookup = put(self._names.tenant_providers, pair, free, taken, CONFLICT)
        parent = self._parent(TENANT, new.tenant_id, owner, PARENT)
        return cast(Provider, self._create(PROVIDER, provider, receipt, parent, lookup))

    def get_provider(self, provider_id: UUID, *, owner: UUID | None = None) -> Provider:
        """See the interface."""
        return cast(Provider, self._get(PROVIDER, provider_id, owner))

    def get_provider_by_tenant_and_type(self, tenant_id: UUID, provider_type: str) -> Provider:
        """See the interface."""
        key = pair_key(str(tenant_id), provider_type)
        pair = self._item(self._names.tenant_providers, key) if can_be_key(provider_type) else None
        item = self._item(self._names.providers, PROVIDER.key_item(pair["provider_id"]["S"])) if pair else None
        if item is None:
            raise NotFound("provider")
        return cast(Provider, decode(PROVIDER, item))

    def list_providers(self, tenant_id: UUID, page: PageRequest) -> Page[Provider]:
        """See the interface."""
        listing = Listing(
            PROVIDER, self._names.providers, "tenant-provider-index", "tenant_id", str(tenant_id), paging.PROVIDERS
        )
        return listing.page(self._client, page)

    def update_provider(
        self, provider_id: UUID, changes: Changes, *, owner: UUID | None = None, seen: Provider | None = None
    ) -> Provider:
        """See the interface."""
        return cast(Provider, self._update(PROVIDER, provider_id, changes, owner, seen))


def pair_key(tenant_id: str, provider_type: str) -> Item:
    """Return the key of a pair's item."""
    return {"tenant_id": {"S": tenant_id}, "provider_type": {"S": provider_type}}
