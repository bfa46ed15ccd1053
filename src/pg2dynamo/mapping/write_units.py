"""How many write units an item takes, its indexes included, told from its JSON. Pure.

A write unit covers 1 KB of one item, rounded up, and again for every index that the item is in ("Read and write
operations" of the DynamoDB guide).
"""

from __future__ import annotations

import orjson

from pg2dynamo.mapping.table import TableMapping

UNIT_BYTES = 1024
_OVERHEADS = ((b'":{"', 9), (b'":{"S":"', 3), (b'":{"N":"', 2))
"""How much longer an attribute is in JSON, with a comma, than DynamoDB counts: 9 for any, such as `"":{"L":[]},`; that
much more for text, and for numbers, of which two digits take a byte."""


class WriteUnits:
    """Counts the write units of the items of one table; `mapping` None counts no indexes.

    An upper bound that is seldom more than the number that DynamoDB counts for a new item. An item that replaces one
    whose index key is another takes one more an index, which cannot be told from it.
    """

    def __init__(self, mapping: TableMapping | None = None) -> None:
        indexes = mapping.indexes if mapping else ()
        keys = set(mapping.key_attributes) if mapping else set()
        named = [[name for name in (index.hash, index.range) if name and name not in keys] for index in indexes]
        self._indexes = [[orjson.dumps(name) + b":{" for name in names] for names in named]

    def __call__(self, item: bytes | None) -> int:
        """Return the write units of putting `item`, a DynamoDB JSON object, or at least those of a delete (None)."""
        if item is None:
            return 1 + len(self._indexes)
        size = len(item) - 1 - sum([overhead * item.count(start) for start, overhead in _OVERHEADS])
        units = max(1, -(-size // UNIT_BYTES))
        entries = sum([all(name in item for name in names) for names in self._indexes])
        return units * (1 + entries)
