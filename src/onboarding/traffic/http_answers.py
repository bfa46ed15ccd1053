"""What the service answers over HTTP, read as strictly as it is documented: records, pages, refusals. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from onboarding.store.errors import Changed, Conflict, Invalid, NotFound, StoreError, Unavailable
from onboarding.store.paging import moment_text
from onboarding.store.records import (
    Account,
    CredentialInfo,
    Execution,
    Provider,
    ScanResult,
    Schedule,
    Tenant,
)

Record = TypeVar("Record")
KINDS: Mapping[str, type] = {
    "tenant": Tenant,
    "provider": Provider,
    "account": Account,
    "credential": CredentialInfo,
    "schedule": Schedule,
    "execution": Execution,
    "scan_result": ScanResult,
}
PRESENCE = frozenset({"readable", "complete", "missing_fields"})
"""What the service tells of a credential besides its record."""
_IDS = ("tenant_id", "provider_id", "account_id", "schedule_id", "execution_id", "onboarding_id", "created_by")
_MOMENTS = (
    "created_at",
    "updated_at",
    "last_validated_at",
    "last_run_at",
    "next_run_at",
    "started_at",
    "completed_at",
    "expires_at",
)


class Undocumented(Exception):
    """The service answered what it is not documented to. `said` names it without a value."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said


def record_of(kind: str, content: Any) -> Any:
    """Return an answered record. Raises Undocumented when a field is missing, too many or of another form."""
    made = KINDS[kind]
    names = {f.name for f in fields(made)}
    sent = set(content) if isinstance(content, dict) else set()
    if sent - (PRESENCE if kind == "credential" else set()) != names:
        raise Undocumented(f"other fields than those of a {kind}")
    if kind == "credential" and content.get("readable", True) is not True:
        raise Undocumented("a credential that cannot be read")
    return made(**{name: _value(name, content[name]) for name in names})


def _value(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name in _IDS:
        return _read(name, UUID, value)
    if name in _MOMENTS:
        return _read(name, moment_of, value)
    return tuple(value) if isinstance(value, list) else value


def _read(name: str, form: Callable[[str], Any], value: Any) -> Any:
    try:
        return form(value)
    except (ValueError, TypeError, AttributeError):
        raise Undocumented(f"another form of {name}") from None


def moment_of(text: str) -> datetime:
    """Return an answered time. Raises ValueError unless it is in UTC with microseconds and Z."""
    moment = datetime.fromisoformat(text.removesuffix("Z"))
    if f"{moment_text(moment)}Z" != text:
        raise ValueError
    return moment


def sent_value(value: Any) -> Any:
    """Return a value as it goes over HTTP."""
    if isinstance(value, datetime):
        return f"{moment_text(value)}Z"
    if isinstance(value, Mapping):
        return {name: sent_value(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [sent_value(member) for member in value]
    return str(value) if isinstance(value, UUID) else value


def refusal_of(status: int, kind: str, *, of_tenant: bool) -> StoreError:
    """Return the store's error that a status stands for. Raises Undocumented for another status.

    A tenant's token is not valid when the tenant is gone (401): then nothing of it is found.
    """
    if status in (502, 503, 504):
        return Unavailable("The service")
    if status == 404 or (status == 401 and of_tenant):
        return NotFound(kind)
    if status == 409:
        return Conflict(kind, "refused")
    if status == 412:
        return Changed(kind)
    if status in (400, 422):
        return Invalid(kind, "was refused")
    raise Undocumented(f"status {status}")
