"""The report of a run for people."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from onboarding.traffic.report import TrafficReport


def show(report: TrafficReport, console: Console) -> None:
    """Write the report as tables, the wrong answers last."""
    table = Table(title=f"{report.operations:,} operations in {report.seconds:,.1f} s", title_justify="left")
    table.add_column("Call")
    for heading in ("Count", "Per second", "Median ms", "95 % ms", "99 % ms", "Most ms"):
        table.add_column(heading, justify="right")
    for kind in report.kinds:
        times = (kind.median_ms, kind.p95_ms, kind.p99_ms, kind.max_ms)
        table.add_row(kind.kind, f"{kind.count:,}", f"{kind.per_second:,.1f}", *(f"{ms:,.1f}" for ms in times))
    console.print(table)
    per_second = report.operations / report.seconds if report.seconds else 0.0
    console.print(f"{per_second:,.0f} operations a second; {sum(report.refusals.values()):,} refused, as they must be.")
    _show_lost(report, console)
    if report.left:
        console.print(f"{len(report.left):,} tenants are still there; their names begin with {escape(report.label)}.")
    for wrong in report.listed:
        where = f"worker {wrong.worker}, operation {wrong.operation}, {wrong.kind}"
        console.print(escape(f"wrong: {where}: {'; '.join(wrong.differences)}"))
    console.print(f"{report.wrong:,} wrong answers." if report.wrong else "Every answer was right.")


def _show_lost(report: TrafficReport, console: Console) -> None:
    if report.unavailable:
        lost = ", ".join(f"{count:,} {outcome}" for outcome, count in report.outcomes.items()) or "none"
        console.print(f"{report.unavailable:,} times unavailable. Writes whose answer was lost: {lost}.")
    if report.reread:
        console.print(f"{report.reread:,} times read again because it had not caught up.")
