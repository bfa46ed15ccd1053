"""Compare an imported table with what was sent, item for item: by digests summed into buckets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pg2dynamo import faults
from pg2dynamo.dynamodb.scan import scan_pages
from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.mapping.digest import Buckets
from pg2dynamo.mapping.json_digest import add_item
from pg2dynamo.mapping.table import TableMapping
from pg2dynamo.migration.workers import Report, Workers

ITEMS_PER_PART = 100_000
"""About how many items one part of the scan has."""
MOST_PARTS = 1_000
PHASE = "check"


@dataclass(frozen=True, slots=True)
class ScanTask:
    """Part `number` of the `total` parts of a table's scan."""

    settings: TargetSettings
    name: str
    table: str
    key: tuple[str, ...]
    number: int
    total: int


def sum_scan(task: ScanTask, report: Report) -> bytes:
    """Digest the items of a part, consistently read, and return the buckets as bytes."""
    buckets = Buckets()
    for page in scan_pages(task.settings, task.table, task.number, task.total):
        for item in page:
            add_item(buckets, item, task.key)
        report((task.name, len(page)))
        faults.point("bulk.scanned")
    return buckets.to_bytes()


def sum_table(
    workers: Workers,
    settings: TargetSettings,
    mapping: TableMapping,
    items: int,
    check: Callable[[], None],
    advance: Callable[[tuple[str, int]], None],
) -> Buckets:
    """Return the sums of all items of the table, which holds about so many; `check` is called between parts."""
    total = max(1, min(MOST_PARTS, items // ITEMS_PER_PART))

    def tasks() -> Iterator[ScanTask]:
        for number in range(total):
            check()
            yield ScanTask(settings, mapping.name, mapping.target, mapping.key_attributes, number, total)

    found = Buckets()
    for _, buckets in workers.run(sum_scan, tasks(), advance):
        found.merge(Buckets.from_bytes(buckets))
    return found
