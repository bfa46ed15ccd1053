"""Which items depend on a row of another table: by embeds of every level and by look-ups. Pure.

Only what the plan says in `embed` and `lookups` is known here, not what SQL of its own may read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pg2dynamo.mapping.joins import equal
from pg2dynamo.mapping.table import Attribute, Embedded, Link, TableMapping, TableName, quote_identifier


@dataclass(frozen=True, slots=True)
class Touch:
    """How a row of `source` reaches items: the values of its `columns` decide which.

    `sql` has a placeholder (`%s`, PostgreSQL's text of the value) for each of them, in order, and gives the columns of
    the mapping's source key for every row of its source whose item holds, or may hold, a row with these values. Of a
    row that changes, ask with the values before and with those after: the items of both, and no others, may differ. A
    NULL among the values reaches no item. The rows of levels between are taken as they are when it is asked.
    """

    source: TableName
    columns: tuple[str, ...]
    sql: str


def touches(mapping: TableMapping) -> tuple[Touch, ...]:
    """Return how rows of other tables reach the mapping's items; a table may be there several times, itself included.

    An item's own row is not among them. `source` is as the plan names it: a change in a partition is one of it.
    """
    found = [touch for attribute in mapping.read for touch in _of_attribute(mapping, attribute)]
    return tuple(dict.fromkeys(found))


def _of_attribute(mapping: TableMapping, attribute: Attribute) -> Iterator[Touch]:
    if attribute.lookup is not None:
        yield _touch(mapping, (), attribute.lookup.source, attribute.lookup.on)
    if attribute.embed is not None:
        yield from _of_embed(mapping, (), attribute.embed)


def _of_embed(mapping: TableMapping, around: tuple[Embedded, ...], embed: Embedded) -> Iterator[Touch]:
    yield _touch(mapping, around, embed.source, embed.on)
    for attribute in embed.attributes:
        if attribute.embed is not None:
            yield from _of_embed(mapping, (*around, embed), attribute.embed)


def _touch(mapping: TableMapping, around: Sequence[Embedded], source: TableName, on: Sequence[Link]) -> Touch:
    keys = ", ".join(f"{_alias(0)}.{quote_identifier(key.column)}" for key in mapping.source_key)
    joined = f"{'ONLY ' if mapping.kind == 'table' else ''}{mapping.source.quoted} AS {_alias(0)}"
    for level, embed in enumerate(around, start=1):
        conditions = " AND ".join(_joined(link, level) for link in embed.on)
        joined += f" JOIN {'ONLY ' if embed.only else ''}{embed.source.quoted} AS {_alias(level)} ON {conditions}"
    # Only by way of other rows can one come twice.
    start = f"SELECT {'DISTINCT ' if around else ''}{keys} FROM {joined} WHERE "  # noqa: S608
    given = " AND ".join(_given(link, len(around)) for link in on)
    return Touch(source, tuple(link.theirs for link in on), _escaped(start) + given)


def _alias(level: int) -> str:
    return f'"pg2dynamo {level}"'


def _joined(link: Link, level: int) -> str:
    return equal(link, _alias(level), f"{_alias(level - 1)}.{quote_identifier(link.ours)}")


def _given(link: Link, level: int) -> str:
    ours = f"{_alias(level)}.{quote_identifier(link.ours)}"
    return "%s" + _escaped(f"::{link.type.name} {link.type.equals or '='} {ours}")


def _escaped(sql: str) -> str:
    return sql.replace("%", "%%")
