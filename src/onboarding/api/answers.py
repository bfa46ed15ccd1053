"""What callers get: records as JSON, times with Z, and lists with the cursor of what follows.

Enumerated fields are plain text here: rows that were migrated may hold what is no longer taken.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Generic, TypeAlias, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, PlainSerializer

Moment: TypeAlias = Annotated[
    datetime, PlainSerializer(lambda moment: f"{moment.isoformat(timespec='microseconds')}Z", return_type=str)
]
Answered = TypeVar("Answered")


class Answer(BaseModel):
    """What all answers share."""

    model_config = ConfigDict(from_attributes=True, frozen=True, hide_input_in_errors=True)


class TenantAnswer(Answer):
    """A tenant."""

    tenant_id: UUID
    tenant_name: str
    description: str | None
    status: str
    created_at: Moment
    updated_at: Moment


class ProviderAnswer(Answer):
    """A provider."""

    provider_id: UUID
    tenant_id: UUID
    provider_type: str
    status: str
    created_at: Moment
    updated_at: Moment


class AccountAnswer(Answer):
    """An account."""

    account_id: UUID
    provider_id: UUID
    tenant_id: UUID
    account_name: str
    account_number: str | None
    status: str
    onboarding_status: str
    onboarding_id: UUID | None
    created_at: Moment
    updated_at: Moment
    last_validated_at: Moment | None


class CredentialAnswer(Answer):
    """What may be told of a credential."""

    account_id: UUID
    credential_type: str
    created_at: Moment
    expires_at: Moment | None


class CredentialPresence(CredentialAnswer):
    """What may be told of a credential, and the names of the fields that its type needs and it lacks.

    One that is there and cannot be decrypted is not readable, and so not complete.
    """

    readable: bool
    complete: bool
    missing_fields: list[str]


class ScheduleAnswer(Answer):
    """A schedule."""

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
    regions: list[str | None] | None
    services: list[str | None] | None
    exclude_services: list[str | None] | None
    status: str
    enabled: bool
    last_run_at: Moment | None
    next_run_at: Moment | None
    run_count: int
    success_count: int
    failure_count: int
    notify_on_success: bool
    notify_on_failure: bool
    notification_channels: dict[str, Any] | None
    created_at: Moment
    updated_at: Moment
    created_by: UUID | None


class ExecutionAnswer(Answer):
    """An execution."""

    execution_id: UUID
    schedule_id: UUID
    account_id: UUID
    started_at: Moment
    completed_at: Moment | None
    status: str
    scan_id: str | None
    total_checks: int | None
    passed_checks: int | None
    failed_checks: int | None
    error_message: str | None
    triggered_by: str | None
    execution_time_seconds: int | None
    created_at: Moment


class ScanResultAnswer(Answer):
    """A scan result."""

    scan_id: str
    account_id: UUID
    provider_type: str
    scan_type: str | None
    started_at: Moment
    completed_at: Moment | None
    status: str
    total_checks: int | None
    passed_checks: int | None
    failed_checks: int | None
    error_checks: int | None
    result_storage_path: str | None
    metadata: dict[str, Any] | None
    created_at: Moment


class Listing(Answer, Generic[Answered]):
    """Some of a listing. `next` is the cursor of what follows, null when nothing does."""

    items: list[Answered]
    next: str | None


class Health(Answer):
    """The service and its store answer."""

    status: str
    store: str


class FieldProblem(Answer):
    """What is wrong with one field; its value is not repeated."""

    field: str
    reason: str


class ProblemAnswer(Answer):
    """Problem details as RFC 9457 has them."""

    type: str
    title: str
    status: int
    detail: str | None = None
    request_id: str | None = None
    errors: list[FieldProblem] | None = None
