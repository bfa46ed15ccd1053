"""The target of a plan: how it is reached, and its journal. Shared by the use cases."""

from __future__ import annotations

from collections.abc import Mapping

from pg2dynamo.dynamodb.client import dynamodb_client
from pg2dynamo.dynamodb.journal import Journal
from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.dynamodb.tables import is_empty
from pg2dynamo.errors import TargetMissing, TargetRejected
from pg2dynamo.plan.load import resolve
from pg2dynamo.plan.model import Plan


def target_settings(plan: Plan, environ: Mapping[str, str]) -> TargetSettings:
    """Return how the plan's target is reached. Raises PlanError when the region's variable is not set."""
    region = resolve(plan.target.region, environ) if plan.target.region else None
    return TargetSettings(
        region=region.reveal() if region else None, request_timeout_seconds=plan.target.request_timeout_seconds
    )


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
