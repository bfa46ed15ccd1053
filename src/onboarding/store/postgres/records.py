"""What the store does alike with records of every kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, TypeVar
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Connection

from onboarding.database.connection import patience
from onboarding.database.service_state import find_receipt, leave_receipt
from onboarding.store.errors import AlreadyExists, Changed, Conflict
from onboarding.store.interface import Changes, Clock, Page, PageRequest
from onboarding.store.paging import Order
from onboarding.store.postgres import rows
from onboarding.store.postgres.faults import UniqueTaken
from onboarding.store.postgres.paging import page_of
from onboarding.store.postgres.rows import Identifier, Kind
from onboarding.store.postgres.transactions import Transactions
from onboarding.store.records import New, Receipt
from onboarding.store.rules import check_changes

R = TypeVar("R")
Derive = Callable[[Connection], Mapping[str, Any]]
"""Finds and holds the parents of a new record in its transaction, and gives the fields that follow from them."""
Parent = tuple[Kind[Any], UUID]

DELETION_SECONDS = 300
"""The server reads whole tables for each row that goes, as the guide's schema has no indexes on foreign keys."""
TAKEN = {"tenant": "Another tenant has this name.", "provider": "The tenant has this provider already."}


class Records:
    """The calls of the store in general; a module for each kind makes them particular."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def prepare(self) -> None:
        """See the store."""
        raise NotImplementedError

    def _get(self, kind: Kind[R], identifier: Identifier, owner: UUID | None = None) -> R:
        return self._transactions.run(lambda connection: rows.find(connection, kind, identifier, owner))

    def _list(
        self,
        kind: Kind[R],
        order: Order,
        page: PageRequest,
        *kept: ColumnElement[bool],
        owner: UUID | None = None,
        parent: Parent | None = None,
    ) -> Page[R]:
        """Return a page; when there is an owner, `parent` must be its."""
        order.check(page)

        def read(connection: Connection) -> Page[R]:
            if parent is not None and owner is not None:
                rows.find(connection, *parent, owner)
            return page_of(connection, kind, order, page, *kept)

        return self._transactions.run(read)

    def _create(self, kind: Kind[R], new: New, receipt: Receipt | None, derive: Derive) -> R:
        """Create a record and leave the receipt, or neither. `derive` is asked after it is known that it is new."""
        given = getattr(new, kind.key.name)
        if receipt is not None:
            self.prepare()

        def create(connection: Connection) -> R:
            now = self._clock()
            if receipt is not None and not leave_receipt(connection, receipt, now):
                raise AlreadyExists(kind.name)
            if given is not None and rows.is_there(connection, kind, given):
                raise AlreadyExists(kind.name)
            return rows.add(connection, kind, {**_values(kind, new, now), **derive(connection)})

        try:
            return self._transactions.run(create)
        except (UniqueTaken, Conflict) as refusal:
            # Another's creation may have been committed since it was looked for, this very one's among them.
            if (kind.name not in TAKEN and isinstance(refusal, UniqueTaken)) or self._was_made(kind, given, receipt):
                raise AlreadyExists(kind.name) from None
            raise (refusal if isinstance(refusal, Conflict) else Conflict(kind.name, TAKEN[kind.name])) from None

    def _was_made(self, kind: Kind[Any], given: Identifier | None, receipt: Receipt | None) -> bool:
        def look(connection: Connection) -> bool:
            if receipt is not None and find_receipt(connection, receipt.key, self._clock()):
                return True
            return given is not None and rows.is_there(connection, kind, given)

        return self._transactions.run(look)

    def _update(
        self, kind: Kind[R], identifier: Identifier, changes: Changes, owner: UUID | None = None, seen: R | None = None
    ) -> R:
        check_changes(kind.name, changes)
        try:
            return self._transactions.run(
                lambda connection: updated(connection, kind, identifier, changes, owner, seen)
            )
        except UniqueTaken:
            raise Conflict(kind.name, TAKEN[kind.name]) from None

    def _delete(self, kind: Kind[Any], identifier: Identifier, owner: UUID | None = None) -> None:
        def delete(connection: Connection) -> None:
            with patience(connection, DELETION_SECONDS):
                rows.remove(connection, kind, identifier, owner)

        self._transactions.run(delete)


def updated(
    connection: Connection, kind: Kind[R], identifier: Identifier, changes: Changes, owner: UUID | None, seen: R | None
) -> R:
    """Change a record, unless it is not as it was seen. Raises NotFound, Changed."""
    if seen is not None and rows.find(connection, kind, identifier, owner, lock="against change") != seen:
        raise Changed(kind.name)
    if not changes:
        return rows.find(connection, kind, identifier, owner)
    return rows.change(connection, kind, identifier, changes, owner)


def _values(kind: Kind[Any], new: New, now: Any) -> dict[str, Any]:
    given = {field.name: getattr(new, field.name) for field in fields(new)}  # type: ignore[arg-type]
    times = {name: now for name in ("created_at", "updated_at") if name in kind.table.columns}
    identifier = given[kind.key.name] or (f"scan-{uuid4()}" if kind.name == "scan_result" else uuid4())
    return given | times | {kind.key.name: identifier}
