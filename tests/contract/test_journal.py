"""What the control table must keep, on each DynamoDB of this machine."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pg2dynamo.dynamodb import records
from pg2dynamo.dynamodb.client import dynamodb_client
from pg2dynamo.dynamodb.journal import (
    Journal,
    QuarantinedRow,
    RunRecord,
    SecretRefusal,
    SegmentRecord,
    TableRecord,
)
from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.dynamodb.tables import TableShape, create_table, wait_until_active
from pg2dynamo.errors import StageError, TargetMissing, TargetShapeDiffers

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SEGMENT = SegmentRecord(leaf="public.a", number=0, blocks=1024, filenode=16390, as_of=2**63, rows=5, quarantined=1)
TABLE = TableRecord(
    source="public.a",
    target="a-items",
    target_id="id",
    mapping_digest="digest",
    source_id="7/1/5",
    segment_blocks=1024,
    state="copying",
    snapshot="10:20:",
    rows=0,
    items=0,
    quarantined=0,
    updated_at="2024-01-02T03:04:05Z",
)
RUN = RunRecord(
    run_id="r1",
    command="copy",
    state="running",
    started_at="2024-01-02T03:04:05Z",
    ended_at=None,
    host="h",
    process=1,
    snapshot=None,
    lsn="0/16B3748",
    summary={"seconds": 1.5, "tables": {"public.a": {"rows": 2**70}}, "none": None},
)


def quarantined(key: dict[str, str | None], table: str = "public.a") -> QuarantinedRow:
    return QuarantinedRow(table, key, "total", "number out of range", "10:20:")


@pytest.fixture
def client(aws_environ: dict[str, str]) -> DynamoDBClient:
    return dynamodb_client(TargetSettings())


@pytest.fixture
def journal(client: DynamoDBClient, unique: str) -> Journal:
    journal = Journal(client, f"control-{unique}", "m")
    assert journal.ensure_table()
    return journal


def test_the_control_table_is_created_once(client: DynamoDBClient, unique: str) -> None:
    journal = Journal(client, f"control-{unique}", "m")
    assert not journal.exists()
    assert journal.ensure_table()
    assert journal.exists()
    assert not journal.ensure_table()


def test_a_table_of_another_shape_is_not_taken_for_the_control_table(client: DynamoDBClient, unique: str) -> None:
    create_table(client, unique, TableShape("entry", None, (("entry", "S"),)))
    wait_until_active(client, unique)
    with pytest.raises(TargetShapeDiffers, match="its key is entry, the plan's is migration, entry"):
        Journal(client, unique, "m").ensure_table()


def test_without_a_control_table_every_reading_says_to_prepare(client: DynamoDBClient, unique: str) -> None:
    with pytest.raises(TargetMissing, match="pg2dynamo prepare"):
        Journal(client, f"control-{unique}", "m").tables()


def test_a_table_record_comes_back_equal_and_is_replaced_by_a_later_one(journal: Journal) -> None:
    journal.put_table(TABLE)
    other = replace(TABLE, source="public.b", state="complete", rows=2**40)
    journal.put_table(other)
    assert journal.tables() == {"public.a": TABLE, "public.b": other}
    later = replace(TABLE, state="complete")
    journal.put_table(later)
    assert journal.tables()["public.a"] == later


def test_segments_come_back_by_leaf_and_number(journal: Journal) -> None:
    given = [replace(SEGMENT, leaf=leaf, number=n) for leaf in ("public.p2", "public.p1") for n in (10, 9, 2**32 - 1)]
    for segment in [*given, given[0]]:
        journal.put_segment("public.a", segment)
    assert journal.segments("public.a") == sorted(given, key=lambda s: (s.leaf, s.number))


def test_tables_whose_names_begin_alike_or_hold_the_separator_keep_their_segments_apart(journal: Journal) -> None:
    pairs = [("a", "b#c"), ("a#b", "c"), ("a%23b", "c"), ("a", "b"), ("aa", "b")]
    for number, (source, leaf) in enumerate(pairs):
        journal.put_segment(source, replace(SEGMENT, leaf=leaf, number=1, rows=number))
    found = [(source, s.leaf, s.rows) for source in ("a", "a#b", "a%23b", "aa") for s in journal.segments(source)]
    assert sorted(found) == sorted((source, leaf, n) for n, (source, leaf) in enumerate(pairs))


def test_clearing_forgets_the_segments_of_that_table_only(journal: Journal) -> None:
    for number in range(60):
        journal.put_segment("public.a", replace(SEGMENT, number=number))
    journal.put_segment("public.ab", SEGMENT)
    journal.clear_segments("public.a")
    journal.clear_segments("public.a")
    assert journal.segments("public.a") == []
    assert journal.segments("public.ab") == [SEGMENT]


def test_migrations_in_one_control_table_do_not_see_each_other(client: DynamoDBClient, journal: Journal) -> None:
    journal.put_table(TABLE)
    other = Journal(client, journal.control_table, "m2")
    other.clear_segments("public.a")
    assert other.tables() == {}


def test_quarantined_rows_are_kept_once_and_leave_when_told(journal: Journal) -> None:
    rows = [quarantined({"id": str(n), "part": None}) for n in range(60)]
    journal.put_quarantined([*rows, rows[0]])
    journal.put_quarantined(rows)
    other = quarantined({"id": "1"}, "public.b")
    journal.put_quarantined([other])
    assert sorted(journal.quarantined("public.a"), key=lambda r: int(r.key["id"] or "")) == rows
    assert journal.quarantined_count("public.a") == 60
    assert len(list(journal.quarantined())) == 61
    journal.remove_quarantined(rows[1:])
    journal.remove_quarantined(rows[1:])
    assert list(journal.quarantined("public.a")) == rows[:1]
    assert list(journal.quarantined("public.b")) == [other]


def test_a_row_quarantined_again_has_its_newer_reason(journal: Journal) -> None:
    journal.put_quarantined([quarantined({"id": "1"})])
    again = replace(quarantined({"id": "1"}), reason="item too large", snapshot="30:40:")
    journal.put_quarantined([again])
    assert list(journal.quarantined("public.a")) == [again]


def test_null_and_the_text_null_are_different_keys(journal: Journal) -> None:
    rows = [quarantined({"id": None}), quarantined({"id": "null"}), quarantined({"id": ""})]
    journal.put_quarantined(rows)
    assert journal.quarantined_count("public.a") == 3


def test_listings_page_to_the_end(journal: Journal) -> None:
    rows = [quarantined({"id": f"{n}" + "x" * 100_000}) for n in range(25)]
    journal.put_quarantined(rows)
    assert sorted(map(str, journal.quarantined("public.a"))) == sorted(map(str, rows))
    assert journal.quarantined_count("public.a") == 25


def key_of(size: int) -> dict[str, str | None]:
    """A key whose text in the entry is `size` bytes: {"id":"…"} takes nine of its own."""
    return {"id": "é" + "x" * (size - 9 - 2)}


def test_the_longest_key_that_is_kept_comes_back(journal: Journal) -> None:
    row = quarantined(key_of(records.KEY_BYTES_LIMIT))
    journal.put_quarantined([row])
    (found,) = journal.quarantined("public.a")
    assert found == row
    assert found.retryable


def test_a_longer_key_is_kept_as_a_row_that_cannot_be_retried_and_says_so(journal: Journal) -> None:
    row = quarantined(key_of(records.KEY_BYTES_LIMIT + 1))
    journal.put_quarantined([row])
    (found,) = journal.quarantined("public.a")
    assert not found.retryable
    assert found.key == {}
    assert "number out of range; the key is too long to be kept" in found.reason
    journal.put_quarantined([found])
    assert list(journal.quarantined("public.a")) == [found]
    journal.remove_quarantined([found])
    assert journal.quarantined_count("public.a") == 0


def test_refusals_of_the_last_run_replace_the_earlier_ones_of_that_table(journal: Journal) -> None:
    def refusal(n: int, table: str = "public.c") -> SecretRefusal:
        return SecretRefusal(table, {"credential_id": str(n)}, f"app/{n}", "does not decrypt")

    journal.put_refusals([refusal(1), refusal(1), refusal(2)])
    journal.put_refusals([refusal(1, "public.d")])
    journal.replace_refusals("public.c", [refusal(2), refusal(3)])
    assert sorted(journal.refusals("public.c"), key=str) == [refusal(2), refusal(3)]
    assert list(journal.refusals("public.d")) == [refusal(1, "public.d")]
    journal.replace_refusals("public.c", [])
    assert list(journal.refusals()) == [refusal(1, "public.d")]


def test_runs_come_newest_last_and_the_end_replaces_the_beginning(journal: Journal) -> None:
    later = replace(RUN, run_id="r0", started_at="2024-01-03T00:00:00Z")
    journal.put_run(later)
    journal.put_run(RUN)
    ended = replace(RUN, state="complete", ended_at="2024-01-02T04:00:00Z")
    journal.put_run(ended)
    assert journal.runs() == [ended, later]


def test_an_entry_of_a_newer_version_is_refused_with_the_advice_to_upgrade(
    client: DynamoDBClient, journal: Journal
) -> None:
    item: dict[str, Any] = records.to_item("m", "table#public.a", records.table_values(TABLE))
    client.put_item(TableName=journal.control_table, Item={**item, "version": {"N": str(records.VERSION + 1)}})
    with pytest.raises(StageError, match="Upgrade pg2dynamo"):
        journal.tables()
