"""pg2dynamo copy."""

from __future__ import annotations

import os
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from pg2dynamo.cli.command import (
    DEFAULT_PLAN,
    DONE,
    FAILED,
    ExpectRefusedOption,
    JsonOption,
    MaxDeletesOption,
    PlanOption,
    ProcessesOption,
    ViaOption,
    WriteUnitsOption,
    key_text,
    policy_columns,
    right_aligned,
    run,
)
from pg2dynamo.migration.copy import CopyOptions
from pg2dynamo.migration.copy import copy as copy_plan
from pg2dynamo.migration.copy_report import CopyReport
from pg2dynamo.plan.ways import Via

REFUSALS_SHOWN = 20

OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Allow a first copy into a table that holds items.")]


def copy(
    plan: PlanOption = DEFAULT_PLAN,
    as_json: JsonOption = False,
    processes: ProcessesOption = None,
    max_deletes: MaxDeletesOption = None,
    expect_refused: ExpectRefusedOption = 0,
    overwrite: OverwriteOption = False,
    write_units: WriteUnitsOption = None,
    via: ViaOption = Via.AUTO,
) -> None:
    """Copy rows to items and credentials to secrets, under one consistent snapshot.

    Stopped at any moment, it goes on where it was when it is run again; run again after it was done, it brings
    the target up to the source as it is then, and changes nothing when nothing changed. A table that is not there yet
    is imported from S3 with --via import, or where the plan names a bucket for that and it is cheaper. Exit code 1
    when rows are in quarantine that the plan does not accept there, or more credentials than expected were refused.
    """
    options = CopyOptions(processes, max_deletes, expect_refused, overwrite, write_units=write_units, via=via)
    run(
        lambda loaded, progress: copy_plan(loaded, os.environ, options, progress),
        plan=plan,
        as_json=as_json,
        show=show_copy,
        exit_code=lambda report: DONE if report.ok else FAILED,
    )


def show_copy(report: CopyReport, console: Console) -> None:
    """Print what was copied, and what was not and why."""
    tables = {name: counts.as_json() for name, counts in report.tables.items()}
    columns = ["rows", "items", "quarantined", *policy_columns(tables.values()), "written", "deleted"]
    heads = [f"{column} now" if column in ("written", "deleted") else column for column in columns]
    table = right_aligned(Table("table", *heads, title="Copied"))
    for name, counts in tables.items():
        table.add_row(name, *(f"{counts[column]:,}" for column in columns))
    console.print(table)
    imported = [name for name, way in report.ways.items() if way.via == "import"]
    if imported:
        console.print(f"Imported from S3, and found to be as it was sent: {', '.join(imported)}.")
    _show_secrets(report, console)
    position = report.snapshot
    console.print(f"The target equals snapshot {position['snapshot']}, taken {position['taken_at']}.")
    if report.quarantined:
        console.print(f"Complete with {report.quarantined:,} rows in quarantine: see `pg2dynamo status --details`.")


def _show_secrets(report: CopyReport, console: Console) -> None:
    secrets = report.secrets
    if not secrets.rows:
        return
    console.print(
        f"Credentials: {secrets.rows:,} rows: {secrets.current:,} current, {secrets.older:,} older versions, "
        f"{secrets.refused:,} refused."
    )
    for refusal in secrets.refusals[:REFUSALS_SHOWN]:
        console.print(f"  refused: {refusal.table} {key_text(refusal.key)}: {refusal.reason}")
    if len(secrets.refusals) > REFUSALS_SHOWN:
        console.print(f"  and {len(secrets.refusals) - REFUSALS_SHOWN:,} more: see `pg2dynamo status --details`.")
