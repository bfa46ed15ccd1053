"""The whole migration on this machine: servers of its own, generated rows, check, prepare, copy, verify.

It knows how many rows, items and secrets there must be, and calls any other number a failure.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from cryptography.fernet import Fernet

from onboarding.seed import CredentialKeys, SeedReport, fill
from pg2dynamo.local.stack import Stack, start_stack
from pg2dynamo.migration.check import CheckLine, CheckReport, Level, check
from pg2dynamo.migration.copy import CopyOptions, copy
from pg2dynamo.migration.copy_report import CopyReport, TableCounts
from pg2dynamo.migration.prepare import prepare
from pg2dynamo.migration.progress import Progress
from pg2dynamo.migration.verify import verify
from pg2dynamo.migration.verify_report import VerifyReport
from pg2dynamo.plan.load import load_plan

PLAN = Path(__file__).with_name("plan.yaml")
DATABASE = "onboarding"
REPORT_FOLDER = "report"


def default_directory() -> Path:
    """Return where `demo --keep` keeps its servers unless told otherwise; the guide's commands look there."""
    return Path(gettempdir()) / f"pg2dynamo-demo-{os.geteuid()}"


@dataclass(frozen=True)
class DemoReport:
    """What the demonstration came to. `unexpected` says in words what is not as it must be; empty when all is.

    `sources` gives the source table of each entry of the plan.
    """

    seeded: SeedReport
    checked: CheckReport
    copied: CopyReport
    verified: VerifyReport
    seconds: float
    sources: Mapping[str, str]
    kept: Stack | None = field(default=None, repr=False)

    @property
    def unexpected(self) -> tuple[str, ...]:
        """See the class."""
        return tuple(_deviations(self))

    @property
    def ok(self) -> bool:
        """Whether everything is as it must be."""
        return not self.unexpected

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain values."""
        secrets = self.copied.secrets
        return {
            "ok": self.ok,
            "seconds": round(self.seconds, 3),
            "tables": {
                name: {"rows": counts.rows, "items": counts.items, "quarantined": counts.quarantined}
                for name, counts in self.copied.tables.items()
            },
            "secrets": {
                "rows": secrets.rows,
                "current": secrets.current,
                "older": secrets.older,
                "refused": secrets.refused,
            },
            "verify": self.verified.as_json(),
        }


def run_demo(accounts: int, *, keep: bool, directory: Path | None, progress: Progress) -> DemoReport:
    """Start the servers, fill the database, migrate it and compare; end the servers unless `keep`.

    This process's AWS and database variables are those of the servers meanwhile. The report of the verification
    stays in the directory's folder `report`. Raises the branches of Pg2DynamoError.
    """
    began = time.monotonic()
    keys = _keys()
    directory = directory or (default_directory() if keep else None)
    sources = {table.name: str(table.source) for table in load_plan(PLAN, os.environ).tables}
    progress.say("Starting PostgreSQL and the AWS stand-ins on 127.0.0.1.")
    extra = {"CREDENTIAL_KEY": keys.current, "CREDENTIAL_KEY_OLD": keys.old, "PG2DYNAMO_PLAN": str(PLAN)}
    # For `onboarding serve` and `onboarding token`, which must agree.
    extra["ONBOARDING_TOKEN_KEY"] = secrets.token_urlsafe(48)
    stack = start_stack(directory, keep=keep, database=DATABASE, extra=extra)
    try:
        with _environment(stack.environ):
            seeded = _fill(stack.dsn, keys, accounts, progress)
            stack.write_environment({"PG2DYNAMO_EXPECT_REFUSED": str(seeded.secrets.refused)})
            report = _migrate(stack, seeded, progress)
    except BaseException:
        stack.stop()
        raise
    if not keep:
        stack.stop()
    seconds = time.monotonic() - began
    return DemoReport(seeded, *report, seconds=seconds, sources=sources, kept=stack if keep else None)


def _keys() -> CredentialKeys:
    """Return the environment's keys when both are set, else new ones."""
    current, old = os.environ.get("CREDENTIAL_KEY"), os.environ.get("CREDENTIAL_KEY_OLD")
    if current and old:
        return CredentialKeys(current, old)
    return CredentialKeys(Fernet.generate_key().decode(), Fernet.generate_key().decode())


