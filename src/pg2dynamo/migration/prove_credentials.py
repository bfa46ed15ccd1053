"""Prove that the credentials of an export decrypt, without writing any plaintext anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pg2dynamo.dynamodb.records import SecretRefusal
from pg2dynamo.errors import SecretRefused, SecretUndecryptable
from pg2dynamo.migration.copy_secrets import version_content
from pg2dynamo.migration.export_credentials import exported_credentials
from pg2dynamo.migration.export_files import prove
from pg2dynamo.migration.export_manifest import require_same_plan
from pg2dynamo.migration.progress import Progress, Silent
from pg2dynamo.plan.model import Plan
from pg2dynamo.secrets.decrypt import build_decryptor

PHASE = "decrypt"


@dataclass(frozen=True, slots=True)
class CredentialsReport:
    """How many credentials an export holds, and those that cannot become secrets, by key and reason."""

    migration: str
    rows: int
    refusals: tuple[SecretRefusal, ...]
    refused_expected: int = 0

    @property
    def refused(self) -> int:
        """How many cannot become secrets."""
        return len(self.refusals)

    @property
    def ok(self) -> bool:
        """Whether no more are refused than was expected."""
        return self.refused <= self.refused_expected

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain values."""
        return {
            "ok": self.ok,
            "migration": self.migration,
            "rows": self.rows,
            "decrypted": self.rows - self.refused,
            "refused": self.refused,
            "refusals": [{"table": r.table, "key": r.key, "reason": r.reason} for r in self.refusals],
        }


def prove_credentials(
    plan: Plan,
    environ: Mapping[str, str],
    directory: Path,
    *,
    expect_refused: int = 0,
    progress: Progress | None = None,
) -> CredentialsReport:
    """Decrypt every credential of the export in memory, as an import would, and forget it at once.

    Reaches neither database nor AWS. Raises ExportDamaged when the export is not whole, PlanError when it was made
    with another plan or a key is not set, SecretError for keys that are none.
    """
    progress = progress or Silent()
    manifest = prove(directory)
    require_same_plan(manifest, plan)
    exported = {credentials.source: credentials for credentials in manifest.credentials}
    rows, refusals = 0, []
    for secret in plan.secrets:
        table = str(secret.source)
        decryptor = build_decryptor(secret.decrypt, environ)
        progress.start(PHASE, table, exported[table].rows)
        for group in exported_credentials(directory, exported[table], secret):
            for row in group.rows:
                try:
                    version_content(decryptor, secret, group, row)
                except (SecretUndecryptable, SecretRefused) as error:
                    refusals.append(SecretRefusal(table, row.key, group.name, error.message))
            rows += len(group.rows)
            progress.advance(PHASE, table, len(group.rows))
        progress.finish(PHASE, table)
    return CredentialsReport(plan.name, rows, tuple(refusals), expect_refused)
