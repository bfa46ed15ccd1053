"""A running service as a store: each call of the interface is one request, made as its callers make it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from onboarding.api.keys import TokenKeys
from onboarding.store import paging
from onboarding.store.interface import Page, PageRequest
from onboarding.store.records import (
    Advance,
    NewAccount,
    NewCredential,
    NewExecution,
    NewProvider,
    NewScanResult,
    NewSchedule,
    NewTenant,
    Receipt,
)
from onboarding.traffic.http_answers import record_of, sent_value
from onboarding.traffic.http_requests import HttpRequests, Listing, given, told
from onboarding.traffic.options import Target
from onboarding.traffic.scene import Features

SCHEDULE_FIELDS = {"cron": "cron_expression", "interval": "interval_seconds", "one_time": "next_run_at"}
"""What only a schedule of this type is given."""
FEATURES = Features(
    replays=True,
    gives_ids=True,
    any_position=False,
    sweeps=False,
    reckons_runs=True,
    lacks=frozenset({"read_credential", "sweep"}),
)


class HttpStore(HttpRequests):
    """See the module. Safe to use from several threads."""

    name = "http"

    def check(self) -> None:
        """Ask the service whether it and its store answer."""
        self._asked("GET", "health", "service", None, None)

    def prepare(self) -> None:
        """Do nothing: the service has prepared its store."""

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    # Tenants

    def create_tenant(self, new: NewTenant, *, receipt: Receipt | None = None) -> Any:
        """See the interface."""
        return self._created("tenant", given(new), None, receipt)

    def get_tenant(self, tenant_id: UUID) -> Any:
        """Read a tenant, by turns as itself and as the platform."""
        return self._got("tenant", tenant_id, tenant_id if next(self._turns) % 2 else None)

    def get_tenant_by_name(self, tenant_name: str) -> Any:
        """See the interface."""
        return self._only(Listing("tenant", paging.TENANTS, "tenants", {"name": tenant_name}))

    def list_tenants(self, page: PageRequest) -> Page[Any]:
        """See the interface."""
        return self._listed(Listing("tenant", paging.TENANTS, "tenants", {}), page, None)

    # Providers

    def create_provider(self, new: NewProvider, *, owner: UUID | None = None, receipt: Receipt | None = None) -> Any:
        """See the interface."""
        return self._created("provider", given(new), owner, receipt)

    def get_provider_by_tenant_and_type(self, tenant_id: UUID, provider_type: str) -> Any:
        """See the interface."""
        filters = {"tenant_id": tenant_id, "provider_type": provider_type}
        return self._only(Listing("provider", paging.PROVIDERS, "providers", filters))

    def list_providers(self, tenant_id: UUID, page: PageRequest) -> Page[Any]:
        """See the interface."""
        return self._of_tenant(Listing("provider", paging.PROVIDERS, "providers", {"tenant_id": tenant_id}), page)

    # Accounts

    def create_account(self, new: NewAccount, *, owner: UUID | None = None, receipt: Receipt | None = None) -> Any:
        """See the interface."""
        return self._created("account", given(new), owner, receipt)

    def list_accounts_by_tenant(self, tenant_id: UUID, page: PageRequest, *, status: str | None = None) -> Page[Any]:
        """See the interface."""
        filters = {"tenant_id": tenant_id, "status": status}
        return self._of_tenant(Listing("account", paging.ACCOUNTS, "accounts", filters), page)

    def list_accounts_by_provider(
        self, provider_id: UUID, page: PageRequest, *, status: str | None = None, owner: UUID | None = None
    ) -> Page[Any]:
        """See the interface."""
        filters = {"provider_id": provider_id, "status": status}
        return self._listed(Listing("account", paging.ACCOUNTS, "accounts", filters), page, owner)

    # Credentials

    def put_credential(self, account_id: UUID, new: NewCredential, *, owner: UUID | None = None) -> Any:
        """See the interface."""
        return self._credential("PUT", account_id, owner, given(new))

    def get_credential_info(self, account_id: UUID, *, owner: UUID | None = None) -> Any:
        """See the interface."""
        return self._credential("GET", account_id, owner, None)

    def delete_credential(self, account_id: UUID, *, owner: UUID | None = None) -> None:
        """See the interface."""
        self._asked("DELETE", f"accounts/{account_id}/credentials", "credential", owner, None)

    def _credential(self, method: str, account_id: UUID, owner: UUID | None, body: Any) -> Any:
        response = self._asked(method, f"accounts/{account_id}/credentials", "credential", owner, body)
        return record_of("credential", orjson.loads(response.content))

    # Schedules

    def create_schedule(self, new: NewSchedule, *, owner: UUID | None = None, receipt: Receipt | None = None) -> Any:
        """Create a schedule; only what its type needs of when it runs is sent."""
        others = {name for kind, name in SCHEDULE_FIELDS.items() if kind != new.schedule_type}
        body = {name: value for name, value in given(new).items() if name not in others}
        return self._created("schedule", body, owner, receipt)

    def list_schedules_by_tenant(self, tenant_id: UUID, page: PageRequest) -> Page[Any]:
        """See the interface."""
        return self._of_tenant(Listing("schedule", paging.SCHEDULES, "schedules", {"tenant_id": tenant_id}), page)

    def list_schedules_by_account(self, account_id: UUID, page: PageRequest, *, owner: UUID | None = None) -> Page[Any]:
        """See the interface."""
        filters = {"account_id": account_id}
        return self._listed(Listing("schedule", paging.SCHEDULES, "schedules", filters), page, owner)

    def due_schedules(self, now: datetime, page: PageRequest, *, owner: UUID | None = None) -> Page[Any]:  # noqa: ARG002
        """List what is due by the service's own clock, whatever `now` is."""
        return self._listed(Listing("schedule", paging.DUE, "schedules/due", {}), page, owner)

    # Executions

    def create_execution(
        self,
        new: NewExecution,
        *,
        owner: UUID | None = None,
        advance: Advance | None = None,
        receipt: Receipt | None = None,
    ) -> Any:
        """Begin an execution; one that claims a run does so as the scheduler."""
        claim = {"triggered_by": "scheduler", "next_run_at": sent_value(advance.seen)} if advance else {}
        return self._created("execution", {"triggered_by": "api"} | told(given(new)) | claim, owner, receipt)

    def list_executions_by_schedule(
        self, schedule_id: UUID, page: PageRequest, *, owner: UUID | None = None
    ) -> Page[Any]:
        """See the interface."""
        filters = {"schedule_id": schedule_id}
        return self._listed(Listing("execution", paging.EXECUTIONS, "executions", filters), page, owner)

    def list_executions_by_account(
        self, account_id: UUID, page: PageRequest, *, owner: UUID | None = None
    ) -> Page[Any]:
        """See the interface."""
        filters = {"account_id": account_id}
        return self._listed(Listing("execution", paging.EXECUTIONS, "executions", filters), page, owner)

    # Scan results

    def create_scan_result(
        self, new: NewScanResult, *, owner: UUID | None = None, receipt: Receipt | None = None
    ) -> Any:
        """See the interface."""
        return self._created("scan_result", given(new), owner, receipt)

    def list_scan_results_by_account(
        self, account_id: UUID, page: PageRequest, *, owner: UUID | None = None
    ) -> Page[Any]:
        """See the interface."""
        filters = {"account_id": account_id}
        return self._listed(Listing("scan_result", paging.SCAN_RESULTS, "scan-results", filters), page, owner)

    def list_scan_results_by_status(self, status: str, page: PageRequest) -> Page[Any]:
        """See the interface."""
        return self._listed(Listing("scan_result", paging.SCAN_RESULTS, "scan-results", {"status": status}), page, None)


def http_target(url: str, keys: TokenKeys) -> Target:
    """Return a running service as a target. Raises ValueError for what is no URL of one."""
    if not url.startswith(("http://", "https://")):
        raise ValueError("--url must begin with http:// or https://")
    return Target(HttpStore(url, keys), FEATURES)
