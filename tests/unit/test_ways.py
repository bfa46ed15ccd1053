"""Whether an entry is imported from S3 or written in batches, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pg2dynamo.errors import PlanError, StageError
from pg2dynamo.mapping.table import IndexMapping, TableMapping
from pg2dynamo.mapping.types import Kind
from pg2dynamo.migration.bulk import MOST_SPANS, SEGMENTS_PER_SPAN, spans
from pg2dynamo.migration.bulk_segment import import_lines
from pg2dynamo.plan.estimate import Amounts, EntryEstimate, PlanEstimate
from pg2dynamo.plan.prices import GB, load_prices
from pg2dynamo.plan.ways import TargetState, Via, Way, choose_way
from pg2dynamo.postgres.segments import Segment
from tests.mappings import column, mapping_of

MAPPING = mapping_of(column("id", Kind.TEXT), column("at", Kind.TEXT))
LOCAL = mapping_of(
    column("id", Kind.TEXT), column("at", Kind.TEXT), range="at", indexes=[IndexMapping("i", "id", "at", local=True)]
)
OTHERS: Any = (object(),)
NEW = TargetState(exists=False)
LARGE = Amounts(items=10**6, item_bytes=GB // 2, write_units=10**6, import_bytes=GB)


def estimate(amounts: Amounts, *, trusted: bool = True) -> Callable[[], PlanEstimate]:
    entry = EntryEstimate(MAPPING.name, str(MAPPING.source), MAPPING.target, amounts, importable=True, trusted=trusted)
    return lambda: PlanEstimate("m", "us-east-1", load_prices(None, "us-east-1"), False, 4_000, (entry,))


def not_asked() -> PlanEstimate:
    raise AssertionError


def way(via: Via, mapping: TableMapping = MAPPING, state: TargetState = NEW, **options: object) -> Way:
    whole = {"bucket": True, "estimated": not_asked} | options
    return choose_way(via, mapping, state, **whole)  # type: ignore[arg-type]


def test_a_new_table_is_imported_when_that_is_cheaper() -> None:
    found = way(Via.AUTO, estimated=estimate(LARGE))
    assert found == Way("import", "writing costs about 0.62 USD, importing 0.17")


def test_what_is_written_in_less_than_a_minute_is_written() -> None:
    found = way(Via.AUTO, estimated=estimate(replace(LARGE, write_units=4_000 * 60 - 1)))
    assert found.via == "batch"
    assert "too little for an import, which takes minutes" in found.why


def test_large_items_are_written_when_that_is_cheaper() -> None:
    assert way(Via.AUTO, estimated=estimate(replace(LARGE, import_bytes=5 * GB))).via == "batch"


def test_without_statistics_nothing_is_guessed() -> None:
    found = way(Via.AUTO, estimated=estimate(LARGE, trusted=False))
    assert (found.via, "ANALYZE" in found.why) == ("batch", True)


@pytest.mark.parametrize(
    ("mapping", "state", "options", "why"),
    [
        (MAPPING, NEW, {"bucket": False}, "names no bucket"),
        (LOCAL, NEW, {}, "local indexes"),
        (replace(MAPPING, others=OTHERS), NEW, {}, "other entries share its table"),
        (MAPPING, TargetState(exists=True), {}, "its table is there already"),
        (MAPPING, TargetState(exists=True, copied=True), {}, "copied before"),
    ],
    ids=["no bucket", "local index", "shared", "exists", "copied"],
)
def test_what_cannot_be_imported_is_written_and_the_reason_said(
    mapping: TableMapping, state: TargetState, options: dict[str, object], why: str
) -> None:
    found = way(Via.AUTO, mapping, state, **options)
    assert (found.via, why in found.why) == ("batch", True)


@pytest.mark.parametrize(
    ("mapping", "state", "options", "error", "words"),
    [
        (MAPPING, NEW, {"bucket": False}, PlanError, "names no bucket"),
        (replace(LOCAL, others=OTHERS), NEW, {}, PlanError, "local indexes; other entries share its table"),
        (MAPPING, TargetState(exists=True), {}, StageError, "is there already"),
    ],
    ids=["no bucket", "local and shared", "exists"],
)
def test_what_must_be_imported_and_cannot_be_is_refused_with_every_reason(
    mapping: TableMapping, state: TargetState, options: dict[str, object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        way(Via.IMPORT, mapping, state, **options)


def test_what_was_copied_before_is_written_even_when_an_import_is_asked_for() -> None:
    assert way(Via.IMPORT, state=TargetState(exists=True, copied=True), bucket=False).via == "batch"


def test_writing_is_always_possible() -> None:
    assert way(Via.BATCH, LOCAL, bucket=False).via == "batch"


def test_a_table_of_many_segments_has_longer_spans() -> None:
    leaf = MAPPING.source
    many = [Segment(leaf, number, 1024, 1) for number in range(MOST_SPANS * SEGMENTS_PER_SPAN + 1)]
    assert [len(span) for span in spans(many[: SEGMENTS_PER_SPAN * 3 + 1])] == [8, 8, 8, 1]
    found = list(spans(many))
    assert len(found) <= MOST_SPANS
    assert [segment for span in found for segment in span] == many


def test_every_item_is_a_line_whatever_a_reader_takes_for_the_end_of_one() -> None:
    items = [b'{"a":{"S":"x"}}', '{"a":{"S":"1\u0085\u2028\u2029é"}}'.encode()]
    lines = import_lines(items)
    assert lines.decode().splitlines() == ['{"Item":{"a":{"S":"x"}}}', '{"Item":{"a":{"S":"1\\u0085\\u2028\\u2029é"}}}']
