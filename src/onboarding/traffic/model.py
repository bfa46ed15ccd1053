"""What a worker knows of its own tenants: the store in memory, and within which bounds the server set its times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, TypeAlias, cast

from onboarding.store.errors import StoreError
from onboarding.store.memory import MemoryStore
from onboarding.store.memory_tables import CHILDREN
from onboarding.store.records import (
    Account,
    Credential,
    CredentialInfo,
    Execution,
    Provider,
    ScanResult,
    Schedule,
    Tenant,
)
from onboarding.traffic.calls import ID_FIELDS, Answer, Call, answer_of

Key: TypeAlias = tuple[str, Any]
KINDS: Mapping[type, str] = {
    Tenant: "tenant",
    Provider: "provider",
    Account: "account",
    Schedule: "schedule",
    Execution: "execution",
    ScanResult: "scan_result",
}
SERVER_TIMES = ("created_at", "updated_at")


@dataclass(frozen=True, slots=True)
class Window:
    """The times between which the server did something."""

    low: datetime
    high: datetime


ANY_TIME = Window(datetime.min, datetime.max)
"""Of a time of which nothing is known: there may be none."""


def key_of(record: Any) -> Key:
    """Return the kind and the id of a record; a credential's id is its account's."""
    if isinstance(record, CredentialInfo | Credential):
        info = record.info if isinstance(record, Credential) else record
        return "credential", info.account_id
    kind = KINDS[type(record)]
    return kind, getattr(record, ID_FIELDS[kind])


class Model(MemoryStore):
    """The records of one worker. Times that the server has set and not told are known by a window only."""

    def __init__(self, *, reckons_runs: bool = False) -> None:
        self._reckons_runs = reckons_runs
        super().__init__(lambda: datetime(2000, 1, 1))
        self._windows: dict[Key, dict[str, Window]] = {}

    def apply(self, call: Call, window: Window) -> Answer:
        """Do what the call does; the times that it sets are known to lie in `window`."""
        before = self._everything()
        answer = answer_of(self, call)
        after = self._everything()
        for key in before.keys() - after.keys():
            self._windows.pop(key, None)
        for key, record in after.items():
            if before.get(key) is not record:
                self._unsettle(key, before.get(key), record, window)
                # Ending an execution counts it, and moves no run.
                if self._reckons_runs and key[0] == "schedule" and call.method != "update_execution":
                    self._windows[key]["next_run_at"] = ANY_TIME
        return answer

    def _everything(self) -> dict[Key, Any]:
        found = {(kind, i): record for kind, records in self._records.items() for i, record in records.items()}
        return found | {("credential", i): credential for i, credential in self._credentials.items()}

    def _unsettle(self, key: Key, before: Any, record: Any, window: Window) -> None:
        times = {name for name in SERVER_TIMES if hasattr(_timed(record), name)}
        if before is None or key[0] == "credential":
            self._windows[key] = dict.fromkeys(times, window)
        elif "updated_at" in times:
            known = self._windows.setdefault(key, {})
            earliest = known["updated_at"].low if "updated_at" in known else before.updated_at
            # Never before what it was, even when the clocks allow for it.
            known["updated_at"] = Window(max(window.low, earliest), window.high)

    def window(self, key: Key, field: str) -> Window | None:
        """Return the bounds of a time that the server has set and not told yet."""
        return self._windows.get(key, {}).get(field)

    def settle(self, answer: Answer) -> None:
        """Take over the records of an answer that was found right: its times are known from now on."""
        records = answer.items if hasattr(answer, "items") and hasattr(answer, "next") else (answer,)
        for record in records:
            if type(record) in KINDS or isinstance(record, CredentialInfo | Credential):
                self._settle(record)

    def _settle(self, record: Any) -> None:
        kind, identifier = key = key_of(record)
        if kind == "credential":
            kept = self._credentials.get(identifier)
            if kept:
                self._credentials[identifier] = replace(kept, info=_timed(record))
        elif identifier in self._records[kind]:
            self._records[kind][identifier] = record
        self._windows.pop(key, None)

    def settled(self, key: Key) -> bool:
        """Return whether every time of a record is known exactly."""
        return key not in self._windows

    def forget(self, key: Key) -> None:
        """Remove a record with all that hangs on it: the target has it no more."""
        kind, identifier = key
        if kind == "credential":
            self._credentials.pop(identifier, None)
        else:
            self._remove(kind, identifier)

    def forget_receipts(self) -> None:
        """Remove every receipt, so that memory does not grow."""
        self._receipts.clear()

    def fork(self) -> Model:
        """Return a copy that can go another way."""
        copy = Model(reckons_runs=self._reckons_runs)
        copy._records = {kind: dict(records) for kind, records in self._records.items()}
        copy._credentials, copy._receipts = dict(self._credentials), dict(self._receipts)
        copy._windows = {key: dict(windows) for key, windows in self._windows.items()}
        return copy

    def all(self, kind: str, **values: Any) -> list[Any]:
        """Return the records of a kind that have these values, oldest first."""
        wanted = values.items()
        return [r for r in self._records[kind].values() if all(getattr(r, name) == value for name, value in wanted)]

    def descendants(self, kind: str, identifier: Any) -> list[Key]:
        """Return all that hangs on a record, each once."""
        return list(dict.fromkeys(self._below(kind, identifier)))

    def _below(self, kind: str, identifier: Any) -> Iterator[Key]:
        if kind == "account" and identifier in self._credentials:
            yield "credential", identifier
        for child in CHILDREN.get(kind, ()):
            for record in self.all(child, **{ID_FIELDS[kind]: identifier}):
                yield key_of(record)
                yield from self._below(*key_of(record))

    def tenant_of(self, record: Any) -> Any:
        """Return the id of the tenant that a record is of."""
        return self._tenant_of(record)

    def has_credential(self, account: Account) -> bool:
        """Return whether the account has a credential."""
        return account.account_id in self._credentials


def is_error(answer: Answer) -> bool:
    """Return whether an answer is a refusal."""
    return isinstance(answer, StoreError)


def _timed(record: Any) -> Any:
    return record.info if isinstance(record, Credential) else record


def field_names(record: Any) -> tuple[str, ...]:
    """Return the names of a record's fields."""
    return tuple(f.name for f in fields(cast(Any, record)))
