"""Actions that delete, and see that everything below has gone too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from onboarding.store.interface import PageRequest
from onboarding.traffic.calls import ID_FIELDS, Call
from onboarding.traffic.model import Key
from onboarding.traffic.scene import Missing, Scene, Steps

LOOKED_FOR = 6
"""How many of the things below a deleted one are looked for, by chance."""
LISTS_BELOW = {
    "tenant": ("list_providers", "list_accounts_by_tenant", "list_schedules_by_tenant"),
    "provider": ("list_accounts_by_provider",),
    "account": ("list_schedules_by_account", "list_executions_by_account", "list_scan_results_by_account"),
    "schedule": ("list_executions_by_schedule",),
}


def delete_oldest(scene: Scene, kind: str, records: Sequence[Any]) -> Steps:
    """Delete the oldest of these records, if there is one, with the reads that follow a deletion."""
    if records:
        yield from delete_and_look(scene, kind, records[0])


def delete_and_look(scene: Scene, kind: str, record: Any) -> Steps:
    """Delete a record; then neither it nor what was below may be found."""
    identifier = getattr(record, ID_FIELDS[kind])
    owner = {} if kind == "tenant" else scene.owner_of(record)
    tenant_id = scene.model.tenant_of(record)
    below = scene.model.descendants(kind, identifier)
    yield Call(f"delete_{kind}", (identifier,), owner)
    yield Call(f"get_{kind}", (identifier,), owner, why="deleted")
    for key in scene.random.sample(below, min(LOOKED_FOR, len(below))):
        yield get_gone(key, {} if kind == "tenant" and scene.features.platform else {"owner": tenant_id})
    if kind == "tenant":
        yield Call("get_tenant_by_name", (record.tenant_name,), why="deleted")
    if kind == "tenant" or scene.features.platform:
        for method in LISTS_BELOW[kind]:
            yield Call(method, (identifier, PageRequest()), why="deleted", gone=True)


def get_gone(key: Key, owner: dict[str, Any]) -> Call:
    """Return the read of something whose parent was deleted."""
    kind, identifier = key
    method = "get_credential_info" if kind == "credential" else f"get_{kind}"
    return Call(method, (identifier,), owner, why="deleted", gone=True)


def delete(kind: str) -> Callable[[Scene], Steps]:
    """Return the action that deletes a record by chance, never the anchor's first ones."""

    def action(scene: Scene) -> Steps:
        kept = {scene.anchor} | _firsts(scene)
        records = [r for r in scene.model.all(kind) if getattr(r, ID_FIELDS[kind]) not in kept]
        if not records:
            raise Missing(f"create_{kind}")
        yield from delete_and_look(scene, kind, scene.random.choice(records))

    return action


def _firsts(scene: Scene) -> set[Any]:
    """Return the ids of the anchor's first provider and account, which other workers ask for."""
    providers = scene.model.all("provider", tenant_id=scene.anchor)[:1]
    accounts = scene.model.all("account", tenant_id=scene.anchor)[:1]
    return {provider.provider_id for provider in providers} | {account.account_id for account in accounts}
