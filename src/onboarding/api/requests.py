"""What callers send: bodies of creations and changes. Unknown names are refused, types are never converted.

A field of a change that is left out stays as it is; null is a value like any other, where a field can have none.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from onboarding.api import example_records as example
from onboarding.api.fields import (
    AccountStatus,
    Channels,
    Count,
    CredentialType,
    CredentialValue,
    Cron,
    Flag,
    Id,
    Label,
    LongText,
    Metadata,
    Moment,
    Name,
    OnboardingStatus,
    ProviderType,
    RunStatus,
    ScanReference,
    ScanType,
    ScheduleStatus,
    Seconds,
    Text255,
    Timezone,
    Words,
)


def left_out() -> Any:
    """Return the default of a field that may be left out but, unlike one with the default None, is never null."""
    return Field(default_factory=lambda: None)


class Body(BaseModel):
    """What all bodies share."""

    # Errors must never hold what was sent; the texts for callers are made in `problems`.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    def given(self) -> dict[str, Any]:
        """Return the fields that were sent, as the store takes them."""
        return {name: getattr(self, name) for name in self.model_fields_set}


def _example(**values: Any) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [values]})


class TenantCreate(Body):
    """A tenant to create. The name is unique."""

    model_config = _example(tenant_name="Nordwind Logistik", description="Customer since 2024")

    tenant_name: Name
    description: LongText | None = None
    status: Label = "active"


class TenantChange(Body):
    """Changes of a tenant."""

    model_config = _example(description="Customer since 2023")

    tenant_name: Name = left_out()
    description: LongText | None = None
    status: Label = left_out()


class ProviderCreate(Body):
    """A provider to create; each type at most once for a tenant."""

    model_config = _example(tenant_id=example.TENANT, provider_type="gcp")

    tenant_id: Id = left_out()
    provider_type: ProviderType
    status: Label = "active"


class ProviderChange(Body):
    """Changes of a provider."""

    model_config = _example(status="inactive")

    status: Label = left_out()


class AccountCreate(Body):
    """An account to create, of the provider's tenant."""

    model_config = _example(
        tenant_id=example.TENANT, provider_id=example.PROVIDER, account_name="production", account_number="123456789012"
    )

    tenant_id: Id = left_out()
    provider_id: Id
    account_name: Name
    account_number: Text255 | None = None
    status: AccountStatus = "pending"
    onboarding_status: OnboardingStatus = "pending"
    onboarding_id: Id | None = None


class AccountChange(Body):
    """Changes of an account."""

    model_config = _example(status="active", last_validated_at="2024-01-02T03:04:05Z")

    account_name: Name = left_out()
    account_number: Text255 | None = None
    status: AccountStatus = left_out()
    onboarding_status: OnboardingStatus = left_out()
    onboarding_id: Id | None = None
    last_validated_at: Moment | None = None


class CredentialWrite(Body):
    """A credential to store as the account's current one. Its value never leaves the service over HTTP."""

    model_config = _example(
        credential_type="aws_iam_role", credentials={"role_arn": "arn:aws:iam::123456789012:role/Scanner"}
    )

    credential_type: CredentialType
    credentials: CredentialValue = Field(repr=False)
    expires_at: Moment | None = None


class _ScheduleCreate(Body):
    tenant_id: Id = left_out()
    account_id: Id
    name: Name
    provider_type: ProviderType
    description: LongText | None = None
    timezone: Timezone = "UTC"
    regions: Words | None = None
    services: Words | None = None
    exclude_services: Words | None = None
    status: ScheduleStatus = "active"
    enabled: Flag = True
    notify_on_success: Flag = False
    notify_on_failure: Flag = True
    notification_channels: Channels | None = None
    created_by: Id | None = None


class CronScheduleCreate(_ScheduleCreate):
    """A schedule that runs at the times of a cron expression, in its time zone."""

    model_config = _example(
        tenant_id=example.TENANT,
        account_id=example.ACCOUNT,
        name="nightly",
        provider_type="aws",
        schedule_type="cron",
        cron_expression="0 2 * * *",
        timezone="Europe/Berlin",
    )

    schedule_type: Literal["cron"]
    cron_expression: Cron


