"""The target of a plan: how it is reached, and its journal. Shared by the use cases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from pg2dynamo.dynamodb.budget import WriteBudget
from pg2dynamo.dynamodb.client import dynamodb_client
from pg2dynamo.dynamodb.journal import Journal
from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.dynamodb.tables import is_empty
from pg2dynamo.errors import TargetMissing, TargetRejected
from pg2dynamo.migration.progress import Progress
from pg2dynamo.plan.load import resolve
from pg2dynamo.plan.model import Plan


def target_settings(plan: Plan, environ: Mapping[str, str]) -> TargetSettings:
    """Return how the plan's target is reached. Raises PlanError when the region's variable is not set."""
    region = resolve(plan.target.region, environ) if plan.target.region else None
    return TargetSettings(
        region=region.reveal() if region else None, request_timeout_seconds=plan.target.request_timeout_seconds
    )


@contextmanager
def within_budget(
    plan: Plan, settings: TargetSettings, write_units: int | None, progress: Progress
) -> Iterator[TargetSettings]:
    """Give settings under which all processes of a run keep the plan's budget of write units, when it has one.

    `write_units` a second replace what the plan says. The budget's file is there until the context is left; the
    journal's own writes are not counted.
    """
    units_per_second = plan.target.write_units_per_second if write_units is None else write_units
    if units_per_second is None:
        yield settings
        return
    progress.say(f"Writing at most {units_per_second:,} write units a second.")
    with TemporaryDirectory(prefix="pg2dynamo-budget-") as directory:
        path = Path(directory) / "write-budget"
        WriteBudget.create(path, units_per_second).close()
        yield replace(settings, budget_file=str(path), count_consumed=plan.target.count_consumed_units)


def open_journal(plan: Plan, settings: TargetSettings) -> Journal:
    """Return the plan's journal. Raises TargetMissing when there is no control table yet."""
    journal = Journal(dynamodb_client(settings), plan.target.control_table, plan.name)
    if not journal.exists():
        raise TargetMissing(
            f"The control table {plan.target.control_table} is not there.", remedy="Run `pg2dynamo prepare`."
        )
    return journal


def require_empty(journal: Journal, table: str) -> None:
    """Raise TargetRejected when the table holds items: nothing of another application is written over unasked."""
    if not is_empty(journal.client, table):
        raise TargetRejected(
            f"The table {table} holds items, and this migration has never written to it.",
            remedy="Name another table in the plan, or pass --overwrite to write over items of the same keys.",
        )
