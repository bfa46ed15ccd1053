"""Verification against real servers: what is equal is called equal, and every planted difference is found."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import pytest

from pg2dynamo.errors import PlanError, SourceUnreachable, TargetMissing
from pg2dynamo.migration.progress import Silent
from pg2dynamo.plan.load import parse_plan
from tests.conftest import Database
from tests.integration.verified import ROWS, Migration, begin, key


@pytest.fixture
def migration(database: Database, aws_environ: dict[str, str], unique: str, tmp_path: Path) -> Migration:
    """The migration on every PostgreSQL with every DynamoDB."""
    return begin(database, {**os.environ, **aws_environ}, unique, tmp_path)


@pytest.fixture
def one(any_database: Database, any_aws_environ: dict[str, str], unique: str, tmp_path: Path) -> Migration:
    """The migration on one PostgreSQL with one DynamoDB."""
    return begin(any_database, {**os.environ, **any_aws_environ}, unique, tmp_path)


def one_ulp_more(value: dict[str, str]) -> dict[str, str]:
    return {"N": repr(math.nextafter(float(value["N"]), math.inf))}


def test_what_was_copied_is_equal(migration: Migration) -> None:
    report = migration.verify()
    assert report.equal
    assert migration.lines() == []
    counts = {"equal": True, "compared": ROWS, "missing": 0, "different": 0, "extra": 0, "skipped": 0}
    whole = report.as_json()
    assert {name: whole[name] for name in counts} == counts
    assert whole["tables"] == {"public.things": {**counts, "quarantined": 0, "left_out": 0}}
    assert whole["report"] == str(migration.report)


def test_every_planted_difference_is_found_and_named_and_nothing_else_is(migration: Migration) -> None:
    planted: dict[int, tuple[str, list[str]]] = {}

    def plant(number: int, kind: str, *attributes: str, **values: Any) -> None:
        planted[number] = (kind, list(attributes))
        if values:
            migration.change(number, **values)

    migration.delete(1)
    plant(1, "missing")
    migration.put({**key(100_001), "name": {"S": "nobody's"}})
    plant(100_001, "extra")
    plant(2, "different", "count", count={"N": "15"})
    plant(3, "different", "count", count={"S": "21"})
    plant(4, "different", "weight", weight=one_ulp_more(migration.item(4)["weight"]))
    plant(5, "different", "name", name={"S": "name 5 "})
    plant(6, "different", "note", note={"S": ""})
    plant(7, "different", "note", note=None)
    plant(8, "different", "doc", doc=reordered(migration.item(8)["doc"]))
    plant(9, "different", "tags", tags={"L": [{"S": "b"}, {"S": "a9"}, {"NULL": True}]})
    item = migration.item(10)
    plant(10, "different", "first", "second", first=item["second"], second=item["first"])
    plant(11, "different", "ok", ok={"S": "false"})
    plant(12, "different", "note", note={"NULL": True})
    plant(13, "different", "surprise", surprise={"S": "not of the table"})
    plant(14, "different", "at", at={"S": "2024-01-01T00:00:14.000099"})
    plant(15, "different", "zoned", zoned={"S": migration.item(15)["zoned"]["S"].replace("Z", "+00:00")})
    plant(16, "different", "span", span={"S": "1 year 4 mons 15 days 00:00:16"})
    plant(17, "different", "raw", raw={"B": b"\x00" * 16})
    plant(18, "different", "price", price={"N": "2.2500000000000000000000000000000000001"})
    plant(19, "different", "enabled", enabled={"S": "true"})
    plant(20, "different", "grid", grid={"L": [{"N": n} for n in ("20", "1", "2", "3")]})
    plant(21, "different", "doc", "name", name={"S": "NAME 21"}, doc={"S": json.dumps({"list": [21, 22, "x"]})})
    plant(22, "different", "enabled", enabled=None)
    migration.sql("INSERT INTO things (id, name) VALUES (100002, 'never copied')")
    plant(100_002, "missing")
    migration.sql("UPDATE things SET tags = array_append(tags, 'more') WHERE id = 23")
    plant(23, "different", "tags")
    migration.sql("DELETE FROM things WHERE id = 24")
    plant(24, "extra")
    migration.sql("UPDATE things SET small = 0.1::float4 WHERE id = 25")
    plant(25, "different", "small")

    report = migration.verify()

    assert migration.found() == planted
    kinds = [kind for kind, _ in planted.values()]
    assert not report.equal
    whole = report.as_json()
    assert {kind: whole[kind] for kind in ("missing", "different", "extra", "skipped")} == {
        "missing": kinds.count("missing"),
        "different": kinds.count("different"),
        "extra": kinds.count("extra"),
        "skipped": 0,
    }
    assert whole["compared"] == ROWS


def reordered(document: dict[str, Any]) -> dict[str, Any]:
    entries = dict(document["M"])
    return {"M": {**entries, "list": {"L": list(reversed(entries["list"]["L"]))}}}


def test_what_dynamodb_writes_otherwise_is_no_difference(one: Migration) -> None:
    one.change(2, count={"N": "14.000"}, price={"N": "2.5E-1"})
    assert one.verify().equal


def test_the_report_holds_keys_and_names_and_no_values(one: Migration) -> None:
    one.change(5, name={"S": "hunter2"})
    one.verify()
    assert one.lines() == [{"table": "public.things", "key": {"id": "5"}, "kind": "different", "attributes": ["name"]}]
    for path in one.directory.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
        text = path.read_text()
        assert "hunter2" not in text
        assert "name 5" not in text
    assert {path.name for path in one.directory.iterdir()} == {"report.jsonl", "report.json", "report.html"}


def test_worker_processes_find_the_same(one: Migration) -> None:
    one.delete(1)
    one.change(5, name={"S": "another"})
    report = one.verify(processes=2)
    assert one.found() == {1: ("missing", []), 5: ("different", ["name"])}
    assert report.as_json()["compared"] == ROWS


def test_an_empty_target_lacks_every_row(one: Migration) -> None:
    for number in range(1, ROWS + 1):
        one.delete(number)
    report = one.verify(processes=1)
    assert report.total.missing == ROWS
    assert one.found() == {number: ("missing", []) for number in range(1, ROWS + 1)}


def test_an_empty_source_makes_every_item_extra(one: Migration) -> None:
    one.sql("TRUNCATE things")
    report = one.verify()
    assert (report.total.extra, report.total.compared) == (ROWS, 0)


def test_two_empty_sides_are_equal(one: Migration) -> None:
    one.sql("DELETE FROM things")
    for number in range(1, ROWS + 1):
        one.delete(number)
    assert one.verify().equal


def test_a_missing_target_table_is_an_error_and_not_a_difference(one: Migration) -> None:
    one.client.delete_table(TableName=one.table)
    with pytest.raises(TargetMissing, match="pg2dynamo prepare"):
        one.verify()
    assert not one.report.exists()


def test_a_table_that_the_plan_has_not_is_an_error(one: Migration) -> None:
    with pytest.raises(PlanError, match=r"no table others\. It has: public\.things"):
        one.verify(tables=["others"])


def test_a_row_of_which_the_item_cannot_give_a_column_back_is_different(one: Migration) -> None:
    one.sql("UPDATE things SET enabled = NULL WHERE id = 7")
    one.fill()
    one.verify()
    assert one.found() == {7: ("different", ["enabled"])}


def test_a_row_that_changed_since_the_snapshot_and_whose_item_followed_is_no_difference(one: Migration) -> None:
    class ChangeMeanwhile(Silent):
        """Progress that changes row and item between the first reading and the look again."""

        def finish(self, phase: str, table: str) -> None:
            one.sql("UPDATE things SET name = 'changed' WHERE id = 5")
            one.change(5, name={"S": "changed"})

    one.change(5, name={"S": "not yet there"})
    assert one.verify(progress=ChangeMeanwhile()).equal


@pytest.mark.parametrize(
    ("type_", "texts"),
    [
        ("text", ["", "a", "x" * 2049, "ä\n\"'\\"]),
        ("numeric", ["NaN", "1.50", "1e60", "-0.001", "123456789012345678901234567890123456789"]),
        ("bytea", ["", "\\x00ff", "\\x" + "ab" * 2049]),
        ("timestamp", ["infinity", "0044-03-15 12:00 BC", "12024-01-01", "2024-01-02 03:04:05.6"]),
        ("interval", ["-1 year 2 days -03:04:05.6", "00:00", "1 mon -1 day"]),
        ("timetz", ["03:04:05.6+02", "24:00-07:30"]),
    ],
)
def test_rows_are_named_by_keys_of_every_type_even_those_that_no_item_can_have(
    any_database: Database, any_aws_environ: dict[str, str], unique: str, tmp_path: Path, type_: str, texts: list[str]
) -> None:
    one = keyed(any_database, {**os.environ, **any_aws_environ}, unique, tmp_path, type_)
    one.create_table()
    for text in texts:
        one.sql("INSERT INTO things VALUES (%s)", text)
    report = one.verify()
    assert (report.total.compared, report.total.missing) == (len(texts), len(texts))
    lines = [json.loads(line) for line in one.report.read_text().splitlines()]
    assert {line["kind"] for line in lines} == {"missing"}
    assert len({line["key"]["id"] for line in lines}) == len(texts)


def keyed(database: Database, environ: dict[str, str], name: str, directory: Path, type_: str) -> Migration:
    with database.connect() as connection:
        connection.execute(f"CREATE TABLE things (id {type_} PRIMARY KEY)".encode())
    whole = {**environ, "DATABASE_URL": database.dsn}
    text = f"name: {name}\ntables:\n  - {{from: things, to: {name}, key: {{hash: id}}}}\n"
    return Migration(parse_plan(text, whole), whole, database, directory)


def test_a_lost_snapshot_is_an_error_and_leaves_no_report(one: Migration) -> None:
    class LoseSnapshot(Silent):
        """Progress that ends the session which holds the snapshot."""

        def say(self, message: str) -> None:
            one.sql(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
                "WHERE application_name = 'pg2dynamo snapshot' AND datname = current_database()"
            )

    with pytest.raises(SourceUnreachable):
        one.verify(progress=LoseSnapshot())
    assert list(one.directory.iterdir()) == []


def test_a_broken_connection_is_made_again_under_the_same_snapshot(one: Migration) -> None:
    lost: list[int] = []

    class LoseConnections(Silent):
        """Progress that ends every reading session once."""

        def advance(self, phase: str, table: str, rows: int) -> None:
            if not lost:
                one.sql(
                    "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
                    "WHERE application_name = 'pg2dynamo' AND datname = current_database()"
                )
            lost.append(rows)

    report = one.verify(progress=LoseConnections())
    assert sum(lost) > ROWS, "nothing was read again"
    assert report.equal
    assert report.as_json()["compared"] == ROWS


def test_a_mistake_of_the_encoder_is_found(one: Migration, monkeypatch: pytest.MonkeyPatch) -> None:
    from pg2dynamo.mapping import instants

    with monkeypatch.context() as mistaken:
        mistaken.setattr(instants, "timestamp", lambda text: "2024-01-01T00:00:00.000000")
        one.fill()
    report = one.verify()
    assert report.total.different == ROWS
    assert {tuple(names) for _, names in one.found().values()} == {("at",)}


def test_rows_that_no_segment_holds_are_skipped_and_never_equal(
    one: Migration, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Segments are what copy and verification share: a fault there would lose rows and hide it."""
    for number in range(ROWS + 1):
        one.delete(number)
    monkeypatch.setattr("pg2dynamo.migration.verify.plan_segments", lambda *_: [])
    report = one.verify(processes=0)
    assert (report.equal, report.total.skipped, report.total.extra, report.total.compared) == (False, ROWS, 0, 0)
