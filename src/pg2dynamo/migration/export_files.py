"""The files of an export directory: compressed lines, written durably, and proved before they are used."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from pg2dynamo.errors import ExportDamaged
from pg2dynamo.migration import export_manifest
from pg2dynamo.migration.export_manifest import FileRecord, Manifest, manifest_from

ROLL_BYTES = 64 * 1024 * 1024
"""Lines of a file before compression, after which the next one begins: small enough to do again after a kill."""

COMPRESSION = 1
"""zlib's level: a third of the time of the default for a fifth more bytes of items, and hardly more of digests."""

CHUNK_BYTES = 64 * 1024
"""Lines are compressed so many at a time: each call costs as much as some hundred bytes."""

_REMEDY = "Export again; nothing was written to the target."


FOLDER_CHARACTERS = 244
"""Of a name that is kept as it is; a longer one is cut to one character more. Linux allows 255 (NAME_MAX)."""


def folder(kind: str, name: str) -> str:
    """Return where the files of one kind (`tables`, `credentials`, `verify`) of one entry are.

    Any name gives one folder directly below `kind`; two names never give the same.
    """
    quoted = quote(name, safe="")
    if quoted.startswith("."):
        quoted = f"%2E{quoted[1:]}"
    if len(quoted) > FOLDER_CHARACTERS:
        quoted = f"{quoted[:180]}~{hashlib.sha256(name.encode()).hexdigest()}"
    return f"{kind}/{quoted}"


class LineFiles:
    """Write lines into `<stem>-00001<suffix>` and so on, below `directory`; a context manager.

    When the context is left without an error every file is on disk (fsync), for its owner alone; `records`
    then tells of each. Nothing is created when no line comes.
    """

    def __init__(self, directory: Path, stem: str, suffix: str = ".json.gz", roll_bytes: int = ROLL_BYTES) -> None:
        self._directory, self._stem, self._suffix = directory, stem, suffix
        self._roll_bytes = roll_bytes
        self._file: _LineFile | None = None
        self.records: list[FileRecord] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._finish()
        elif self._file is not None:
            self._file.abandon()

    def add(self, lines: Iterable[bytes]) -> None:
        """Append lines, given without newline."""
        waiting: list[bytes] = []
        size, most = 0, self._chunk_bytes()
        for line in lines:
            waiting.append(line)
            size += len(line) + 1
            if size >= most:
                self._write(waiting)
                waiting, size, most = [], 0, self._chunk_bytes()
        if waiting:
            self._write(waiting)

    def _chunk_bytes(self) -> int:
        """Return after how many bytes of lines to write: when a file is full, the next line is another's."""
        written = self._file.written if self._file else 0
        return min(CHUNK_BYTES, self._roll_bytes - written)

    def _write(self, lines: list[bytes]) -> None:
        if self._file is None:
            path = f"{self._stem}-{len(self.records) + 1:05d}{self._suffix}"
            self._file = _LineFile(self._directory, path)
        self._file.add(lines)
        if self._file.written >= self._roll_bytes:
            self._finish()

    def _finish(self) -> None:
        if self._file is not None:
            self.records.append(self._file.finish())
            self._file = None


