"""Compare every secret with its credentials, in memory and in both directions.

Rows are read by another path than copying reads them, and what a secret should hold is worked out anew; only the
decryption is shared. Every version is read back from Secrets Manager.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace

import psycopg

from pg2dynamo.dynamodb.records import SecretRefusal
from pg2dynamo.errors import SecretUndecryptable
from pg2dynamo.migration.binary_credentials import Credential, CredentialsOfName, read_by_name
from pg2dynamo.migration.credentials import CredentialTable, compile_credentials
from pg2dynamo.migration.difference import Difference
from pg2dynamo.migration.in_threads import in_threads
from pg2dynamo.migration.progress import Progress, Silent
from pg2dynamo.migration.secret_comparison import Comparer, Expected
from pg2dynamo.migration.source import open_source
from pg2dynamo.migration.target import target_settings
from pg2dynamo.migration.verify_report import Comparison
from pg2dynamo.plan.model import Plan, SecretPlan
from pg2dynamo.postgres.catalog import read_tables
from pg2dynamo.postgres.snapshot import adopt_snapshot
from pg2dynamo.secret import Secret
from pg2dynamo.secrets.client import Described, SecretsClient, secrets_client
from pg2dynamo.secrets.decrypt import Decryptor, build_decryptor
from pg2dynamo.secrets.names import NameShape, NamesSeen, canonical_key
from pg2dynamo.secrets.value import NotPlainJson, parse_json
from pg2dynamo.secrets.vault import MIGRATION_TAG, SOURCE_TAG

PHASE = "verify secrets"
UNREADABLE = ("no key decrypts it", "not a Fernet token", "not UTF-8 JSON", "not UTF-8 text")
"""Reasons that are judged anew: a credential that decrypts today must be there, whatever was recorded."""


def verify_secrets(
    plan: Plan,
    environ: Mapping[str, str],
    *,
    snapshot: str | None,
    refusals: Iterable[SecretRefusal],
    found: Callable[[Difference], None],
    progress: Progress | None = None,
) -> Comparison:
    """Compare all secrets of the plan; every difference is given to `found`, in the calling thread.

    `snapshot` names an exported one to read the credentials under. `refusals` are those that the journal has: a
    credential that cannot be a secret counts as `refused` when it is among them, else as `skipped`. `compared` counts
    secrets; `refused` and `skipped` count credentials. Raises the SourceError and SecretError branches.
    """
    total = Comparison()
    if not plan.secrets:
        return total
    progress = progress or Silent()
    client = secrets_client(target_settings(plan, environ).region)
    recorded = {(refusal.table, canonical_key(refusal.key)): refusal.reason for refusal in refusals}
    with open_source(plan, environ, application="pg2dynamo verify secrets") as conn:
        if snapshot is None:
            _verify_tables(plan, environ, conn, client, recorded, _Findings(total, found, progress))
        else:
            with adopt_snapshot(conn, snapshot):
                _verify_tables(plan, environ, conn, client, recorded, _Findings(total, found, progress))
    return total


@dataclass(frozen=True, slots=True)
class _Findings:
    """Where results go."""

    total: Comparison
    found: Callable[[Difference], None]
    progress: Progress

    def difference(self, difference: Difference) -> None:
        """Count a difference and hand it on."""
        self.total.count(difference)
        self.found(difference)


def _verify_tables(
    plan: Plan,
    environ: Mapping[str, str],
    conn: psycopg.Connection,
    client: SecretsClient,
    recorded: Mapping[tuple[str, str], str],
    findings: _Findings,
) -> None:
    for secret_plan in plan.secrets:
        name = str(secret_plan.source)
        known = {key: reason for (table, key), reason in recorded.items() if table == name}
        table = compile_credentials(secret_plan, read_tables(conn, [secret_plan.source]).get(secret_plan.source))
        check = _Check(table, build_decryptor(secret_plan.decrypt, environ), client, known)
        with closing(read_by_name(conn, table)) as credentials:
            _verify_table(plan.name, credentials, check, findings)


def verify_given_secrets(
    plan: Plan,
    environ: Mapping[str, str],
    given: Iterable[tuple[CredentialTable, Iterable[CredentialsOfName]]],
    *,
    refusals: Iterable[SecretRefusal],
    found: Callable[[Difference], None],
    progress: Progress | None = None,
) -> Comparison:
    """Compare secrets with credentials that were read before, for each table of the plan; else as `verify_secrets`."""
    total = Comparison()
    client = secrets_client(target_settings(plan, environ).region)
    recorded = list(refusals)
    for table, groups in given:
        name = str(table.plan.source)
        known = {canonical_key(refusal.key): refusal.reason for refusal in recorded if refusal.table == name}
        check = _Check(table, build_decryptor(table.plan.decrypt, environ), client, known)
        _verify_table(plan.name, groups, check, _Findings(total, found, progress or Silent()))
    return total


def _verify_table(migration: str, groups: Iterable[CredentialsOfName], check: _Check, findings: _Findings) -> None:
    plan, seen, table = check.table.plan, NamesSeen(), str(check.table.plan.source)
    findings.progress.start(PHASE, table, None)

    for result in in_threads(seen.noting(groups), check.check):
        findings.total.compared += result.compared
        findings.total.refused += result.refused
        findings.total.skipped += result.skipped
        if result.difference:
            findings.difference(result.difference)
        findings.progress.advance(PHASE, table, result.rows)
    for name in extra_names(migration, plan, check.client, seen):
        findings.difference(Difference(table, {"name": name}, "extra"))
    findings.progress.finish(PHASE, table)


def extra_names(migration: str, plan: SecretPlan, client: SecretsClient, seen: NamesSeen) -> Iterator[str]:
    """Yield the secrets under the plan's prefix that no row gives: of the template's shape, or of this migration.

    The listing of Secrets Manager may lag by five minutes, so each is looked at itself; one created just now by
    somebody else may not be listed yet. With a template that begins with a column only this migration's are told.
    """
    shape = NameShape(plan.name)
    tags = {MIGRATION_TAG: migration, SOURCE_TAG: str(plan.source)}
    for secret in client.list(shape.prefix):
        likely = tags.items() <= secret.tags.items() or (bool(shape.prefix) and shape.fits(secret.name))
        if likely and secret.name not in seen:
            described = client.describe(secret.name)
            if described is not None and not described.deleted:
                yield secret.name


@dataclass(frozen=True, slots=True)
class _Result:
    rows: int
    compared: int = 0
    refused: int = 0
    skipped: int = 0
    difference: Difference | None = None


@dataclass(frozen=True, slots=True)
class _Check:
    """Checks the secrets of one table."""

    table: CredentialTable
    decryptor: Decryptor = field(repr=False)
    client: SecretsClient
    recorded: Mapping[str, str]

    def check(self, group: CredentialsOfName) -> _Result:
        """Compare one secret with its rows."""
        comparer = Comparer(self.table.plan, self.table.mapping)
        readable = [(row, self._expected(row) if group.usable else None) for row in group.rows]
        unfit = [row for row, expected in readable if expected is None]
        wanted = [expected for _, expected in readable if expected is not None]
        refused = sum(row.key in self.recorded for row in unfit)
        result = _Result(len(group.rows), refused=refused, skipped=len(unfit) - refused)
        if not wanted:
            return result
        described = self.client.describe(group.name)
        values = self._values(comparer, wanted, described) if described and not described.deleted else {}
        aside = [one for one in wanted if self._set_aside(one) and not comparer.holds(one, values)]
        wanted = [one for one in wanted if one not in aside]
        if described is None or described.deleted:
            wanted = [*wanted, *(aside if described else [])]
            missing = Difference(str(self.table.plan.source), {"name": group.name}, "missing") if wanted else None
            accounted = 0 if missing and described else len(aside)
            return replace(result, compared=int(bool(wanted)), refused=refused + accounted, difference=missing)
        result = replace(result, refused=refused + len(aside), compared=int(bool(wanted)))
        differing = comparer.compare(wanted, described.current, values) if wanted else ()
        if differing:
            difference = Difference(str(self.table.plan.source), {"name": group.name}, "different", differing)
            return replace(result, difference=difference)
        return result

    def _set_aside(self, expected: Expected) -> bool:
        """Whether the credential was refused for something else than its decryption, as one too large is."""
        reason = self.recorded.get(expected.key)
        return reason is not None and not reason.startswith(UNREADABLE)

    def _values(
        self, comparer: Comparer, wanted: list[Expected], described: Described
    ) -> dict[str, Secret[str] | None]:
        """Read the versions that have labels; the others too, when these do not suffice."""
        values = {version: self.client.value(described.name, version) for version in described.stages}
        if comparer.compare(wanted, described.current, values):
            others = [version for version in self.client.version_ids(described.name) if version not in values]
            values |= {version: self.client.value(described.name, version) for version in others}
        return values

    def _expected(self, row: Credential) -> Expected | None:
        if row.ciphertext is None:
            return None
        try:
            text = Secret(self.decryptor.decrypt(row.ciphertext).reveal().decode())
            if self.table.plan.plaintext is not None:
                parse_json(text.reveal())
        except (SecretUndecryptable, UnicodeDecodeError, NotPlainJson):
            return None
        return Expected(row.key, row.fields, text) if text else None
