"""One page of a Scan: its items are parsed one at a time, when they are asked for.

Parsing a page at once makes some hundred thousand objects that outgrow the processor's caches: item by item it takes
less than half the time, and a page in memory is its bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import orjson

Item = dict[str, Any]

_BEFORE_ITEMS = b'"Items":['
_AFTER_ITEMS = b"}]"
_BETWEEN_ITEMS = re.compile(rb'\}\},(?=\{"[^"\\]*":\{"(?:S|N|B|BOOL|NULL|M|L|SS|NS|BS)":)')
"""An item ends with the end of an attribute's value and its own; the next begins with an attribute. A list of maps may
look the same, and an item need not: what is found is only tried."""


class Garbled(ValueError):
    """What came is not a page of items."""


class Page:
    """The items of an answer to Scan, in order; `last` is the key to go on from, None at the end.

    Raises Garbled, at once or when the items are read, for what is no such answer.
    """

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._items: list[Item] | None = None
        self._ranges = _ranges(body)
        answer = self._without_items() or self._parse()
        last = answer.get("LastEvaluatedKey")
        if not (last is None or isinstance(last, dict)):
            raise Garbled
        self.last: Item | None = last or None

    def __len__(self) -> int:
        return len(self._ranges if self._items is None else self._items)

    def __iter__(self) -> Iterator[Item]:
        return map(self.__getitem__, range(len(self)))

    def __getitem__(self, number: int) -> Item:
        if self._items is not None:
            return self._items[number]
        start, end = self._ranges[number]
        try:
            # The first whole object from where an item begins is that item, whatever it was taken for.
            return _object(self._body[start:end])
        except Garbled:
            items = self._parse()["Items"]
            if len(items) != len(self._ranges):
                raise
            item: Item = items[number]
            return item

    def _without_items(self) -> Item | None:
        """Return the answer but for the items; None when these are not where they seem to be."""
        if not self._ranges:
            return None
        try:
            answer = _object(self._body[: self._ranges[0][0]] + self._body[self._ranges[-1][1] :])
        except Garbled:
            return None
        return answer if answer.get("Items") == [] and answer.get("Count") == len(self._ranges) else None

    def _parse(self) -> Item:
        """Parse the page at once, for it is not as usual; return the answer."""
        answer = _object(self._body)
        items = answer.get("Items")
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise Garbled
        self._items = items
        return answer


def _ranges(body: bytes) -> list[tuple[int, int]]:
    """Return where the items of a page seem to begin and to end; nowhere when it is not as usual."""
    first = body.find(_BEFORE_ITEMS) + len(_BEFORE_ITEMS)
    end = body.rfind(_AFTER_ITEMS) + 1
    if first < len(_BEFORE_ITEMS) or end <= first or body.count(b"{", 0, first) != 1:
        return []
    starts = [first, *(match.end() for match in _BETWEEN_ITEMS.finditer(body, first, end))]
    return list(zip(starts, [*(start - 1 for start in starts[1:]), end], strict=True))


def _object(text: bytes) -> Item:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Garbled from None
    if not isinstance(value, dict):
        raise Garbled
    return value
