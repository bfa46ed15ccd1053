"""The types of request fields: the rules of `onboarding.store.rules` where JSON comes in, and in the OpenAPI document.

A value that one of them takes, the store takes. Reasons hold no value; times are converted to UTC without zone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any, Literal, TypeAlias
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from onboarding.api.schedule_times import BadTime, check_cron, check_timezone
from onboarding.store.errors import Invalid
from onboarding.store.rules import (
    CREDENTIAL_BYTES,
    DOCUMENT_BYTES,
    LARGEST_INTEGER,
    LARGEST_NUMBER,
    NUMBER_DIGITS,
    RULES,
    SMALLEST_NUMBER,
    WORD_LENGTH,
    WORDS,
)

DOCUMENT_MARK = {"type": "object", "format": "document"}
"""Stands in the schemas for the one below, which refers to itself and so cannot be written at a field."""
NO_NUL = "^[^\\u0000]*$"
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_WHOLE = re.compile(r"-?[0-9]{1,9}")


def refusal(reason: str) -> PydanticCustomError:
    """Return the error that makes a field's value refused for this reason."""
    return PydanticCustomError("rule", "{reason}", {"reason": reason})


def _ruled(kind: str, field: str, value: Any) -> Any:
    """Return the value when the store's rule takes it."""
    try:
        RULES[kind][field](field, value)
    except Invalid as invalid:
        raise refusal(invalid.reason) from None
    return value


def _identifier(value: Any) -> UUID:
    if not isinstance(value, str) or _UUID.fullmatch(value) is None:
        raise refusal("must be a UUID, hyphenated")
    return UUID(value)


def _moment(value: Any) -> datetime:
    """Return a time of RFC 3339 in UTC without zone; a leap second is the second after it."""
    if not isinstance(value, str) or _MOMENT.fullmatch(value) is None:
        raise refusal("must be a time with offset as RFC 3339 has it, such as 2024-01-02T03:04:05Z")
    try:
        # Digits beyond microseconds are cut off.
        text = re.sub(r"(\.\d{6})\d+", r"\1", value.upper())
        leap = text[17:19] == "60"
        moment = datetime.fromisoformat(f"{text[:17]}59{text[19:]}" if leap else text) + timedelta(seconds=leap)
        return moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise refusal("must be a time of the years 1 to 9999 in UTC") from None


def _whole(value: Any) -> int:
    if not isinstance(value, str) or _WHOLE.fullmatch(value) is None:
        raise refusal("must be an integer")
    return int(value)


