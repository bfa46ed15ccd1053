"""The migration guide's four commands, thin over the library; `migration/*.py` calls them.

From the environment: DATABASE_URL (export only), CREDENTIAL_KEY and CREDENTIAL_KEY_OLD (the other three), the
standard AWS configuration (import and verify), and

- PG2DYNAMO_PLAN: the plan, by default that of the onboarding database;
- PG2DYNAMO_EXPORT: the export's directory, by default `postgres_export` in the working directory.

When none of DATABASE_URL, CREDENTIAL_KEY and AWS_* is set, the servers that `onboarding demo --keep` left running
are used.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from onboarding.kept_demo import use_kept_demo
from pg2dynamo.cli.command import DIFFERENT, DONE, FAILED, JsonOption, MaxDeletesOption, key_text, run
from pg2dynamo.cli.copy import OverwriteOption, show_copy
from pg2dynamo.cli.export import show_export
from pg2dynamo.cli.verify import show_verify
from pg2dynamo.migration.export import export
from pg2dynamo.migration.import_ import ImportOptions, import_export
from pg2dynamo.migration.prove_credentials import CredentialsReport, prove_credentials
from pg2dynamo.migration.verify_export import verify_export

ExpectRefused = Annotated[
    int,
    typer.Option(
        min=0,
        envvar="PG2DYNAMO_EXPECT_REFUSED",
        help="Credentials known not to decrypt; more of them is a failure.",
    ),
]


def plan_path() -> Path:
    """Return the plan that the commands use."""
    return Path(os.environ.get("PG2DYNAMO_PLAN") or Path(__file__).with_name("plan.yaml"))


def export_directory() -> Path:
    """Return the directory that the first command writes and the others read."""
    return Path(os.environ.get("PG2DYNAMO_EXPORT") or "postgres_export")


def export_postgres(as_json: JsonOption = False) -> None:
    """Step 1: write one consistent state of the database into the export's directory, replacing an earlier export.

    Needs DATABASE_URL and no AWS. Credentials stay encrypted.
    """
    run(
        lambda plan, progress: export(plan, os.environ, export_directory(), overwrite=True, progress=progress),
        plan=plan_path(),
        as_json=as_json,
        show=show_export,
        exit_code=lambda report: DONE if report.ok else FAILED,
    )


def decrypt_credentials(expect_refused: ExpectRefused = 0, as_json: JsonOption = False) -> None:
    """Step 2: prove that every credential of the export decrypts, and name those that do not. Writes nothing."""
    run(
        lambda plan, progress: prove_credentials(
            plan, os.environ, export_directory(), expect_refused=expect_refused, progress=progress
        ),
        plan=plan_path(),
        as_json=as_json,
        show=show_credentials,
        exit_code=lambda report: DONE if report.ok else FAILED,
    )


def import_dynamodb(
    expect_refused: ExpectRefused = 0,
    max_deletes: MaxDeletesOption = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Step 3: bring DynamoDB and Secrets Manager to what the export holds. Needs AWS and no database.

    Tables and the KMS key are created when they are not there. Run again, it changes nothing; stopped, it goes on.
    """
    options = ImportOptions(
        max_deletes=max_deletes, expect_refused=expect_refused, overwrite=overwrite, create_kms_key=True
    )
    run(
        lambda plan, progress: import_export(plan, os.environ, export_directory(), options, progress),
        plan=plan_path(),
        as_json=as_json,
        show=show_copy,
        exit_code=lambda report: DONE if report.ok else FAILED,
    )


def verify_migration(
    report: Annotated[Path | None, typer.Option(help="Where the differences go, one JSON line each.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Step 4: compare every row, item and secret with the export, in both directions. Exit code 3 when one differs."""
    run(
        lambda plan, progress: verify_export(plan, os.environ, export_directory(), report=report, progress=progress),
        plan=plan_path(),
        as_json=as_json,
        show=show_verify,
        exit_code=lambda found: DONE if found.equal else DIFFERENT,
    )


def show_credentials(report: CredentialsReport, console: Console) -> None:
    """Print how many credentials decrypt, and which do not and why."""
    console.print(f"{report.rows - report.refused:,} of {report.rows:,} credentials decrypt.")
    for refusal in report.refusals:
        console.print(f"  {refusal.table} {key_text(refusal.key)}: {refusal.reason}", markup=False)
    if report.refused and report.ok:
        console.print(f"{report.refused:,} do not, as expected.")


def main(command: Callable[..., None]) -> None:
    """Run one of the commands as a script."""
    use_kept_demo()
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(command)
    app()
