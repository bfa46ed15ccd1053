"""The command line: one file a command, each of which parses, calls one use case and shows its report."""

from __future__ import annotations

import signal
from importlib.metadata import version
from typing import Annotated

import typer

from pg2dynamo.cli.check import check
from pg2dynamo.cli.copy import copy
from pg2dynamo.cli.estimate import estimate
from pg2dynamo.cli.export import export
from pg2dynamo.cli.import_ import import_
from pg2dynamo.cli.init import init
from pg2dynamo.cli.plan import plan
from pg2dynamo.cli.prepare import prepare
from pg2dynamo.cli.repair import repair
from pg2dynamo.cli.status import status
from pg2dynamo.cli.verify import verify
from pg2dynamo.mapping.native import in_use

app = typer.Typer(
    name="pg2dynamo",
    help="Move a PostgreSQL database to DynamoDB, and its credentials to Secrets Manager, verified row by row.",
    epilog="Exit codes: 0 done, 1 failed, 2 usage or plan, 3 differences found.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def show_version(wanted: bool) -> None:
    """Print the version, and which encoder is used."""
    if wanted:
        typer.echo(f"pg2dynamo {version('pg2dynamo')}\nencoder: {in_use()}")
        raise typer.Exit


@app.callback()
def options(
    _: Annotated[
        bool,
        typer.Option(
            "--version", callback=show_version, is_eager=True, help="Show the version and which encoder is used."
        ),
    ] = False,
) -> None:
    """Take what stands before the command."""


app.command(epilog="Example: pg2dynamo init --dsn postgresql://reader@db.example/app > plan.yaml")(init)
app.command(epilog="Example: pg2dynamo check --plan plan.yaml")(check)
app.command(epilog="Example: pg2dynamo plan --plan plan.yaml --rows 1 --table public.accounts")(plan)
app.command(epilog="Example: pg2dynamo estimate --plan plan.yaml --json")(estimate)
app.command(epilog="Example: pg2dynamo prepare --plan plan.yaml --create-kms-key")(prepare)
app.command(epilog="Example: pg2dynamo copy --plan plan.yaml")(copy)
app.command(epilog="Example: pg2dynamo verify --plan plan.yaml --json")(verify)
app.command(epilog="Example: pg2dynamo repair --plan plan.yaml")(repair)
app.command(epilog="Example: pg2dynamo status --plan plan.yaml")(status)
app.command(epilog="Example: pg2dynamo export --plan plan.yaml --directory export")(export)
app.command("import", epilog="Example: pg2dynamo import --plan plan.yaml --directory export")(import_)


def main() -> None:
    """Run the command line; SIGTERM ends a command as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    app()
