"""Decide what a run must copy, given what earlier runs have journaled. Pure.

A segment that an earlier run copied under snapshot S is unchanged under a later snapshot exactly when it has
no visible row whose inserting transaction is at or after S's xmin, and as many rows as then: a row changes
only by a new version with a newer xmin, and leaves only by lowering the count. So a later run writes the newer
rows alone, and looks for vanished rows in the target only when a count fell or an earlier run was cut short.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pg2dynamo.dynamodb.journal import SegmentRecord, TableRecord
from pg2dynamo.postgres.segments import Segment


@dataclass(frozen=True, slots=True)
class TableDecision:
    """How one table is copied.

    `first`: no earlier run has written to this target table, so it must be empty. `keep_segments`: what is
    journaled of its segments still holds. `reconcile`: items may be left of rows that are gone.
    """

    first: bool
    keep_segments: bool
    reconcile: bool


def decide_table(record: TableRecord | None, mapping_digest: str, source_id: str, target_id: str) -> TableDecision:
    """Return how to copy a table whose last run left `record`."""
    if record is None or record.target_id != target_id:
        return TableDecision(first=True, keep_segments=False, reconcile=False)
    same = record.mapping_digest == mapping_digest and record.source_id == source_id
    return TableDecision(first=False, keep_segments=same, reconcile=not same or record.state != "complete")


@dataclass(frozen=True, slots=True)
class SegmentDecision:
    """A segment to copy: whole, or (with `previous`) only what is newer than an earlier copy of it."""

    segment: Segment
    previous: SegmentRecord | None


def decide_segments(
    segments: Sequence[Segment], records: Sequence[SegmentRecord]
) -> tuple[list[SegmentDecision], bool]:
    """Match the segments with their records; return them, and whether rows may have vanished meanwhile.

    A rewritten table (another filenode, another segment size) is copied whole again, and a view or foreign table
    always; segments that are journaled but no longer there (truncated, detached) may have left items behind.
    """
    known = {(r.leaf, r.number): r for r in records}
    decisions = []
    rewritten = False
    for segment in segments:
        record = known.pop((str(segment.leaf), segment.number), None)
        if segment.whole and record is not None:
            # Nothing tells which of its rows are new, or that one is gone.
            rewritten, record = True, None
        if record is not None and (record.filenode, record.blocks) != (segment.filenode, segment.blocks):
            rewritten, record = True, None
        decisions.append(SegmentDecision(segment, record))
    return decisions, rewritten or any(r.rows for r in known.values())


def deletions_allowed(items: int, max_deletes: int | None) -> int:
    """Return how many vanished rows' items one run may delete: 10 % of the table, from 100 to 100,000.

    The upper bound also bounds the memory that their keys take. `max_deletes` replaces the rule.
    """
    return max_deletes if max_deletes is not None else max(100, min(items // 10, 100_000))
