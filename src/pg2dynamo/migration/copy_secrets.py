"""Copy credentials to secrets: every row ends as the current version, an older one, or refused with a reason.

Ciphertext is read; plaintext exists only in `version_content`'s result until the vault has stored it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, fields, replace
from typing import Any

from pg2dynamo.dynamodb.journal import Journal
from pg2dynamo.dynamodb.records import SecretRefusal
from pg2dynamo.errors import MassDeletion, SecretRefused, SecretUndecryptable
from pg2dynamo.migration.credentials import CredentialGroup, CredentialRow, Credentials, read_credentials
from pg2dynamo.migration.in_threads import in_threads
from pg2dynamo.migration.progress import Progress, Silent
from pg2dynamo.migration.source import open_source
from pg2dynamo.migration.target import target_settings
from pg2dynamo.plan.model import Plan, SecretPlan
from pg2dynamo.postgres.snapshot import adopt_snapshot
from pg2dynamo.secrets.client import SecretsClient, secrets_client
from pg2dynamo.secrets.decrypt import Decryptor, build_decryptor, derive_key
from pg2dynamo.secrets.names import NameShape, NamesSeen, canonical_key
from pg2dynamo.secrets.value import VersionContent, compose_object, compose_text
from pg2dynamo.secrets.vault import MIGRATION_TAG, SOURCE_TAG, VERSIONS_KEPT, Vault, value_fault

PHASE = "secrets"
DELETIONS_ALLOWED = 20
"""How many secrets without rows may always be deleted in one run; beyond that 10 % of the migration's."""


