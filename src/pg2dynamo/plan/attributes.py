"""The attributes that a source's columns become, by an entry's choices: which, named how, in which form. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from pg2dynamo.errors import PlanError
from pg2dynamo.mapping.table import Attribute, Unfit, quote_identifier
from pg2dynamo.mapping.types import ColumnType, Kind
from pg2dynamo.plan.schema import SourceColumn, SourceTable
from pg2dynamo.plan.table import AttributeRule, Chosen, TablePlan

TEXT = ColumnType(Kind.TEXT, "text", 25)
BOOLEAN = ColumnType(Kind.BOOLEAN, "boolean", 16)
WHOLE = ColumnType(Kind.INTEGER, "bigint", 20)
NUMBER = ColumnType(Kind.NUMERIC, "numeric", 1700)


@dataclass(frozen=True, slots=True)
class Policy:
    """What holds where an attribute says nothing of its own."""

    unfit: Unfit = "error"
    nulls: bool = False

    def within(self, unfit: Unfit | None, nulls: str | None) -> Policy:
        """Return the policy where these are said, if they are."""
        return Policy(unfit or self.unfit, self.nulls if nulls is None else nulls == "null")


def chosen_columns(label: str, plan: Chosen, table: SourceTable) -> tuple[SourceColumn, ...]:
    """Return the columns that become attributes, in the table's order. Raises PlanError for names it does not have."""
    known = {column.name for column in table.columns}
    listed = plan.columns if plan.columns is not None else plan.leave_out
    where = "columns" if plan.columns is not None else "leave_out"
    _require_known(label, where, listed, known)
    _require_known(label, "rename", plan.rename, known)
    if plan.columns is not None:
        return tuple(column for column in table.columns if column.name in plan.columns)
    return tuple(column for column in table.columns if column.name not in plan.leave_out)


def _require_known(label: str, where: str, names: Iterable[str], known: set[str]) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise PlanError(
            f"{label}: `{where}` names {', '.join(unknown)}, which the table does not have.",
            remedy="Correct it. Attributes that are computed under names of their own are not listed.",
        )


def column_attributes(
    label: str, plan: Chosen, table: SourceTable, computed: Mapping[str, ColumnType], policy: Policy
) -> list[Attribute]:
    """Return the attributes that columns become, those under rules included, in the table's order."""
    places = _places(label, plan, table)
    columns = chosen_columns(label, plan, table)
    _require_chosen(label, plan, table, {column.name for column in columns})
    result = []
    for column in columns:
        name, path = places.get(column.name, (plan.rename.get(column.name, column.name), ()))
        rule = plan.attributes.get(name)
        attribute = _of_column(label, name, column, rule, computed)
        result.append(under(replace(attribute, path=path), rule, policy))
    return result


def _require_chosen(label: str, plan: Chosen, table: SourceTable, chosen: set[str]) -> None:
    """Refuse a rule or a name for a column that does not become an attribute."""
    left = {c.name for c in table.columns} - chosen
    unused = sorted(name for name, rule in plan.attributes.items() if name in left and rule.template is None)
    if unused:
        how = "columns" if plan.columns is not None else "leave_out"
        raise PlanError(
            f"{label}: `attributes` computes {', '.join(unused)}, which `{how}` leaves out.",
            remedy="Let the column be an attribute, or remove the rule.",
        )
    renamed = sorted(name for name in plan.rename if name in left)
    if renamed:
        raise PlanError(f"{label}: `rename` names {', '.join(renamed)}, which is left out.", remedy="Say one of both.")


def _places(label: str, plan: Chosen, table: SourceTable) -> dict[str, tuple[str, tuple[str, str]]]:
    """Return name and path of each column that stands in a map."""
    if not isinstance(plan, TablePlan):
        return {}
    places: dict[str, tuple[str, tuple[str, str]]] = {}
    for outer, entries in plan.maps.items():
        _require_known(label, f"maps: {outer}", entries.values(), {column.name for column in table.columns})
        for entry, column in entries.items():
            if column in places or column in plan.rename:
                raise PlanError(f"{label}: {column} has two places: in `maps` and `rename`, or twice in `maps`.")
            places[column] = (f"{outer}.{entry}", (outer, entry))
    return places


def _of_column(
    label: str, name: str, column: SourceColumn, rule: AttributeRule | None, computed: Mapping[str, ColumnType]
) -> Attribute:
    if rule is None or (rule.sql is None and rule.template is None):
        column_type = as_text(column.type) if rule is not None and rule.as_ == "text" else column.type
        return Attribute(name, quote_identifier(column.name), column_type, column.name)
    if rule.template is not None:
        raise PlanError(
            f"{label}: the attribute {name} has a template, and is a column too.",
            remedy="Give one of the two another name, or leave the column out.",
        )
    restores = column.name if rule.back else None
    return Attribute(name, f"({rule.sql})", computed[name], None, restores, rule.back)


def computed_attributes(
    label: str, plan: Chosen, taken: Iterable[str], computed: Mapping[str, ColumnType], policy: Policy
) -> Iterator[Attribute]:
    """Yield the attributes that rules compute under names of their own."""
    known = set(taken)
    for name, rule in plan.attributes.items():
        if name in known or rule.template is not None:
            continue
        if rule.sql is None:
            raise PlanError(f"{label}: `attributes` speaks of {name}, which is neither column nor computed.")
        if rule.back:
            raise PlanError(f"{label}: attribute {name} has `back`, but the table has no column {name}.")
        yield under(Attribute(name, f"({rule.sql})", computed[name], None), rule, policy)


def as_text(column_type: ColumnType) -> ColumnType:
    """Return the type whose values are written as the text of PostgreSQL's output function."""
    return ColumnType(Kind.OUTPUT, column_type.name, column_type.oid, equals=column_type.equals)


def under(attribute: Attribute, rule: AttributeRule | None, policy: Policy) -> Attribute:
    """Return the attribute with the policy that holds for it."""
    mine = policy.within(rule.unfit, rule.nulls) if rule is not None else policy
    return replace(attribute, unfit=mine.unfit, nulls=mine.nulls)


def require_distinct(label: str, names: Iterable[str]) -> None:
    """Refuse two attributes of one name."""
    seen = set[str]()
    for name in names:
        if name in seen:
            raise PlanError(
                f"{label}: two attributes would have the name {name}.", remedy="Rename one, or leave a column out."
            )
        seen.add(name)
