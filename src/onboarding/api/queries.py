"""What listings are asked with. An unknown name is refused: a filter that was misspelt must not list everything."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from onboarding.api.fields import AccountStatus, CursorText, Id, Limit, Name, ProviderType, RunStatus


class PageQuery(BaseModel):
    """At most `limit` records, after those of the page that gave the cursor."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    limit: Limit = 50
    cursor: CursorText | None = Field(default=None, description="What the page before gave as `next`.")


class TenantsQuery(PageQuery):
    """Which tenants: all, or the one of this name."""

    name: Name | None = None


class ProvidersQuery(PageQuery):
    """Which providers of a tenant: all, or the one of this type."""

    tenant_id: Id | None = None
    provider_type: ProviderType | None = None


class AccountsQuery(PageQuery):
    """Which accounts of a tenant, or of one of its providers."""

    tenant_id: Id | None = None
    provider_id: Id | None = None
    status: AccountStatus | None = None


class SchedulesQuery(PageQuery):
    """Which schedules: of a tenant, or of one of its accounts."""

    tenant_id: Id | None = None
    account_id: Id | None = None


class ExecutionsQuery(PageQuery):
    """Which executions: of a schedule or of an account, exactly one of them."""

    schedule_id: Id | None = None
    account_id: Id | None = None


class ScanResultsQuery(PageQuery):
    """Which scan results: of an account; or, for roles of the platform, of all tenants in one status."""

    account_id: Id | None = None
    status: RunStatus | None = None