class IntervalScheduleCreate(_ScheduleCreate):
    """A schedule that runs so many seconds after its last run."""

    schedule_type: Literal["interval"]
    interval_seconds: Seconds


class OneTimeScheduleCreate(_ScheduleCreate):
    """A schedule that runs once."""

    schedule_type: Literal["one_time"]
    next_run_at: Moment


ScheduleCreate: TypeAlias = Annotated[
    CronScheduleCreate | IntervalScheduleCreate | OneTimeScheduleCreate, Field(discriminator="schedule_type")
]


class ScheduleChange(Body):
    """Changes of a schedule. `next_run_at` can be given for a schedule that runs once; otherwise it is reckoned."""

    model_config = _example(name="nightly, without S3", exclude_services=["s3"])

    name: Name = left_out()
    description: LongText | None = None
    schedule_type: Literal["cron", "interval", "one_time"] = left_out()
    cron_expression: Cron | None = None
    interval_seconds: Seconds | None = None
    timezone: Timezone = left_out()
    next_run_at: Moment | None = None
    regions: Words | None = None
    services: Words | None = None
    exclude_services: Words | None = None
    status: ScheduleStatus = left_out()
    enabled: Flag = left_out()
    notify_on_success: Flag = left_out()
    notify_on_failure: Flag = left_out()
    notification_channels: Channels | None = None


class ManualExecutionCreate(Body):
    """An execution to begin out of turn: the schedule's next run stays."""

    model_config = _example(schedule_id=example.SCHEDULE, triggered_by="manual")

    schedule_id: Id
    triggered_by: Literal["manual", "api"]
    started_at: Moment = left_out()
    scan_id: ScanReference | None = None


class DueExecutionCreate(Body):
    """An execution to begin because it is due. `next_run_at` is what the schedule showed: two schedulers that saw
    the same begin it once, and the schedule's next run is reckoned."""

    schedule_id: Id
    triggered_by: Literal["scheduler"]
    next_run_at: Moment
    started_at: Moment = left_out()
    scan_id: ScanReference | None = None


ExecutionCreate: TypeAlias = Annotated[ManualExecutionCreate | DueExecutionCreate, Field(discriminator="triggered_by")]


class ExecutionChange(Body):
    """Changes of an execution. A status that is no longer `running` stays."""

    model_config = _example(total_checks=120)

    completed_at: Moment | None = None
    status: RunStatus = left_out()
    scan_id: ScanReference | None = None
    total_checks: Count | None = None
    passed_checks: Count | None = None
    failed_checks: Count | None = None
    error_message: LongText | None = None
    execution_time_seconds: Count | None = None


class ScanResultCreate(Body):
    """A scan result to create; its id is made."""

    model_config = _example(
        account_id=example.ACCOUNT,
        provider_type="aws",
        scan_type="manual",
        started_at="2024-01-02T03:04:05Z",
        status="running",
    )

    account_id: Id
    provider_type: ProviderType
    started_at: Moment
    status: RunStatus
    scan_type: ScanType | None = None
    completed_at: Moment | None = None
    total_checks: Count | None = None
    passed_checks: Count | None = None
    failed_checks: Count | None = None
    error_checks: Count | None = None
    result_storage_path: LongText | None = None
    metadata: Metadata | None = None


class ScanResultChange(Body):
    """Changes of a scan result."""

    model_config = _example(status="completed", total_checks=120, passed_checks=118, failed_checks=2)

    completed_at: Moment | None = None
    status: RunStatus = left_out()
    total_checks: Count | None = None
    passed_checks: Count | None = None
    failed_checks: Count | None = None
    error_checks: Count | None = None
    result_storage_path: LongText | None = None
    metadata: Metadata | None = None


BODIES: tuple[type[Body], ...] = (
    TenantCreate,
    TenantChange,
    ProviderCreate,
    ProviderChange,
    AccountCreate,
    AccountChange,
    CredentialWrite,
    CronScheduleCreate,
    IntervalScheduleCreate,
    OneTimeScheduleCreate,
    ScheduleChange,
    ManualExecutionCreate,
    DueExecutionCreate,
    ExecutionChange,
    ScanResultCreate,
    ScanResultChange,
)
"""All of them; only what one of them names is named to a caller whose body is refused."""
