"""Mend exactly the secrets that a verification named, by the same vault that copies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import psycopg

from pg2dynamo.dynamodb.records import SecretRefusal
from pg2dynamo.errors import MassDeletion
from pg2dynamo.migration.copy_secrets import DELETIONS_ALLOWED, SecretsReport, plan_vault, store_group
from pg2dynamo.migration.credentials import CredentialGroup, read_credentials
from pg2dynamo.migration.difference import Difference
from pg2dynamo.migration.in_threads import in_threads
from pg2dynamo.migration.progress import Progress, Silent
from pg2dynamo.migration.source import open_source
from pg2dynamo.migration.target import target_settings
from pg2dynamo.plan.model import Plan, SecretPlan
from pg2dynamo.secrets.client import SecretsClient, secrets_client
from pg2dynamo.secrets.decrypt import build_decryptor
from pg2dynamo.secrets.names import NameShape, NamesSeen

PHASE = "repair secrets"


@dataclass(slots=True)
class SecretRepair:
    """What a repair did to secrets.

    `stored` secrets hold what their credentials say now, `restored` of these were waiting for deletion, `deleted` had
    no credentials and can be restored for 30 days. `refusals` are credentials that still cannot be stored.
    """

    stored: int = 0
    written: int = 0
    restored: int = 0
    deleted: int = 0
    refusals: list[SecretRefusal] = field(default_factory=list, repr=False)

    def as_json(self) -> dict[str, Any]:
        """Return the counts as a JSON object."""
        counts = {name: getattr(self, name) for name in ("stored", "written", "restored", "deleted")}
        return counts | {"refused": len(self.refusals)}


def repair_secrets(
    plan: Plan,
    environ: Mapping[str, str],
    differences: Iterable[Difference],
    *,
    max_deletes: int | None = None,
    progress: Progress | None = None,
) -> SecretRepair:
    """Store the named secrets as their credentials are now; delete those that have none and were found too many.

    Nothing else is touched, and every secret is judged by the rows as they are now: one found extra is stored when it
    has rows again, one found missing is left alone when its rows are gone. Idempotent. Raises MassDeletion before
    anything is deleted when more than `max_deletes` would be (by default 20, or 10 % of the secrets under the plan's
    prefix), and the SourceError and SecretError branches.
    """
    named = [(d.table, d.key["name"], d.kind) for d in differences if d.table in {str(s.source) for s in plan.secrets}]
    repair = SecretRepair()
    if not named:
        return repair
    client = secrets_client(target_settings(plan, environ).region)
    with open_source(plan, environ, application="pg2dynamo repair secrets") as conn:
        for secret_plan in plan.secrets:
            kinds = {name: kind for table, name, kind in named if table == str(secret_plan.source)}
            if kinds:
                work = _Work(plan.name, secret_plan, environ, client, repair)
                work.repair(conn, kinds, max_deletes, progress or Silent())
    return repair


class _Work:
    """The repair of one table's secrets."""

    def __init__(
        self, migration: str, plan: SecretPlan, environ: Mapping[str, str], client: SecretsClient, repair: SecretRepair
    ) -> None:
        self._plan = plan
        self._client = client
        self._vault = plan_vault(migration, plan, environ, client)
        self._decryptor = build_decryptor(plan.decrypt, environ)
        self._repair = repair

    def repair(
        self, conn: psycopg.Connection, kinds: Mapping[str, str], max_deletes: int | None, progress: Progress
    ) -> None:
        """Mend the secrets of these names."""
        table, seen = str(self._plan.source), NamesSeen()
        progress.start(PHASE, table, None)

        with closing(read_credentials(conn, self._plan, list(kinds))) as credentials:
            for restored, report in in_threads(seen.noting(credentials), self._store):
                self._repair.restored += restored
                self._repair.stored += report.current
                self._repair.written += report.written
                self._repair.refusals += report.refusals
                progress.advance(PHASE, table, report.rows)
        self._delete([name for name, kind in kinds.items() if kind == "extra" and name not in seen], max_deletes)
        progress.finish(PHASE, table)

    def _store(self, group: CredentialGroup) -> tuple[bool, SecretsReport]:
        described = self._client.describe(group.name) if group.fault is None else None
        restored = described is not None and described.deleted
        if restored:
            self._client.restore(group.name)
        return restored, store_group(self._vault, self._decryptor, self._plan, group)

    def _delete(self, names: list[str], max_deletes: int | None) -> None:
        if max_deletes is None:
            there = sum(1 for _ in self._client.list(NameShape(self._plan.name).prefix)) if names else 0
            max_deletes = max(DELETIONS_ALLOWED, there // 10)
        if len(names) > max_deletes:
            raise MassDeletion(
                f"{self._plan.source}: {len(names):,} secrets have no credentials; {max_deletes:,} may be deleted.",
                remedy="Make sure that the rows are really gone, then run again with a higher --max-deletes.",
            )
        for _ in in_threads(names, self._client.delete):
            self._repair.deleted += 1
