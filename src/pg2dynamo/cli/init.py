"""pg2dynamo init."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pg2dynamo.cli.command import DONE, JsonOption, bounded, print_json
from pg2dynamo.errors import PlanError
from pg2dynamo.migration.init import InitOptions, infer_plan
from pg2dynamo.plan.infer import Design
from pg2dynamo.plan.load import resolve
from pg2dynamo.secret import Secret


class Designs(StrEnum):
    """The designs of the target that `init` can propose."""

    TABLES = "tables"
    SINGLE_TABLE = "single-table"


SchemaOption = Annotated[list[str] | None, typer.Option("--schema", help="Only this schema; may be repeated.")]
TableOption = Annotated[
    list[str] | None, typer.Option("--table", help="Only this table (schema.table), or partition; may be repeated.")
]
DesignOption = Annotated[
    Designs, typer.Option("--design", help="A DynamoDB table for each table, or one table for all.")
]
OutputOption = Annotated[
    Path | None, typer.Option("--output", help="Write the plan to this file.  [default: standard output]")
]


def init(
    dsn: Annotated[
        str,
        typer.Option(
            "--dsn",
            help="The database: a libpq connection string, or env:NAME. Put passwords in ~/.pgpass or PGPASSWORD.",
        ),
    ] = "env:DATABASE_URL",
    schema: SchemaOption = None,
    table: TableOption = None,
    design: DesignOption = Designs.TABLES,
    output: OutputOption = None,
    force: Annotated[bool, typer.Option("--force", help="Write over the file of --output.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Infer a plan from catalog and statistics: tables, keys, indexes, with reasons; comments on what was not decided.

    No row is read.
    """
    chosen: Design = "tables" if design is Designs.TABLES else "single-table"
    options = InitOptions(tuple(schema or ()), tuple(table or ()), chosen)

    def work() -> int:
        if output is not None and not force:
            _require_absent(output)
        text = infer_plan(_dsn(dsn), options)
        if output is not None:
            _write(output, text, over=force)
        if as_json:
            print_json({"plan": text} if output is None else {"plan": text, "output": str(output)})
        elif output is None:
            sys.stdout.write(text)
        else:
            print(f"Wrote {output}. Read it through, then run `pg2dynamo check --plan {output}`.", file=sys.stderr)  # noqa: T201
        return DONE

    bounded(work, as_json=as_json)


def _require_absent(path: Path) -> None:
    if path.exists():
        raise _exists(path)


def _exists(path: Path) -> PlanError:
    return PlanError(f"{path} exists, and was not written.", remedy="Name another file, or pass --force.")


def _write(path: Path, text: str, *, over: bool) -> None:
    try:
        with path.open("w" if over else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise _exists(path) from None
    except OSError as error:
        raise PlanError(f"{path} cannot be written: {error.strerror}.", remedy="Name another file.") from None


def _dsn(reference: str) -> Secret[str]:
    dsn = resolve(reference, os.environ)
    if dsn is None:
        raise PlanError("There is no connection string.", remedy="Pass --dsn, or set DATABASE_URL.")
    return dsn
