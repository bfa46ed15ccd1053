"""The onboarding database as SQLAlchemy 2 models: the only place where its schema is written.

Columns stand in the order of the tables. Enumerated values are CHECK constraints, `timestamp` is without
time zone, and `updated_at` is kept by a trigger (`onboarding.database.schema`).
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

PROVIDER_TYPES = ("aws", "azure", "gcp", "alicloud", "oci", "ibm")
ACCOUNT_STATUSES = ("pending", "active", "error", "disabled")
ONBOARDING_STATUSES = ("pending", "in_progress", "completed", "failed")
SCHEDULE_TYPES = ("cron", "interval", "one_time")
SCHEDULE_STATUSES = ("active", "paused", "disabled")
EXECUTION_STATUSES = ("running", "completed", "failed", "cancelled")
TRIGGERS = ("scheduler", "manual", "api")
SCAN_TYPES = ("scheduled", "manual", "on_demand")

Id = Annotated[uuid.UUID, mapped_column(Uuid, primary_key=True, server_default=func.gen_random_uuid())]
Now = Annotated[datetime, mapped_column(TIMESTAMP, server_default=func.now())]
Label = Annotated[str, mapped_column(String(50))]
Name = Annotated[str, mapped_column(String(255))]
LongText = Annotated[str, mapped_column(Text)]
Words = Annotated[list[str], mapped_column(ARRAY(Text))]
Document = Annotated[dict[str, Any], mapped_column(JSONB)]
Zero = Annotated[int, mapped_column(server_default=text("0"))]


class Base(DeclarativeBase):
    """The base of all tables; its metadata names every constraint, so that a name never depends on the server."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        }
    )
    type_annotation_map = {datetime: TIMESTAMP}  # noqa: RUF012 - SQLAlchemy reads it as a plain attribute


def _one_of(column: str, values: Sequence[str]) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(repr(value) for value in values)})", name=column)


def _parent(column: str) -> Any:
    return mapped_column(ForeignKey(column, ondelete="CASCADE"))


class Tenant(Base):
    """A customer."""

    __tablename__ = "tenants"
    __table_args__ = (UniqueConstraint("tenant_name"),)

    tenant_id: Mapped[Id]
    tenant_name: Mapped[Name]
    description: Mapped[LongText | None]
    status: Mapped[Label] = mapped_column(server_default="active")
    created_at: Mapped[Now]
    updated_at: Mapped[Now]


class Provider(Base):
    """A cloud that a tenant uses; each at most once."""

    __tablename__ = "providers"
    __table_args__ = (UniqueConstraint("tenant_id", "provider_type"), _one_of("provider_type", PROVIDER_TYPES))

    provider_id: Mapped[Id]
    tenant_id: Mapped[uuid.UUID] = _parent("tenants.tenant_id")
    provider_type: Mapped[Label]
    status: Mapped[Label] = mapped_column(server_default="active")
    created_at: Mapped[Now]
    updated_at: Mapped[Now]


class Account(Base):
    """An account at a cloud provider, to be scanned."""

    __tablename__ = "accounts"
    __table_args__ = (
        _one_of("status", ACCOUNT_STATUSES),
        _one_of("onboarding_status", ONBOARDING_STATUSES),
        Index(None, "status"),
    )

    account_id: Mapped[Id]
    provider_id: Mapped[uuid.UUID] = _parent("providers.provider_id")
    tenant_id: Mapped[uuid.UUID] = _parent("tenants.tenant_id")
    account_name: Mapped[Name]
    account_number: Mapped[Name | None]
    status: Mapped[Label] = mapped_column(server_default="pending")
    onboarding_status: Mapped[Label] = mapped_column(server_default="pending")
    onboarding_id: Mapped[uuid.UUID | None]
    created_at: Mapped[Now]
    updated_at: Mapped[Now]
    last_validated_at: Mapped[datetime | None]