class _LineFile:
    def __init__(self, directory: Path, path: str) -> None:
        full = directory / path
        full.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = path
        self._raw = _Hashed(os.open(full, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        self._gzip = gzip.GzipFile("", "wb", COMPRESSION, io.BufferedWriter(self._raw, 1 << 18), mtime=0)
        self._buffered: Any = self._gzip.fileobj
        self.written = self._rows = 0

    def add(self, lines: list[bytes]) -> None:
        self.written += self._gzip.write(b"\n".join([*lines, b""]))
        self._rows += len(lines)

    def finish(self) -> FileRecord:
        self._gzip.close()
        self._buffered.flush()
        os.fsync(self._raw.fileno())
        self._buffered.close()
        return FileRecord(self._path, self._raw.size, self._raw.digest.hexdigest(), self._rows)

    def abandon(self) -> None:
        self._gzip.close()
        self._buffered.close()


class _Hashed(io.FileIO):
    """A file that knows the size and digest of what was written to it."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "wb")
        self.digest = hashlib.sha256()
        self.size = 0

    def write(self, data: Any) -> int:
        written = super().write(data) or 0
        self.digest.update(memoryview(data)[:written])
        self.size += written
        return written


def write_durably(path: Path, data: bytes) -> None:
    """Put a small file in place as a whole, on disk when this returns; for its owner alone."""
    partial = path.with_name(f".{path.name}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(directory: Path) -> None:
    """Make the names in a directory and in all below it durable."""
    for path, _, _ in os.walk(directory):
        sync_directory(Path(path))


def read_lines(directory: Path, record: FileRecord) -> Iterator[bytes]:
    """Yield the lines of one file, without newline.

    Raises ExportDamaged, after the lines that were still readable, when it is not the file of the manifest.
    """
    rows = 0
    try:
        with (directory / record.path).open("rb") as raw:
            _require(
                os.fstat(raw.fileno()).st_size == record.bytes, record, "has another size than when it was written"
            )
            with gzip.GzipFile(fileobj=raw) as file:
                for line in file:
                    rows += 1
                    yield line[:-1]
    except (OSError, EOFError, zlib.error):
        raise _damaged(record, "cannot be read to its end") from None
    _require(rows == record.rows, record, f"holds {rows:,} lines instead of {record.rows:,}")


def read_manifest(directory: Path) -> Manifest:
    """Return the manifest of an export directory. Raises ExportDamaged when there is none, or a damaged one."""
    try:
        data = (directory / export_manifest.NAME).read_bytes()
    except OSError:
        raise ExportDamaged(
            f"{directory} holds no {export_manifest.NAME}: it is no export, or one that was not finished.",
            remedy=_REMEDY,
        ) from None
    return manifest_from(data)


def prove(directory: Path) -> Manifest:
    """Read every byte of an export and return its manifest when all is as it was written.

    Raises ExportDamaged naming the first file that is missing, altered, truncated, or not the export's own.
    """
    manifest = read_manifest(directory)
    _require_counts(manifest)
    known = {record.path for record in manifest.files} | {export_manifest.NAME}
    found = {path.relative_to(directory).as_posix() for path in directory.rglob("*") if not path.is_dir()}
    for path in sorted(found - known):
        raise ExportDamaged(f"{path} does not belong to the export.", remedy=_REMEDY)
    for record in manifest.files:
        _prove_file(directory, record)
    return manifest


def _require_counts(manifest: Manifest) -> None:
    for table in manifest.tables:
        items, digests, refused = (sum(file.rows for file in f) for f in (table.data, table.digests, table.refused))
        # A row that is too large to be looked into is in quarantine, though by another of its values it is left out.
        expected = range(table.items, table.rows - table.skipped + 1)
        adds_up = table.rows == table.items + table.quarantined + table.skipped and digests in expected
        if (items, refused) != (table.items, table.quarantined) or not adds_up:
            raise ExportDamaged(f"The counts of {table.mapping.name} do not add up.", remedy=_REMEDY)
    for credentials in manifest.credentials:
        if sum(file.rows for file in credentials.files) != credentials.rows:
            raise ExportDamaged(f"The counts of {credentials.source} do not add up.", remedy=_REMEDY)


def _prove_file(directory: Path, record: FileRecord) -> None:
    try:
        with (directory / record.path).open("rb") as file:
            _require(
                os.fstat(file.fileno()).st_size == record.bytes, record, "has another size than when it was written"
            )
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise _damaged(record, "is missing") from None
    except OSError as error:
        raise _damaged(record, f"cannot be read ({error.strerror})") from None
    _require(digest == record.sha256, record, "was altered")


def _require(holds: bool, record: FileRecord, fault: str) -> None:
    if not holds:
        raise _damaged(record, fault)


def _damaged(record: FileRecord, fault: str) -> ExportDamaged:
    return ExportDamaged(f"The file {record.path} {fault}.", remedy=_REMEDY)
