"""The rules of every field, once for all stores: what one store would take and another refuse, none takes.

PostgreSQL's columns set the lengths and the ranges of numbers; DynamoDB forbids empty keys, numbers beyond 38
digits, deep documents and, in one implementation, empty names; PostgreSQL's text has no NUL. Pure.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from onboarding.database.models import (
    ACCOUNT_STATUSES,
    EXECUTION_STATUSES,
    ONBOARDING_STATUSES,
    PROVIDER_TYPES,
    SCAN_TYPES,
    SCHEDULE_STATUSES,
    SCHEDULE_TYPES,
    TRIGGERS,
)
from onboarding.store.errors import Invalid

LARGEST_INTEGER = 2**31 - 1
DOCUMENT_BYTES = 65_536
"""Bounds a document, so that an item with all its fields at their limits stays under DynamoDB's 409,600 bytes."""
DOCUMENT_DEPTH = 24
"""DynamoDB nests 32 levels at most; local implementations 31, the item itself included."""
NUMBER_DIGITS = 38
LARGEST_NUMBER, SMALLEST_NUMBER = 9.99e125, 1e-130
CREDENTIAL_BYTES = 32_768
"""Half of what a secret holds: the other half is for escapes and the fields beside the value."""
WORDS, WORD_LENGTH = 100, 100
CREDENTIAL_TYPES = (
    "aws_access_key",
    "aws_iam_role",
    "azure_service_principal",
    "gcp_service_account",
    "alicloud_access_key",
    "oci_user_principal",
    "ibm_api_key",
)
SCAN_ID = re.compile(r"[A-Za-z0-9._:\-]{1,255}")

Rule = Callable[[str, Any], None]


def check_fields(kind: str, values: Mapping[str, Any]) -> None:
    """Raise Invalid for the first field whose value breaks its rule, or that the kind does not have."""
    rules = RULES[kind]
    for name, value in values.items():
        if name not in rules:
            raise Invalid(name, f"is no field of a {kind.replace('_', ' ')}")
        rules[name](name, value)


def check_changes(kind: str, changes: Mapping[str, Any]) -> None:
    """Raise Invalid when a change names a field that cannot be changed, or breaks a rule."""
    for name in changes:
        if name not in CHANGEABLE[kind]:
            raise Invalid(name, "cannot be changed")
    check_fields(kind, changes)


def _text(limit: int, *, least: int = 0) -> Rule:
    def rule(name: str, value: Any) -> None:
        if not isinstance(value, str) or not least <= len(value) <= limit:
            raise Invalid(name, f"must be a text of {least} to {limit} characters")
        _storable(name, value)

    return rule


def _storable(name: str, value: str) -> None:
    if "\0" in value:
        raise Invalid(name, "must not contain the character NUL")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise Invalid(name, "must not contain half of a surrogate pair")


def _one_of(*values: str) -> Rule:
    def rule(name: str, value: Any) -> None:
        if value not in values:
            raise Invalid(name, f"must be one of {', '.join(values)}")

    return rule


def _optional(rule: Rule) -> Rule:
    def optional(name: str, value: Any) -> None:
        if value is not None:
            rule(name, value)

    return optional


def _is(kind: type, said: str) -> Rule:
    def rule(name: str, value: Any) -> None:
        if type(value) is not kind:
            raise Invalid(name, f"must be {said}")

    return rule


def _integer(least: int) -> Rule:
    def rule(name: str, value: Any) -> None:
        if type(value) is not int or not least <= value <= LARGEST_INTEGER:
            raise Invalid(name, f"must be an integer from {least} to {LARGEST_INTEGER}")

    return rule


def _moment(name: str, value: Any) -> None:
    if not isinstance(value, datetime) or value.tzinfo is not None:
        raise Invalid(name, "must be a time in UTC, without zone")


def _words(name: str, value: Any) -> None:
    if not isinstance(value, tuple) or len(value) > WORDS:
        raise Invalid(name, f"must be at most {WORDS} words")
    for word in value:
        if word is not None:
            _text(WORD_LENGTH)(name, word)


def _document(limit_bytes: int) -> Rule:
    def rule(name: str, value: Any) -> None:
        if not isinstance(value, Mapping):
            raise Invalid(name, "must be a JSON object")
        if _checked_size(name, value, 1) > limit_bytes:
            raise Invalid(name, f"must be of at most {limit_bytes:,} bytes")

    return rule


def _checked_size(name: str, value: Any, depth: int) -> int:
    """Return about how many bytes a JSON value takes, having checked it and all that is in it."""
    if depth > DOCUMENT_DEPTH:
        raise Invalid(name, f"must be nested at most {DOCUMENT_DEPTH} deep")
    if isinstance(value, str):
        _storable(name, value)
        return len(value.encode()) + 3
    if isinstance(value, Mapping):
        return 3 + sum(_member_size(name, key, member, depth) for key, member in value.items())
    if isinstance(value, list | tuple):
        return 3 + sum(1 + _checked_size(name, element, depth + 1) for element in value)
    return _number_size(name, value)


def _member_size(name: str, key: Any, value: Any, depth: int) -> int:
    if not isinstance(key, str) or not key:
        raise Invalid(name, "must have names that are not empty")
    _storable(name, key)
    return 1 + len(key.encode()) + _checked_size(name, value, depth + 1)