@contextmanager
def _environment(environ: Mapping[str, str]) -> Iterator[None]:
    """Have the servers' variables in this process, and none of the machine's own AWS configuration."""
    before = dict(os.environ)
    for name in before:
        if name.startswith(("AWS_", "PG", "DYNAMODB_", "SECRETS_MANAGER_")):
            del os.environ[name]
    os.environ.update(environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _fill(dsn: str, keys: CredentialKeys, accounts: int, progress: Progress) -> SeedReport:
    progress.say(f"Filling the onboarding database: {accounts:,} accounts.")
    seeded = fill(dsn, keys, accounts=accounts)
    refused = seeded.secrets.refused
    progress.say(
        f"{sum(seeded.tables.values()):,} rows in {len(seeded.tables)} tables; of {seeded.secrets.rows:,} credentials "
        f"{refused} cannot be decrypted, on purpose."
    )
    return seeded


def _migrate(stack: Stack, seeded: SeedReport, progress: Progress) -> tuple[CheckReport, CopyReport, VerifyReport]:
    environ = dict(os.environ)
    plan = load_plan(PLAN, environ)
    checked = check(plan, environ, progress=progress)
    for line in checked.lines:
        later = line.level is Level.FAILED and _made_later(line)
        progress.say(f"  {'to do' if later else line.level:<8} {line.subject}: {line.message}")
    for made in prepare(plan, environ, create_kms_key=True, progress=progress).lines:
        progress.say(f"  {made}")
    copied = copy(plan, environ, CopyOptions(expect_refused=seeded.secrets.refused), progress)
    path = stack.directory / REPORT_FOLDER / "verify.jsonl"
    return checked, copied, verify(plan, environ, report=path, progress=progress)


def _deviations(report: DemoReport) -> Iterator[str]:
    for line in _failed(report.checked):
        yield f"check: {line.subject}: {line.message}"
    expected = {name: report.seeded.tables[source] for name, source in report.sources.items()}
    if len(set(report.sources.values())) != len(report.seeded.tables) - 1:
        yield "the plan does not copy every table that was filled"
    if set(report.copied.tables) != set(expected):
        yield f"{len(report.copied.tables)} tables were copied instead of {len(expected)}"
    for name, rows in expected.items():
        counts = report.copied.tables.get(name, TableCounts())
        if (counts.rows, counts.items) != (rows, rows):
            yield f"{name}: {rows:,} rows were filled in, {counts.rows:,} read, {counts.items:,} are items"
    yield from _secret_deviations(report)
    if not report.verified.equal:
        yield "the verification found differences"
    compared = {name: counts.compared for name, counts in report.verified.tables.items()}
    if compared != expected:
        yield "the verification did not compare every row"


def _secret_deviations(report: DemoReport) -> Iterator[str]:
    wanted, found = report.seeded.secrets, report.copied.secrets
    for name in ("rows", "current", "older", "refused"):
        if getattr(wanted, name) != getattr(found, name):
            yield f"credentials, {name}: {getattr(found, name):,} instead of {getattr(wanted, name):,}"
    refused = {refusal.key.get("credential_id") for refusal in found.refusals}
    if refused != set(report.seeded.refused):
        yield "other credentials were refused than those that cannot be decrypted"
    secrets = report.verified.secrets
    if secrets is None or (secrets.compared, secrets.refused) != (wanted.current, wanted.refused):
        yield "the verification did not account for every credential"


def _failed(checked: CheckReport) -> Iterator[CheckLine]:
    return (line for line in checked.lines if line.level is Level.FAILED and not _made_later(line))


def _made_later(line: CheckLine) -> bool:
    """Whether `prepare`, which comes after the check, makes what is lacking: the KMS key."""
    return line.subject.startswith("KMS key")
