"""pg2dynamo verify."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from pg2dynamo.cli.command import (
    DEFAULT_PLAN,
    DIFFERENT,
    DONE,
    JsonOption,
    PlanOption,
    ProcessesOption,
    right_aligned,
    run,
)
from pg2dynamo.migration.verify import verify as verify_plan
from pg2dynamo.migration.verify_report import VerifyReport

ReportOption = Annotated[
    Path | None,
    typer.Option("--report", help="Where the differences are.  [default: pg2dynamo-verify-<plan>.jsonl]"),
]

TableOption = Annotated[
    list[str] | None,
    typer.Option("--table", help="Compare this entry of the plan only, or all entries of this source table."),
]


def verify(
    plan: PlanOption = DEFAULT_PLAN,
    as_json: JsonOption = False,
    processes: ProcessesOption = None,
    report: ReportOption = None,
    table: TableOption = None,
) -> None:
    """Compare every row, item and secret, in both directions, and write each difference to a report.

    Rows are read by another path than copying uses, items are decoded by other code. Exit code 0 when all is
    equal, 3 when there are differences. The report holds keys and names of attributes, never values.
    """
    run(
        lambda loaded, progress: verify_plan(
            loaded, os.environ, processes=processes, report=report, tables=table, progress=progress
        ),
        plan=plan,
        as_json=as_json,
        show=show_verify,
        exit_code=lambda result: DONE if result.equal else DIFFERENT,
    )


def show_verify(report: VerifyReport, console: Console) -> None:
    """Print what was compared and what differs."""
    table = right_aligned(Table("table", "compared", "missing", "different", "extra", "skipped", title="Verified"))
    lines = dict(report.tables) | ({"secrets": report.secrets} if report.secrets else {})
    for name, counts in lines.items():
        values = (counts.compared, counts.missing, counts.different, counts.extra, counts.skipped)
        table.add_row(name, *(f"{value:,}" for value in values))
    console.print(table)
    if report.total.quarantined:
        console.print(f"{report.total.quarantined:,} rows are in quarantine, and so among the missing.")
    if report.total.left_out:
        console.print(f"{report.total.left_out:,} rows are to have no item, as the plan leaves them out.")
    if report.total.refused:
        console.print(f"{report.total.refused:,} credentials were refused by the copy, and so have no secret.")
    if report.equal:
        console.print("Equal: every row, item and secret.")
    else:
        console.print(f"Different. Each difference is in {report.report}; `pg2dynamo repair` mends them.")
