"""The row side of a verification whose rows are an export's: digests of keys and rows, without the rows.

They were made by the path that verification reads the source by, not by the encoder of the items.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import ClassVar, NamedTuple

import orjson

from pg2dynamo.errors import ExportDamaged
from pg2dynamo.mapping.digest import digest_key
from pg2dynamo.mapping.key_text import KeyTexts
from pg2dynamo.mapping.values import Value
from pg2dynamo.migration.export_files import read_lines
from pg2dynamo.migration.export_manifest import FileRecord
from pg2dynamo.migration.look_again import Seen
from pg2dynamo.migration.spill import Side
from pg2dynamo.migration.verify_segment import Digested, Digests

ROWS_PER_BATCH = 1_000
KEYS_PER_STATEMENT = 500


def read_digests(directory: Path, file: FileRecord) -> Iterator[list[Digested]]:
    """Yield the digests of one file, a bounded number at a time, with the JSON of the key."""
    lines = read_lines(directory, file)
    while batch := [_digested(line, file) for line in islice(lines, ROWS_PER_BATCH)]:
        yield batch


class ExportedRow(NamedTuple):
    """What an export tells of one row: digests of each attribute, and the JSON of the key's texts."""

    attributes: bytes
    key_texts: bytes


def _digested(line: bytes, file: FileRecord) -> Digested:
    try:
        *hexes, texts = line.split(b"\t", 3)
        key, row, attributes = (bytes.fromhex(text.decode()) for text in hexes)
        return Digested(key, row, ExportedRow(attributes, texts))
    except ValueError:
        raise ExportDamaged(f"The file {file.path} holds a line that is no digest.") from None


@dataclass(frozen=True, slots=True)
class DigestPart:
    """One file of digests, as a part of the rows of the entry `table`; see `verify_segment.Part`."""

    table: str
    directory: str
    file: FileRecord
    side: ClassVar[Side] = "rows"

    def read(self) -> Iterator[Digests]:
        """See Part."""
        yield from map(Digests.of_entries, read_digests(Path(self.directory), self.file))

    def key_of(self, of: ExportedRow) -> KeyTexts:
        """See Part."""
        texts: KeyTexts = orjson.loads(of.key_texts)
        return texts


class DigestIndex:
    """The digests of one table by key, on disk, so that memory stays flat.

    Made from the files when the first process asks; others wait for it. `path` is in a directory that the
    caller removes.
    """

    def __init__(self, directory: Path, files: Sequence[FileRecord], path: Path) -> None:
        with path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.exists():
                _build(directory, files, path)
        self._connection = sqlite3.connect(path, isolation_level=None)

    def rows(self, keys: Sequence[bytes]) -> dict[bytes, Seen]:
        """Return the row of each of these key digests that there is."""
        found: dict[bytes, Seen] = {}
        for start in range(0, len(keys), KEYS_PER_STATEMENT):
            asked = keys[start : start + KEYS_PER_STATEMENT]
            marks = ", ".join("?" * len(asked))
            query = f"SELECT key, row, attributes FROM digests WHERE key IN ({marks})"  # noqa: S608
            found |= {
                key: Seen(row, None, attributes) for key, row, attributes in self._connection.execute(query, asked)
            }
        return found

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def _build(directory: Path, files: Sequence[FileRecord], path: Path) -> None:
    partial = path.with_suffix(".partial")
    with closing(sqlite3.connect(partial, isolation_level=None)) as connection:
        connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA temp_store = FILE;")
        connection.execute("CREATE TABLE digests (key BLOB PRIMARY KEY, row BLOB, attributes BLOB) WITHOUT ROWID")
        connection.execute("BEGIN")
        for file in files:
            for batch in read_digests(directory, file):
                rows = [(entry.key, entry.row, entry.of.attributes) for entry in batch]
                connection.executemany("INSERT OR REPLACE INTO digests VALUES (?, ?, ?)", rows)
        connection.execute("COMMIT")
    os.replace(partial, path)  # noqa: PTH105 - whole or not at all


@dataclass(frozen=True, slots=True)
class ExportLookup:
    """The rows of an export by key: their digests, and those of their attributes."""

    directory: str
    files: tuple[FileRecord, ...]
    index: str

    def look(self, keys: Sequence[Mapping[str, Value]]) -> dict[bytes, Seen]:
        """See `look_again.RowLookup`."""
        with closing(DigestIndex(Path(self.directory), self.files, Path(self.index))) as index:
            return index.rows([digest_key(key.items()) for key in keys])
