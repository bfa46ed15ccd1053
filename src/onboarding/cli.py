"""The command `onboarding`: make the schema, fill it, migrate it on this machine, and serve the service."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import psycopg
import typer
from cryptography.fernet import Fernet
from rich.console import Console

from onboarding.cli_service import ServiceFailure, serve, token, token_key
from onboarding.database.schema import create_schema, statements
from onboarding.seed import DEFAULT_ACCOUNTS, DEFAULT_SEED, CredentialKeys, NotEmpty, SeedReport, fill
from onboarding.store.errors import StoreError
from onboarding.traffic.command import traffic
from pg2dynamo.errors import Pg2DynamoError

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

Dsn = Annotated[str, typer.Option(envvar="DATABASE_URL", show_envvar=True, help="The database, empty.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]


class Failure(Exception):
    """What the user must know; shown without a traceback, exit code 1."""


@app.command()
def schema(
    dsn: Annotated[
        str | None, typer.Option(envvar="DATABASE_URL", help="Create it there instead of printing it.")
    ] = None,
    show: Annotated[bool, typer.Option("--print", help="Print the DDL only.")] = False,
) -> None:
    """Create the seven tables, or print their DDL.

    Example: onboarding schema --print | psql "$DATABASE_URL"
    """
    if show or dsn is None:
        typer.echo(";\n\n".join(statements()) + ";")
        return
    create_schema(dsn)
    typer.echo("The onboarding schema is there.", err=True)


@app.command()
def tables() -> None:
    """Create the DynamoDB tables that are missing, as `pg2dynamo prepare` would, and the service's own.

    For a service that begins on DynamoDB, with nothing to move. Example: onboarding tables
    """
    from onboarding.kept_demo import use_kept_demo
    from onboarding.store.opening import open_store

    use_kept_demo()
    try:
        store = open_store("dynamodb", os.environ)
    except KeyError as error:
        raise Failure(f"Set {error.args[0]}.") from None
    store.prepare()
    store.close()
    typer.echo("The onboarding tables are there.", err=True)


@app.command()
def key() -> None:
    """Print a new Fernet key, for CREDENTIAL_KEY.

    Example: export CREDENTIAL_KEY="$(onboarding key)"
    """
    typer.echo(Fernet.generate_key().decode())


@app.command()
def seed(
    dsn: Dsn,
    accounts: Annotated[
        int, typer.Option(min=1, help="How many accounts; about 57 rows come with each.")
    ] = DEFAULT_ACCOUNTS,
    number: Annotated[int, typer.Option("--seed", help="The same seed and keys give the same rows.")] = DEFAULT_SEED,
    as_json: AsJson = False,
) -> None:
    """Create the schema and fill it. CREDENTIAL_KEY and CREDENTIAL_KEY_OLD are the Fernet keys in use.

    Example: onboarding seed --dsn postgresql://localhost/onboarding --accounts 900
    """
    report = fill(dsn, _keys(), accounts=accounts, seed=number)
    typer.echo(json.dumps(report.as_json()) if as_json else _tell(report))


@app.command()
def demo(
    accounts: Annotated[
        int, typer.Option(min=1, help="How many accounts; about 57 rows come with each.")
    ] = DEFAULT_ACCOUNTS,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the servers running, and say how to reach them.")] = False,
    as_json: AsJson = False,
    directory: Annotated[
        Path | None, typer.Option(help="Where the servers and the report are.  [default: a new temporary directory]")
    ] = None,
) -> None:
    """Migrate the example database between servers of its own on this machine, and compare every row.

    Exit code 0 when every row, item and secret is as it must be; the few credentials that cannot be decrypted
    are expected. Example: onboarding demo --accounts 200 --keep
    """
    from onboarding.demo import run_demo
    from onboarding.demo_summary import show
    from pg2dynamo.cli.progress import progress_for

    with progress_for(sys.stderr) as progress:
        report = run_demo(accounts, keep=keep, directory=directory, progress=progress)
    console = Console(stderr=as_json, highlight=False, soft_wrap=True)
    show(report, console)
    if as_json:
        typer.echo(json.dumps(report.as_json()))
    raise typer.Exit(0 if report.ok else 1)


app.command()(traffic)
for command in (serve, token, token_key):
    app.command()(command)


def _keys() -> CredentialKeys:
    current, old = os.environ.get("CREDENTIAL_KEY"), os.environ.get("CREDENTIAL_KEY_OLD")
    if not current or not old:
        raise Failure("Set CREDENTIAL_KEY and CREDENTIAL_KEY_OLD: `onboarding key` makes one.")
    keys = CredentialKeys(current, old)
    try:
        keys.check()
    except ValueError:
        raise Failure("CREDENTIAL_KEY or CREDENTIAL_KEY_OLD is no Fernet key: `onboarding key` makes one.") from None
    return keys


def _tell(report: SeedReport) -> str:
    lines = [f"{count:>10,}  {table}" for table, count in report.tables.items()]
    secrets = report.secrets
    return "\n".join(
        [
            *lines,
            f"{sum(report.tables.values()):>10,}  rows",
            f"Of {secrets.rows:,} credentials {secrets.refused} cannot be decrypted (on purpose); "
            f"{secrets.current:,} are the newest of their account, {secrets.older:,} are older.",
        ]
    )


def main() -> None:
    """Run the command line; what goes wrong is one line on standard error."""
    try:
        app()
    except (Failure, ServiceFailure, StoreError, NotEmpty, Pg2DynamoError) as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        typer.echo("Stopped.", err=True)
        sys.exit(130)
    except psycopg.Error as error:
        # Never its text: of a badly quoted connection string libpq repeats pieces, and they may be the password.
        state = f"SQLSTATE {error.sqlstate}" if error.sqlstate else "no answer"
        typer.echo(f"error: PostgreSQL, {type(error).__name__} ({state}): is DATABASE_URL right?", err=True)
        sys.exit(1)