def _number_size(name: str, value: Any) -> int:
    if value is None or isinstance(value, bool):
        return 1
    if isinstance(value, float):
        if not math.isfinite(value) or (value and not SMALLEST_NUMBER <= abs(value) <= LARGEST_NUMBER):
            raise Invalid(name, "must have numbers between 1E-130 and 9.99E+125 in magnitude")
        return 21
    if isinstance(value, int):
        if abs(value) >= 10**NUMBER_DIGITS:
            raise Invalid(name, f"must have integers of at most {NUMBER_DIGITS} digits")
        return 21
    raise Invalid(name, "must be made of JSON values")


def _scan_id(name: str, value: Any) -> None:
    if not isinstance(value, str) or SCAN_ID.fullmatch(value) is None:
        raise Invalid(name, "must be of 1 to 255 letters, digits, dots, colons, hyphens and underscores")


_ID = _is(UUID, "a UUID")
_FLAG = _is(bool, "true or false")
_LABEL = _text(50, least=1)
_NAME = _text(255, least=1)
_LONG = _optional(_text(4_096))
_COUNT = _optional(_integer(0))
_PROVIDER = _one_of(*PROVIDER_TYPES)
_MAYBE_MOMENT = _optional(_moment)

RULES: Mapping[str, Mapping[str, Rule]] = {
    "tenant": {"tenant_id": _optional(_ID), "tenant_name": _NAME, "description": _LONG, "status": _LABEL},
    "provider": {
        "provider_id": _optional(_ID),
        "tenant_id": _ID,
        "provider_type": _PROVIDER,
        "status": _LABEL,
    },
    "account": {
        "account_id": _optional(_ID),
        "provider_id": _ID,
        "tenant_id": _ID,
        "account_name": _NAME,
        "account_number": _optional(_text(255)),
        "status": _one_of(*ACCOUNT_STATUSES),
        "onboarding_status": _one_of(*ONBOARDING_STATUSES),
        "onboarding_id": _optional(_ID),
        "last_validated_at": _MAYBE_MOMENT,
    },
    "credential": {
        "credential_type": _one_of(*CREDENTIAL_TYPES),
        "credentials": _document(CREDENTIAL_BYTES),
        "expires_at": _MAYBE_MOMENT,
    },
    "schedule": {
        "schedule_id": _optional(_ID),
        "tenant_id": _ID,
        "account_id": _ID,
        "name": _NAME,
        "description": _LONG,
        "schedule_type": _one_of(*SCHEDULE_TYPES),
        "cron_expression": _optional(_text(255, least=1)),
        "interval_seconds": _optional(_integer(1)),
        "timezone": _LABEL,
        "provider_type": _PROVIDER,
        "regions": _optional(_words),
        "services": _optional(_words),
        "exclude_services": _optional(_words),
        "status": _one_of(*SCHEDULE_STATUSES),
        "enabled": _FLAG,
        "last_run_at": _MAYBE_MOMENT,
        "next_run_at": _MAYBE_MOMENT,
        "notify_on_success": _FLAG,
        "notify_on_failure": _FLAG,
        "notification_channels": _optional(_document(DOCUMENT_BYTES)),
        "created_by": _optional(_ID),
    },
    "execution": {
        "execution_id": _optional(_ID),
        "schedule_id": _ID,
        "started_at": _moment,
        "completed_at": _MAYBE_MOMENT,
        "status": _one_of(*EXECUTION_STATUSES),
        "scan_id": _optional(_scan_id),
        "total_checks": _COUNT,
        "passed_checks": _COUNT,
        "failed_checks": _COUNT,
        "error_message": _LONG,
        "triggered_by": _optional(_one_of(*TRIGGERS)),
        "execution_time_seconds": _COUNT,
    },
    "scan_result": {
        "scan_id": _optional(_scan_id),
        "account_id": _ID,
        "provider_type": _PROVIDER,
        "scan_type": _optional(_one_of(*SCAN_TYPES)),
        "started_at": _moment,
        "completed_at": _MAYBE_MOMENT,
        "status": _one_of(*EXECUTION_STATUSES),
        "total_checks": _COUNT,
        "passed_checks": _COUNT,
        "failed_checks": _COUNT,
        "error_checks": _COUNT,
        "result_storage_path": _LONG,
        "metadata": _optional(_document(DOCUMENT_BYTES)),
    },
}

CHANGEABLE: Mapping[str, frozenset[str]] = {
    "tenant": frozenset({"tenant_name", "description", "status"}),
    "provider": frozenset({"status"}),
    "account": frozenset(
        {"account_name", "account_number", "status", "onboarding_status", "onboarding_id", "last_validated_at"}
    ),
    "schedule": frozenset(
        {
            "name",
            "description",
            "schedule_type",
            "cron_expression",
            "interval_seconds",
            "timezone",
            "regions",
            "services",
            "exclude_services",
            "status",
            "enabled",
            "next_run_at",
            "notify_on_success",
            "notify_on_failure",
            "notification_channels",
        }
    ),
    "execution": frozenset(
        {
            "completed_at",
            "status",
            "scan_id",
            "total_checks",
            "passed_checks",
            "failed_checks",
            "error_message",
            "execution_time_seconds",
        }
    ),
    "scan_result": frozenset(
        {
            "completed_at",
            "status",
            "total_checks",
            "passed_checks",
            "failed_checks",
            "error_checks",
            "result_storage_path",
            "metadata",
        }
    ),
}
