"""Segments: block ranges of a table's leaves, the unit of copying, verifying and resuming."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

from pg2dynamo.errors import SourceChanged
from pg2dynamo.mapping.table import TableName
from pg2dynamo.postgres.connect import translated

BLOCKS_PER_SEGMENT = 1024
"""8 MB of heap with the usual block size: seconds of work, so that little is repeated after a kill."""

# The tree by the snapshot of the transaction: pg_partition_tree() would also give partitions attached since.
_LEAVES = """
WITH RECURSIVE tree(oid) AS (
  SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relname = %s
  UNION ALL
  SELECT i.inhrelid FROM tree t JOIN pg_class p ON p.oid = t.oid AND p.relkind = 'p'
    JOIN pg_inherits i ON i.inhparent = t.oid AND NOT i.inhdetachpending
)
SELECT n.nspname, c.relname, c.relkind IN ('v', 'f'), coalesce(pg_relation_filenode(c.oid)::bigint, 0),
       c.relfilenode::bigint, coalesce(pg_relation_size(c.oid, 'main'), 0) / current_setting('block_size')::bigint
  FROM tree t JOIN pg_class c ON c.oid = t.oid JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind <> 'p' ORDER BY 1, 2
"""


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """Blocks [number * blocks, (number + 1) * blocks) of one leaf table, whose storage is `filenode`.

    The same leaf, number and blocks name the same range in every run, for as long as the filenode is the same.
    A view or foreign table has no blocks: it is one segment of 0 blocks, and nothing tells which of its rows are new.
    """

    leaf: TableName
    number: int
    blocks: int
    filenode: int

    @property
    def whole(self) -> bool:
        """Whether the segment is all of something that has no blocks."""
        return self.blocks == 0

    @property
    def bounds(self) -> tuple[str, str]:
        """The first tid of the range and the first after it."""
        return f"({self.number * self.blocks},0)", f"({(self.number + 1) * self.blocks},0)"

    def __str__(self) -> str:
        return f"{self.leaf} segment {self.number}"


_AGAIN = "Run the command again."


def plan_segments(
    conn: psycopg.Connection, table: TableName, blocks_per_segment: int = BLOCKS_PER_SEGMENT
) -> list[Segment]:
    """Return the segments that together hold every row of `table` that the transaction's snapshot sees.

    A partitioned table has those of its leaves; an empty one has none; a view or foreign table is one. Call it with
    the snapshot adopted. Raises SourceChanged when the table is gone, or is a materialized view refreshed since the
    snapshot: no lock keeps it from that, and what it then holds no snapshot hides.
    """
    with translated(f"Planning the segments of {table}"):
        leaves = conn.execute(_LEAVES, [table.schema, table.name]).fetchall()
        gone = not leaves and conn.execute("SELECT to_regclass(%s) IS NULL", [table.quoted]).fetchone() == (True,)
    if gone:
        raise SourceChanged(f"The source has no table {table}.")
    segments = []
    for schema, name, whole, filenode, seen, blocks in leaves:
        leaf = TableName(schema, name)
        if whole:
            segments.append(Segment(leaf, 0, 0, filenode))
            continue
        if filenode != seen:
            raise SourceChanged(f"{leaf} was rewritten or refreshed since the snapshot.", remedy=_AGAIN)
        segments += [Segment(leaf, n, blocks_per_segment, filenode) for n in range(-(-blocks // blocks_per_segment))]
    return segments
