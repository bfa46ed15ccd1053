"""pg2dynamo check."""

from __future__ import annotations

import os
from dataclasses import replace

from rich.console import Console
from rich.text import Text

from pg2dynamo.cli.command import DEFAULT_PLAN, DONE, FAILED, JsonOption, PlanOption, run
from pg2dynamo.migration.check import CheckReport
from pg2dynamo.migration.check import check as check_plan
from pg2dynamo.plan.check import Level
from pg2dynamo.plan.load import PlanFile

STYLES = {Level.OK: "green", Level.WARNING: "yellow", Level.FAILED: "bold red"}


def check(plan: PlanOption = DEFAULT_PLAN, as_json: JsonOption = False) -> None:
    """Go through the pre-migration checklist: source, privileges, plan, DynamoDB, KMS, Secrets Manager, credentials.

    Each line is ok, warning or failed, with what to do. Nothing is changed. Exit code 1 when something failed.
    """
    run(
        lambda loaded, progress: check_plan(loaded, os.environ, progress=progress),
        plan=plan,
        as_json=as_json,
        show=show_check,
        exit_code=lambda report: DONE if report.ok else FAILED,
        located=_located,
    )


def _located(report: CheckReport, file: PlanFile) -> CheckReport:
    """Return the report with file and line in what failed of an entry."""
    lines = (
        replace(line, message=file.with_line(line.message)) if line.level is Level.FAILED else line
        for line in report.lines
    )
    return replace(report, lines=tuple(lines))


def show_check(report: CheckReport, console: Console) -> None:
    """Print the checklist."""
    for line in report.lines:
        remedy = f" {line.remedy}" if line.remedy else ""
        level = Text(f"{line.level.value:<8}", style=STYLES[line.level])
        console.print(level, Text(f"{line.subject}: {line.message}{remedy}"))
    console.print(f"{report.count(Level.FAILED):,} failed, {report.count(Level.WARNING):,} warnings.")
