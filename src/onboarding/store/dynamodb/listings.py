"""Listings by index, in a total order.

An index leaves the order of equal range keys open, so the group of equal range keys in which a page ends is read
whole and sorted by id; the next page begins in that group again, after the position.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from onboarding.aws import told
from onboarding.store.dynamodb.expressions import Expression
from onboarding.store.dynamodb.items import Item, Kind, decode
from onboarding.store.interface import Page, PageRequest, Position
from onboarding.store.paging import Order

MARGIN = 2
"""Read beyond a page: the record where the last one ended, and the one that tells that there is more."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What to list: one hash key of an index, whose range key is the first field of the order.

    `equal` fixes the range key, `most` bounds it; `keep` is added to the request as its filter. With `crowded`, many
    records share a range key, so that nothing less than all that fits an answer is asked for.
    """

    kind: Kind
    table: str
    index: str
    hash: str
    value: str
    order: Order
    equal: str | None = None
    most: str | None = None
    keep: Callable[[Expression], str] | None = None
    crowded: bool = False

    @property
    def range(self) -> str:
        """The index's range key."""
        return self.order.fields[0]

    def page(self, client: Any, request: PageRequest) -> Page[Any]:
        """Return one page. Raises Invalid, Unavailable."""
        self.order.check(request)
        after = request.after
        if after is not None and self.most is not None and after[0] > self.most:
            return Page((), None)
        limit = None if self.crowded else request.limit + MARGIN
        records = (decode(self.kind, item) for item in self._items(client, after, limit))
        found = in_order(records, self.order, request)
        items = tuple(found[: request.limit])
        return Page(items, self.order.position(items[-1]) if len(found) > len(items) else None)

    def ids(self, client: Any) -> Iterator[Item]:
        """Give all items of the hash key, in no particular order within a range key."""
        yield from self._items(client, None, None)

    def _items(self, client: Any, after: Position | None, limit: int | None) -> Iterator[Item]:
        expression = Expression()
        condition = self._condition(expression, after)
        keep = self.keep(expression) if self.keep else None
        query = {
            "TableName": self.table,
            "IndexName": self.index,
            "ScanIndexForward": not self.order.descending,
            **expression.parameters(KeyConditionExpression=condition, FilterExpression=keep),
        }
        yield from _pages(client.query, query, limit)

    def _condition(self, expression: Expression, after: Position | None) -> str:
        condition = f"{expression.name(self.hash)} = {expression.value({'S': self.value})}"
        bound = self._bound(expression, after)
        return f"{condition} AND {bound}" if bound else condition

    def _bound(self, expression: Expression, after: Position | None) -> str:
        def compared(operator: str, value: str) -> str:
            return f"{expression.name(self.range)} {operator} {expression.value({'S': value})}"

        if self.equal is not None:
            return compared("=", self.equal)
        if after is None:
            return compared("<=", self.most) if self.most is not None else ""
        if self.most is None:
            # Inclusive: others may share the range key of the last record.
            return compared("<=" if self.order.descending else ">=", after[0])
        least, most = expression.value({"S": after[0]}), expression.value({"S": self.most})
        return f"{expression.name(self.range)} BETWEEN {least} AND {most}"


def scanned(client: Any, table: str) -> Iterator[Item]:
    """Give all items of a table, each as it is at its moment."""
    yield from _pages(client.scan, {"TableName": table, "ConsistentRead": True}, None)


def partition(client: Any, table: str, hash_: str, value: str) -> Iterator[Item]:
    """Give all items of one hash key of a table, each as it is at its moment."""
    expression = Expression()
    condition = f"{expression.name(hash_)} = {expression.value({'S': value})}"
    query = {"TableName": table, "ConsistentRead": True, **expression.parameters(KeyConditionExpression=condition)}
    yield from _pages(client.query, query, None)


def _pages(ask: Callable[..., Any], request: dict[str, Any], limit: int | None) -> Iterator[Item]:
    """Ask until there is no more; only the first answer is limited, as what follows it is needed to the end."""
    more: dict[str, Any] = {} if limit is None else {"Limit": limit}
    while True:
        with told("DynamoDB"):
            answer = ask(**request, **more)
        yield from answer["Items"]
        if not answer.get("LastEvaluatedKey"):
            return
        more = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


def in_order(records: Iterable[Any], order: Order, request: PageRequest) -> list[Any]:
    """Return the first records after the position: the page's, and one more if there is one.

    `records` come by the order's first field, those that share it in any order. No more of them are taken than needed.
    """
    found: list[Any] = []
    for _, group in groupby(records, key=lambda record: order.position(record)[0]):
        members = (record for record in group if _follows(order, record, request.after))
        wanted = request.limit - len(found)
        if not wanted:
            found.extend(_first(members))
        else:
            found.extend(_smallest(order, members, wanted + 1))
        if len(found) > request.limit:
            break
    return found


def _follows(order: Order, record: Any, after: Position | None) -> bool:
    if after is None:
        return True
    position = order.position(record)
    return position < after if order.descending else position > after


def _first(members: Iterable[Any]) -> list[Any]:
    return [record for record, _ in zip(members, range(1), strict=False)]


def _smallest(order: Order, members: Iterable[Any], count: int) -> list[Any]:
    choose = heapq.nlargest if order.descending else heapq.nsmallest
    return choose(count, members, key=order.position)
