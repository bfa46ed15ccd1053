"""The entries of a plan that a command was asked for."""

from __future__ import annotations

from collections.abc import Sequence

from pg2dynamo.errors import PlanError
from pg2dynamo.plan.model import Plan
from pg2dynamo.plan.table import TablePlan, parse_table_name


def chosen_entries(plan: Plan, names: Sequence[str]) -> set[str]:
    """Return the names of the entries that are called so, by their own name or by that of their source.

    Raises PlanError for a name that is none's.
    """
    unknown = [name for name in names if not any(_is_called(table, name) for table in plan.tables)]
    if unknown:
        known = ", ".join(table.name for table in plan.tables)
        raise PlanError(f"The plan has no table {', '.join(unknown)}.", remedy=f"It has: {known}.")
    return {table.name for table in plan.tables if any(_is_called(table, name) for name in names)}


def _is_called(table: TablePlan, name: str) -> bool:
    try:
        return name == table.name or parse_table_name(name) == table.source
    except ValueError:
        return False
