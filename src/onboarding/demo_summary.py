"""Tell a person what the demonstration came to, and where to look."""

from __future__ import annotations

import shlex

from rich.console import Console
from rich.table import Table

from onboarding.demo import DemoReport
from pg2dynamo.local.stack import Stack


def show(report: DemoReport, console: Console) -> None:
    """Print the summary: a table on a terminal, plain lines elsewhere."""
    console.print()
    if console.is_terminal:
        console.print(_table(report))
    else:
        for cells in _rows(report):
            console.print(f"{cells[0]:<28}{cells[1]:>10} rows{cells[2]:>10} items{cells[3]:>8}", markup=False)
    for line in _sentences(report):
        console.print(line, markup=False)
    for deviation in report.unexpected:
        console.print(f"NOT AS EXPECTED: {deviation}.", markup=False, style="bold red")
    if report.kept:
        _show_kept(report.kept, console)


def _rows(report: DemoReport) -> list[tuple[str, str, str, str]]:
    rows = []
    for name, counts in report.copied.tables.items():
        compared = report.verified.tables.get(name)
        verdict = "equal" if compared is not None and compared.equal else "NOT EQUAL"
        rows.append((name, f"{counts.rows:,}", f"{counts.items:,}", verdict))
    return rows


def _table(report: DemoReport) -> Table:
    table = Table(title="PostgreSQL → DynamoDB", title_justify="left")
    for name in ("table", "rows", "items", "verified"):
        table.add_column(name, justify="left" if name in ("table", "verified") else "right")
    for cells in _rows(report):
        table.add_row(*cells)
    return table


def _sentences(report: DemoReport) -> list[str]:
    secrets = report.copied.secrets
    verified = report.verified
    equal = "Every row, item and secret was compared: equal" if verified.equal else "The comparison found differences"
    return [
        "",
        f"{secrets.rows:,} credentials: {secrets.current:,} are the current version of their secret, {secrets.older:,} "
        f"older versions, {secrets.refused:,} refused.",
        f"The {report.seeded.secrets.refused} that cannot be decrypted were put there on purpose, and are expected.",
        f"{equal}. Report: {verified.report.with_suffix('.html')}",
        f"Done in {report.seconds:.0f} s.",
    ]


def _show_kept(stack: Stack, console: Console) -> None:
    console.print("\nThe servers still run. To reach them, and to end them:", markup=False)
    console.print(f"  source {shlex.quote(str(stack.environment_file))}", markup=False)
    console.print(f"  {stack.stop_command}", markup=False)
    console.print(
        "After the first, `pg2dynamo status --plan $PG2DYNAMO_PLAN` and `psql $DATABASE_URL` work.", markup=False
    )
