"""pg2dynamo init."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from pg2dynamo.cli.command import DONE, JsonOption, bounded, print_json
from pg2dynamo.errors import PlanError
from pg2dynamo.migration.init import infer_plan
from pg2dynamo.plan.load import resolve
from pg2dynamo.secret import Secret


def init(
    dsn: Annotated[
        str,
        typer.Option(
            "--dsn",
            help="The database: a libpq connection string, or env:NAME. Put passwords in ~/.pgpass or PGPASSWORD.",
        ),
    ] = "env:DATABASE_URL",
    as_json: JsonOption = False,
) -> None:
    """Infer a plan from the catalog and print it: tables, keys, indexes, and comments on what was not decided."""

    def work() -> int:
        text = infer_plan(_dsn(dsn))
        if as_json:
            print_json({"plan": text})
        else:
            sys.stdout.write(text)
        return DONE

    bounded(work, as_json=as_json)


def _dsn(reference: str) -> Secret[str]:
    dsn = resolve(reference, os.environ)
    if dsn is None:
        raise PlanError("There is no connection string.", remedy="Pass --dsn, or set DATABASE_URL.")
    return dsn
