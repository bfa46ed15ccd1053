"""Compile an entry of a plan against the catalog into a mapping, or say what does not fit."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from pg2dynamo.errors import PlanError, SourceChanged
from pg2dynamo.mapping.table import (
    Attribute,
    Derived,
    IndexMapping,
    SourceKeyColumn,
    TableMapping,
    TableName,
    Unfit,
    quote_identifier,
)
from pg2dynamo.mapping.templates import Placeholder, Template, fault, parse_template
from pg2dynamo.mapping.types import ColumnType, key_form
from pg2dynamo.plan.attributes import Policy, column_attributes, computed_attributes, require_distinct
from pg2dynamo.plan.embed import embedded_attributes
from pg2dynamo.plan.extras import constant_attributes, lookup_attributes, ttl_attributes
from pg2dynamo.plan.identity import identity_of, require_identity
from pg2dynamo.plan.schema import SourceTable, fingerprint
from pg2dynamo.plan.table import AttributeRule, Index, Key, TablePlan

Catalog = Mapping[TableName, SourceTable]
Computed = Mapping[tuple[str, ...], Mapping[str, ColumnType]]
"""The type of each attribute that has `sql`, by the embedded levels it stands in, as the server describes it."""


def compile_table(
    plan: TablePlan,
    table: SourceTable,
    computed: Mapping[str, ColumnType],
    *,
    policy: Policy | None = None,
    catalog: Catalog | None = None,
    embedded: Computed | None = None,
) -> TableMapping:
    """Return the mapping of one entry.

    `computed` gives the type of each attribute that the entry itself computes, `embedded` those of the rows it
    embeds, `catalog` the tables of embeds and lookups. Raises PlanError naming entry and attribute when a key or
    index names an attribute that is not there or cannot be a key, when what the entry says does not fit the table or
    itself, or when the table's rows cannot be told apart; SourceChanged when the table is not the one that the
    plan was made for.
    """
    label = label_of(plan)
    _require_unchanged(plan, table)
    policy = (policy or Policy()).within(plan.unfit, plan.nulls)
    attributes = _attributes(label, plan, table, computed, policy, catalog or {}, embedded or {})
    hidden, derived = _derived(label, plan, table, attributes, policy)
    attributes = _key_policies(label, plan, attributes, {name for d in derived for name in d.template.names})
    maps = dict.fromkeys(attribute.path[0] for attribute in attributes if attribute.path)
    require_distinct(label, [*(a.name for a in attributes), *maps, *(d.name for d in derived)])
    key_types = {name: _key_type(label, plan, table, attributes, derived, name) for name in _key_names(plan)}
    identity = identity_of(label, plan, table)
    require_identity(label, plan.key, table, identity, _key_columns(plan.key, attributes, hidden, derived))
    return TableMapping(
        source=table.name,
        target=plan.to,
        attributes=attributes,
        source_key=_source_key(table, identity.columns, (*attributes, *hidden)),
        hash=plan.key.hash,
        range=plan.key.range,
        indexes=tuple(IndexMapping(i.name, i.hash, i.range, i.local) for i in plan.indexes),
        key_types=tuple(sorted(key_types.items())),
        entry=plan.name if plan.named else None,
        hidden=hidden,
        derived=derived,
        where=plan.where,
        kind=table.kind,
        unproven=not identity.proven,
        unfit=policy.unfit,
        alone=_depends_on_its_row_alone(plan),
        ttl=plan.ttl.attribute if plan.ttl else None,
    )


def label_of(plan: TablePlan) -> str:
    """Return what a message calls the entry."""
    return f"{plan.name} (from {plan.from_})" if plan.named else plan.from_


def _require_unchanged(plan: TablePlan, table: SourceTable) -> None:
    if plan.schema_ is not None and plan.schema_ != fingerprint(table):
        raise SourceChanged(
            f"{label_of(plan)}: the columns of {table.name} are not those that the plan was made for.",
            remedy="Compare with the output of `pg2dynamo init`, correct the entry, and write its new `schema`.",
        )


def _attributes(
    label: str,
    plan: TablePlan,
    table: SourceTable,
    computed: Mapping[str, ColumnType],
    policy: Policy,
    catalog: Catalog,
    embedded: Computed,
) -> tuple[Attribute, ...]:
    columns = column_attributes(label, plan, table, computed, policy)
    taken = (*(a.name for a in columns), *_with_policies(plan))
    return (
        *columns,
        *constant_attributes(label, plan),
        *computed_attributes(label, plan, taken, computed, policy),
        *lookup_attributes(label, plan, table, catalog, policy),
        *ttl_attributes(label, plan, table),
        *embedded_attributes(label, plan, table, catalog, embedded, (), policy),
    )


def _with_policies(plan: TablePlan) -> Iterator[str]:
    """Yield the attributes from other tables that have a rule which does not compute them."""
    for name in (*(name for lookup in plan.lookups for name in lookup.attributes), *plan.embed):
        rule = plan.attributes.get(name)
        if rule is not None and rule.sql is None and rule.as_ is None:
            yield name


def _derived(
    label: str, plan: TablePlan, table: SourceTable, attributes: tuple[Attribute, ...], policy: Policy
) -> tuple[tuple[Attribute, ...], tuple[Derived, ...]]:
    """Return what is read for templates only, and the attributes that templates make."""
    known = {a.name: a for a in attributes if a.column is None} | {a.column: a for a in attributes if a.column}
    hidden: dict[str, Attribute] = {}
    derived = []
    for name, rule in plan.attributes.items():
        if rule.template is None:
            continue
        parts: list[str | Placeholder] = []
        for part in parse_template(rule.template):
            if isinstance(part, str):
                parts.append(part)
                continue
            read = known.get(part[0]) or hidden.get(part[0]) or _hidden(label, name, table, part[0], policy)
            if read.name not in {a.name for a in attributes}:
                hidden[part[0]] = read
            parts.append(Placeholder(read.name, read.type, part[1]))
        template = Template(tuple(parts))
        if why := fault(template):
            raise PlanError(f"{label}: the template of {name}: {why}.")
        derived.append(Derived(name, template, _template_policy(label, plan, name, rule, policy)))
    return tuple(hidden.values()), tuple(derived)


def _template_policy(label: str, plan: TablePlan, name: str, rule: AttributeRule, policy: Policy) -> Unfit:
    """Return what holds for a text of the template that cannot be a key; one that is of no key always fits."""
    refused = ("text", "null") if name in (plan.key.hash, plan.key.range) else ("text",)
    if rule.unfit in refused or rule.nulls == "null":
        what = f"`unfit: {rule.unfit}`" if rule.unfit in refused else "`nulls: null`"
        raise PlanError(f"{label}: {what} is not possible for {name}, which is a template.")
    unfit = policy.within(rule.unfit, None).unfit
    return "error" if unfit in refused else unfit


def _hidden(label: str, name: str, table: SourceTable, column: str, policy: Policy) -> Attribute:
    found = table.column(column)
    if found is None:
        raise PlanError(
            f"{label}: the template of {name} names {column}, which is no column and no computed attribute."
        )
    # No attribute has such a name: it is not to be met in an item.
    unfit = "error" if policy.unfit == "text" else policy.unfit
    return Attribute(f"pg2dynamo hidden {column}", quote_identifier(column), found.type, column, unfit=unfit)


def _key_names(plan: TablePlan) -> list[str]:
    used: list[Key | Index] = [plan.key, *plan.indexes]
    return list(dict.fromkeys(name for use in used for name in (use.hash, use.range) if name is not None))


def _key_policies(
    label: str, plan: TablePlan, attributes: tuple[Attribute, ...], in_templates: set[str]
) -> tuple[Attribute, ...]:
    """Return the attributes with the policies that keys can have: none is written as NULL or in another form."""
    keys, of_table = set(_key_names(plan)), {plan.key.hash, plan.key.range}
    result = []
    for attribute in attributes:
        rule = plan.attributes.get(attribute.name)
        if attribute.name in keys:
            refused = ("text", "null") if attribute.name in of_table else ("text",)
            if rule is not None and (rule.unfit in refused or rule.nulls == "null"):
                what = f"`unfit: {rule.unfit}`" if rule.unfit in refused else "`nulls: null`"
                raise PlanError(f"{label}: {what} is not possible for {attribute.name}, which is of a key.")
            unfit = "error" if attribute.unfit in refused else attribute.unfit
            attribute = replace(attribute, nulls=False, unfit=unfit)
        elif attribute.name in in_templates and attribute.unfit == "text":
            if rule is not None and rule.unfit == "text":
                raise PlanError(f"{label}: `unfit: text` is not possible for {attribute.name}, which is in a template.")
            attribute = replace(attribute, unfit="error")
        result.append(attribute)
    return tuple(result)


def _key_type(
    label: str,
    plan: TablePlan,
    table: SourceTable,
    attributes: tuple[Attribute, ...],
    derived: tuple[Derived, ...],
    name: str,
) -> str:
    if any(d.name == name for d in derived):
        return "S"
    attribute = next((a for a in attributes if a.name == name and not a.path), None)
    if attribute is None:
        raise _no_key(label, plan, table, name)
    form = key_form(attribute.type)
    if form is None:
        raise PlanError(
            f"{label}: {name} has type {attribute.type.name}, which cannot be a key in DynamoDB.",
            remedy="Compute it as text under `attributes`, or take another column.",
        )
    return form


def _no_key(label: str, plan: TablePlan, table: SourceTable, name: str) -> PlanError:
    if name in plan.rename:
        renamed = plan.rename[name]
        return PlanError(f"{label}: {name} is of a key, but its attribute is {renamed}.", remedy=f"Write {renamed}.")
    if table.column(name) is not None:
        how = "columns" if plan.columns is not None else "leave_out" if name in plan.leave_out else "maps"
        return PlanError(
            f"{label}: `{how}` leaves out {name}, which is of a key.",
            remedy=f"Add {name} to `columns`." if how == "columns" else f"Take {name} out of `{how}`.",
        )
    return PlanError(f"{label}: the key attribute {name} is no column and no computed attribute.")


def _key_columns(
    key: Key, attributes: tuple[Attribute, ...], hidden: tuple[Attribute, ...], derived: tuple[Derived, ...]
) -> set[str]:
    """Return the columns whose values the key tells."""
    columns = {a.name: a.column for a in (*attributes, *hidden)}
    templates = {d.name: d.template.names for d in derived}
    names = [part for name in (key.hash, key.range) if name for part in templates.get(name, (name,))]
    return {column for name in names if (column := columns.get(name)) is not None}


def _source_key(
    table: SourceTable, columns: tuple[str, ...], read: tuple[Attribute, ...]
) -> tuple[SourceKeyColumn, ...]:
    positions = {attribute.column: i for i, attribute in enumerate(read) if attribute.column}
    result = []
    for name in columns:
        column = table.column(name)
        if column is None:
            raise PlanError(f"{table.name}: the primary key names {name}, which is no column.")
        position = positions.setdefault(name, len(read) + sum(p >= len(read) for p in positions.values()))
        result.append(SourceKeyColumn(name, column.type, position))
    return tuple(result)


_SUBQUERY = re.compile(r"\bselect\b", re.IGNORECASE)


def _depends_on_its_row_alone(plan: TablePlan) -> bool:
    """Tell whether an item can only change when its own row does."""
    texts = [plan.where or "", *(rule.sql or "" for rule in plan.attributes.values())]
    return not plan.embed and not plan.lookups and not any(_SUBQUERY.search(text) for text in texts)
