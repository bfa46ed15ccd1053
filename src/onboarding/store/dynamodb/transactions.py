"""Writes of several items in one act, and why one was not made.

A transaction carries a token of its own: when its answer is lost and it is sent again, DynamoDB knows it and does
nothing, so a success is never taken for somebody else's item (for ten minutes; the attempts end far sooner).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from botocore.exceptions import ClientError

from onboarding.aws import error_code, told
from onboarding.store.dynamodb.expressions import Expression
from onboarding.store.dynamodb.items import Item
from onboarding.store.errors import StoreError, Unavailable

ATTEMPTS = 12
LONGEST_PAUSE_SECONDS = 0.5
_PASSING = frozenset(
    {
        "TransactionConflict",
        "TransactionConflictException",
        "TransactionInProgressException",
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "ThrottlingError",
        "ThrottlingException",
    }
)
CONDITION = "ConditionalCheckFailed"
Refusal = Callable[[Item | None], Exception]
"""Gives the error of a condition that does not hold, by the item that is there (None: there is none)."""


@dataclass(frozen=True, slots=True)
class Action:
    """One part of a transaction. `rank` orders the refusals: of several, the lowest is told."""

    form: str
    parameters: Mapping[str, Any]
    refusal: Refusal
    rank: int = 0


def put(table: str, item: Item, condition: Expression, refusal: Refusal, rank: int = 0) -> Action:
    """Return the writing of an item."""
    return Action("Put", {"TableName": table, "Item": item, **condition.condition()}, refusal, rank)


def check(table: str, key: Item, condition: Expression, refusal: Refusal, rank: int = 0) -> Action:
    """Return the requirement of an item that is not written."""
    return Action("ConditionCheck", {"TableName": table, "Key": key, **condition.condition()}, refusal, rank)


def delete(table: str, key: Item, condition: Expression, refusal: Refusal, rank: int = 0) -> Action:
    """Return the deletion of an item."""
    return Action("Delete", {"TableName": table, "Key": key, **condition.condition()}, refusal, rank)


def update(table: str, key: Item, parameters: Mapping[str, Any], refusal: Refusal, rank: int = 0) -> Action:
    """Return the change of an item."""
    return Action("Update", {"TableName": table, "Key": key, **parameters}, refusal, rank)


def pauses() -> Iterator[None]:
    """Pass once for each attempt, with growing pauses of random length between them."""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(random.uniform(0, min(LONGEST_PAUSE_SECONDS, 0.01 * 2**attempt)))  # noqa: S311 - no secret
        yield


def transact(client: Any, actions: Sequence[Action]) -> None:
    """Carry out all the actions or none.

    Raises the refusal of the lowest rank among the conditions that do not hold, and Unavailable when others are in
    the way each time.
    """
    if not (refusal := _attempt(client, actions)):
        return
    raise refusal


def _attempt(client: Any, actions: Sequence[Action]) -> Exception | None:
    token = str(uuid4())
    items = [{a.form: {**a.parameters, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}} for a in actions]
    for _ in pauses():
        try:
            with told("DynamoDB"):
                answered = _send(client, items, token)
        except _Passing:
            continue
        return None if answered is None else _refusal(actions, answered)
    return Unavailable("DynamoDB", "has others writing the same")


class _Passing(Exception):
    """Somebody else is in the way for a moment."""


def _send(client: Any, items: list[dict[str, Any]], token: str) -> Sequence[Mapping[str, Any]] | None:
    """Send once; return the reasons of a cancellation, None when it was carried out."""
    try:
        client.transact_write_items(TransactItems=items, ClientRequestToken=token)
    except ClientError as error:
        code = error_code(error)
        if code in _PASSING:
            raise _Passing from None
        if code != "TransactionCanceledException":
            raise
        return _reasons(error)
    return None


def _reasons(error: ClientError) -> Sequence[Mapping[str, Any]]:
    reasons: Sequence[Mapping[str, Any]] = error.response.get("CancellationReasons", ())
    codes = {reason.get("Code", "None") for reason in reasons}
    # HAZARD: with a condition that fails beside a conflict, the failure may be of what the other is about to undo.
    if codes & _PASSING:
        raise _Passing from None
    return reasons


def _refusal(actions: Sequence[Action], reasons: Sequence[Mapping[str, Any]]) -> Exception:
    failed = [
        (action.rank, index)
        for index, (action, reason) in enumerate(zip(actions, reasons, strict=False))
        if reason.get("Code") == CONDITION
    ]
    if not failed:
        return StoreError("DynamoDB refuses the transaction: its tables may not be this service's.")
    index = min(failed)[1]
    return actions[index].refusal(reasons[index].get("Item") or None)
