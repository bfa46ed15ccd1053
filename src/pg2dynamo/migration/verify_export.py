"""Verify that the target equals an export: every row, item and secret compared, without the source."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from pg2dynamo.dynamodb.client import dynamodb_client
from pg2dynamo.dynamodb.journal import Journal
from pg2dynamo.dynamodb.tables import describe_table
from pg2dynamo.errors import TargetMissing
from pg2dynamo.migration.export_credentials import compared_credentials
from pg2dynamo.migration.export_digests import DigestPart, ExportLookup
from pg2dynamo.migration.export_files import prove
from pg2dynamo.migration.export_manifest import ExportedTable, Manifest
from pg2dynamo.migration.import_ import target_mappings
from pg2dynamo.migration.progress import Progress, Silent
from pg2dynamo.migration.report_file import ReportFile, default_report
from pg2dynamo.migration.target import target_settings
from pg2dynamo.migration.verify_report import Comparison, VerifyReport
from pg2dynamo.migration.verify_secrets import verify_given_secrets
from pg2dynamo.migration.verify_segment import VerifyJob
from pg2dynamo.migration.verify_table import RowSide, TableVerification
from pg2dynamo.migration.workers import Workers
from pg2dynamo.plan.model import Plan


def verify_export(
    plan: Plan,
    environ: Mapping[str, str],
    directory: Path,
    *,
    processes: int | None = None,
    report: Path | None = None,
    progress: Progress | None = None,
) -> VerifyReport:
    """Compare the export in `directory` with DynamoDB and Secrets Manager; return what was found.

    As `verify.verify`, but the rows are the export's, by the digests that were made of them and of their
    attributes where they were read. Raises ExportDamaged when the export is not whole.
    """
    progress = progress or Silent()
    began, started_at = time.monotonic(), datetime.now(UTC).isoformat(timespec="microseconds")
    manifest = prove(directory)
    mappings = target_mappings(manifest, plan)
    settings = target_settings(plan, environ)
    journal = Journal(dynamodb_client(settings), plan.target.control_table, plan.name)
    _require_targets(journal, plan)
    snapshot = str(manifest.snapshot["snapshot"])
    path = report or default_report(plan.name)
    found = VerifyReport(plan.name, snapshot, path)
    processes = os.cpu_count() or 1 if processes is None else processes
    with (
        TemporaryDirectory(prefix="pg2dynamo-verify-") as temporary,
        ReportFile(path) as file,
        Workers(processes, environ) as workers,
    ):
        progress.say(f"Verifying against snapshot {snapshot} of the export in {directory}.")
        for number, exported in enumerate(manifest.tables):
            name = exported.mapping.name
            job = VerifyJob("", None, mappings[name], settings)
            rows = _rows(directory, exported, Path(temporary) / f"{number}.sqlite")
            table = TableVerification(job, rows, workers, progress)
            for difference in table.differences():
                file.add(difference)
            table.comparison.quarantined = journal.quarantined_count(name) if journal.exists() else 0
            found.tables[name] = table.comparison
        secrets = _verify_secrets(plan, environ, directory, manifest, journal, file, progress)
        found = replace(found, secrets=secrets, seconds=time.monotonic() - began)
        file.finish(plan.name, snapshot, started_at, found.as_json())
    return found


def _verify_secrets(
    plan: Plan,
    environ: Mapping[str, str],
    directory: Path,
    manifest: Manifest,
    journal: Journal,
    file: ReportFile,
    progress: Progress,
) -> Comparison | None:
    if not plan.secrets:
        return None
    exported = {credentials.source: credentials for credentials in manifest.credentials}
    given = [compared_credentials(directory, exported[str(secret.source)], secret) for secret in plan.secrets]
    refusals = journal.refusals() if journal.exists() else ()
    return verify_given_secrets(plan, environ, given, refusals=refusals, found=file.add, progress=progress)


def _rows(directory: Path, exported: ExportedTable, index: Path) -> RowSide:
    name = exported.mapping.name
    parts = [DigestPart(name, str(directory), file) for file in exported.digests]
    return RowSide(parts, ExportLookup(str(directory), exported.digests, str(index)))


def _require_targets(journal: Journal, plan: Plan) -> None:
    missing = [table.to for table in plan.tables if describe_table(journal.client, table.to) is None]
    if missing:
        raise TargetMissing(
            f"There is nothing to verify: DynamoDB has no table {', '.join(missing)}.",
            remedy="Import the export, or correct the region or the plan.",
        )
