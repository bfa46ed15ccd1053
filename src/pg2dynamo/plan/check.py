"""What can be said of a plan from the catalog alone, and which values of rows to count before a copy. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

from pg2dynamo.plan.schema import SourceTable
from pg2dynamo.plan.table import TablePlan


class Level(StrEnum):
    """How a line of the checklist ends: only `failed` keeps a copy from starting."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One line of the checklist: what was looked at, what was found, and what to do (may be empty)."""

    level: Level
    subject: str
    message: str
    remedy: str = ""

    def as_json(self) -> dict[str, str]:
        """Return the line as a JSON object."""
        return asdict(self)


def ok(subject: str, message: str) -> CheckLine:
    """Return a line that asks for nothing."""
    return CheckLine(Level.OK, subject, message)


def warning(subject: str, message: str, remedy: str = "") -> CheckLine:
    """Return a line that a person should read before the copy."""
    return CheckLine(Level.WARNING, subject, message, remedy)


def failed(subject: str, message: str, remedy: str = "") -> CheckLine:
    """Return a line that keeps the copy from succeeding."""
    return CheckLine(Level.FAILED, subject, message, remedy)


def check_table(plans: Sequence[TablePlan], table: SourceTable) -> list[CheckLine]:
    """Return what the catalog says against copying the table as its entries plan it; empty when nothing."""
    subject = f"table {table.name}"
    lines = []
    if table.row_security:
        lines.append(
            failed(
                subject,
                "row-level security would hide rows from this role",
                "Give the role BYPASSRLS, or use the table's owner.",
            )
        )
    if table.inherited:
        lines.append(warning(subject, "other tables inherit from it; their rows are not copied with it"))
    return lines + _restoration(plans, table)


def _restoration(plans: Sequence[TablePlan], table: SourceTable) -> list[CheckLine]:
    """Name the columns that the items cannot give back; none when one entry gives back all of them."""
    found = [[*_without_back(plan, table), *_left_out(plan, table)] for plan in plans]
    return [line for lines in found for line in lines] if all(found) else []


def _without_back(plan: TablePlan, table: SourceTable) -> Iterator[CheckLine]:
    columns = {column.name for column in table.columns}
    lost = sorted(name for name, rule in plan.attributes.items() if name in columns and rule.back is None)
    if lost:
        message = f"{', '.join(lost)} cannot be restored: computed without `back`"
        yield warning(f"table {plan.name}", message, "Say in `back` how the column follows from the attributes.")


def _left_out(plan: TablePlan, table: SourceTable) -> Iterator[CheckLine]:
    kept = plan.columns
    lost = [c.name for c in table.columns if kept is not None and c.name not in kept and not c.generated]
    if lost:
        message = f"{', '.join(lost)} cannot be restored: left out by `columns`"
        yield warning(f"table {plan.name}", message, "Add an entry of this table with all columns, unless they may go.")
