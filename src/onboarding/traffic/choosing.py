"""How often what is done: the mixture of a service in use, with what it must refuse."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import accumulate
from random import Random
from typing import TypeAlias

from onboarding.traffic import deleting, reading, refusals, writing
from onboarding.traffic.calls import Call
from onboarding.traffic.scene import Scene, Steps

Action: TypeAlias = Callable[[Scene], Steps]


def sweep(_: Scene) -> Steps:
    """Go on with deletions, as a service does now and then."""
    yield Call("sweep")


WEIGHTS: Mapping[str, tuple[Action, float]] = {
    "get_schedule": (reading.get("schedule"), 14),
    "get_account": (reading.get("account"), 9),
    "get_tenant": (reading.get("tenant"), 4),
    "get_tenant_by_name": (reading.get_tenant_by_name, 4),
    "get_provider": (reading.get("provider"), 3),
    "get_provider_by_type": (reading.get_provider_by_type, 4),
    "get_execution": (reading.get("execution"), 5),
    "get_scan_result": (reading.get("scan_result"), 4),
    "get_credential_info": (reading.get_credential_info, 2),
    "read_credential": (reading.read_credential, 3),
    "get_missing": (reading.get_missing, 2),
    "list_providers": (reading.list_providers, 2),
    "list_accounts_by_tenant": (reading.list_accounts_by_tenant, 3),
    "list_accounts_by_provider": (reading.list_accounts_by_provider, 2),
    "list_schedules_by_tenant": (reading.list_schedules_by_tenant, 2),
    "list_schedules_by_account": (reading.list_of_account("list_schedules_by_account"), 3),
    "list_executions_by_account": (reading.list_of_account("list_executions_by_account"), 2),
    "list_executions_by_schedule": (reading.list_executions_by_schedule, 3),
    "list_scan_results_by_account": (reading.list_of_account("list_scan_results_by_account"), 3),
    "due_schedules": (reading.due_schedules, 4),
    "due_of_all": (reading.due_of_all, 1),
    "list_tenants": (reading.list_tenants, 1),
    "list_scan_results_by_status": (reading.list_scan_results_by_status, 1),
    "update_schedule": (writing.update_schedule, 12),
    "update_account": (writing.update_account, 4),
    "update_tenant": (writing.update_tenant, 2),
    "update_provider": (writing.update_provider, 2),
    "update_scan_result": (writing.update_scan_result, 3),
    "create_execution": (writing.create_execution, 8),
    "end_execution": (writing.end_execution, 7),
    "create_scan_result": (writing.create_scan_result, 5),
    "create_schedule": (writing.create_schedule, 4),
    "create_account": (writing.create_account, 3),
    "create_provider": (writing.create_provider, 1),
    "create_tenant": (writing.create_tenant, 0.6),
    "rotate_credential": (writing.rotate_credential, 4),
    "delete_credential": (writing.delete_credential, 0.7),
    "delete_schedule": (deleting.delete("schedule"), 1),
    "delete_account": (deleting.delete("account"), 0.8),
    "delete_provider": (deleting.delete("provider"), 0.3),
    "delete_tenant": (deleting.delete("tenant"), 0.2),
    "same_name": (refusals.same_name, 1),
    "rename_to_taken": (refusals.rename_to_taken, 0.7),
    "same_provider": (refusals.same_provider, 1),
    "same_again": (refusals.same_again, 2),
    "end_again": (refusals.end_again, 1),
    "claim_again": (refusals.claim_again, 1),
    "stale": (refusals.stale, 2),
    "foreign": (refusals.foreign, 3),
    "other_workers": (refusals.other_workers, 2),
    "sweep": (sweep, 0.3),
}
NAMES = tuple(WEIGHTS)
CUMULATED = tuple(accumulate(weight for _, weight in WEIGHTS.values()))


def choose(random: Random) -> Action:
    """Return the next action by chance."""
    return action(random.choices(NAMES, cum_weights=CUMULATED)[0])


def action(name: str) -> Action:
    """Return an action by its name, as `Missing` gives it."""
    return WEIGHTS[name][0]
