"""Entries that share a DynamoDB table: its items are read once, and summed for the entry that each belongs to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from pg2dynamo import faults
from pg2dynamo.dynamodb.page import Item, Page
from pg2dynamo.dynamodb.scan import read_pages
from pg2dynamo.mapping.digest import Buckets
from pg2dynamo.migration.verify_segment import VerifyJob, again_when_cut_off, digest_items
from pg2dynamo.migration.workers import Report, Workers


@dataclass(frozen=True, slots=True)
class SharedPart:
    """Part `number` of the `total` parts of the scan of a table that these jobs' entries share."""

    jobs: tuple[VerifyJob, ...]
    number: int
    total: int


def sum_items(jobs: Sequence[VerifyJob], parts: int, workers: Workers, check: Callable[[], None]) -> dict[str, Buckets]:
    """Return the sums of the items of each entry, by its name, from one scan in that many parts.

    `check` is called between parts and raises when the comparison must end.
    """
    sums = {job.mapping.name: Buckets() for job in jobs}
    for _, found in workers.run(sum_shared_part, _parts(tuple(jobs), parts, check)):
        for name, buckets in found.items():
            sums[name].merge(buckets)
    return sums


def _parts(jobs: tuple[VerifyJob, ...], total: int, check: Callable[[], None]) -> Iterator[SharedPart]:
    for number in range(total):
        check()
        yield SharedPart(jobs, number, total)


def sum_shared_part(part: SharedPart, _report: Report) -> dict[str, Buckets]:
    """Digest the items of a part into the buckets of the entries that they belong to; reports nothing."""
    return again_when_cut_off(lambda: _summed(part))


def _summed(part: SharedPart) -> dict[str, Buckets]:
    first, mappings = part.jobs[0], [job.mapping for job in part.jobs]
    sums = {mapping.name: Buckets() for mapping in mappings}

    def read(page: Page) -> list[tuple[str, list[bytes], list[bytes]]]:
        owned: dict[str, list[Item]] = {mapping.name: [] for mapping in mappings}
        for item in page:
            owner = next((mapping for mapping in mappings if mapping.answers_for(item)), None)
            if owner is not None:
                owned[owner.name].append(item)
        return [(mapping.name, *digest_items(mapping, owned[mapping.name])) for mapping in mappings]

    for digests in read_pages(first.settings, first.mapping.target, part.number, part.total, read):
        for name, keys, rows in digests:
            sums[name].add_all(keys, rows)
        faults.point("verify.batch.read")
    return sums


ENTRIES_PER_SCAN = 8
"""How many entries' sums are held at once: each takes 5 MB, as large as its table may be."""


def scanned_together(jobs: Iterable[VerifyJob]) -> Iterator[list[VerifyJob]]:
    """Yield the jobs in groups whose items are read together: of one table, and a bounded number."""
    groups: dict[str, list[VerifyJob]] = {}
    for job in jobs:
        groups.setdefault(job.mapping.target, []).append(job)
    for group in groups.values():
        for start in range(0, len(group), ENTRIES_PER_SCAN):
            yield group[start : start + ENTRIES_PER_SCAN]
