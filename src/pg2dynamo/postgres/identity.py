"""Look whether columns tell rows apart where no unique index says so: a view, a materialized view, a foreign table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import psycopg

from pg2dynamo.errors import SourceUnsupported
from pg2dynamo.mapping.table import TableMapping, TableName, quote_identifier
from pg2dynamo.postgres.connect import translated

_REMEDY = "Name other columns in `identity`, or leave these rows out with `where`."


def require_identities(conn: psycopg.Connection, mappings: Iterable[TableMapping]) -> None:
    """Look at the identity of every mapping for which nothing proves it; errors as `require_identity`."""
    for mapping in mappings:
        if mapping.unproven:
            require_identity(conn, mapping.source, [key.column for key in mapping.source_key], mapping.where)


def require_identity(
    conn: psycopg.Connection, source: TableName, columns: Sequence[str], where: str | None = None
) -> None:
    """Raise SourceUnsupported, with counts, when `columns` hold NULL in a row or are equal in several.

    Reads the whole source once, as `conn` sees it: call it under the snapshot that is copied. Equal is what `=` of
    the columns' types calls equal, so that no two rows are taken for different that may become one item.
    """
    names = [quote_identifier(name) for name in columns]
    empty = " OR ".join(f"num_nulls({name}) > 0" for name in names)
    condition = f" WHERE ({where}\n)" if where is not None else ""
    rows = f"FROM {source.quoted} AS {quote_identifier(source.name)}{condition}"
    groups = f"SELECT {empty} AS empty, count(*) AS rows {rows} GROUP BY {', '.join(names)}"
    counts = (
        "coalesce(sum(rows) FILTER (WHERE empty), 0)::bigint, "
        "coalesce(sum(rows) FILTER (WHERE NOT empty AND rows > 1), 0)::bigint"
    )
    query = f"SELECT {counts} FROM ({groups}) AS groups"  # noqa: S608
    shown = f"{source}: the identity ({', '.join(columns)})"
    with translated(f"Looking whether rows of {source} can be told apart"):
        try:
            row = conn.execute(query.encode()).fetchone()
        except psycopg.errors.UndefinedFunction:
            raise SourceUnsupported(f"{shown} has a column of a type without equality.", remedy=_REMEDY) from None
    with_null, doubled = row or (0, 0)
    if with_null:
        raise SourceUnsupported(f"{shown} is NULL in {with_null:,} rows.", remedy=_REMEDY)
    if doubled:
        raise SourceUnsupported(f"{shown} is not unique: {doubled:,} rows share it with others.", remedy=_REMEDY)
