"""The one interface of all stores: the same calls give the same answers, order, errors and pages.

**Whose.** `owner` is the tenant on whose behalf a call is made; a record of another tenant is then NotFound, like
one that is not there. `owner=None` is the service's own (platform) call and reaches all tenants.

**Errors.** `onboarding.store.errors`, in the order given there. Values are checked before anything is sent
(`onboarding.store.rules`).

**What is certain at once.** After a call has returned, every later read of a record by its id, of a tenant by its
name and of a provider by tenant and type sees its effect; a taken name or pair is never given twice. Two updates
of different fields never lose one another, nor do counters.

**What may lag.** Listings and `due_schedules` may be answered from an index that is behind by a moment (DynamoDB)
or not (PostgreSQL): a record just created may be missing, one just changed may be told as it was, one just
deleted may still be told. Nothing that must be right is decided by them.

**Deletion.** When `delete_*` returns, the thing itself is gone, no child can be added to it, and its unique values
are free. What hung on it (children of every level, and credentials) goes with it: at once where the store can,
otherwise as far as `sweep` has come. A deletion that was cut short is continued by any later `sweep`, of any process.

**Order.** Ascending by the fields named, text and ids by their code points; executions and scan results newest
first. A page ends in a position, and `next` is None exactly when nothing follows. Positions mean the same in
every store.

An implementation is safe to use from several threads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeAlias, TypeVar
from uuid import UUID

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

Record = TypeVar("Record", covariant=True)
Position: TypeAlias = tuple[str, ...]
"""Where a page ended: the sort fields of its last record as text (ids hyphenated, times ISO with six digits)."""
Changes: TypeAlias = Mapping[str, Any]
"""New values by field name; fields that are not named stay. Without any, an update returns the record untouched."""
Clock: TypeAlias = Callable[[], datetime]
"""Gives now, in UTC without zone: what `created_at` becomes. (`updated_at` is the server's where a trigger sets it.)"""
MAX_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class PageRequest:
    """At most `limit` records (1 to MAX_PAGE), after the position where an earlier page ended."""

    limit: int = 50
    after: Position | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[Record]):
    """Some records in order. `next` is where to go on, None when these are the last."""

    items: tuple[Record, ...]
    next: Position | None


