"""The functions of the migration guide: the application's records in DynamoDB, as plain dicts.

Thin over `onboarding.store.dynamodb`, opened by the environment at the first call. In a dict, ids and times are text
as they are stored, `enabled` is a bool, and a field without value is None. `get_…` returns None for what is not there;
every other function raises the errors of `onboarding.store.errors`. Lists are complete, but come from an index, which
may be behind by a moment. Arguments may be text, or UUID, datetime and list; times are UTC unless they name a zone.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, TypeAlias, get_type_hints
from uuid import UUID

from onboarding.store.dynamodb import DynamoDBStore, open_dynamodb_store
from onboarding.store.errors import Invalid, NotFound
from onboarding.store.interface import MAX_PAGE, Page, PageRequest
from onboarding.store.opening import utc_now
from onboarding.store.paging import moment_text
from onboarding.store.records import (
    Account,
    Execution,
    NewAccount,
    NewExecution,
    NewProvider,
    NewScanResult,
    NewSchedule,
    NewTenant,
    Provider,
    ScanResult,
    Schedule,
    Tenant,
)

Record: TypeAlias = dict[str, Any]
Id: TypeAlias = str | UUID
VARIABLES = ("AWS_", "DYNAMODB_", "SECRETS_MANAGER_")


class _Opened:
    """The store that the environment configures, and what it was opened with."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._with: dict[str, str] = {}
        self._store: DynamoDBStore | None = None

    def store(self) -> DynamoDBStore:
        given = {name: value for name, value in os.environ.items() if name.startswith(VARIABLES)}
        with self._lock:
            if self._store is None or given != self._with:
                self._store, self._with = open_dynamodb_store(given, clock=utc_now), given
            return self._store


_opened = _Opened()


# Tenants


def create_tenant(tenant_name: str, description: str | None = None, **more: Any) -> Record:
    """Create a tenant. Raises Conflict when the name is taken."""
    given = {"tenant_name": tenant_name, "description": description, **more}
    return _plain(_opened.store().create_tenant(_made(NewTenant, given)))


def get_tenant(tenant_id: Id) -> Record | None:
    """Return a tenant, or None."""
    return _if_there(lambda: _opened.store().get_tenant(_id(tenant_id)))


def get_tenant_by_name(tenant_name: str) -> Record | None:
    """Return the tenant of this name, or None; certain at once."""
    return _if_there(lambda: _opened.store().get_tenant_by_name(tenant_name))


def list_tenants() -> list[Record]:
    """Return all tenants, by id."""
    return _all(lambda page: _opened.store().list_tenants(page))


def update_tenant(tenant_id: Id, **changes: Any) -> Record:
    """Change the fields named; return the tenant. Raises NotFound, Conflict."""
    return _plain(_opened.store().update_tenant(_id(tenant_id), _values(Tenant, changes)))


def delete_tenant(tenant_id: Id) -> None:
    """Delete a tenant and all that is its. Raises NotFound."""
    _opened.store().delete_tenant(_id(tenant_id))


# Providers


def create_provider(tenant_id: Id, provider_type: str, **more: Any) -> Record:
    """Create a provider. Raises NotFound (tenant), Conflict when the tenant has it."""
    given = {"tenant_id": tenant_id, "provider_type": provider_type, **more}
    return _plain(_opened.store().create_provider(_made(NewProvider, given)))


def get_provider(provider_id: Id) -> Record | None:
    """Return a provider, or None."""
    return _if_there(lambda: _opened.store().get_provider(_id(provider_id)))


def get_provider_by_tenant_and_type(tenant_id: Id, provider_type: str) -> Record | None:
    """Return the tenant's provider of this type, or None; certain at once."""
    return _if_there(lambda: _opened.store().get_provider_by_tenant_and_type(_id(tenant_id), provider_type))


def list_providers(tenant_id: Id) -> list[Record]:
    """Return the tenant's providers, by type."""
    return _all(lambda page: _opened.store().list_providers(_id(tenant_id), page))


