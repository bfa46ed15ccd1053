"""pg2dynamo export."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from pg2dynamo.cli.command import (
    DEFAULT_PLAN,
    DONE,
    FAILED,
    JsonOption,
    PlanOption,
    ProcessesOption,
    policy_columns,
    right_aligned,
    run,
)
from pg2dynamo.migration.export import ExportReport
from pg2dynamo.migration.export import export as export_plan

DirectoryOption = Annotated[Path, typer.Option("--directory", help="The export's directory.")]


def export(
    directory: DirectoryOption,
    plan: PlanOption = DEFAULT_PLAN,
    as_json: JsonOption = False,
    processes: ProcessesOption = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier export.")] = False,
) -> None:
    """Write one snapshot of the source into a directory, for `pg2dynamo import` on a machine that reaches AWS.

    Items are compressed DynamoDB-JSON, credentials stay encrypted. The directory appears whole or not at all.
    """
    run(
        lambda loaded, progress: export_plan(
            loaded, os.environ, directory, processes=processes, overwrite=overwrite, progress=progress
        ),
        plan=plan,
        as_json=as_json,
        show=show_export,
        exit_code=lambda report: DONE if report.ok else FAILED,
    )


def show_export(report: ExportReport, console: Console) -> None:
    """Print what was exported."""
    columns = ["rows", "items", "quarantined", *policy_columns(report.tables.values())]
    table = right_aligned(Table("table", *columns, title="Exported"))
    for name, counts in report.tables.items():
        table.add_row(name, *(f"{counts[column]:,}" for column in columns))
    console.print(table)
    for name, rows in report.credentials.items():
        console.print(f"{name}: {rows:,} credentials, still encrypted.")
    console.print(f"{report.files:,} files, {report.bytes:,} bytes in {report.directory}.")
    if report.quarantined:
        console.print(f"{report.quarantined:,} rows cannot be items: they are listed in the export, with the reasons.")
