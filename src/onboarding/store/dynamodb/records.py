"""What the store does alike with records of every kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID, uuid4

from botocore.exceptions import ClientError

from onboarding.aws import error_code, told
from onboarding.database.dynamodb_tables import EXPIRY_ATTRIBUTE, TableNames
from onboarding.storage.secrets_manager_storage import SecretsManagerStorage
from onboarding.store.dynamodb.expressions import Expression
from onboarding.store.dynamodb.items import (
    ACCOUNT,
    SCAN_RESULT,
    Item,
    Kind,
    attribute,
    can_be_key,
    decode,
    encode,
    normal,
)
from onboarding.store.dynamodb.transactions import Action, Refusal, check, pauses, put, transact, update
from onboarding.store.errors import AlreadyExists, Changed, NotFound, Unavailable
from onboarding.store.interface import Changes, Clock
from onboarding.store.paging import moment_text
from onboarding.store.records import New, Receipt
from onboarding.store.rules import check_changes

R = TypeVar("R")

RECEIPT = "receipt"
EPOCH = datetime(1970, 1, 1)
EXISTS, PARENT, NEXT_PARENT, CONFLICT = range(4)
"""The order of refusals of a creation."""


class Records:
    """The calls of the store in general; a module for each kind makes them particular."""

    def __init__(self, client: Any, names: TableNames, secrets: SecretsManagerStorage, clock: Clock) -> None:
        self._client = client
        self._names = names
        self._secrets = secrets
        self._clock = clock

    def _table(self, kind: Kind) -> str:
        return str(getattr(self._names, kind.table))

    # Reading

    def _item(self, table: str, key: Item) -> Item | None:
        with told("DynamoDB"):
            found: Item | None = self._client.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")
        return found

    def _find(self, kind: Kind, identifier: UUID | str) -> Any:
        possible = can_be_key(str(identifier))
        item = self._item(self._table(kind), kind.key_item(identifier)) if possible else None
        if item is None:
            raise NotFound(kind.name)
        return decode(kind, item)

    def _get(self, kind: Kind, identifier: UUID | str, owner: UUID | None) -> Any:
        """Return a record; with an owner, that of an account's execution or scan result is the account's."""
        record = self._find(kind, identifier)
        if owner is not None and owner != self._tenant_of(record):
            raise NotFound(kind.name)
        return record

    def _tenant_of(self, record: Any) -> UUID | None:
        if hasattr(record, "tenant_id"):
            return UUID(str(record.tenant_id))
        try:
            return UUID(str(self._find(ACCOUNT, record.account_id).tenant_id))
        except NotFound:
            return None

    def receipt(self, key: str) -> Receipt | None:
        """See the interface."""
        item = self._item(self._names.service_state, _receipt_key(key))
        if item is None or item["expires_at"]["S"] <= moment_text(self._clock()):
            return None
        expires_at = datetime.fromisoformat(item["expires_at"]["S"])
        return Receipt(key=key, fingerprint=item["fingerprint"]["S"], expires_at=expires_at)

    # Creating

    def _new(self, kind: Kind, new: New, **derived: Any) -> Any:
        """Return the record that `new` becomes, as it will be read."""
        names = [field.name for field in fields(kind.record)]
        now = self._clock()
        given = {field.name: getattr(new, field.name) for field in fields(new)}  # type: ignore[arg-type]
        values = dict.fromkeys(names) | given | derived
        values[kind.key] = values[kind.key] or (f"scan-{uuid4()}" if kind is SCAN_RESULT else uuid4())
        values |= {name: now for name in ("created_at", "updated_at") if name in names}
        return normal(kind, kind.record(**values))

    def _create(self, kind: Kind, record: Any, receipt: Receipt | None, *others: Action) -> Any:
        """Put a record that is not there yet, with its receipt and what else must happen or hold."""
        exists: Refusal = lambda _: self._exists(kind)  # noqa: E731
        thing = put(self._table(kind), encode(kind, record), Expression().absent(kind.key), exists, EXISTS)
        transact(self._client, [thing, *self._receipts(receipt, exists), *others])
        return record

    def _exists(self, kind: Kind) -> AlreadyExists:
        return AlreadyExists(kind.name)

    def _receipts(self, receipt: Receipt | None, exists: Refusal) -> Sequence[Action]:
        if receipt is None:
            return ()
        item = _receipt_key(receipt.key) | {
            "fingerprint": {"S": receipt.fingerprint},
            "expires_at": {"S": moment_text(receipt.expires_at)},
            EXPIRY_ATTRIBUTE: {"N": str(int((receipt.expires_at - EPOCH).total_seconds()) + 1)},
        }
        now = {"S": moment_text(self._clock())}
        condition = Expression().absent_or("scope", "expires_at", "<=", now)
        return (put(self._names.service_state, item, condition, exists, EXISTS),)

    def _parent(self, kind: Kind, identifier: UUID, tenant_id: UUID | None, rank: int, told_as: str = "") -> Action:
        """Require that a parent is there, and is the tenant's if one is given."""
        condition = Expression().exists(kind.key)
        if tenant_id is not None:
            condition.equals("tenant_id", {"S": str(tenant_id)})
        missing: Refusal = lambda _: NotFound(told_as or kind.name)  # noqa: E731
        return check(self._table(kind), kind.key_item(identifier), condition, missing, rank)

    # Changing

    def _update(self, kind: Kind, identifier: UUID | str, changes: Changes, owner: UUID | None, seen: Any) -> Any:
        """Set only what is named. `updated_at` becomes the clock's time: nothing is read before."""
        check_changes(kind.name, changes)
        if not changes:
            return self._unchanged(kind, identifier, owner, seen)
        expected = None if seen is None else encode(kind, seen)
        for _ in pauses():
            answer = self._send_update(kind, identifier, changes, owner, expected)
            if isinstance(answer, _Updated):
                return decode(kind, answer.item)
            expected = self._judge(kind, answer, owner, seen)
        raise Unavailable("DynamoDB", "has others writing the same")

    def _unchanged(self, kind: Kind, identifier: UUID | str, owner: UUID | None, seen: Any) -> Any:
        record = self._get(kind, identifier, owner)
        if seen is not None and record != seen:
            raise Changed(kind.name)
        return record

    def _judge(self, kind: Kind, item: Item | None, owner: UUID | None, seen: Any) -> Item:
        """Say why a condition did not hold; return the item when it differs only in how its numbers are written."""
        if item is None:
            raise NotFound(kind.name)
        record = decode(kind, item)
        if owner is not None and getattr(record, "tenant_id", owner) != owner:
            raise NotFound(kind.name)
        if seen is not None and record != seen:
            raise Changed(kind.name)
        return item

    def _send_update(
        self, kind: Kind, identifier: UUID | str, changes: Changes, owner: UUID | None, expected: Item | None
    ) -> _Updated | Item | None:
        """Send once; return what was made of the item, or the item that does not meet the condition."""
        condition = self._condition(kind, owner, expected)
        try:
            with told("DynamoDB"):
                return self._send(kind, identifier, condition.update(self._attributes(kind, changes)))
        except _Unmet as unmet:
            return unmet.item

    def _send(self, kind: Kind, identifier: UUID | str, expressions: dict[str, Any]) -> _Updated:
        try:
            answer = self._client.update_item(
                TableName=self._table(kind),
                Key=kind.key_item(identifier),
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **expressions,
            )
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise
            response: Any = error.response
            raise _Unmet(response.get("Item")) from None
        return _Updated(answer["Attributes"])

    def _condition(self, kind: Kind, owner: UUID | None, expected: Item | None) -> Expression:
        condition = Expression().exists(kind.key)
        names = [field.name for field in fields(kind.record)]
        if expected is not None:
            condition.matches(expected, [name for name in names if name != kind.key])
        if owner is not None and "tenant_id" in names:
            condition.equals("tenant_id", {"S": str(owner)})
        return condition

    def _attributes(self, kind: Kind, changes: Changes) -> dict[str, dict[str, Any] | None]:
        values = dict(changes)
        if any(field.name == "updated_at" for field in fields(kind.record)):
            values["updated_at"] = self._clock()
        return {n: None if v is None else attribute(kind, n, v) for n, v in values.items()}

    def _exactly(self, kind: Kind, item: Item, changes: Changes) -> tuple[Action, Any]:
        """Return the change of an item that must be as it was read, with the record that it becomes."""
        attributes = self._attributes(kind, changes)
        identifier = item[kind.key]["S"]
        parameters = self._condition(kind, None, item).update(attributes)
        moved: Refusal = lambda old: NotFound(kind.name) if old is None else Moved()  # noqa: E731
        becomes = {name: value for name, value in {**item, **attributes}.items() if value is not None}
        return update(self._table(kind), kind.key_item(identifier), parameters, moved), decode(kind, becomes)

    def _until_still(self, attempt: Callable[[], R]) -> R:
        """Do again what read a record that was changed before it was written."""
        for _ in pauses():
            try:
                return attempt()
            except Moved:
                continue
        raise Unavailable("DynamoDB", "has others writing the same")


class Moved(Exception):
    """A record is no longer as it was read."""


class _Unmet(Exception):
    def __init__(self, item: Item | None) -> None:
        super().__init__()
        self.item = item


@dataclass(frozen=True, slots=True)
class _Updated:
    item: Item


def _receipt_key(key: str) -> Item:
    """Return the key of a receipt's item: a partition of its own, so that receipts are spread."""
    return {"scope": {"S": f"{RECEIPT}#{key}"}, "entry": {"S": RECEIPT}}
