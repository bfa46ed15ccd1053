"""What the service keeps, as plain immutable values, and what a new one of each must give.

Times are UTC without zone, to the microsecond. A field's rule stands in `onboarding.store.rules`, once for all
stores: a `New…` is checked when it is made, and so is every change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from onboarding.store.rules import check_fields

Words: TypeAlias = tuple[str | None, ...]
Document: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A customer. Its name is unique."""

    tenant_id: UUID
    tenant_name: str
    description: str | None
    status: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A cloud that a tenant uses; each at most once."""

    provider_id: UUID
    tenant_id: UUID
    provider_type: str
    status: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account at a cloud provider, to be scanned."""

    account_id: UUID
    provider_id: UUID
    tenant_id: UUID
    account_name: str
    account_number: str | None
    status: str
    onboarding_status: str
    onboarding_id: UUID | None
    created_at: datetime
    updated_at: datetime
    last_validated_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialInfo:
    """What may be told of an account's current credential: never its value."""

    account_id: UUID
    credential_type: str
    created_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """An account's current credential, with its value: for the scanner, never for an answer or a log."""

    info: CredentialInfo
    credentials: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When an account is scanned."""

    schedule_id: UUID
    tenant_id: UUID
    account_id: UUID
    name: str
    description: str | None
    schedule_type: str
    cron_expression: str | None
    interval_seconds: int | None
    timezone: str
    provider_type: str
    regions: Words | None
    services: Words | None
    exclude_services: Words | None
    status: str
    enabled: bool
    last_run_at: datetime | None
    next_run_at: datetime | None
    run_count: int
    success_count: int
    failure_count: int
    notify_on_success: bool
    notify_on_failure: bool
    notification_channels: Document | None
    created_at: datetime
    updated_at: datetime
    created_by: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One run of a schedule. `scan_id` names a scan result, which need not be there."""

    execution_id: UUID
    schedule_id: UUID
    account_id: UUID
    started_at: datetime
    completed_at: datetime | None
    status: str
    scan_id: str | None
    total_checks: int | None
    passed_checks: int | None
    failed_checks: int | None
    error_message: str | None
    triggered_by: str | None
    execution_time_seconds: int | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanResult:
    """The outcome of one scan of an account."""

    scan_id: str
    account_id: UUID
    provider_type: str
    scan_type: str | None
    started_at: datetime
    completed_at: datetime | None
    status: str
    total_checks: int | None
    passed_checks: int | None
    failed_checks: int | None
    error_checks: int | None
    result_storage_path: str | None
    metadata: Document | None
    created_at: datetime


class New:
    """What all new records share: the rules of their fields are checked when they are made (`Invalid`)."""

    __slots__ = ()
    KIND = ""

    def __post_init__(self) -> None:
        check_fields(self.KIND, {f.name: getattr(self, f.name) for f in fields(self)})  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTenant(New):
    """A tenant to create; without id it gets one."""

    KIND = "tenant"

    tenant_name: str
    description: str | None = None
    status: str = "active"
    tenant_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewProvider(New):
    """A provider to create; without id it gets one."""

    KIND = "provider"

    tenant_id: UUID
    provider_type: str
    status: str = "active"
    provider_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount(New):
    """An account to create, of the provider's tenant; without id it gets one."""

    KIND = "account"

    provider_id: UUID
    tenant_id: UUID
    account_name: str
    account_number: str | None = None
    status: str = "pending"
    onboarding_status: str = "pending"
    onboarding_id: UUID | None = None
    account_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCredential(New):
    """A credential to store as an account's current one."""

    KIND = "credential"

    credential_type: str
    credentials: Mapping[str, Any] = field(repr=False)
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSchedule(New):
    """A schedule to create, of the account's tenant; without id it gets one."""

    KIND = "schedule"

    tenant_id: UUID
    account_id: UUID
    name: str
    schedule_type: str
    provider_type: str
    description: str | None = None
    cron_expression: str | None = None
    interval_seconds: int | None = None
    timezone: str = "UTC"
    regions: Words | None = None
    services: Words | None = None
    exclude_services: Words | None = None
    status: str = "active"
    enabled: bool = True
    next_run_at: datetime | None = None
    notify_on_success: bool = False
    notify_on_failure: bool = True
    notification_channels: Document | None = None
    created_by: UUID | None = None
    schedule_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewExecution(New):
    """An execution to begin, of the schedule's account; without id it gets one. Its status is `running`."""

    KIND = "execution"

    schedule_id: UUID
    started_at: datetime
    triggered_by: str | None = None
    scan_id: str | None = None
    execution_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewScanResult(New):
    """A scan result to create; without id it gets one."""

    KIND = "scan_result"

    account_id: UUID
    provider_type: str
    started_at: datetime
    status: str
    scan_type: str | None = None
    completed_at: datetime | None = None
    total_checks: int | None = None
    passed_checks: int | None = None
    failed_checks: int | None = None
    error_checks: int | None = None
    result_storage_path: str | None = None
    metadata: Document | None = None
    scan_id: str | None = None


@dataclass(frozen=True, slots=True)
class Advance:
    """A scheduler's claim of a due run: the schedule's `next_run_at` must be `seen`, and becomes `to`."""

    seen: datetime
    to: datetime | None


@dataclass(frozen=True, slots=True)
class Receipt:
    """That a request was carried out. `key` names the request and `fingerprint` its content, both as digests."""

    key: str
    fingerprint: str
    expires_at: datetime
