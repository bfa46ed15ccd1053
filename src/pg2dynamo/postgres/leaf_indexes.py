"""Uniqueness that a partitioned table has through its leaves only: no index of its own says so.

Equal values of the partition columns of all levels lead to the same leaf. So when every leaf has a unique index over
the same columns, those and the partition columns together are unique in the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

from pg2dynamo.plan.schema import SourceIndex

NAME = "<leaves>"

_TREE = """
WITH RECURSIVE tree(root, oid) AS (
  SELECT o, o FROM unnest(%s::oid[]) AS o
  UNION ALL
  SELECT t.root, i.inhrelid FROM tree t JOIN pg_class p ON p.oid = t.oid AND p.relkind = 'p'
    JOIN pg_inherits i ON i.inhparent = t.oid AND NOT i.inhdetachpending
)
"""

# NULL stands for an expression.
_PARTITIONED_BY = """
SELECT t.root, array_agg(DISTINCT a.attname::text ORDER BY a.attname::text)
  FROM tree t JOIN pg_partitioned_table p ON p.partrelid = t.oid CROSS JOIN unnest(p.partattrs::int2[]) AS k(attnum)
  LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum AND k.attnum <> 0
 GROUP BY t.root
"""

NOT_NULL = """(a.attnotnull AND NOT EXISTS (
         SELECT FROM pg_constraint n WHERE n.conrelid = a.attrelid AND n.contype = 'n' AND NOT n.convalidated
            AND n.conkey = ARRAY[a.attnum]))"""
"""SQL: whether a column of pg_attribute AS a holds no NULL, in old rows neither (NOT VALID came with PostgreSQL 18)."""

# A leaf without such an index, or that is no table of this server, has NULL.
_UNIQUE = f"""
SELECT t.root, t.oid, u.columns, u.deferrable
  FROM tree t JOIN pg_class c ON c.oid = t.oid AND c.relkind <> 'p'
  LEFT JOIN LATERAL (
    SELECT array_agg(a.attname::text ORDER BY a.attname::text) AS columns, NOT i.indimmediate AS deferrable
      FROM pg_index i CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, n)
      LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum AND k.attnum > 0
     WHERE i.indrelid = c.oid AND c.relkind = 'r' AND i.indisunique AND i.indisvalid AND i.indisready AND i.indislive
       AND i.indpred IS NULL AND k.n <= i.indnkeyatts
     GROUP BY i.indexrelid, i.indimmediate HAVING bool_and(a.attnum IS NOT NULL AND {NOT_NULL})
  ) AS u ON true
"""  # noqa: S608


def leaf_uniqueness(conn: psycopg.Connection, partitioned: Sequence[int]) -> dict[int, SourceIndex]:
    """Return what their leaves make unique, in the fewest columns, for those of the partitioned tables that have it.

    By oid; nothing for a table without leaves, or with a partition key that holds an expression.
    """
    if not partitioned:
        return {}
    keys: dict[int, list[str | None]] = dict(
        conn.execute((_TREE + _PARTITIONED_BY).encode(), [list(partitioned)]).fetchall()
    )
    leaves: dict[int, dict[int, dict[tuple[str, ...], bool]]] = {}
    for root, leaf, columns, deferrable in conn.execute((_TREE + _UNIQUE).encode(), [list(partitioned)]):
        unique = leaves.setdefault(root, {}).setdefault(leaf, {})
        if columns is not None:
            unique[tuple(columns)] = deferrable
    found = {root: _index(keys[root], list(of_root.values())) for root, of_root in leaves.items()}
    return {root: index for root, index in found.items() if index is not None}


def _index(keys: list[str | None], leaves: list[dict[tuple[str, ...], Any]]) -> SourceIndex | None:
    common = set(leaves[0]).intersection(*leaves[1:])
    if not common or None in keys:
        return None
    columns = min(common, key=lambda names: (len(names), names))
    partition = [name for name in keys if name is not None and name not in columns]
    deferrable = any(leaf[columns] for leaf in leaves)
    return SourceIndex(NAME, (*columns, *partition), unique=True, primary=False, deferrable=deferrable)
