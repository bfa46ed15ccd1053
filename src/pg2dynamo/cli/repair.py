"""pg2dynamo repair."""

from __future__ import annotations

import os

from rich.console import Console

from pg2dynamo.cli.command import (
    DEFAULT_PLAN,
    DONE,
    FAILED,
    JsonOption,
    MaxDeletesOption,
    PlanOption,
    WriteUnitsOption,
    run,
)
from pg2dynamo.cli.verify import ReportOption
from pg2dynamo.migration.repair import RepairReport
from pg2dynamo.migration.repair import repair as repair_plan


def repair(
    plan: PlanOption = DEFAULT_PLAN,
    as_json: JsonOption = False,
    report: ReportOption = None,
    max_deletes: MaxDeletesOption = None,
    write_units: WriteUnitsOption = None,
) -> None:
    """Mend exactly what the last verification found, by reading those keys again.

    A row that is there is written, an item without a row is deleted, a secret is stored or scheduled for
    deletion. Run `pg2dynamo verify` after it.
    """
    run(
        lambda loaded, progress: repair_plan(
            loaded, os.environ, report=report, max_deletes=max_deletes, write_units=write_units, progress=progress
        ),
        plan=plan,
        as_json=as_json,
        show=show_repair,
        exit_code=lambda result: DONE if result.ok else FAILED,
    )


def show_repair(report: RepairReport, console: Console) -> None:
    """Print what was mended."""
    for name, counts in report.tables.items():
        did = ", ".join(f"{number:,} {what}" for what, number in counts.as_json().items())
        console.print(f"{name}: {did}")
    console.print("Repaired: run `pg2dynamo verify` to see." if report.ok else "Not all could be repaired.")