class AccountCredential(Base):
    """A credential of an account, as a Fernet token. An account may hold several: the newest one counts."""

    __tablename__ = "account_credentials"

    credential_id: Mapped[Id]
    account_id: Mapped[uuid.UUID] = _parent("accounts.account_id")
    credential_type: Mapped[Label]
    encrypted_data: Mapped[bytes] = mapped_column(LargeBinary)
    encryption_key_id: Mapped[Name | None]
    created_at: Mapped[Now]
    updated_at: Mapped[Now]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


class Schedule(Base):
    """When an account is scanned."""

    __tablename__ = "schedules"
    __table_args__ = (
        _one_of("schedule_type", SCHEDULE_TYPES),
        _one_of("status", SCHEDULE_STATUSES),
        Index("ix_schedules_next_run_at", "next_run_at", postgresql_where=text("enabled AND status = 'active'")),
    )

    schedule_id: Mapped[Id]
    tenant_id: Mapped[uuid.UUID] = _parent("tenants.tenant_id")
    account_id: Mapped[uuid.UUID] = _parent("accounts.account_id")
    name: Mapped[Name]
    description: Mapped[LongText | None]
    schedule_type: Mapped[Label]
    cron_expression: Mapped[Name | None]
    interval_seconds: Mapped[int | None]
    timezone: Mapped[Label] = mapped_column(server_default="UTC")
    provider_type: Mapped[Label]
    regions: Mapped[Words | None]
    services: Mapped[Words | None]
    exclude_services: Mapped[Words | None]
    status: Mapped[Label] = mapped_column(server_default="active")
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    last_run_at: Mapped[datetime | None]
    next_run_at: Mapped[datetime | None]
    run_count: Mapped[Zero]
    success_count: Mapped[Zero]
    failure_count: Mapped[Zero]
    notify_on_success: Mapped[bool] = mapped_column(server_default=text("false"))
    notify_on_failure: Mapped[bool] = mapped_column(server_default=text("true"))
    notification_channels: Mapped[Document | None]
    created_at: Mapped[Now]
    updated_at: Mapped[Now]
    created_by: Mapped[uuid.UUID | None]


class ScheduleExecution(Base):
    """One run of a schedule. `scan_id` names the scan result without referring to it by a foreign key."""

    __tablename__ = "schedule_executions"
    __table_args__ = (
        _one_of("status", EXECUTION_STATUSES),
        _one_of("triggered_by", TRIGGERS),
        Index(None, "started_at"),
    )

    execution_id: Mapped[Id]
    schedule_id: Mapped[uuid.UUID] = _parent("schedules.schedule_id")
    account_id: Mapped[uuid.UUID] = _parent("accounts.account_id")
    started_at: Mapped[datetime]
    completed_at: Mapped[datetime | None]
    status: Mapped[Label]
    scan_id: Mapped[Name | None]
    total_checks: Mapped[int | None]
    passed_checks: Mapped[int | None]
    failed_checks: Mapped[int | None]
    error_message: Mapped[LongText | None]
    triggered_by: Mapped[Label | None]
    execution_time_seconds: Mapped[int | None]
    created_at: Mapped[Now]


class ScanResult(Base):
    """The outcome of one scan. The column `metadata` is the attribute `metadata_`: SQLAlchemy keeps the other name."""

    __tablename__ = "scan_results"
    __table_args__ = (
        _one_of("scan_type", SCAN_TYPES),
        Index(None, "status"),
    )

    scan_id: Mapped[Name] = mapped_column(primary_key=True)
    account_id: Mapped[uuid.UUID] = _parent("accounts.account_id")
    provider_type: Mapped[Label]
    scan_type: Mapped[Label | None]
    started_at: Mapped[datetime]
    completed_at: Mapped[datetime | None]
    status: Mapped[Label]
    total_checks: Mapped[int | None]
    passed_checks: Mapped[int | None]
    failed_checks: Mapped[int | None]
    error_checks: Mapped[int | None]
    result_storage_path: Mapped[LongText | None]
    metadata_: Mapped[Document | None] = mapped_column("metadata")
    created_at: Mapped[Now]
