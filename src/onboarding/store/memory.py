"""A store in memory: the interface's promises in their plainest form.

It is the model that load generators hold the answers of a real store against, and the contract's own reference.
It keeps nothing when its process ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from onboarding.store import paging
from onboarding.store.errors import Conflict, NotFound
from onboarding.store.interface import Changes, Page, PageRequest
from onboarding.store.memory_tables import MemoryTables
from onboarding.store.records import (
    Account,
    Advance,
    Credential,
    CredentialInfo,
    Execution,
    NewAccount,
    NewCredential,
    NewExecution,
    NewProvider,
    NewScanResult,
    NewSchedule,
    NewTenant,
    Provider,
    Receipt,
    ScanResult,
    Schedule,
    Tenant,
)


class MemoryStore(MemoryTables):
    """See the module and `onboarding.store.interface.Store`."""

    name = "memory"

    # Tenants

    def create_tenant(self, new: NewTenant, *, receipt: Receipt | None = None) -> Tenant:
        """See the interface."""

        def check() -> Mapping[str, Any]:
            self._require_free_name(new.tenant_name)
            return {}

        return cast(Tenant, self._create("tenant", new, receipt, check))

    def get_tenant(self, tenant_id: UUID) -> Tenant:
        """See the interface."""
        return cast(Tenant, self._get("tenant", tenant_id))

    def get_tenant_by_name(self, tenant_name: str) -> Tenant:
        """See the interface."""
        with self._lock:
            for tenant in self._records["tenant"].values():
                if tenant.tenant_name == tenant_name:
                    return cast(Tenant, tenant)
        raise NotFound("tenant")

    def list_tenants(self, page: PageRequest) -> Page[Tenant]:
        """See the interface."""
        return self._list("tenant", paging.TENANTS, page)

    def update_tenant(self, tenant_id: UUID, changes: Changes, *, seen: Tenant | None = None) -> Tenant:
        """See the interface."""
        return cast(Tenant, self._update("tenant", tenant_id, changes, None, seen))

    def delete_tenant(self, tenant_id: UUID) -> None:
        """See the interface."""
        self._delete("tenant", tenant_id, None)

    # Providers

    def create_provider(
        self, new: NewProvider, *, owner: UUID | None = None, receipt: Receipt | None = None
    ) -> Provider:
        """See the interface."""

        def check() -> Mapping[str, Any]:
            self._get("tenant", new.tenant_id, owner)
            if self._provider(new.tenant_id, new.provider_type):
                raise Conflict("provider", "The tenant has this provider already.")
            return {}

        return cast(Provider, self._create("provider", new, receipt, check))

    def _provider(self, tenant_id: UUID, provider_type: str) -> Provider | None:
        pair = (tenant_id, provider_type)
        providers: Iterable[Provider] = self._records["provider"].values()
        return next((p for p in providers if (p.tenant_id, p.provider_type) == pair), None)

    def get_provider(self, provider_id: UUID, *, owner: UUID | None = None) -> Provider:
        """See the interface."""
        return cast(Provider, self._get("provider", provider_id, owner))

    def get_provider_by_tenant_and_type(self, tenant_id: UUID, provider_type: str) -> Provider:
        """See the interface."""
        with self._lock:
            found = self._provider(tenant_id, provider_type)
        if found is None:
            raise NotFound("provider")
        return found

    def list_providers(self, tenant_id: UUID, page: PageRequest) -> Page[Provider]:
        """See the interface."""
        return self._list("provider", paging.PROVIDERS, page, lambda provider: provider.tenant_id == tenant_id)

    def update_provider(
        self, provider_id: UUID, changes: Changes, *, owner: UUID | None = None, seen: Provider | None = None
    ) -> Provider:
        """See the interface."""
        return cast(Provider, self._update("provider", provider_id, changes, owner, seen))

    def delete_provider(self, provider_id: UUID, *, owner: UUID | None = None) -> None:
        """See the interface."""
        self._delete("provider", provider_id, owner)

    # Accounts

    def create_account(self, new: NewAccount, *, owner: UUID | None = None, receipt: Receipt | None = None) -> Account:
        """See the interface."""

        def check() -> Mapping[str, Any]:
            self._get("tenant", new.tenant_id, owner)
            self._get("provider", new.provider_id, new.tenant_id)
            return {}

        return cast(Account, self._create("account", new, receipt, check))

    def get_account(self, account_id: UUID, *, owner: UUID | None = None) -> Account:
        """See the interface."""
        return cast(Account, self._get("account", account_id, owner))

    def list_accounts_by_tenant(
        self, tenant_id: UUID, page: PageRequest, *, status: str | None = None
    ) -> Page[Account]:
        """See the interface."""
        return self._list(
            "account", paging.ACCOUNTS, page, lambda a: a.tenant_id == tenant_id and status in (None, a.status)
        )

    def list_accounts_by_provider(
        self, provider_id: UUID, page: PageRequest, *, status: str | None = None, owner: UUID | None = None
    ) -> Page[Account]:
        """See the interface."""
        if owner is not None:
            self._get("provider", provider_id, owner)
        return self._list(
            "account", paging.ACCOUNTS, page, lambda a: a.provider_id == provider_id and status in (None, a.status)
        )

    def update_account(
        self, account_id: UUID, changes: Changes, *, owner: UUID | None = None, seen: Account | None = None
    ) -> Account:
        """See the interface."""
        return cast(Account, self._update("account", account_id, changes, owner, seen))

    def delete_account(self, account_id: UUID, *, owner: UUID | None = None) -> None:
        """See the interface."""
        self._delete("account", account_id, owner)

    # Credentials

    def put_credential(self, account_id: UUID, new: NewCredential, *, owner: UUID | None = None) -> CredentialInfo:
        """See the interface."""
        with self._lock:
            self._get("account", account_id, owner)
            info = CredentialInfo(
                account_id=account_id,
                credential_type=new.credential_type,
                created_at=self._clock(),
                expires_at=new.expires_at,
            )
            self._credentials[account_id] = Credential(info=info, credentials=dict(new.credentials))
            return info

    def get_credential_info(self, account_id: UUID, *, owner: UUID | None = None) -> CredentialInfo:
        """See the interface."""
        return self.read_credential(account_id, owner=owner).info

    def read_credential(self, account_id: UUID, *, owner: UUID | None = None) -> Credential:
        """See the interface."""
        with self._lock:
            self._get("account", account_id, owner)
            if account_id not in self._credentials:
                raise NotFound("credential")
            return self._credentials[account_id]

    def delete_credential(self, account_id: UUID, *, owner: UUID | None = None) -> None:
        """See the interface."""
        with self._lock:
            self.read_credential(account_id, owner=owner)
            del self._credentials[account_id]

    # Schedules

    def create_schedule(
        self, new: NewSchedule, *, owner: UUID | None = None, receipt: Receipt | None = None
    ) -> Schedule:
        """See the interface."""

        def check() -> Mapping[str, Any]:
            self._get("tenant", new.tenant_id, owner)
            self._get("account", new.account_id, new.tenant_id)
            return {}

        counts = {"run_count": 0, "success_count": 0, "failure_count": 0}
        return cast(Schedule, self._create("schedule", new, receipt, check, **counts))

    def get_schedule(self, schedule_id: UUID, *, owner: UUID | None = None) -> Schedule:
        """See the interface."""
        return cast(Schedule, self._get("schedule", schedule_id, owner))

    def list_schedules_by_tenant(self, tenant_id: UUID, page: PageRequest) -> Page[Schedule]:
        """See the interface."""
        return self._list("schedule", paging.SCHEDULES, page, lambda schedule: schedule.tenant_id == tenant_id)

    def list_schedules_by_account(
        self, account_id: UUID, page: PageRequest, *, owner: UUID | None = None
    ) -> Page[Schedule]:
        """See the interface."""
        self._require_account(account_id, owner)
        return self._list("schedule", paging.SCHEDULES, page, lambda schedule: schedule.account_id == account_id)

    def _require_account(self, account_id: UUID, owner: UUID | None) -> None:
        if owner is not None:
            self._get("account", account_id, owner)

    def due_schedules(self, now: datetime, page: PageRequest, *, owner: UUID | None = None) -> Page[Schedule]:
        """See the interface."""

        def due(schedule: Schedule) -> bool:
            active = schedule.enabled and schedule.status == "active" and owner in (None, schedule.tenant_id)
            return active and schedule.next_run_at is not None and schedule.next_run_at <= now

        return self._list("schedule", paging.DUE, page, due)

    def update_schedule(
        self, schedule_id: UUID, changes: Changes, *, owner: UUID | None = None, seen: Schedule | None = None
    ) -> Schedule:
        """See the interface."""
        return cast(Schedule, self._update("schedule", schedule_id, changes, owner, seen))

    def delete_schedule(self, schedule_id: UUID, *, owner: UUID | None = None) -> None:
        """See the interface."""
        self._delete("schedule", schedule_id, owner)

    # Executions

    def create_execution(
        self,
        new: NewExecution,
        *,
        owner: UUID | None = None,
        advance: Advance | None = None,
        receipt: Receipt | None = None,
    ) -> Execution:
        """See the interface."""

        def check() -> Mapping[str, Any]:
            schedule: Schedule = self._get("schedule", new.schedule_id, owner)
            if advance is not None:
                self._advance(schedule, advance)
            return {"account_id": schedule.account_id}

        return cast(Execution, self._create("execution", new, receipt, check, status="running"))

    def _advance(self, schedule: Schedule, advance: Advance) -> None:
        if schedule.next_run_at != advance.seen:
            raise Conflict("schedule", "This run has been taken: the schedule's next run is another one.")
        touched = max(self._clock(), schedule.updated_at)
        moved = replace(schedule, next_run_at=advance.to, updated_at=touched)
        self._records["schedule"][schedule.schedule_id] = moved

    def get_execution(self, execution_id: UUID, *, owner: UUID | None = None) -> Execution:
        """See the interface."""
        return cast(Execution, self._get("execution", execution_id, owner))

    def list_executions_by_schedule(
        self, schedule_id: UUID, page: PageRequest, *, owner: UUID | None = None
    ) -> Page[Execution]:
        """See the interface."""
        if owner is not None:
            self._get("schedule", schedule_id, owner)
        return self._list("execution", paging.EXECUTIONS, page, lambda e: e.schedule_id == schedule_id)

    def list_executions_by_account(
        self, account_id: UUID, page: PageRequest, *, owner: UUID | None = None
    ) -> Page[Execution]:
        """See the interface."""
        self._require_account(account_id, owner)
        return self._list("execution", paging.EXECUTIONS, page, lambda e: e.account_id == account_id)

    def update_execution(
        self, execution_id: UUID, changes: Changes, *, owner: UUID | None = None, seen: Execution | None = None
    ) -> Execution:
        """See the interface."""
        return cast(Execution, self._update("execution", execution_id, changes, owner, seen))

    # Scan results

    def create_scan_result(
        self, new: NewScanResult, *, owner: UUID | None = None, receipt: Receipt | None = None
    ) -> ScanResult:
        """See the interface."""

        def check() -> Mapping[str, Any]:
            self._get("account", new.account_id, owner)
            return {}

        return cast(ScanResult, self._create("scan_result", new, receipt, check))

    def get_scan_result(self, scan_id: str, *, owner: UUID | None = None) -> ScanResult:
        """See the interface."""
        return cast(ScanResult, self._get("scan_result", scan_id, owner))

    def list_scan_results_by_account(
        self, account_id: UUID, page: PageRequest, *, owner: UUID | None = None
    ) -> Page[ScanResult]:
        """See the interface."""
        self._require_account(account_id, owner)
        return self._list("scan_result", paging.SCAN_RESULTS, page, lambda r: r.account_id == account_id)

    def list_scan_results_by_status(self, status: str, page: PageRequest) -> Page[ScanResult]:
        """See the interface."""
        return self._list("scan_result", paging.SCAN_RESULTS, page, lambda r: r.status == status)

    def update_scan_result(
        self, scan_id: str, changes: Changes, *, owner: UUID | None = None, seen: ScanResult | None = None
    ) -> ScanResult:
        """See the interface."""
        return cast(ScanResult, self._update("scan_result", scan_id, changes, owner, seen))
