"""Compile a table's plan against the catalog into a mapping, or say what does not fit."""

from __future__ import annotations

from collections.abc import Mapping

from pg2dynamo.errors import PlanError
from pg2dynamo.mapping.table import Attribute, IndexMapping, SourceKeyColumn, TableMapping, quote_identifier
from pg2dynamo.mapping.types import ColumnType, key_form
from pg2dynamo.plan.model import Index, Key, TablePlan
from pg2dynamo.plan.schema import SourceColumn, SourceTable


def compile_table(plan: TablePlan, table: SourceTable, computed: Mapping[str, ColumnType]) -> TableMapping:
    """Return the mapping of one table.

    `computed` gives the type of each attribute of `plan.attributes`, as the server describes its SQL. Raises
    PlanError naming table and attribute when a key or index names an attribute that is not there or cannot
    be a key, when `columns` and the rest of the plan do not fit, or when the table has no primary key.
    """
    if not table.primary_key:
        raise PlanError(f"{table.name} has no primary key, so its rows cannot be told apart.", remedy="Add one.")
    attributes = _attributes(plan, table, computed)
    by_name = {attribute.name: attribute for attribute in attributes}
    used: list[Key | Index] = [plan.key, *plan.indexes]
    key_types = {n: _key_type(plan, table, by_name, n) for use in used for n in (use.hash, use.range) if n is not None}
    _require_identity(plan, table, by_name)
    return TableMapping(
        source=table.name,
        target=plan.to,
        attributes=attributes,
        source_key=_source_key(table, attributes),
        hash=plan.key.hash,
        range=plan.key.range,
        indexes=tuple(_index(index) for index in plan.indexes),
        key_types=tuple(sorted(key_types.items())),
        entry=plan.name if plan.named else None,
    )


def _label(plan: TablePlan) -> str:
    """Return what a message calls the entry."""
    return f"{plan.name} (from {plan.from_})" if plan.named else plan.from_


def _chosen_columns(plan: TablePlan, table: SourceTable) -> tuple[SourceColumn, ...]:
    """Return the columns that become attributes, in the table's order."""
    if plan.columns is None:
        return table.columns
    known = {column.name for column in table.columns}
    unknown = [name for name in plan.columns if name not in known]
    if unknown:
        raise PlanError(
            f"{_label(plan)}: `columns` names {', '.join(unknown)}, which the table does not have.",
            remedy="Correct it. Attributes that are computed under names of their own are not listed.",
        )
    unused = [name for name in plan.attributes if name in known and name not in plan.columns]
    if unused:
        raise PlanError(
            f"{_label(plan)}: `attributes` computes {', '.join(unused)}, which `columns` leaves out.",
            remedy="Add it to `columns`, or remove the rule.",
        )
    return tuple(column for column in table.columns if column.name in plan.columns)


def _index(index: Index) -> IndexMapping:
    return IndexMapping(index.name, index.hash, index.range)


def _attributes(plan: TablePlan, table: SourceTable, computed: Mapping[str, ColumnType]) -> tuple[Attribute, ...]:
    result = []
    for column in _chosen_columns(plan, table):
        rule = plan.attributes.get(column.name)
        if rule is None:
            result.append(Attribute(column.name, quote_identifier(column.name), column.type, column.name))
        else:
            restores = column.name if rule.back else None
            result.append(Attribute(column.name, f"({rule.sql})", computed[column.name], None, restores, rule.back))
    names = {column.name for column in table.columns}
    for name, rule in plan.attributes.items():
        if name in names:
            continue
        if rule.back:
            raise PlanError(f"{_label(plan)}: attribute {name} has `back`, but the table has no column {name}.")
        result.append(Attribute(name, f"({rule.sql})", computed[name], None))
    return tuple(result)


def _key_type(plan: TablePlan, table: SourceTable, by_name: Mapping[str, Attribute], name: str) -> str:
    attribute = by_name.get(name)
    if attribute is None and table.column(name) is not None:
        raise PlanError(
            f"{_label(plan)}: `columns` leaves out {name}, which is of a key.", remedy=f"Add {name} to `columns`."
        )
    if attribute is None:
        raise PlanError(f"{_label(plan)}: the key attribute {name} is no column and no computed attribute.")
    form = key_form(attribute.type)
    if form is None:
        raise PlanError(
            f"{_label(plan)}: {name} has type {attribute.type.name}, which cannot be a key in DynamoDB.",
            remedy="Compute it as text under `attributes`, or take another column.",
        )
    return form


def _require_identity(plan: TablePlan, table: SourceTable, by_name: Mapping[str, Attribute]) -> None:
    """Refuse a key under which two rows could become one item."""
    names = {n for n in (plan.key.hash, plan.key.range) if n}
    columns = {by_name[n].column for n in names}
    if any(unique and set(unique) <= columns for unique in _unique_keys(table)):
        return
    raise PlanError(
        f"{_label(plan)}: the key {_show(plan.key)} is not unique in the source, so rows would overwrite one another.",
        remedy=f"Use the primary key ({', '.join(table.primary_key)}).",
    )


def _unique_keys(table: SourceTable) -> list[tuple[str | None, ...]]:
    not_null = {column.name for column in table.columns if column.not_null}
    indexes = [i.columns for i in table.indexes if i.unique and i.predicate is None and set(i.columns) <= not_null]
    return [tuple(table.primary_key), *indexes]


def _show(key: Key) -> str:
    return key.hash if key.range is None else f"{key.hash}, {key.range}"


def _source_key(table: SourceTable, attributes: tuple[Attribute, ...]) -> tuple[SourceKeyColumn, ...]:
    positions = {attribute.column: i for i, attribute in enumerate(attributes) if attribute.column}
    result = []
    for name in table.primary_key:
        column = table.column(name)
        if column is None:
            raise PlanError(f"{table.name}: the primary key names {name}, which is no column.")
        position = positions.setdefault(name, len(attributes) + sum(p >= len(attributes) for p in positions.values()))
        result.append(SourceKeyColumn(name, column.type, position))
    return tuple(result)
