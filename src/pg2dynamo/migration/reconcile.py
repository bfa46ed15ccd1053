"""Find items of rows that are gone, after a run that was cut short or counts that fell.

Only tables that this migration has written before are looked at; the keys found are bounded in number.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import orjson

from pg2dynamo.dynamodb.scan import scan_pages
from pg2dynamo.mapping.decode import ItemUndecodable, decode_key
from pg2dynamo.mapping.values import Value
from pg2dynamo.migration.copy_segment import CopyJob, Report
from pg2dynamo.migration.source import connect_source
from pg2dynamo.postgres.rows import keys_present
from pg2dynamo.postgres.snapshot import adopt_snapshot


@dataclass(frozen=True, slots=True)
class ReconcileTask:
    """One of `total` parts of the target table's scan; finding more than `limit` keys ends it early."""

    job: CopyJob
    part: int
    total: int
    limit: int


def find_vanished(task: ReconcileTask, report: Report) -> list[bytes]:
    """Return the keys (DynamoDB JSON) of items in this part of the table that no source row has.

    Reads keys only; changes nothing. Returns at most `limit` + 1 keys, so that the caller can see that there
    are too many.
    """
    job, found = task.job, list[bytes]()
    with connect_source(job.dsn, os.environ) as connection, adopt_snapshot(connection, job.snapshot):
        names = job.mapping.key_attributes
        for page in scan_pages(job.settings, job.mapping.target, task.part, task.total, key_attributes=names):
            ours = [(item, key) for item in page if (key := _decoded(job, item)) is not None]
            present = keys_present(connection, job.mapping, [key for _, key in ours])
            found += [_key_json(item, names) for (item, _), there in zip(ours, present, strict=True) if not there]
            report((job.mapping.name, len(page)))
            if len(found) > task.limit:
                break
    return found[: task.limit + 1]


def _decoded(job: CopyJob, item: dict[str, Any]) -> dict[str, Value] | None:
    """Return the item's key, or None when no row of the source can have it: another's item, left to `verify`."""
    try:
        return decode_key(job.mapping, item) if job.mapping.owns(item) else None
    except ItemUndecodable:
        return None


def _key_json(item: dict[str, Any], names: tuple[str, ...]) -> bytes:
    return orjson.dumps({name: item[name] for name in names})
