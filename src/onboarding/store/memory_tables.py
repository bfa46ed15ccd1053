"""What the store in memory keeps, and what creating, changing and deleting records of all kinds have in common."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar, cast
from uuid import UUID, uuid4

from onboarding.store import paging
from onboarding.store.errors import AlreadyExists, Changed, Conflict, NotFound
from onboarding.store.interface import Changes, Clock, Page, PageRequest
from onboarding.store.records import (
    Account,
    Credential,
    Execution,
    New,
    Provider,
    Receipt,
    ScanResult,
    Schedule,
    Tenant,
)
from onboarding.store.rules import check_changes

Record = TypeVar("Record")

KINDS: dict[str, tuple[type, str]] = {
    "tenant": (Tenant, "tenant_id"),
    "provider": (Provider, "provider_id"),
    "account": (Account, "account_id"),
    "schedule": (Schedule, "schedule_id"),
    "execution": (Execution, "execution_id"),
    "scan_result": (ScanResult, "scan_id"),
}
CHILDREN = {
    "tenant": ("provider", "account", "schedule"),
    "provider": ("account",),
    "account": ("schedule", "execution", "scan_result"),
    "schedule": ("execution",),
}


class MemoryTables:
    """Records by kind and id, with what every kind has in common. Safe to use from several threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._records: dict[str, dict[Any, Any]] = {kind: {} for kind in KINDS}
        self._credentials: dict[UUID, Credential] = {}
        self._receipts: dict[str, Receipt] = {}

    def check(self) -> None:
        """Do nothing: it is always there."""

    def prepare(self) -> None:
        """Do nothing: there is nothing to create."""

    def close(self) -> None:
        """Do nothing."""

    def sweep(self, *, seconds: float = 10.0) -> int:  # noqa: ARG002 - there is nothing to wait for
        """Forget expired receipts; nothing else is ever left to do."""
        with self._lock:
            self._receipts = {key: kept for key, kept in self._receipts.items() if self._valid(kept)}
        return 0

    def receipt(self, key: str) -> Receipt | None:
        """See the interface."""
        kept = self._receipts.get(key)
        return kept if kept and self._valid(kept) else None

    def _valid(self, receipt: Receipt) -> bool:
        return receipt.expires_at > self._clock()

    # What all kinds share

    def _get(self, kind: str, identifier: Any, owner: UUID | None = None) -> Any:
        with self._lock:
            record = self._records[kind].get(identifier)
        if record is None or owner not in (None, self._tenant_of(record)):
            raise NotFound(kind)
        return record

    def _tenant_of(self, record: Any) -> UUID | None:
        if hasattr(record, "tenant_id"):
            return cast(UUID, record.tenant_id)
        account = self._records["account"].get(record.account_id)
        return cast(UUID, account.tenant_id) if account else None

    def _create(
        self, kind: str, new: New, receipt: Receipt | None, check: Callable[[], Mapping[str, Any]], **more: Any
    ) -> Any:
        """Create a record unless it is there; `check` refuses, or gives the fields that follow from the parents."""
        made, id_field = KINDS[kind]
        with self._lock:
            identifier = getattr(new, id_field) or (f"scan-{uuid4()}" if kind == "scan_result" else uuid4())
            if identifier in self._records[kind] or (receipt and self.receipt(receipt.key)):
                raise AlreadyExists(kind)
            derived = check()
            now = self._clock()
            given = {f.name: getattr(new, f.name) for f in fields(new)}  # type: ignore[arg-type]
            names = [f.name for f in fields(made)]
            times = {"created_at": now} | ({"updated_at": now} if "updated_at" in names else {})
            values = dict.fromkeys(names) | more | given | dict(derived) | times
            record = made(**values | {id_field: identifier})
            self._records[kind][identifier] = record
            if receipt:
                self._receipts[receipt.key] = receipt
            return record

    def _update(self, kind: str, identifier: Any, changes: Changes, owner: UUID | None, seen: Any) -> Any:
        check_changes(kind, changes)
        with self._lock:
            record = self._get(kind, identifier, owner)
            if seen is not None and seen != record:
                raise Changed(kind)
            if not changes:
                return record
            self._refuse_update(kind, record, changes)
            touched = {"updated_at": max(self._clock(), record.updated_at)} if hasattr(record, "updated_at") else {}
            self._records[kind][identifier] = changed = replace(record, **dict(changes) | touched)
            return changed

    def _refuse_update(self, kind: str, record: Any, changes: Changes) -> None:
        if kind == "tenant" and changes.get("tenant_name", record.tenant_name) != record.tenant_name:
            self._require_free_name(changes["tenant_name"])
        if kind == "execution" and changes.get("status", record.status) != record.status:
            if record.status != "running":
                raise Conflict("execution", "The execution has ended: its status cannot change.")
            self._count(record, changes["status"])

    def _count(self, execution: Execution, status: str) -> None:
        schedule: Schedule = self._records["schedule"][execution.schedule_id]
        self._records["schedule"][schedule.schedule_id] = replace(
            schedule,
            run_count=schedule.run_count + 1,
            success_count=schedule.success_count + (status == "completed"),
            failure_count=schedule.failure_count + (status == "failed"),
            last_run_at=execution.started_at,
            updated_at=max(self._clock(), schedule.updated_at),
        )

    def _delete(self, kind: str, identifier: Any, owner: UUID | None) -> None:
        with self._lock:
            self._get(kind, identifier, owner)
            self._remove(kind, identifier)

    def _remove(self, kind: str, identifier: Any) -> None:
        self._records[kind].pop(identifier, None)
        if kind == "account":
            self._credentials.pop(identifier, None)
        for child in CHILDREN.get(kind, ()):
            field, id_field = KINDS[kind][1], KINDS[child][1]
            for record in [r for r in self._records[child].values() if getattr(r, field) == identifier]:
                self._remove(child, getattr(record, id_field))

    def _list(
        self, kind: str, order: paging.Order, page: PageRequest, keep: Callable[[Any], bool] = lambda _: True
    ) -> Page[Any]:
        order.check(page)
        with self._lock:
            found = [record for record in self._records[kind].values() if keep(record)]
        found.sort(key=order.position, reverse=order.descending)
        return paging.cut(list(_after(found, order, page)), order, page.limit)

    def _require_free_name(self, name: str) -> None:
        if any(tenant.tenant_name == name for tenant in self._records["tenant"].values()):
            raise Conflict("tenant", "Another tenant has this name.")


def _after(records: list[Record], order: paging.Order, page: PageRequest) -> Iterable[Record]:
    if page.after is None:
        return records
    if order.descending:
        return [record for record in records if order.position(record) < page.after]
    return [record for record in records if order.position(record) > page.after]
