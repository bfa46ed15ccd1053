"""What a later run copies, given the journal of an earlier one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pg2dynamo.dynamodb.journal import SegmentRecord, TableRecord
from pg2dynamo.mapping.table import TableName
from pg2dynamo.migration.resume import SegmentDecision, decide_segments, decide_table, deletions_allowed
from pg2dynamo.postgres.segments import Segment

LEAF = TableName("public", "accounts")

TABLE = TableRecord(
    source="public.accounts",
    target="accounts",
    target_id="t1",
    mapping_digest="m1",
    source_id="7/1/5",
    segment_blocks=8,
    state="complete",
    snapshot="100:100:",
    rows=10,
    items=10,
    quarantined=0,
    updated_at="2026-01-01T00:00:00+00:00",
)


def segment(number: int, filenode: int = 9, blocks: int = 8) -> Segment:
    return Segment(LEAF, number, blocks, filenode)


def record(number: int, rows: int = 5, filenode: int = 9, blocks: int = 8) -> SegmentRecord:
    return SegmentRecord(str(LEAF), number, blocks, filenode, as_of=100, rows=rows, quarantined=0)


def test_a_table_that_was_never_copied_is_a_first_copy() -> None:
    decision = decide_table(None, "m1", "7/1/5", "t1")
    assert (decision.first, decision.keep_segments, decision.reconcile) == (True, False, False)


def test_a_target_that_was_made_anew_is_a_first_copy() -> None:
    assert decide_table(TABLE, "m1", "7/1/5", "t2").first


def test_a_complete_copy_keeps_its_segments_and_looks_for_nothing_vanished() -> None:
    decision = decide_table(TABLE, "m1", "7/1/5", "t1")
    assert (decision.first, decision.keep_segments, decision.reconcile) == (False, True, False)


def test_a_copy_that_was_cut_short_looks_for_items_whose_rows_have_gone_since() -> None:
    decision = decide_table(replace(TABLE, state="copying"), "m1", "7/1/5", "t1")
    assert decision.keep_segments
    assert decision.reconcile


@pytest.mark.parametrize(("mapping", "source"), [("m2", "7/1/5"), ("m1", "7/2/5"), ("m1", "8/1/5")])
def test_another_mapping_database_or_timeline_voids_what_was_journaled(mapping: str, source: str) -> None:
    decision = decide_table(TABLE, mapping, source, "t1")
    assert (decision.first, decision.keep_segments, decision.reconcile) == (False, False, True)


def test_segments_that_are_journaled_are_copied_from_then_on_and_new_ones_whole() -> None:
    decisions, vanished = decide_segments([segment(0), segment(1)], [record(0)])
    assert decisions == [SegmentDecision(segment(0), record(0)), SegmentDecision(segment(1), None)]
    assert not vanished


@pytest.mark.parametrize("journaled", [record(0, filenode=8), record(0, blocks=16)])
def test_a_rewritten_table_is_copied_whole_and_searched_for_vanished_rows(journaled: SegmentRecord) -> None:
    decisions, vanished = decide_segments([segment(0)], [journaled])
    assert decisions == [SegmentDecision(segment(0), None)]
    assert vanished


def test_a_journaled_segment_that_is_no_longer_there_may_have_left_items() -> None:
    assert decide_segments([segment(0)], [record(0), record(1)])[1]
    assert not decide_segments([segment(0)], [record(0), record(1, rows=0)])[1]


@pytest.mark.parametrize(
    ("items", "wanted", "allowed"),
    [
        (0, None, 100),
        (1000, None, 100),
        (1010, None, 101),
        (1_000_000, None, 100_000),
        (10**8, None, 100_000),
        (10, 0, 0),
        (10, 7, 7),
    ],
)
def test_deletions_are_bounded_by_a_tenth_of_the_table_unless_said_otherwise(
    items: int, wanted: int | None, allowed: int
) -> None:
    assert deletions_allowed(items, wanted) == allowed
