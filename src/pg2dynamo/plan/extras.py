"""The attributes that are no columns of the source's own: constants, look-ups and the time to live. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pg2dynamo.errors import PlanError, SourceChanged
from pg2dynamo.mapping.joins import equal
from pg2dynamo.mapping.table import Attribute, Link, LookedUp, TableName, quote_identifier
from pg2dynamo.mapping.types import ColumnType, Kind
from pg2dynamo.plan.attributes import BOOLEAN, NUMBER, TEXT, WHOLE, Policy, under
from pg2dynamo.plan.identity import unique_keys
from pg2dynamo.plan.schema import SourceTable
from pg2dynamo.plan.table import Lookup, TablePlan

_INSTANTS = (Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ)


def constant_attributes(label: str, plan: TablePlan) -> Iterator[Attribute]:
    """Yield the attributes that are the same in every item."""
    for name, value in plan.constants.items():
        if name in plan.attributes:
            raise PlanError(f"{label}: {name} is a constant and has a rule in `attributes`.", remedy="Say one of both.")
        sql, column_type = _constant(value)
        yield Attribute(name, sql, column_type, None)


def _constant(value: str | bool | int) -> tuple[str, ColumnType]:
    if isinstance(value, bool):
        return ("true" if value else "false"), BOOLEAN
    if isinstance(value, int):
        return f"({value})::numeric", NUMBER
    return "'" + value.replace("'", "''") + "'::text", TEXT


def lookup_attributes(
    label: str, plan: TablePlan, table: SourceTable, catalog: Mapping[TableName, SourceTable], policy: Policy
) -> Iterator[Attribute]:
    """Yield the attributes from rows that this row refers to. Raises PlanError unless there is at most one such row."""
    for number, lookup in enumerate(plan.lookups):
        other = catalog.get(lookup.source)
        if other is None:
            raise SourceChanged(f"{label}: the source has no table {lookup.source}.", remedy="Correct `lookups`.")
        looked_up = LookedUp(other.name, tuple(_links(label, lookup, table, other)))
        _require_one_row(label, lookup, other)
        for name, column in lookup.attributes.items():
            found = other.column(column)
            if found is None:
                raise PlanError(f"{label}: `lookups` names {column}, which {other.name} does not have.")
            sql = _lookup_sql(looked_up, table, other, column, f"pg2dynamo lookup {number}")
            yield under(Attribute(name, sql, found.type, None, lookup=looked_up), plan.attributes.get(name), policy)


def _links(label: str, lookup: Lookup, table: SourceTable, other: SourceTable) -> Iterator[Link]:
    for theirs, ours in lookup.on.items():
        found = other.column(theirs)
        if found is None or table.column(ours) is None:
            where, name = (other.name, theirs) if found is None else (table.name, ours)
            raise PlanError(f"{label}: `on` of a lookup names {name}, which {where} does not have.")
        yield Link(theirs, ours, found.type)


def _require_one_row(label: str, lookup: Lookup, other: SourceTable) -> None:
    if not any(set(key) <= set(lookup.on) for key in unique_keys(other)):
        raise PlanError(
            f"{label}: several rows of {other.name} could belong to one row, by {', '.join(lookup.on)}.",
            remedy="Look up by a unique key whose columns are NOT NULL, or embed the rows.",
        )


def _lookup_sql(lookup: LookedUp, table: SourceTable, other: SourceTable, column: str, alias: str) -> str:
    there, here = quote_identifier(alias), quote_identifier(table.name.name)
    on = " AND ".join(equal(link, there, f"{here}.{quote_identifier(link.ours)}") for link in lookup.on)
    only = "ONLY " if other.kind == "table" else ""
    return f"(SELECT {there}.{quote_identifier(column)} FROM {only}{other.name.quoted} AS {there} WHERE {on})"  # noqa: S608


def ttl_attributes(label: str, plan: TablePlan, table: SourceTable) -> Iterator[Attribute]:
    """Yield the attribute that tells when an item may go: whole seconds since 1970, absent for infinity."""
    if plan.ttl is None:
        return
    column = table.column(plan.ttl.from_)
    if column is None or column.type.kind not in _INSTANTS:
        raise PlanError(f"{label}: `ttl` needs a date or timestamp; {plan.ttl.from_} is none of the table's.")
    name = quote_identifier(column.name)
    sql = f"(CASE WHEN isfinite({name}) THEN floor(extract(epoch FROM {name}))::bigint END)"
    yield Attribute(plan.ttl.attribute, sql, WHOLE, None)
