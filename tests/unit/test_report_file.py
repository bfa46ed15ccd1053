"""The report on disk: whole or not there, for its owner alone, names and never values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pg2dynamo.errors import StageError
from pg2dynamo.migration.difference import Difference
from pg2dynamo.migration.report_file import HTML_ROWS, ReportFile, read_differences, read_summary
from pg2dynamo.migration.verify_report import Comparison, VerifyReport

DIFFERENCES = [
    Difference("public.t", {"id": "1"}, "missing"),
    Difference("public.t", {"h": "<b>&", "r": "ü"}, "different", ("a", "b")),
    Difference("public.credentials", {"name": "app/1"}, "extra"),
]


def summary(**counts: int) -> dict[str, Any]:
    return VerifyReport("m", "1:1:", Path("r"), {"public.t": Comparison(**counts)}, Comparison()).as_json()


def write(path: Path, differences: list[Difference] | None = None) -> None:
    given = DIFFERENCES if differences is None else differences
    with ReportFile(path) as file:
        for difference in given:
            file.add(difference)
        file.finish("m", "1:1:", "2024-01-01T00:00:00+00:00", summary(compared=5, missing=len(given)))


def write_and_be_interrupted(path: Path) -> None:
    with ReportFile(path) as file:
        file.add(DIFFERENCES[1])
        raise KeyboardInterrupt


def test_differences_are_read_as_they_were_written(tmp_path: Path) -> None:
    write(tmp_path / "r.jsonl")
    assert list(read_differences(tmp_path / "r.jsonl")) == DIFFERENCES
    assert read_summary(tmp_path / "r.jsonl").migration == "m"


def test_a_line_is_an_object_of_four_names(tmp_path: Path) -> None:
    write(tmp_path / "r.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines()]
    assert lines[1] == {
        "table": "public.t",
        "key": {"h": "<b>&", "r": "ü"},
        "kind": "different",
        "attributes": ["a", "b"],
    }


def test_a_report_that_is_not_finished_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        write_and_be_interrupted(tmp_path / "r.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_a_report_that_is_not_finished_leaves_the_earlier_one(tmp_path: Path) -> None:
    write(tmp_path / "r.jsonl", DIFFERENCES[:1])
    with pytest.raises(KeyboardInterrupt):
        write_and_be_interrupted(tmp_path / "r.jsonl")
    assert list(read_differences(tmp_path / "r.jsonl")) == DIFFERENCES[:1]
    read_summary(tmp_path / "r.jsonl")


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    write(tmp_path / "r.jsonl")
    assert {p.name: p.stat().st_mode & 0o777 for p in tmp_path.iterdir()} == dict.fromkeys(
        ["r.jsonl", "r.json", "r.html"], 0o600
    )


def test_the_page_escapes_keys(tmp_path: Path) -> None:
    write(tmp_path / "r.jsonl")
    page = (tmp_path / "r.html").read_text()
    assert "&lt;b&gt;&amp;" in page
    assert "<b>" not in page


@pytest.mark.parametrize("count", [HTML_ROWS, HTML_ROWS + 1])
def test_the_page_shows_so_many_and_says_that_there_are_more(tmp_path: Path, count: int) -> None:
    write(tmp_path / "r.jsonl", [Difference("public.t", {"id": str(n)}, "missing") for n in range(count)])
    page = (tmp_path / "r.html").read_text()
    assert page.count("<code>id = ") == HTML_ROWS
    assert ("The first 1,000 of 1,001" in page) == (count > HTML_ROWS)


def test_a_summary_without_its_report_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "r.jsonl")
    (tmp_path / "r.jsonl").unlink()
    with pytest.raises(StageError, match="no report"):
        read_summary(tmp_path / "r.jsonl")


@pytest.mark.parametrize("damage", ["", "{}", "[]", "not json", '{"migration": "m"}'])
def test_a_damaged_summary_is_refused(tmp_path: Path, damage: str) -> None:
    write(tmp_path / "r.jsonl")
    (tmp_path / "r.json").write_text(damage)
    with pytest.raises(StageError, match="damaged"):
        read_summary(tmp_path / "r.jsonl")


def test_a_report_cut_short_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "r.jsonl")
    (tmp_path / "r.jsonl").write_bytes((tmp_path / "r.jsonl").read_bytes()[:-1])
    with pytest.raises(StageError, match="altered"):
        read_summary(tmp_path / "r.jsonl")


@pytest.mark.parametrize("line", ["", "{}", "[]", '{"table": 1, "key": {}, "kind": "missing", "attributes": []}'])
def test_a_line_that_is_no_difference_is_refused_by_its_number(tmp_path: Path, line: str) -> None:
    write(tmp_path / "r.jsonl")
    with (tmp_path / "r.jsonl").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(StageError, match=r"r\.jsonl:4"):
        list(read_differences(tmp_path / "r.jsonl"))


@pytest.mark.parametrize("kind", ["missing", "different", "extra", "skipped"])
def test_anything_found_or_skipped_is_not_equal(kind: str) -> None:
    assert Comparison(compared=5).equal
    assert not Comparison(**{"compared": 5, kind: 1}).equal
    report = VerifyReport("m", "1:1:", Path("r"), {"a": Comparison(3), "b": Comparison(**{"compared": 2, kind: 1})})
    assert not report.equal
    assert report.as_json()["compared"] == 5
    assert report.as_json()["tables"]["a"]["equal"]


def test_known_refusals_alone_are_equal() -> None:
    report = VerifyReport("m", "1:1:", Path("r"), {}, Comparison(compared=3, refused=2))
    assert report.equal
    assert report.as_json()["secrets"]["refused"] == 2