class Store(Protocol):
    """See the module. Ids of new records that are None are generated."""

    name: str

    def check(self) -> None:
        """Ask each server that the store stands on for an answer. Raises Unavailable."""

    def prepare(self) -> None:
        """Create what the service needs beside the migrated tables: its receipts. Idempotent.

        Safe in several processes at once. Raises Unavailable.
        """

    def close(self) -> None:
        """Give back connections. Idempotent."""

    def receipt(self, key: str) -> Receipt | None:
        """Return the receipt that a creation left, unless it has expired. Certain at once."""

    # Tenants

    def create_tenant(self, new: NewTenant, *, receipt: Receipt | None = None) -> Tenant:
        """Create a tenant, and leave `receipt` in the same act. Raises AlreadyExists, Conflict (name taken)."""

    def get_tenant(self, tenant_id: UUID) -> Tenant:
        """Raises NotFound."""

    def get_tenant_by_name(self, tenant_name: str) -> Tenant:
        """Raises NotFound. Certain at once."""

    def list_tenants(self, page: PageRequest) -> Page[Tenant]:
        """By tenant_id. For administrators: a store may read all tenants for each page. Never lags."""

    def update_tenant(self, tenant_id: UUID, changes: Changes, *, seen: Tenant | None = None) -> Tenant:
        """Raises NotFound, Conflict (name taken), and Changed when the record is not as `seen` (not None)."""

    def delete_tenant(self, tenant_id: UUID) -> None:
        """Delete a tenant and all that is its. Raises NotFound."""

    # Providers

    def create_provider(
        self, new: NewProvider, *, owner: UUID | None = None, receipt: Receipt | None = None
    ) -> Provider:
        """Raises AlreadyExists, NotFound (tenant), Conflict (the tenant has this provider)."""

    def get_provider(self, provider_id: UUID, *, owner: UUID | None = None) -> Provider:
        """Raises NotFound."""

    def get_provider_by_tenant_and_type(self, tenant_id: UUID, provider_type: str) -> Provider:
        """Raises NotFound. Certain at once."""

    def list_providers(self, tenant_id: UUID, page: PageRequest) -> Page[Provider]:
        """By provider_type. A tenant that is not there has none."""

    def update_provider(
        self, provider_id: UUID, changes: Changes, *, owner: UUID | None = None, seen: Provider | None = None
    ) -> Provider:
        """Raises NotFound, Changed."""

    def delete_provider(self, provider_id: UUID, *, owner: UUID | None = None) -> None:
        """Delete a provider and its accounts with all of theirs. Raises NotFound."""

    # Accounts

    def create_account(self, new: NewAccount, *, owner: UUID | None = None, receipt: Receipt | None = None) -> Account:
        """Raises AlreadyExists, NotFound (tenant; then provider, also when it is not of `new.tenant_id`)."""

    def get_account(self, account_id: UUID, *, owner: UUID | None = None) -> Account:
        """Raises NotFound."""

    def list_accounts_by_tenant(
        self, tenant_id: UUID, page: PageRequest, *, status: str | None = None
    ) -> Page[Account]:
        """By (status, account_id)."""

    def list_accounts_by_provider(
        self, provider_id: UUID, page: PageRequest, *, status: str | None = None, owner: UUID | None = None
    ) -> Page[Account]:
        """By (status, account_id). Raises NotFound when `owner` is given and the provider is not the owner's."""

    def update_account(
        self, account_id: UUID, changes: Changes, *, owner: UUID | None = None, seen: Account | None = None
    ) -> Account:
        """Raises NotFound, Changed."""

    def delete_account(self, account_id: UUID, *, owner: UUID | None = None) -> None:
        """Delete an account with its credentials, schedules, executions and scan results. Raises NotFound."""

    # Credentials of an account: the newest counts

    def put_credential(self, account_id: UUID, new: NewCredential, *, owner: UUID | None = None) -> CredentialInfo:
        """Store a credential as the account's current one. Raises NotFound (account)."""

    def get_credential_info(self, account_id: UUID, *, owner: UUID | None = None) -> CredentialInfo:
        """Raises NotFound (account; then credential)."""

    def read_credential(self, account_id: UUID, *, owner: UUID | None = None) -> Credential:
        """Raises NotFound (account; then credential), Unreadable. May be the one before, for a while, elsewhere."""

    def delete_credential(self, account_id: UUID, *, owner: UUID | None = None) -> None:
        """Delete all credentials of the account. Raises NotFound (account; then credential)."""

    # Schedules

    def create_schedule(
        self, new: NewSchedule, *, owner: UUID | None = None, receipt: Receipt | None = None
    ) -> Schedule:
        """Raises AlreadyExists, NotFound (tenant; then account, also when it is not of `new.tenant_id`)."""

    def get_schedule(self, schedule_id: UUID, *, owner: UUID | None = None) -> Schedule:
        """Raises NotFound."""

    def list_schedules_by_tenant(self, tenant_id: UUID, page: PageRequest) -> Page[Schedule]:
        """By schedule_id."""

    def list_schedules_by_account(
        self, account_id: UUID, page: PageRequest, *, owner: UUID | None = None
    ) -> Page[Schedule]:
        """By schedule_id. Raises NotFound when `owner` is given and the account is not the owner's."""

    def due_schedules(self, now: datetime, page: PageRequest, *, owner: UUID | None = None) -> Page[Schedule]:
        """Enabled, active schedules whose `next_run_at` is not after `now`, by (next_run_at, schedule_id)."""

    def update_schedule(
        self, schedule_id: UUID, changes: Changes, *, owner: UUID | None = None, seen: Schedule | None = None
    ) -> Schedule:
        """Raises NotFound, Changed."""

    def delete_schedule(self, schedule_id: UUID, *, owner: UUID | None = None) -> None:
        """Delete a schedule and its executions. Raises NotFound."""

    # Executions of a schedule

    def create_execution(
        self,
        new: NewExecution,
        *,
        owner: UUID | None = None,
        advance: Advance | None = None,
        receipt: Receipt | None = None,
    ) -> Execution:
        """Begin an execution of the schedule's account; `advance` claims the schedule's due run in the same act.

        Raises AlreadyExists, NotFound (schedule), Conflict (the schedule's next run is not as `advance.seen`).
        """

    def get_execution(self, execution_id: UUID, *, owner: UUID | None = None) -> Execution:
        """Raises NotFound."""

    def list_executions_by_schedule(
        self, schedule_id: UUID, page: PageRequest, *, owner: UUID | None = None
    ) -> Page[Execution]:
        """By (started_at, execution_id), descending. NotFound when `owner` is given and it is not the owner's."""

    def list_executions_by_account(
        self, account_id: UUID, page: PageRequest, *, owner: UUID | None = None
    ) -> Page[Execution]:
        """By (started_at, execution_id), descending. NotFound when `owner` is given and it is not the owner's."""

    def update_execution(
        self, execution_id: UUID, changes: Changes, *, owner: UUID | None = None, seen: Execution | None = None
    ) -> Execution:
        """Change an execution. Raises NotFound, Conflict (a status that is not `running` cannot change), Changed.

        When the status leaves `running`, the schedule counts it in the same act: run_count, success_count
        (completed), failure_count (failed), and last_run_at becomes the execution's started_at.
        """

    # Scan results of an account

    def create_scan_result(
        self, new: NewScanResult, *, owner: UUID | None = None, receipt: Receipt | None = None
    ) -> ScanResult:
        """Raises AlreadyExists, NotFound (account)."""

    def get_scan_result(self, scan_id: str, *, owner: UUID | None = None) -> ScanResult:
        """Raises NotFound."""

    def list_scan_results_by_account(
        self, account_id: UUID, page: PageRequest, *, owner: UUID | None = None
    ) -> Page[ScanResult]:
        """By (started_at, scan_id), descending. NotFound when `owner` is given and it is not the owner's."""

    def list_scan_results_by_status(self, status: str, page: PageRequest) -> Page[ScanResult]:
        """Of all tenants, by (started_at, scan_id), descending."""

    def update_scan_result(
        self, scan_id: str, changes: Changes, *, owner: UUID | None = None, seen: ScanResult | None = None
    ) -> ScanResult:
        """Raises NotFound, Changed."""

    # Upkeep

    def sweep(self, *, seconds: float = 10.0) -> int:
        """Go on with deletions for at most about `seconds`; return how many are left to be finished or confirmed.

        Also forgets expired receipts. Safe at any time, in several processes.
        """