def update_provider(provider_id: Id, **changes: Any) -> Record:
    """Change the fields named; return the provider. Raises NotFound."""
    return _plain(_opened.store().update_provider(_id(provider_id), _values(Provider, changes)))


def delete_provider(provider_id: Id) -> None:
    """Delete a provider with its accounts and all of theirs. Raises NotFound."""
    _opened.store().delete_provider(_id(provider_id))


# Accounts


def create_account(
    provider_id: Id, tenant_id: Id, account_name: str, account_number: str | None = None, **more: Any
) -> Record:
    """Create an account. Raises NotFound (tenant, provider)."""
    given = {"provider_id": provider_id, "tenant_id": tenant_id, "account_name": account_name}
    return _plain(
        _opened.store().create_account(_made(NewAccount, {**given, "account_number": account_number, **more}))
    )


def get_account(account_id: Id) -> Record | None:
    """Return an account, or None."""
    return _if_there(lambda: _opened.store().get_account(_id(account_id)))


def list_accounts_by_tenant(tenant_id: Id, status: str | None = None) -> list[Record]:
    """Return the tenant's accounts, of one status if given, by (status, account_id)."""
    return _all(lambda page: _opened.store().list_accounts_by_tenant(_id(tenant_id), page, status=status))


def list_accounts_by_provider(provider_id: Id, status: str | None = None) -> list[Record]:
    """Return the provider's accounts, of one status if given, by (status, account_id)."""
    return _all(lambda page: _opened.store().list_accounts_by_provider(_id(provider_id), page, status=status))


def update_account(account_id: Id, **changes: Any) -> Record:
    """Change the fields named; return the account. Raises NotFound."""
    return _plain(_opened.store().update_account(_id(account_id), _values(Account, changes)))


def delete_account(account_id: Id) -> None:
    """Delete an account with all that is its, credentials included. Raises NotFound."""
    _opened.store().delete_account(_id(account_id))


# Schedules


def create_schedule(
    tenant_id: Id, account_id: Id, name: str, schedule_type: str, provider_type: str, **more: Any
) -> Record:
    """Create a schedule. Raises NotFound (tenant, account)."""
    given = {"tenant_id": tenant_id, "account_id": account_id, "name": name}
    kinds = {"schedule_type": schedule_type, "provider_type": provider_type}
    return _plain(_opened.store().create_schedule(_made(NewSchedule, {**given, **kinds, **more})))


def get_schedule(schedule_id: Id) -> Record | None:
    """Return a schedule, or None."""
    return _if_there(lambda: _opened.store().get_schedule(_id(schedule_id)))


def list_schedules_by_tenant(tenant_id: Id) -> list[Record]:
    """Return the tenant's schedules, by id."""
    return _all(lambda page: _opened.store().list_schedules_by_tenant(_id(tenant_id), page))


def list_schedules_by_account(account_id: Id) -> list[Record]:
    """Return the account's schedules, by id."""
    return _all(lambda page: _opened.store().list_schedules_by_account(_id(account_id), page))


def get_due_schedules(now: datetime | str | None = None) -> list[Record]:
    """Return the enabled, active schedules whose next run is not after `now`, by (next_run_at, schedule_id)."""
    moment = utc_now() if now is None else _moment("now", now)
    return _all(lambda page: _opened.store().due_schedules(moment, page))


def update_schedule(schedule_id: Id, **changes: Any) -> Record:
    """Change the fields named; return the schedule. Raises NotFound."""
    return _plain(_opened.store().update_schedule(_id(schedule_id), _values(Schedule, changes)))


def delete_schedule(schedule_id: Id) -> None:
    """Delete a schedule and its executions. Raises NotFound."""
    _opened.store().delete_schedule(_id(schedule_id))


# Executions


def create_execution(schedule_id: Id, started_at: datetime | str | None = None, **more: Any) -> Record:
    """Begin an execution of a schedule's account, now if no time is given. Raises NotFound (schedule)."""
    given = {"schedule_id": schedule_id, "started_at": started_at or utc_now(), **more}
    return _plain(_opened.store().create_execution(_made(NewExecution, given)))


