"""By which columns the rows of a source are told apart, and whether the catalog proves that they are. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from pg2dynamo.errors import PlanError
from pg2dynamo.plan.schema import SourceTable
from pg2dynamo.plan.table import Key, TablePlan

UNPROVABLE_KINDS = ("view", "materialized view", "foreign")
"""Sources without unique indexes that could be relied upon: the rows themselves are looked at before a copy."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The columns that tell rows apart; `proven` when a unique index over NOT NULL columns says that they do."""

    columns: tuple[str, ...]
    proven: bool


def identity_of(label: str, plan: TablePlan, table: SourceTable) -> Identity:
    """Return the entry's identity: what it says, else the primary key, else the one unique index that serves.

    Raises PlanError when there is none, when several would serve, and when what the entry says is not unique.
    """
    unique = unique_keys(table)
    if plan.identity is not None:
        return _said(label, plan.identity, table, unique)
    if table.primary_key:
        return Identity(table.primary_key, proven=True)
    if not unique:
        raise PlanError(f"{label} {_why_none(table)}, so its rows cannot be told apart.", remedy=_remedy(table))
    chosen = _covered_by_key(plan, unique) or unique[0]
    return Identity(chosen, proven=True)


def _covered_by_key(plan: TablePlan, unique: list[tuple[str, ...]]) -> tuple[str, ...] | None:
    """Prefer the unique index that the item's key is made of."""
    names = {plan.key.hash, plan.key.range}
    return next((columns for columns in unique if set(columns) <= names), None)


def _said(label: str, columns: tuple[str, ...], table: SourceTable, unique: list[tuple[str, ...]]) -> Identity:
    unknown = [name for name in columns if table.column(name) is None]
    if unknown:
        raise PlanError(f"{label}: `identity` names {', '.join(unknown)}, which the table does not have.")
    if any(set(key) <= set(columns) for key in unique):
        return Identity(columns, proven=True)
    if table.kind in UNPROVABLE_KINDS:
        return Identity(columns, proven=False)
    raise PlanError(
        f"{label}: no unique index over NOT NULL columns says that `identity` ({', '.join(columns)}) is unique.",
        remedy="Add one, or name the columns of one.",
    )


def unique_keys(table: SourceTable) -> list[tuple[str, ...]]:
    """Return the columns of the primary key and of each whole unique index over NOT NULL columns, fewest first."""
    not_null = {column.name for column in table.columns if column.not_null}
    found = [tuple(table.primary_key)] if table.primary_key else []
    for index in table.indexes:
        names = tuple(name for name in index.columns if name is not None)
        whole = index.unique and index.predicate is None and len(names) == len(index.columns)
        if whole and names and set(names) <= not_null and names not in found:
            found.append(names)
    first, others = found[: 1 if table.primary_key else 0], found[1 if table.primary_key else 0 :]
    return first + sorted(others, key=lambda names: (len(names), names))


def require_identity(label: str, key: Key, table: SourceTable, identity: Identity, key_columns: set[str]) -> None:
    """Refuse a key under which two rows could become one item."""
    if any(set(unique) <= key_columns for unique in [identity.columns, *unique_keys(table)]):
        return
    shown = key.hash if key.range is None else f"{key.hash}, {key.range}"
    what = "primary key" if identity.columns == table.primary_key else "identity"
    raise PlanError(
        f"{label}: the key {shown} is not unique in the source, so rows would overwrite one another.",
        remedy=f"Use the {what} ({', '.join(identity.columns)}).",
    )


def _why_none(table: SourceTable) -> str:
    if table.kind in UNPROVABLE_KINDS:
        return f"is a {table.kind}"
    candidates = [index for index in table.indexes if index.unique]
    if not candidates:
        return "has no primary key and no unique index"
    return "has no primary key, and its unique indexes are partial, over expressions or over columns that may be NULL"


def _remedy(table: SourceTable) -> str:
    if table.kind in UNPROVABLE_KINDS:
        return "Name the columns that tell them apart in `identity`; the copy looks whether they do."
    nullable = [
        index for index in table.indexes if index.unique and index.predicate is None and None not in index.columns
    ]
    if nullable:
        names = ", ".join(str(name) for name in nullable[0].columns)
        return f"Add a primary key, or NOT NULL to the columns of the unique index {nullable[0].name} ({names})."
    return "Add a primary key."
