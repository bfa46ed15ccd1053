"""The target of a plan: how it is reached, and its journal. Shared by the use cases."""

from __future__ import annotations

from collections.abc import Mapping

from pg2dynamo.dynamodb.client import dynamodb_client
from pg2dynamo.dynamodb.journal import Journal
from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.errors import TargetMissing
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