def _integral(value: Any) -> Any:
    """Return 10.0 as 10: to JSON Schema they are the same integer."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _words(value: Any) -> tuple[str | None, ...]:
    if not isinstance(value, list):
        raise refusal("must be a list")
    return tuple(value)


def _timing(check: Callable[[str], None], value: str) -> str:
    try:
        check(value)
    except BadTime as bad:
        raise refusal(bad.reason) from None
    return value


def _text(least: int, most: int) -> Any:
    schema = {"type": "string", "minLength": least, "maxLength": most, "pattern": NO_NUL}
    return (
        StringConstraints(strict=True, min_length=least, max_length=most),
        AfterValidator(_storable),
        WithJsonSchema(schema),
    )


def _storable(value: str) -> str:
    if "\0" in value:
        raise refusal("must not contain the character NUL")
    return value


def _document(kind: str, field: str) -> Any:
    return BeforeValidator(partial(_ruled, kind, field)), WithJsonSchema(DOCUMENT_MARK)


_UUID_SCHEMA = {"type": "string", "format": "uuid"}
_MOMENT_SCHEMA = {"type": "string", "format": "date-time"}
_WORDS_SCHEMA = {
    "type": "array",
    "maxItems": WORDS,
    "items": {"anyOf": [{"type": "string", "maxLength": WORD_LENGTH, "pattern": NO_NUL}, {"type": "null"}]},
}
DOCUMENT_SCHEMAS: dict[str, Any] = {
    "Document": {
        "type": "object",
        "description": f"A JSON object of at most {DOCUMENT_BYTES:,} bytes ({CREDENTIAL_BYTES:,} for credentials), "
        "nested at most 24 deep, with names that are not empty and numbers of at most 38 digits.",
        "propertyNames": {"type": "string", "minLength": 1, "pattern": NO_NUL},
        "additionalProperties": {"$ref": "#/components/schemas/DocumentValue"},
    },
    "DocumentValue": {
        "anyOf": [
            {"type": "string", "pattern": NO_NUL},
            {"type": "integer", "minimum": 1 - 10**NUMBER_DIGITS, "maximum": 10**NUMBER_DIGITS - 1},
            {"type": "number", "minimum": SMALLEST_NUMBER, "maximum": LARGEST_NUMBER},
            {"type": "number", "minimum": -LARGEST_NUMBER, "maximum": -SMALLEST_NUMBER},
            {"type": "boolean"},
            {"type": "null"},
            {"type": "array", "items": {"$ref": "#/components/schemas/DocumentValue"}},
            {"$ref": "#/components/schemas/Document"},
        ]
    },
}

Id: TypeAlias = Annotated[UUID, BeforeValidator(_identifier), WithJsonSchema(_UUID_SCHEMA)]
Moment: TypeAlias = Annotated[datetime, BeforeValidator(_moment), WithJsonSchema(_MOMENT_SCHEMA)]
Name: TypeAlias = Annotated[str, *_text(1, 255)]
Text255: TypeAlias = Annotated[str, *_text(0, 255)]
Label: TypeAlias = Annotated[str, *_text(1, 50)]
LongText: TypeAlias = Annotated[str, *_text(0, 4_096)]
Count: TypeAlias = Annotated[int, Field(strict=True, ge=0, le=LARGEST_INTEGER), BeforeValidator(_integral)]
Seconds: TypeAlias = Annotated[int, Field(strict=True, ge=1, le=LARGEST_INTEGER), BeforeValidator(_integral)]
Flag: TypeAlias = Annotated[bool, Field(strict=True)]
Words: TypeAlias = Annotated[
    tuple[str | None, ...],
    BeforeValidator(_words),
    AfterValidator(partial(_ruled, "schedule", "regions")),
    WithJsonSchema(_WORDS_SCHEMA),
]
Channels: TypeAlias = Annotated[dict[str, Any], *_document("schedule", "notification_channels")]
Metadata: TypeAlias = Annotated[dict[str, Any], *_document("scan_result", "metadata")]
CredentialValue: TypeAlias = Annotated[dict[str, Any], *_document("credential", "credentials")]
ScanReference: TypeAlias = Annotated[
    str,
    BeforeValidator(partial(_ruled, "execution", "scan_id")),
    WithJsonSchema({"type": "string", "pattern": r"^[A-Za-z0-9._:\-]{1,255}$", "minLength": 1, "maxLength": 255}),
]
ScanId: TypeAlias = Annotated[str, *_text(1, 255)]
Cron: TypeAlias = Annotated[
    str,
    StringConstraints(strict=True, min_length=1, max_length=255),
    AfterValidator(partial(_timing, check_cron)),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 255, "format": "cron"}),
]
Timezone: TypeAlias = Annotated[
    str,
    StringConstraints(strict=True, min_length=1, max_length=50),
    AfterValidator(partial(_timing, check_timezone)),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 50, "format": "timezone"}),
]
Limit: TypeAlias = Annotated[
    int,
    BeforeValidator(_whole),
    Field(ge=1, le=200),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 200, "default": 50}),
]
CursorText: TypeAlias = Annotated[str, WithJsonSchema({"type": "string", "format": "cursor"})]

ProviderType: TypeAlias = Literal["aws", "azure", "gcp", "alicloud", "oci", "ibm"]
AccountStatus: TypeAlias = Literal["pending", "active", "error", "disabled"]
OnboardingStatus: TypeAlias = Literal["pending", "in_progress", "completed", "failed"]
ScheduleStatus: TypeAlias = Literal["active", "paused", "disabled"]
RunStatus: TypeAlias = Literal["running", "completed", "failed", "cancelled"]
Trigger: TypeAlias = Literal["scheduler", "manual", "api"]
ScanType: TypeAlias = Literal["scheduled", "manual", "on_demand"]
CredentialType: TypeAlias = Literal[
    "aws_access_key",
    "aws_iam_role",
    "azure_service_principal",
    "gcp_service_account",
    "alicloud_access_key",
    "oci_user_principal",
    "ibm_api_key",
]
