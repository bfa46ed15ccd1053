"""What all commands share: options, the one place where errors become exit codes, results to standard output."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, NoReturn, Protocol, TypeVar

import orjson
import typer
from rich.console import Console
from rich.table import Table

from pg2dynamo.cli.progress import progress_for
from pg2dynamo.errors import Pg2DynamoError, PlanError
from pg2dynamo.migration.progress import Progress
from pg2dynamo.plan.load import PlanFile, load_plan_file
from pg2dynamo.plan.model import Plan
from pg2dynamo.plan.ways import Via

DONE, FAILED, USAGE, DIFFERENT = 0, 1, 2, 3

PlanOption = Annotated[Path, typer.Option("--plan", help="The plan file.", show_default=True)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object; narration goes to standard error.")]
ProcessesOption = Annotated[
    int | None, typer.Option("--processes", min=0, help="Worker processes; 0 works in this one.  [default: one a core]")
]
MaxDeletesOption = Annotated[
    int | None,
    typer.Option(
        "--max-deletes",
        min=0,
        help="Items or secrets one run may delete.  [default: 10 %, at least 100 items, 20 secrets]",
    ),
]
WriteUnitsOption = Annotated[
    int | None,
    typer.Option(
        "--write-units",
        min=1,
        help="Write units a second that all processes may use together.  [default: the plan's, else no limit]",
    ),
]
ViaOption = Annotated[
    Via,
    typer.Option(
        "--via",
        help="How new tables are filled: written in batches, imported by DynamoDB from S3, or the cheaper of the two.",
        show_default=True,
    ),
]
ExpectRefusedOption = Annotated[
    int, typer.Option("--expect-refused", min=0, help="Credentials known not to decrypt; more of them is a failure.")
]

DEFAULT_PLAN = Path("plan.yaml")


class Report(Protocol):
    """What every use case returns."""

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain values."""


R = TypeVar("R", bound=Report)


def run(
    call: Callable[[Plan, Progress], R],
    *,
    plan: Path,
    as_json: bool,
    show: Callable[[R, Console], None],
    exit_code: Callable[[R], int],
    located: Callable[[R, PlanFile], R] | None = None,
) -> NoReturn:
    """Load the plan, make the call, show its report, and exit; errors become a message and an exit code.

    `located` may add to the report where in the file what it speaks of stands.
    """

    def work() -> int:
        with progress_for(sys.stderr) as progress:
            file = load_plan_file(plan, os.environ)
            with file.located():
                report = call(file.plan, progress)
            report = located(report, file) if located else report
        if as_json:
            print_json(report.as_json())
        else:
            show(report, Console(highlight=False, soft_wrap=True))
        return exit_code(report)

    bounded(work, as_json=as_json)


def bounded(work: Callable[[], int], *, as_json: bool) -> NoReturn:
    """Do the work and exit with the code it returns, or with that of the error it raises."""
    try:
        code = work()
    except Pg2DynamoError as error:
        _tell(error, as_json)
        code = USAGE if isinstance(error, PlanError) else FAILED
    except KeyboardInterrupt:
        print("Stopped. Run the same command again to go on.", file=sys.stderr)  # noqa: T201
        code = FAILED
    raise typer.Exit(code)


def print_json(value: dict[str, Any]) -> None:
    """Print one JSON object on a line of standard output."""
    print(orjson.dumps(value).decode())  # noqa: T201


def policy_columns(tables: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the counts of what the plan's policies did that are not zero for all tables."""
    found = list(tables)
    return [name for name in ("accepted", "skipped", "nulled") if any(counts.get(name) for counts in found)]


def right_aligned(table: Table) -> Table:
    """Align all columns but the first to the right."""
    for column in table.columns[1:]:
        column.justify = "right"
    return table


def key_text(key: Mapping[str, str | None]) -> str:
    """Return a key as a person reads it: `name=value, …`."""
    return ", ".join(f"{name}={value}" for name, value in key.items())


def _tell(error: Pg2DynamoError, as_json: bool) -> None:
    print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201
    if as_json:
        kind, message, remedy = type(error).__name__, error.message, error.remedy
        print_json({"ok": False, "error": {"kind": kind, "message": message, "remedy": remedy}})
