"""Look again at keys that seemed unequal: row and item as they are now, compared value by value in memory.

Only what differs now, by a fresh statement and a consistent read, is a difference; a row that changed since
the snapshot and whose item followed is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import orjson

from pg2dynamo.dynamodb.scan import get_items
from pg2dynamo.errors import VerificationError
from pg2dynamo.mapping.decode import Decoder
from pg2dynamo.mapping.digest import digest_key
from pg2dynamo.mapping.key_text import KeyTexts, can_be_key, item_key, key_values
from pg2dynamo.mapping.table import TableMapping
from pg2dynamo.mapping.values import Value
from pg2dynamo.migration.difference import (
    Difference,
    Expectation,
    Pairs,
    attributes_unlike,
    differing_attributes,
)
from pg2dynamo.migration.verify_segment import (
    VerifyJob,
    again_when_cut_off,
    digested_item,
    digested_row,
    source_connection,
)
from pg2dynamo.migration.workers import Report
from pg2dynamo.postgres.binary import select_rows_by_key

KEYS_PER_TASK = 100
"""How many keys are looked at in one task: BatchGetItem's limit."""


class Seen(NamedTuple):
    """A row or item by its digest, and its pairs; of a row of an export, `attribute_digests` instead of pairs."""

    digest: bytes
    pairs: Pairs | None
    attributes: bytes = b""


class RowLookup(Protocol):
    """Where rows are looked up by key; a plain picklable value."""

    def look(self, keys: Sequence[Mapping[str, Value]]) -> dict[bytes, Seen]:
        """Return the rows that there are of these keys (by attribute), by the digest of the key."""


@dataclass(frozen=True, slots=True)
class SourceLookup:
    """Rows of the source as they are now."""

    job: VerifyJob

    def look(self, keys: Sequence[Mapping[str, Value]]) -> dict[bytes, Seen]:
        """See RowLookup."""
        mapping = self.job.mapping
        expected = Expectation(mapping)
        seen: dict[bytes, Seen] = {}
        for rows in select_rows_by_key(source_connection(self.job), mapping, keys):
            for row in rows:
                pairs = expected.pairs(row.values, row.unrestored, row.texts)
                if pairs is not None:
                    digested = digested_row(mapping, pairs)
                    seen[digested.key] = Seen(digested.row, digested.of)
        return seen


@dataclass(frozen=True, slots=True)
class LookTask:
    """Keys of one table, as the JSON of their texts, to be looked at again. `job` tells where the items are."""

    job: VerifyJob
    rows: RowLookup
    keys: tuple[str, ...]


def look_again(task: LookTask, _report: Report) -> list[Difference]:
    """Return what differs now, of the task's keys; reports nothing."""
    return again_when_cut_off(lambda: _differences(task))


def _differences(task: LookTask) -> list[Difference]:
    mapping = task.job.mapping
    keys: list[KeyTexts] = [orjson.loads(key) for key in task.keys]
    values = [key_values(mapping, texts) for texts in keys]
    rows = task.rows.look([value for value in values if value is not None])
    decoder = Decoder(mapping)
    items = _items(task.job, decoder, [texts for texts in keys if can_be_key(mapping, texts)])
    found = []
    for texts, value in zip(keys, values, strict=True):
        row = None if value is None else rows.get(digest_key(value.items()))
        if row is None and "" in texts.values():
            # A row with NULL in its key: it cannot be looked up, and no item is its.
            found.append(Difference(mapping.name, texts, "missing"))
            continue
        item = items.get(_identity(mapping, decoder, texts))
        if value is None and item is None:
            raise VerificationError(f"A key of {mapping.name} could not be looked at again.", remedy=_AGAIN)
        difference = _difference(mapping, texts, row, item)
        if difference is not None:
            found.append(difference)
    return found


_AGAIN = "Run the command again when nothing else writes to the target."


def _items(job: VerifyJob, decoder: Decoder, keys: list[KeyTexts]) -> dict[bytes, Seen]:
    mapping = job.mapping
    seen = {}
    for item in get_items(job.settings, mapping.target, [item_key(mapping, texts) for texts in keys]):
        digested = digested_item(mapping, decoder, item)
        seen[digested.key] = Seen(digested.row, list(decoder.decode(item).items()))
    return seen


def _identity(mapping: TableMapping, decoder: Decoder, texts: KeyTexts) -> bytes:
    item: dict[str, Any] = item_key(mapping, texts)
    return digested_item(mapping, decoder, item).key


def _difference(mapping: TableMapping, texts: KeyTexts, row: Seen | None, item: Seen | None) -> Difference | None:
    table = mapping.name
    if row is None or item is None:
        if row is None and item is None:
            return None
        return Difference(table, texts, "extra" if row is None else "missing")
    if row.digest == item.digest:
        return None
    pairs = item.pairs or ()
    if row.pairs is None:
        return Difference(table, texts, "different", attributes_unlike(mapping, row.attributes, pairs))
    return Difference(table, texts, "different", differing_attributes(row.pairs, pairs))