def get_execution(execution_id: Id) -> Record | None:
    """Return an execution, or None."""
    return _if_there(lambda: _opened.store().get_execution(_id(execution_id)))


def list_executions_by_schedule(schedule_id: Id) -> list[Record]:
    """Return the schedule's executions, newest first."""
    return _all(lambda page: _opened.store().list_executions_by_schedule(_id(schedule_id), page))


def list_executions_by_account(account_id: Id) -> list[Record]:
    """Return the account's executions, newest first."""
    return _all(lambda page: _opened.store().list_executions_by_account(_id(account_id), page))


def update_execution(execution_id: Id, **changes: Any) -> Record:
    """Change the fields named; the schedule counts an end. Raises NotFound, Conflict when it has ended before."""
    return _plain(_opened.store().update_execution(_id(execution_id), _values(Execution, changes)))


# Scan results


def create_scan_result(
    account_id: Id,
    provider_type: str,
    status: str = "running",
    started_at: datetime | str | None = None,
    **more: Any,
) -> Record:
    """Create a scan result, of now if no time is given. Raises NotFound (account)."""
    given = {"account_id": account_id, "provider_type": provider_type, "status": status}
    return _plain(
        _opened.store().create_scan_result(
            _made(NewScanResult, {**given, "started_at": started_at or utc_now(), **more})
        )
    )


def get_scan_result(scan_id: str) -> Record | None:
    """Return a scan result, or None."""
    return _if_there(lambda: _opened.store().get_scan_result(scan_id))


def list_scan_results_by_account(account_id: Id) -> list[Record]:
    """Return the account's scan results, newest first."""
    return _all(lambda page: _opened.store().list_scan_results_by_account(_id(account_id), page))


def list_scan_results_by_status(status: str) -> list[Record]:
    """Return the scan results of one status, of all tenants, newest first."""
    return _all(lambda page: _opened.store().list_scan_results_by_status(status, page))


def update_scan_result(scan_id: str, **changes: Any) -> Record:
    """Change the fields named; return the scan result. Raises NotFound."""
    return _plain(_opened.store().update_scan_result(scan_id, _values(ScanResult, changes)))


# Between dicts and records


def _plain(record: Any) -> Record:
    return {field.name: _plain_value(getattr(record, field.name)) for field in fields(record)}


def _plain_value(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return moment_text(value)
    return list(value) if isinstance(value, tuple) else value


def _if_there(read: Callable[[], Any]) -> Record | None:
    try:
        return _plain(read())
    except NotFound:
        return None


def _all(read: Callable[[PageRequest], Page[Any]]) -> list[Record]:
    page = read(PageRequest(limit=MAX_PAGE))
    found = [_plain(record) for record in page.items]
    while page.next is not None:
        page = read(PageRequest(limit=MAX_PAGE, after=page.next))
        found += [_plain(record) for record in page.items]
    return found


def _made(new: Callable[..., Any], given: Mapping[str, Any]) -> Any:
    values = _values(new, given)
    unknown = values.keys() - get_type_hints(new).keys()
    for name in unknown:
        raise Invalid(name, "is no field of this record")
    return new(**values)


def _values(kind: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values in the forms of the record's fields; what is no field is left to its rule."""
    hints = get_type_hints(kind)
    return {name: _value(name, hints.get(name), value) for name, value in given.items()}


def _value(name: str, hint: Any, value: Any) -> Any:
    if isinstance(value, str) and hint in (UUID, UUID | None):
        return _id(value, name)
    if hint in (datetime, datetime | None) and isinstance(value, str | datetime):
        return _moment(name, value)
    return tuple(value) if isinstance(value, list) else value


def _id(value: Id, name: str = "id") -> UUID:
    try:
        return UUID(str(value))
    except ValueError:
        raise Invalid(name, "must be a UUID") from None


def _moment(name: str, value: datetime | str) -> datetime:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        raise Invalid(name, "must be a time as ISO 8601 writes it") from None
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
