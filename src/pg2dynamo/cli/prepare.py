"""pg2dynamo prepare."""

from __future__ import annotations

import os
from typing import Annotated

import typer
from rich.console import Console

from pg2dynamo.cli.command import DEFAULT_PLAN, DONE, JsonOption, PlanOption, ViaOption, run
from pg2dynamo.migration.prepare import PrepareReport
from pg2dynamo.migration.prepare import prepare as prepare_plan
from pg2dynamo.plan.ways import Via

CreateKmsKeyOption = Annotated[
    bool, typer.Option("--create-kms-key", help="Create the plan's KMS key and alias when they are not there.")
]
EnableTtlOption = Annotated[
    bool,
    typer.Option(
        "--enable-ttl", help="Let DynamoDB delete items by the plan's ttl: for when the migration is done and verified."
    ),
]


def prepare(
    plan: PlanOption = DEFAULT_PLAN,
    as_json: JsonOption = False,
    create_kms_key: CreateKmsKeyOption = False,
    enable_ttl: EnableTtlOption = False,
    via: ViaOption = Via.AUTO,
) -> None:
    """Create the tables with their indexes, the control table and, if asked, the KMS key; again is a no-op.

    Tables are on demand, with point-in-time recovery and deletion protection where the endpoint has them. A
    table that exists with another shape is an error that says the difference; nothing is created then. Where the
    plan has a ttl, DynamoDB deletes nothing by it before --enable-ttl is given. A table that `copy` will import from
    S3, given the same --via, is left to it.
    """
    run(
        lambda loaded, progress: prepare_plan(
            loaded, os.environ, create_kms_key=create_kms_key, enable_ttl=enable_ttl, via=via, progress=progress
        ),
        plan=plan,
        as_json=as_json,
        show=show_prepare,
        exit_code=lambda _: DONE,
    )


def show_prepare(report: PrepareReport, console: Console) -> None:
    """Print a line for each thing that was looked at."""
    for line in report.lines:
        console.print(str(line))
    console.print("Prepared." if report.changed else "Prepared already: nothing was changed.")
