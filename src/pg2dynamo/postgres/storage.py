"""Where a segment's rows are stored, as far as reading must know: whether they moved, and whether cells may be huge."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from pg2dynamo.errors import SourceChanged
from pg2dynamo.postgres.connect import translated
from pg2dynamo.postgres.segments import Segment

# The size is that of the storage as it is: it holds whatever the snapshot sees, and may hold more.
_STORAGE = """
SELECT coalesce(pg_relation_filenode(oid)::bigint, 0), coalesce(pg_relation_size(nullif(reltoastrelid, 0)), 0)
  FROM pg_class WHERE oid = to_regclass(%s)
"""


@dataclass(frozen=True, slots=True)
class Storage:
    """The storage of a leaf: what names it, and the bytes of its out-of-line values as they are stored."""

    filenode: int
    toast_bytes: int


@contextmanager
def unmoved(conn: psycopg.Connection, segment: Segment) -> Iterator[Storage]:
    """Yield the leaf's storage; raise SourceChanged when it is another than the segment's, before or after the body."""
    yield _require_filenode(conn, segment)
    _require_filenode(conn, segment)


def _require_filenode(conn: psycopg.Connection, segment: Segment) -> Storage:
    with translated(f"Looking at the storage of {segment.leaf}"):
        row = conn.execute(_STORAGE, [segment.leaf.quoted]).fetchone()
    if row is None or row[0] != segment.filenode:
        raise SourceChanged(
            f"{segment.leaf} was rewritten or dropped (VACUUM FULL, CLUSTER, TRUNCATE, ALTER TABLE, REFRESH "
            "MATERIALIZED VIEW) since its segments were planned.",
            remedy="Run the command again.",
        )
    return Storage(*row)
