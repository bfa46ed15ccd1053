"""pg2dynamo status."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from pg2dynamo.cli.command import (
    DEFAULT_PLAN,
    DONE,
    JsonOption,
    PlanOption,
    key_text,
    policy_columns,
    right_aligned,
    run,
)
from pg2dynamo.migration.status import StatusReport
from pg2dynamo.migration.status import status as read_status


def status(
    plan: PlanOption = DEFAULT_PLAN,
    as_json: JsonOption = False,
    details: Annotated[
        bool, typer.Option("--details", help="List the rows in quarantine and the refused credentials.")
    ] = False,
) -> None:
    """Show where the migration stands, from the control table alone: on any machine that reaches it."""
    run(
        lambda loaded, _: read_status(loaded, os.environ, details=details),
        plan=plan,
        as_json=as_json,
        show=show_status,
        exit_code=lambda _: DONE,
    )


def show_status(report: StatusReport, console: Console) -> None:
    """Print tables, last runs, who works now, and what is not in the target."""
    if not report.prepared:
        console.print(f"Not prepared: there is no control table {report.control_table}. Run `pg2dynamo prepare`.")
        return
    tables = [asdict(table) for table in report.tables]
    columns = ["rows", "items", "quarantined", *policy_columns(tables)]
    table = right_aligned(Table("table", "state", *columns, title=report.migration))
    for counts in tables:
        table.add_row(counts["name"], counts["state"], *(f"{counts[column]:,}" for column in columns))
    console.print(table)
    for source, refused in (report.refusals or {}).items():
        console.print(f"{source}: {refused:,} credentials refused.")
    for last in report.last_runs:
        ended = f"ended {last.ended_at}" if last.ended_at else "not ended"
        console.print(f"Last {last.command}: {last.state}, began {last.started_at}, {ended}.")
    if report.lease and report.lease.held:
        holder = report.lease.holder
        console.print(f"Working now: {report.lease.command}, process {holder.process} on {holder.host}.")
    _show_details(report, console)


def _show_details(report: StatusReport, console: Console) -> None:
    for row in report.quarantine:
        attribute = f" attribute {row.attribute}:" if row.attribute else ""
        accepted = " (accepted)" if row.accepted else ""
        console.print(f"quarantine{accepted}: {row.table} {key_text(row.key)}:{attribute} {row.reason}")
    for refusal in report.refused_rows:
        console.print(f"refused: {refusal.table} {key_text(refusal.key)}: {refusal.reason}")
    hidden = sum(t.quarantined for t in report.tables) + sum((report.refusals or {}).values())
    if hidden and not (report.quarantine or report.refused_rows):
        console.print("`pg2dynamo status --details` lists them by key, with the reasons.")
