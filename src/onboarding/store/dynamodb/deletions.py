"""Deletions, top-down: first the thing itself, then what hung on it, as far as time allows; the rest is swept.

The transaction that deletes a thing leaves an entry in the service's state, which says whose children are still to
go. From then on no child can be added, since every creation requires its parents. An entry goes only when a look that
began at least GRACE after the deletion finds nothing more: the indexes by which children are found may lag, and none
lags that long. Every step may be repeated, by any process, at any time.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from botocore.exceptions import ClientError

from onboarding.aws import error_code, told
from onboarding.database.dynamodb_tables import TableNames
from onboarding.storage.secrets_manager_storage import SecretsManagerStorage
from onboarding.store import paging
from onboarding.store.dynamodb.accounts import Accounts
from onboarding.store.dynamodb.expressions import Expression
from onboarding.store.dynamodb.items import (
    ACCOUNT,
    EXECUTION,
    PROVIDER,
    SCAN_RESULT,
    SCHEDULE,
    TENANT,
    Item,
    Kind,
)
from onboarding.store.dynamodb.listings import Listing, partition
from onboarding.store.dynamodb.providers import Providers, pair_key
from onboarding.store.dynamodb.records import CONFLICT, Moved
from onboarding.store.dynamodb.tenants import Tenants
from onboarding.store.dynamodb.transactions import Action, Refusal, delete, pauses, put, transact
from onboarding.store.errors import NotFound, StoreError, Unavailable
from onboarding.store.paging import moment_text

GRACE = timedelta(minutes=5)
"""Far beyond the lag of an index, which AWS gives as a fraction of a second and warns may be longer."""
FOREGROUND_SECONDS = 10.0
SCOPE = "deletions"
BATCH = 25
"""What BatchWriteItem takes at once."""
FAMILY = 20
"""Children that go in one transaction, each with its entry and perhaps its unique value: of 100 actions."""


@dataclass(frozen=True, slots=True)
class _Entry:
    kind: str
    identifier: str
    deleted_at: datetime

    @property
    def name(self) -> str:
        return f"{self.kind}#{self.identifier}"

    @property
    def key(self) -> Item:
        return {"scope": {"S": SCOPE}, "entry": {"S": self.name}}

    @property
    def item(self) -> Item:
        return self.key | {
            "kind": {"S": self.kind},
            "id": {"S": self.identifier},
            "deleted_at": {"S": moment_text(self.deleted_at)},
        }


@dataclass(frozen=True, slots=True)
class _Branch:
    """Children by an index. Those that have children themselves get entries; the others just go."""

    child: Kind
    index: str


_BRANCHES: dict[str, tuple[_Branch, ...]] = {
    "tenant": (
        _Branch(PROVIDER, "tenant-provider-index"),
        _Branch(ACCOUNT, "tenant-accounts-index"),
        _Branch(SCHEDULE, "tenant-schedules-index"),
    ),
    "provider": (_Branch(ACCOUNT, "provider-accounts-index"),),
    "account": (
        _Branch(SCHEDULE, "account-schedules-index"),
        _Branch(EXECUTION, "account-executions-index"),
        _Branch(SCAN_RESULT, "account-scans-index"),
    ),
    "schedule": (_Branch(EXECUTION, "schedule-executions-index"),),
}
KINDS = {kind.name: kind for kind in (TENANT, PROVIDER, ACCOUNT, SCHEDULE)}


class Deletions(Tenants, Providers, Accounts):
    """Deleting, and going on with what a deletion left."""

    def __init__(
        self,
        client: Any,
        names: TableNames,
        secrets: SecretsManagerStorage,
        clock: Callable[[], datetime],
        *,
        grace: timedelta = GRACE,
        foreground_seconds: float = FOREGROUND_SECONDS,
    ) -> None:
        super().__init__(client, names, secrets, clock)
        self._grace = grace
        self._foreground_seconds = foreground_seconds

    def delete_tenant(self, tenant_id: UUID) -> None:
        """See the interface."""
        self._until_still(lambda: self._delete_with_unique(TENANT, tenant_id, None))
        self._go_on(TENANT, tenant_id)

    def delete_provider(self, provider_id: UUID, *, owner: UUID | None = None) -> None:
        """See the interface."""
        self._until_still(lambda: self._delete_with_unique(PROVIDER, provider_id, owner))
        self._go_on(PROVIDER, provider_id)

    def delete_account(self, account_id: UUID, *, owner: UUID | None = None) -> None:
        """See the interface."""
        self._delete_alone(ACCOUNT, account_id, owner)
        self._go_on(ACCOUNT, account_id)

    def delete_schedule(self, schedule_id: UUID, *, owner: UUID | None = None) -> None:
        """See the interface."""
        self._delete_alone(SCHEDULE, schedule_id, owner)
        self._go_on(SCHEDULE, schedule_id)

    def _delete_alone(self, kind: Kind, identifier: UUID, owner: UUID | None) -> None:
        missing: Refusal = lambda _: NotFound(kind.name)  # noqa: E731
        gone = delete(self._table(kind), kind.key_item(identifier), self._condition(kind, owner, None), missing)
        transact(self._client, [gone, self._enter(kind, str(identifier))])

    def _delete_with_unique(self, kind: Kind, identifier: UUID, owner: UUID | None) -> None:
        """Delete a thing with its unique value, on condition that the value is as it was read."""
        item = self._item(self._table(kind), kind.key_item(identifier))
        if item is None or (owner is not None and item["tenant_id"]["S"] != str(owner)):
            raise NotFound(kind.name)
        condition = Expression().exists(kind.key)
        if kind is TENANT:
            condition.equals("tenant_name", item["tenant_name"])
        moved: Refusal = lambda old: NotFound(kind.name) if old is None else Moved()  # noqa: E731
        gone = delete(self._table(kind), kind.key_item(identifier), condition, moved)
        freed = self._release(item) if kind is TENANT else self._release_pair(item)
        transact(self._client, [gone, freed, self._enter(kind, str(identifier))])

    def _release_pair(self, item: Item) -> Action:
        key = pair_key(item["tenant_id"]["S"], item["provider_type"]["S"])
        ours = Expression().absent_or("tenant_id", "provider_id", "=", item["provider_id"])
        return delete(self._names.tenant_providers, key, ours, _moved, CONFLICT)

    def _enter(self, kind: Kind, identifier: str) -> Action:
        entry = _Entry(kind.name, identifier, self._clock())
        return put(self._names.service_state, entry.item, Expression(), _moved)

    # Going on

    def _go_on(self, kind: Kind, identifier: UUID) -> None:
        """Work on what was just deleted, for a while. A failure is no error of the deletion: sweeps go on with it."""
        try:
            self._work([_Entry(kind.name, str(identifier), self._clock())], self._foreground_seconds)
        except StoreError:
            return

    def sweep(self, *, seconds: float = 10.0) -> int:
        """See the interface. Receipts are forgotten by the table's own expiry."""
        entries = partition(self._client, self._names.service_state, "scope", SCOPE)
        return self._work([_entry(item) for item in entries], seconds)

    def _work(self, entries: Sequence[_Entry], seconds: float) -> int:
        """Look once at each entry, and at those that come of it; return how many are left.

        One that cannot be worked on does not keep the others waiting: its error is raised when all had their turn.
        """
        deadline = time.monotonic() + seconds
        waiting, pending = deque(entries), {entry.name for entry in entries}
        problem: StoreError | None = None
        while waiting and time.monotonic() < deadline:
            entry = waiting.popleft()
            try:
                born, done = self._look(entry, deadline)
            except StoreError as error:
                problem = problem or error
                continue
            waiting.extend(child for child in born if child.name not in pending)
            pending |= {child.name for child in born}
            pending -= {entry.name} if done else set()
        if problem is not None:
            raise problem
        return len(pending)

    def _look(self, entry: _Entry, deadline: float) -> tuple[list[_Entry], bool]:
        """Delete the children that an entry has; return the entries of theirs, and whether the entry is gone."""
        confirms = self._clock() - entry.deleted_at >= self._grace
        born: list[_Entry] = []
        found = False
        if entry.kind == ACCOUNT.name:
            self.drop_secret(entry.identifier)
        for branch in _BRANCHES[entry.kind]:
            for children in self._children(entry, branch):
                found = True
                born += self._remove(branch.child, children)
                if time.monotonic() >= deadline:
                    return born, False
        if found or not confirms:
            return born, False
        self._forget(entry)
        return born, True

    def _children(self, entry: _Entry, branch: _Branch) -> Iterator[list[Item]]:
        table, key = self._table(branch.child), KINDS[entry.kind].key
        listing = Listing(branch.child, table, branch.index, key, entry.identifier, paging.TENANTS)
        items = listing.ids(self._client)
        size = FAMILY if branch.child.name in KINDS else BATCH
        while some := list(islice(items, size)):
            yield some

    def _remove(self, kind: Kind, items: Sequence[Item]) -> list[_Entry]:
        if kind.name not in KINDS:
            self._remove_leaves(kind, items)
            return []
        entries = [_Entry(kind.name, item[kind.key]["S"], self._clock()) for item in items]
        try:
            transact(self._client, list(self._family(kind, items, entries, unique=True)))
        except Moved:
            # HAZARD: the index still shows a provider that was replaced: its pair is another's, and must stay.
            for item, entry in zip(items, entries, strict=True):
                self._remove_child(kind, item, entry)
        return entries

    def _remove_child(self, kind: Kind, item: Item, entry: _Entry) -> None:
        try:
            transact(self._client, list(self._family(kind, [item], [entry], unique=True)))
        except Moved:
            transact(self._client, list(self._family(kind, [item], [entry], unique=False)))

    def _family(
        self, kind: Kind, items: Sequence[Item], entries: Sequence[_Entry], *, unique: bool
    ) -> Iterator[Action]:
        for item, entry in zip(items, entries, strict=True):
            yield delete(self._table(kind), {kind.key: item[kind.key]}, Expression(), _moved)
            yield put(self._names.service_state, entry.item, Expression(), _moved)
            if unique and kind is PROVIDER:
                yield self._release_pair(item)

    def _remove_leaves(self, kind: Kind, items: Iterable[Item]) -> None:
        requests: Any = {self._table(kind): [{"DeleteRequest": {"Key": {kind.key: item[kind.key]}}} for item in items]}
        for _ in pauses():
            with told("DynamoDB"):
                requests = self._client.batch_write_item(RequestItems=requests).get("UnprocessedItems")
            if not requests:
                return
        raise Unavailable("DynamoDB", "asks to be spared")

    def _forget(self, entry: _Entry) -> None:
        """Remove an entry, unless the thing was entered again since."""
        condition = Expression().matches(entry.item, ["deleted_at"])
        with told("DynamoDB"):
            try:
                self._client.delete_item(TableName=self._names.service_state, Key=entry.key, **condition.condition())
            except ClientError as error:
                if error_code(error) != "ConditionalCheckFailedException":
                    raise


def _moved(_: Item | None) -> Exception:
    return Moved()


def _entry(item: Item) -> _Entry:
    return _Entry(item["kind"]["S"], item["id"]["S"], datetime.fromisoformat(item["deleted_at"]["S"]))
