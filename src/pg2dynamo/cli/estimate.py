"""pg2dynamo estimate."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from pg2dynamo.cli.command import DEFAULT_PLAN, DONE, JsonOption, PlanOption, right_aligned, run
from pg2dynamo.migration.estimate import EstimateOptions
from pg2dynamo.migration.estimate import estimate as estimate_plan
from pg2dynamo.plan.estimate import (
    NEW_TABLE_UNITS_PER_SECOND,
    QUOTA_UNITS_PER_SECOND,
    Amounts,
    PlanEstimate,
    cost,
)
from pg2dynamo.plan.prices import GB

ExactOption = Annotated[bool, typer.Option("--exact", help="Read and encode every row, instead of the statistics.")]
RegionOption = Annotated[
    str | None, typer.Option("--region", help="Whose prices count.  [default: the plan's, else AWS_REGION]")
]
PricesOption = Annotated[
    Path | None, typer.Option("--prices", metavar="FILE", help="A price list of your own, as YAML.")
]
RateOption = Annotated[
    int, typer.Option("--write-units-per-second", min=1, help="What the time is reckoned by.", show_default=True)
]


def estimate(
    plan: PlanOption = DEFAULT_PLAN,
    as_json: JsonOption = False,
    exact: ExactOption = False,
    region: RegionOption = None,
    prices: PricesOption = None,
    write_units_per_second: RateOption = NEW_TABLE_UNITS_PER_SECOND,
) -> None:
    """Say what a migration comes to: items, bytes, write units, time and money, for each table and in all.

    At once from the statistics of PostgreSQL's planner, or exactly by reading every row. Nothing is changed, and AWS
    is not needed.
    """
    options = EstimateOptions(exact=exact, region=region, prices=prices, units_per_second=write_units_per_second)
    run(
        lambda loaded, progress: estimate_plan(loaded, os.environ, options, progress=progress),
        plan=plan,
        as_json=as_json,
        show=show_estimate,
        exit_code=lambda _: DONE,
    )


def show_estimate(report: PlanEstimate, console: Console) -> None:
    """Print the estimate: sizes, then money, then what is to be said of single tables."""
    _show_amounts(report, console)
    _show_costs(report, console)
    total = report.total
    console.print(
        f"{_duration(report.seconds(total))} at {report.units_per_second:,} write units a second, "
        f"{_duration(report.seconds(total, QUOTA_UNITS_PER_SECOND))} at {QUOTA_UNITS_PER_SECOND:,}."
    )
    if report.secrets.secrets:
        console.print(
            f"{report.secrets.secrets:,} secrets with {report.secrets.versions:,} versions: "
            f"{_money(report.secrets_month)} a month, and {_money(report.secret_calls)} for about "
            f"{report.secrets.calls:,} calls."
        )
    for entry in report.entries:
        for note in entry.notes:
            console.print(f"{entry.name}: {note}")
    for note in report.notes:
        console.print(note[0].upper() + note[1:])


def _show_amounts(report: PlanEstimate, console: Console) -> None:
    how = "every row read" if report.exact else "from statistics"
    columns = ("table", "rows", "items", "bytes/item", "total", "write units", "stored", "seconds")
    table = right_aligned(Table(*columns, title=f"Estimate ({how})"))
    for name, amounts in [(e.name, e.amounts) for e in report.entries] + [("in all", report.total)]:
        table.add_row(
            name,
            f"{amounts.rows:,}",
            f"{amounts.items:,}",
            f"{amounts.average_item_bytes:,.0f}",
            _size(amounts.item_bytes),
            f"{amounts.write_units:,}",
            _size(amounts.storage_bytes),
            f"{report.seconds(amounts):,.0f}",
        )
    console.print(table)


def _show_costs(report: PlanEstimate, console: Console) -> None:
    title = f"{report.prices.currency}, {report.region}"
    table = right_aligned(Table("table", "writes", "or import", "cheaper", "storage a month", title=title))
    for entry in report.entries:
        table.add_row(entry.name, *_costs(report, entry.amounts, entry.importable, report.cheaper(entry)))
    table.add_row("in all", *_costs(report, report.total, all(e.importable for e in report.entries), ""))
    console.print(table)


def _costs(report: PlanEstimate, amounts: Amounts, importable: bool, cheaper: str) -> tuple[str, str, str, str]:
    costs = cost(amounts, report.prices)
    return _money(costs.writes), _money(costs.import_) if importable else "-", cheaper, _money(costs.storage_month)


def _money(amount: float) -> str:
    return f"{amount:,.2f}" if amount >= 1 or amount == 0 else f"{amount:.4f}"


def _size(count: int) -> str:
    return f"{count / GB:,.2f} GB" if count >= GB / 10 else f"{count / 2**20:,.2f} MB"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:,.0f} s"
    return f"{seconds / 60:,.0f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"
