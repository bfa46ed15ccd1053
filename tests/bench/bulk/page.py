"""The parts of docs/benchmarks.md that benchmarks write, each between its own markers; the words around them stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.bench.bulk.front import ROOT
from tests.bench.bulk.lines import Goal, Result

PAGE = ROOT / "docs" / "benchmarks.md"
PLOT = ROOT / "docs" / "benchmarks.svg"
Machine = Mapping[str, str | int | float]
HEADS = ("", "rows", "rows/s", "lowest to highest", "client CPU s/M", "server CPU s/M", "peak MB")


def write_section(name: str, text: str, page: Path = PAGE) -> None:
    """Replace what stands between the markers of a section. Raises ValueError when the page has not these markers."""
    begin, end = f"<!-- begin: {name} -->\n", f"<!-- end: {name} -->"
    before, found_begin, rest = page.read_text().partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found_begin and found_end):
        raise ValueError(f"{page} has no markers of {name}.")
    page.write_text(f"{before}{begin}{text.strip()}\n{end}{after}")


def main_section(
    machine: Machine,
    runs: int,
    results: Sequence[Result],
    found: Sequence[Goal],
    seconds: float,
) -> str:
    """Return the table, the goals and the machine as Markdown."""
    return "\n".join(
        [
            f"{machine_words(machine)} Medians of {runs} rounds, peak memory the highest of them; "
            f"all of it took {seconds / 60:.1f} minutes.",
            "",
            *markdown_table(HEADS, [cells(result) for result in results]),
            "",
            "![Rows per second of each line](benchmarks.svg)",
            "",
            *markdown_table(("goal", "found", ""), [_goal_cells(goal) for goal in found]),
        ]
    )


def machine_words(machine: Machine) -> str:
    """Return the machine in a sentence."""
    return (
        f"{machine['date']}: {machine['cores']} cores of {machine['cpu']}, {machine['memory_gb']} GB, "
        f"{machine['system']}, Python {machine['python']}, PostgreSQL {machine['postgresql']}, sink {machine['sink']}."
    )


def cells(result: Result) -> tuple[str, ...]:
    """Return one line of the table, as text."""
    if result.rows_per_s is None or result.lowest is None or result.highest is None:
        return (result.line.name, f"not measured: {result.lacking}", *[""] * (len(HEADS) - 2))
    return (
        result.line.name,
        f"{result.rows:,}",
        f"{result.rows_per_s:,.0f}",
        f"{result.lowest:,.0f} to {result.highest:,.0f}",
        f"{result.client_cpu_s_per_million:.1f}",
        f"{result.server_cpu_s_per_million:.1f}",
        f"{result.peak_rss_mb:.0f}",
    )


def _goal_cells(goal: Goal) -> tuple[str, ...]:
    return goal.wanted, goal_number(goal), goal_word(goal)


def goal_number(goal: Goal) -> str:
    """Return what was found, as text."""
    return "" if goal.found is None else f"{goal.found:,.0f}" if goal.found >= 100 else f"{goal.found:.2f}"


def goal_word(goal: Goal) -> str:
    """Return whether it was reached, as words."""
    return {None: "not measured", True: "reached", False: "NOT reached"}[goal.reached]


def markdown_table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table; all columns but the first are numbers."""
    rule = "|".join(["---", *["---:"] * (len(heads) - 1)])
    return [f"| {' | '.join(heads)} |", f"|{rule}|", *(f"| {' | '.join(line)} |" for line in lines)]


def plain_table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a table for a terminal; what stands instead of numbers runs over the columns."""
    table = [heads, *lines]
    whole = [line for line in table if not line[1].startswith("not measured:")]
    widths = [
        max(len(line[0]) for line in table),
        *(max(map(len, column)) for column in list(zip(*whole, strict=True))[1:]),
    ]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip() for line in table
    )
