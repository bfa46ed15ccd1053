"""Keys of unequal buckets, spilled to disk so that memory stays flat however much differs.

A temporary SQLite file of key digest, key as JSON, and row digest for each side: no values. It knows nothing
of where the sides come from.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Literal, NamedTuple, TypeAlias

Side: TypeAlias = Literal["rows", "items"]

SCHEMA = """
    CREATE TABLE rows  (key_digest BLOB PRIMARY KEY, key TEXT NOT NULL, digest BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE items (key_digest BLOB PRIMARY KEY, key TEXT NOT NULL, digest BLOB NOT NULL) WITHOUT ROWID;
"""
INSERT = {
    "rows": "INSERT OR REPLACE INTO rows VALUES (?, ?, ?)",
    "items": "INSERT OR REPLACE INTO items VALUES (?, ?, ?)",
}
UNEQUAL = """
    SELECT key FROM rows WHERE NOT EXISTS (
        SELECT 1 FROM items
        WHERE items.key_digest = rows.key_digest AND items.digest = rows.digest)
    UNION ALL
    SELECT key FROM items WHERE NOT EXISTS (SELECT 1 FROM rows WHERE rows.key_digest = items.key_digest)
"""


class SpilledKey(NamedTuple):
    """One key of one side: its digest, the key as JSON of attribute names and texts, the digest of the row."""

    key_digest: bytes
    key: str
    row_digest: bytes


class Spill:
    """The keys of both sides of one table; a context manager that removes its file when left.

    Adding a key twice keeps the later one, so that a part may be read again after a failure.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = TemporaryDirectory(prefix="pg2dynamo-verify-", dir=directory)
        self._connection = sqlite3.connect(Path(self._directory.name) / "keys.sqlite", isolation_level=None)
        self._connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA temp_store = FILE;")
        self._connection.executescript(SCHEMA)

    def __enter__(self) -> Spill:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()
        self._directory.cleanup()

    def add(self, side: Side, keys: Iterable[SpilledKey]) -> None:
        """Keep `keys` of `side`."""
        self._connection.execute("BEGIN")
        self._connection.executemany(INSERT[side], keys)
        self._connection.execute("COMMIT")

    def unequal(self, size: int) -> Iterator[list[str]]:
        """Yield, in lists of at most `size`, each key that only one side has or whose digests differ, once."""
        with closing(self._connection.execute(UNEQUAL)) as cursor:
            while group := [key for (key,) in islice(cursor, size)]:
                yield group