@dataclass(frozen=True, slots=True)
class SecretsReport:
    """What became of the credentials; `rows == current + older + refused` always.

    `written` versions were written in this run, `unchanged` were there already. `newest_refused` counts the secrets
    whose newest credential was refused, so that an older one is current. `deleted` secrets had no rows any more.
    """

    rows: int = 0
    current: int = 0
    older: int = 0
    refused: int = 0
    written: int = 0
    unchanged: int = 0
    newest_refused: int = 0
    deleted: int = 0
    refusals: tuple[SecretRefusal, ...] = field(default=(), repr=False)

    def __add__(self, other: SecretsReport) -> SecretsReport:
        return SecretsReport(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know beyond the numbers."""
        if not self.newest_refused:
            return ()
        return (
            f"{self.newest_refused:,} secrets hold an older credential as current, because the newest was refused: "
            "add the key that it was encrypted with, or correct the row, and copy again.",
        )

    def as_json(self) -> dict[str, Any]:
        """Return the counts as a JSON object."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "refusals"}


def copy_all_secrets(
    plan: Plan,
    environ: Mapping[str, str],
    journal: Journal,
    snapshot: str,
    max_deletes: int | None = None,
    progress: Progress | None = None,
    check_lease: Callable[[], None] = lambda: None,
) -> SecretsReport:
    """Copy the credentials of every table that the plan names, as the exported snapshot sees them.

    `check_lease` is called before each secret and raises when another runner may be at work: this one's rows could be
    the older ones.

    Refusals replace those that the journal has of earlier runs. Except in the first run, secrets of this migration
    whose rows are gone are deleted, with 30 days to restore them. Idempotent; raises MassDeletion, and the SourceError
    and SecretError branches.
    """
    total = SecretsReport()
    if not plan.secrets:
        return total
    progress = progress or Silent()
    client = secrets_client(target_settings(plan, environ).region)
    first = sum(run.command in ("copy", "import") for run in journal.runs()) < 2
    with open_source(plan, environ, application="pg2dynamo secrets") as conn, adopt_snapshot(conn, snapshot):
        for secret_plan in plan.secrets:
            seen = NamesSeen()
            with closing(read_credentials(conn, secret_plan)) as read:
                credentials = while_held(check_lease, read)
                report = copy_secrets(plan.name, secret_plan, credentials, environ, client, seen, progress)
            journal.replace_refusals(str(secret_plan.source), report.refusals)
            total += report
            check_lease()
            if not first:
                total += SecretsReport(deleted=delete_vanished(plan.name, secret_plan, client, seen, max_deletes))
    for warning in total.warnings:
        progress.say(warning)
    return total


def while_held(check_lease: Callable[[], None], credentials: Credentials) -> Credentials:
    """Yield the credentials, looking before each secret whether this run may still write."""
    for group in credentials:
        check_lease()
        yield group


def copy_secrets(
    migration: str,
    plan: SecretPlan,
    credentials: Credentials,
    environ: Mapping[str, str],
    client: SecretsClient,
    seen: NamesSeen,
    progress: Progress,
) -> SecretsReport:
    """Store the credentials of one table, from whatever source; every name is noted in `seen`.

    Names are stored by a few threads, one name by one of them. Raises SecretError for keys that are none, and what
    `Vault.store` raises when no secret can be stored; what was stored until then is found there by the next run.
    """
    decryptor = build_decryptor(plan.decrypt, environ)
    vault = plan_vault(migration, plan, environ, client)
    table = str(plan.source)
    progress.start(PHASE, table, None)

    def store(group: CredentialGroup) -> SecretsReport:
        return store_group(vault, decryptor, plan, group)

    total = SecretsReport()
    refusals: list[SecretRefusal] = []
    for report in in_threads(seen.noting(credentials), store):
        refusals += report.refusals
        total += replace(report, refusals=())
        progress.advance(PHASE, table, report.rows)
    progress.finish(PHASE, table)
    return replace(total, refusals=tuple(refusals))


def plan_vault(migration: str, plan: SecretPlan, environ: Mapping[str, str], client: SecretsClient) -> Vault:
    """Return the vault that stores the secrets of one table of the plan."""
    tags = {MIGRATION_TAG: migration, SOURCE_TAG: str(plan.source)}
    token_key = derive_key(plan.decrypt, environ, "secret request token")
    return Vault(client, kms_key=plan.kms_key, tags=tags, token_key=token_key)


def store_group(vault: Vault, decryptor: Decryptor, plan: SecretPlan, group: CredentialGroup) -> SecretsReport:
    """Store one secret; its rows that cannot be stored are refused, and the newest of the others becomes current."""
    good: dict[int, VersionContent] = {}
    refused: dict[int, str] = {}
    for index, row in enumerate(group.rows):
        try:
            good[index] = version_content(decryptor, plan, group, row)
        except (SecretUndecryptable, SecretRefused) as error:
            refused[index] = str(error)
    for index in list(good)[:-VERSIONS_KEPT]:
        del good[index]
        refused[index] = f"a secret keeps {VERSIONS_KEPT} versions, and this one is older"
    written = 0
    try:
        written = vault.store(group.name, list(good.values())).written if good else 0
    except SecretRefused as error:
        refused |= dict.fromkeys(good, str(error))
        good = {}
    return SecretsReport(
        rows=len(group.rows),
        current=min(1, len(good)),
        older=max(0, len(good) - 1),
        refused=len(refused),
        written=written,
        unchanged=max(0, len(good) - written),
        newest_refused=int(bool(good) and len(group.rows) - 1 in refused),
        refusals=tuple(_refusal(plan, group, index, reason) for index, reason in sorted(refused.items())),
    )


def _refusal(plan: SecretPlan, group: CredentialGroup, index: int, reason: str) -> SecretRefusal:
    return SecretRefusal(str(plan.source), group.rows[index].key, group.name, reason)


def version_content(
    decryptor: Decryptor, plan: SecretPlan, group: CredentialGroup, row: CredentialRow
) -> VersionContent:
    """Return what one credential's version must hold. Raises SecretUndecryptable or SecretRefused with the reason."""
    fault = group.fault or row.fault
    if fault:
        raise SecretRefused(fault)
    plaintext = decryptor.decrypt(row.ciphertext)
    if plan.plaintext is None:
        content = compose_text(plaintext)
    else:
        content = compose_object(row.fields, plan.plaintext, plaintext)
    fault = value_fault(content)
    if fault:
        raise SecretRefused(fault)
    return VersionContent(canonical_key(row.key), content, json=plan.plaintext is not None)


def delete_vanished(
    migration: str, plan: SecretPlan, client: SecretsClient, seen: NamesSeen, max_deletes: int | None = None
) -> int:
    """Delete this migration's secrets whose rows are gone; return how many. They can be restored for 30 days.

    Only secrets that carry this migration's and table's tags. Raises MassDeletion, before the first is deleted, when
    there are more than `max_deletes` (by default 20 or 10 % of the tagged ones, whichever is more).
    """
    tags = {MIGRATION_TAG: migration, SOURCE_TAG: str(plan.source)}
    shape = NameShape(plan.name)
    ours = 0
    vanished: list[str] = []
    for secret in client.list(shape.prefix):
        if tags.items() <= secret.tags.items():
            ours += 1
            if secret.name not in seen:
                vanished.append(secret.name)
    allowed = max(DELETIONS_ALLOWED, ours // 10) if max_deletes is None else max_deletes
    if len(vanished) > allowed:
        raise MassDeletion(
            f"{plan.source}: {len(vanished):,} of {ours:,} secrets have no row any more; {allowed:,} may be deleted.",
            remedy="Make sure that the rows are really gone, then run again with a higher --max-deletes.",
        )
    for _ in in_threads(vanished, client.delete):
        pass
    return len(vanished)
