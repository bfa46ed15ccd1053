"""The rows of other tables that an item holds: an entry's `embed`, compiled. Pure.

The SQL of such an attribute gives a text array of rows by columns, which `mapping.embedding` reads; verification
reads the same rows as records, see `postgres.embedded_rows`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from pg2dynamo.errors import PlanError, SourceChanged
from pg2dynamo.mapping.joins import column, embedded_rows
from pg2dynamo.mapping.limits import attribute_name_fault
from pg2dynamo.mapping.table import Attribute, Embedded, Link, TableName, quote_identifier
from pg2dynamo.mapping.types import ColumnType, Kind
from pg2dynamo.plan.attributes import Policy, column_attributes, computed_attributes, require_distinct, under
from pg2dynamo.plan.identity import unique_keys
from pg2dynamo.plan.schema import SourceColumn, SourceTable
from pg2dynamo.plan.table import AttributeRule, Chosen, Embed

ROWS = ColumnType(Kind.EMBEDDED, "text[]", 1009)
"""What the SQL of an embed gives."""

_COLLATABLE = (25, 1042, 1043)  # text, char(n), varchar: in another server's collation they could stand otherwise


def embedded_attributes(
    label: str,
    plan: Chosen,
    table: SourceTable,
    catalog: Mapping[TableName, SourceTable],
    computed: Mapping[tuple[str, ...], Mapping[str, ColumnType]],
    path: tuple[str, ...],
    policy: Policy | None = None,
) -> Iterator[Attribute]:
    """Yield the attributes that hold embedded rows, those of the levels within included.

    `path` are the embeds around, from the outermost in. Raises PlanError when an embed does not fit its table, and
    SourceChanged when that is not there.
    """
    for name, embed in plan.embed.items():
        inner = (*path, name)
        where = f"{label}: embed {'.'.join(inner)}"
        other = catalog.get(embed.source)
        if other is None:
            raise SourceChanged(f"{where}: the source has no table {embed.source}.", remedy="Correct its `from`.")
        attributes = (
            *_own_attributes(where, embed, other, computed.get(inner, {})),
            *embedded_attributes(label, embed, other, catalog, computed, inner),
        )
        found = Embedded(
            source=other.name,
            on=tuple(_links(where, embed, table, other)),
            attributes=_fitting(where, attributes),
            order=_order(where, embed, other),
            one=embed.one,
            at_most=embed.at_most,
            where=embed.where,
            only=other.kind == "table",
        )
        attribute = Attribute(name, _sql(found, table.name), ROWS, None, embed=found)
        yield _under(where, attribute, plan.attributes.get(name), policy)


def _under(where: str, attribute: Attribute, rule: AttributeRule | None, policy: Policy | None) -> Attribute:
    """Return the attribute with what its own rule says of rows that cannot be embedded, else the entry's policy."""
    if rule is None:
        mine = policy or Policy()
        return replace(attribute, unfit="error" if mine.unfit in ("text", "null") else mine.unfit)
    if policy is None or rule.unfit in (None, "text", "null") or rule.nulls is not None:
        raise PlanError(
            f"{where}: its rule in `attributes` cannot be that.",
            remedy="Embedded rows of the first level can have `unfit: error`, `quarantine` or `skip`.",
        )
    return replace(under(attribute, rule, policy), nulls=False)


def _own_attributes(
    where: str, embed: Embed, other: SourceTable, computed: Mapping[str, ColumnType]
) -> Iterator[Attribute]:
    for name, rule in embed.attributes.items():
        _require_possible(where, name, rule)
    columns = column_attributes(where, embed, other, computed, Policy())
    yield from columns
    yield from computed_attributes(where, embed, [*(a.name for a in columns), *embed.embed], computed, Policy())


def _require_possible(where: str, name: str, rule: AttributeRule) -> None:
    said = [
        word
        for word, there in (
            ("template", rule.template is not None),
            ("back", rule.back is not None),
            (f"unfit: {rule.unfit}", rule.unfit not in (None, "error")),
            ("nulls: null", rule.nulls == "null"),
        )
        if there
    ]
    if said:
        raise PlanError(
            f"{where}: {name}: `{said[0]}` is not possible inside an embed.",
            remedy="There, an attribute is a column, `as: text` or `sql`; what cannot be written keeps the item back.",
        )


def _fitting(where: str, attributes: tuple[Attribute, ...]) -> tuple[Attribute, ...]:
    if not attributes:
        raise PlanError(f"{where} has no attribute.", remedy="Let at least one column of its table be one.")
    require_distinct(where, (attribute.name for attribute in attributes))
    for attribute in attributes:
        if fault := attribute_name_fault(attribute.name):
            raise PlanError(f"{where}: {fault}.", remedy="Give it another name.")
    return attributes


def _links(where: str, embed: Embed, table: SourceTable, other: SourceTable) -> Iterator[Link]:
    for theirs, ours in embed.on.items():
        [found] = _columns(f"{where}: `on`", [theirs], other)
        _columns(f"{where}: `on`", [ours], table)
        yield Link(theirs, ours, found.type)


def _columns(where: str, names: Iterable[str], table: SourceTable) -> list[SourceColumn]:
    result = []
    for name in names:
        found = table.column(name)
        if found is None:
            raise PlanError(f"{where} names {name}, which {table.name} does not have.", remedy="Correct it.")
        result.append(found)
    return result


def _order(where: str, embed: Embed, other: SourceTable) -> tuple[str, ...]:
    """Return by what the rows are ordered: what is said, then what tells rows apart, else all that they hold."""
    said = _columns(f"{where}: `order_by`", embed.order_by, other)
    unique = unique_keys(other)
    if unique:
        apart = [_sorted_by(found) for found in _columns(where, unique[0], other)]
    else:
        apart = [_text_order(found) for found in other.columns if not found.generated]
    return tuple(dict.fromkeys([*(_sorted_by(found) for found in said), *apart]))


def _sorted_by(found: SourceColumn) -> str:
    """Return SQL that sorts as the type does; text by its bytes, so that every server has the same order."""
    if found.type.equals is None:
        return _text_order(found)
    name = quote_identifier(found.name)
    return f'{name} COLLATE "C"' if found.type.oid in _COLLATABLE else name


def _text_order(found: SourceColumn) -> str:
    return f'({_text(quote_identifier(found.name))}) COLLATE "C"'


def _text(sql: str) -> str:
    # The text of the output function; format() of NULL is '', which another row may hold.
    return f"CASE WHEN num_nulls({sql}) = 0 THEN format('%s', {sql}) END"


def _sql(embed: Embedded, outer: TableName) -> str:
    cells = ", ".join(_cell(attribute, column(number)) for number, attribute in enumerate(embed.attributes))
    sorts = [column(number) for number in range(len(embed.attributes), len(embed.attributes) + len(embed.order))]
    rows = embedded_rows(embed, outer, [*(a.sql for a in embed.attributes), *embed.order])
    found = f"ARRAY(SELECT ARRAY[{cells}] FROM {rows} ORDER BY {', '.join(sorts)})"  # noqa: S608
    # An empty list says that there are none; without a row there is no map.
    return f"nullif({found}, '{{}}')" if embed.one else found


def _cell(attribute: Attribute, sql: str) -> str:
    if attribute.embed is None:
        return _text(sql)
    # base64 has no character that an array around it would escape; encode() breaks its lines.
    return f"translate(encode(convert_to({sql}::text, 'UTF8'), 'base64'), E'\\n', '')"
