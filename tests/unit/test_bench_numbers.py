"""What the benchmark makes of its samples: medians, ratios, goals, and the page."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.bench.bulk.lines import (
    BOTO3_SMALL,
    COPY_SMALL,
    LINES,
    NATIVE_SMALL,
    PURE_SMALL,
    RATIOS,
    Line,
    Result,
    goals,
    ratios,
    result_of,
)
from tests.bench.bulk.measure import Sample
from tests.bench.bulk.page import PAGE, cells, markdown_table, plain_table, write_section
from tests.bench.bulk.plot import bar_chart


def result(line: Line, rate: float, server_cpu: float = 1.0, peak: float = 50.0) -> Result:
    return result_of(line, [Sample(1_000, 1_000 / rate, 0.01, server_cpu / 1_000, peak)])


def test_a_line_has_the_medians_of_its_samples_and_the_highest_peak() -> None:
    samples = [Sample(100, seconds, seconds / 10, 0.001, 40 + seconds) for seconds in (1.0, 5.0, 2.0)]
    found = result_of(PURE_SMALL, samples)
    assert (found.rows_per_s, found.lowest, found.highest) == (50, 20, 100)
    assert found.client_cpu_s_per_million == pytest.approx(2_000)
    assert found.peak_rss_mb == 45


def test_ratios_are_of_rates_and_of_the_servers_cpu_and_null_without_a_line() -> None:
    results = {
        r.line.name: r for r in (result(COPY_SMALL, 500, 2.0), result(BOTO3_SMALL, 4), result(PURE_SMALL, 100, 2.5))
    }
    found = ratios(results)
    assert tuple(found) == RATIOS
    assert (found["small_vs_batch_writer"], found["small_vs_bare_copy"]) == (25, 0.2)
    assert found["source_cpu_vs_copy"] == 1.25
    assert found["native_small_vs_bare_copy"] is None


def test_a_goal_is_reached_or_not_or_not_measured() -> None:
    results = {r.line.name: r for r in (result(BOTO3_SMALL, 4), result(PURE_SMALL, 120, peak=101))}
    found = {goal.wanted: goal.reached for goal in goals(results, ratios(results))}
    assert found["pure Python, small rows: at least 30 × batch_writer"] is True
    assert found["copy: at most 100 MB a process"] is False
    assert found["verify: at least 0.5 × copy"] is None


def test_a_line_that_was_not_measured_says_why_and_has_no_numbers() -> None:
    lacking = Result(NATIVE_SMALL, 10, lacking="no compiler")
    assert "not measured: no compiler" in cells(lacking)
    assert set(lacking.as_json().values()) == {NATIVE_SMALL.name, None}
    heads = ("", *"abcdef")
    assert "no compiler" in plain_table(heads, [cells(lacking), cells(result(PURE_SMALL, 100))])
    assert markdown_table(heads, [cells(lacking)])[-1].count("|") == len(heads) + 1


def test_the_names_of_lines_differ() -> None:
    assert len({line.name for line in LINES}) == len(LINES)


def test_the_plot_has_a_bar_for_each_line_that_was_measured() -> None:
    chart = bar_chart([result(PURE_SMALL, 100), result(BOTO3_SMALL, 4), Result(NATIVE_SMALL, 10, lacking="none")])
    bars = ElementTree.fromstring(chart).findall("{http://www.w3.org/2000/svg}rect")
    assert len(bars) == 1 + 2


def test_a_section_is_replaced_and_the_words_around_it_stay(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- begin: scripts/bench -->\nold\n<!-- end: scripts/bench -->\nafter\n")
    write_section("scripts/bench", "new\n", page)
    assert page.read_text() == "before\n<!-- begin: scripts/bench -->\nnew\n<!-- end: scripts/bench -->\nafter\n"
    with pytest.raises(ValueError, match="no markers"):
        write_section("scripts/bench profile", "new", page)


@pytest.mark.parametrize("name", ["scripts/bench", "scripts/bench profile", "scripts/bench --memory"])
def test_the_page_has_a_place_for_what_each_benchmark_writes(name: str) -> None:
    assert PAGE.read_text().count(f"<!-- begin: {name} -->\n") == 1
    assert PAGE.read_text().count(f"<!-- end: {name} -->\n") == 1
