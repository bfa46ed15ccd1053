"""Verify one table: sum both sides, list the keys of unequal buckets, look at these again.

The rows may be the source's or those of an export: a `RowSide` says how to read them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pg2dynamo.mapping.digest import Buckets
from pg2dynamo.migration.difference import Difference
from pg2dynamo.migration.look_again import KEYS_PER_TASK, LookTask, RowLookup, SourceLookup, look_again
from pg2dynamo.migration.progress import Progress
from pg2dynamo.migration.spill import Side, Spill, SpilledKey
from pg2dynamo.migration.verify_report import Comparison
from pg2dynamo.migration.verify_segment import (
    ItemPart,
    ListTask,
    Part,
    RowPart,
    VerifyJob,
    list_part,
    sum_part,
)
from pg2dynamo.migration.workers import Workers
from pg2dynamo.postgres.segments import Segment

PHASE = "verify"
MOST_SCAN_PARTS = 1_000_000
"""TotalSegments of a Scan, by the API reference of DynamoDB."""


@dataclass(frozen=True, slots=True)
class RowSide:
    """The rows of one table: the parts to read, and where to look single rows up."""

    parts: Sequence[Part]
    lookup: RowLookup


def source_side(job: VerifyJob, segments: Sequence[Segment]) -> RowSide:
    """Return the rows of the source: read under the job's snapshot, looked up as they are now."""
    now = VerifyJob(job.dsn, None, job.mapping, job.settings)
    return RowSide([RowPart(job, segment) for segment in segments], SourceLookup(now))


class TableVerification:
    """The comparison of one table's rows with its items, in memory that does not grow with the table.

    `job` tells where the items are and how they are decoded, `expected_rows` about how many rows there are.
    `check` is called between parts and raises when the comparison must end, e.g. because the snapshot is lost.
    The spill goes to `directory`, by default where temporary files go. `items` are the sums of the items where
    these have been read already, with those of other entries.
    """

    def __init__(
        self,
        job: VerifyJob,
        rows: RowSide,
        workers: Workers,
        progress: Progress,
        *,
        expected_rows: int | None = None,
        check: Callable[[], None] = lambda: None,
        directory: Path | None = None,
        items: Buckets | None = None,
    ) -> None:
        total = min(max(1, len(rows.parts)), MOST_SCAN_PARTS)
        self._items = [ItemPart(job, number, total) for number in range(total)]
        self._job, self._rows = job, rows
        self._workers, self._progress = workers, progress
        self._expected_rows, self._check, self._directory = expected_rows, check, directory
        self._table = job.mapping.name
        self._known_items = items
        self.comparison = Comparison()

    def differences(self) -> Iterator[Difference]:
        """Yield every difference, and count in `comparison`."""
        self._progress.start(PHASE, self._table, self._expected_rows)
        unequal = self._unequal_buckets()
        self._progress.finish(PHASE, self._table)
        if unequal:
            with Spill(self._directory) as spill:
                self._list(spill, unequal)
                yield from self._look_again(spill)

    def _parts(self) -> Iterator[Part]:
        """Both sides in turn, so that neither waits for the other."""
        for number in range(max(len(self._rows.parts), len(self._items))):
            for side in (self._rows.parts, self._items):
                if number < len(side):
                    self._check()
                    yield side[number]

    def _checked(self, parts: Iterable[Part]) -> Iterator[Part]:
        for part in parts:
            self._check()
            yield part

    def _unequal_buckets(self) -> frozenset[int]:
        sums: dict[Side, Buckets] = {"rows": Buckets(), "items": self._known_items or Buckets()}
        parts = self._parts() if self._known_items is None else self._checked(self._rows.parts)
        for part, result in self._workers.run(sum_part, parts, self._advance):
            sums[part.side].merge(result.buckets)
            self.comparison.left_out += result.left_out
        self._check()
        self.comparison.compared = sums["rows"].rows
        return frozenset(sums["rows"].differing(sums["items"]))

    def _advance(self, message: tuple[str, Side, int]) -> None:
        table, side, entries = message
        if side == "rows":
            self._progress.advance(PHASE, table, entries)

    def _list(self, spill: Spill, buckets: frozenset[int]) -> None:
        def keep(message: tuple[Side, list[SpilledKey]]) -> None:
            spill.add(*message)

        for _ in self._workers.run(list_part, (ListTask(part, buckets) for part in self._parts()), keep):
            pass
        self._check()

    def _look_again(self, spill: Spill) -> Iterator[Difference]:
        tasks = (LookTask(self._job, self._rows.lookup, tuple(keys)) for keys in spill.unequal(KEYS_PER_TASK))
        for _, found in self._workers.run(look_again, tasks):
            for difference in found:
                self.comparison.count(difference)
                yield difference
