"""Export everything under one consistent snapshot into a directory, for a target that cannot be reached from here.

Items are as the copy would write them; beside them lie digests of the rows as verification reads them, so that
the other side can compare without the database. Credentials stay encrypted as they are. No AWS is needed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from pg2dynamo import faults
from pg2dynamo.errors import RunnerActive, SourceChanged, SourceUnreachable, StageError
from pg2dynamo.mapping.digest import digest_key
from pg2dynamo.mapping.key_text import key_texts
from pg2dynamo.mapping.table import TableMapping
from pg2dynamo.migration import export_manifest
from pg2dynamo.migration.binary_credentials import read_by_name
from pg2dynamo.migration.credentials import compile_credentials, read_credentials
from pg2dynamo.migration.difference import Expectation, Pairs, key_pairs, row_and_attribute_digests
from pg2dynamo.migration.export_credentials import compared_credentials, credential_lines, require_same_credentials
from pg2dynamo.migration.export_files import LineFiles, folder, sync_directory, sync_tree, write_durably
from pg2dynamo.migration.export_items import ItemFiles
from pg2dynamo.migration.export_manifest import ExportedCredentials, ExportedTable, FileRecord, Manifest, plan_digest
from pg2dynamo.migration.progress import Progress, Silent
from pg2dynamo.migration.source import compile_plan, connect_source, open_source, source_dsn, source_tables
from pg2dynamo.migration.workers import Report, Workers
from pg2dynamo.plan.model import Plan
from pg2dynamo.postgres.binary import select_rows
from pg2dynamo.postgres.catalog import read_tables
from pg2dynamo.postgres.identity import require_identities
from pg2dynamo.postgres.lines import UnreadableRow
from pg2dynamo.postgres.rows import copy_rows
from pg2dynamo.postgres.segments import Segment, plan_segments
from pg2dynamo.postgres.snapshot import SnapshotOwner, adopt_snapshot, hold_snapshot

PHASE = "export"
SEGMENTS_PER_SPAN = 8
"""Segments that one task exports, 64 MB of heap: its files are neither tiny nor much to do again."""
SOURCE_ATTEMPTS = 3

OURS = {export_manifest.NAME, "tables", "verify", "credentials"}
"""All that an export directory holds, whole or damaged; one with anything else in it is never replaced."""


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was exported, and of which snapshot."""

    migration: str
    directory: Path
    snapshot: dict[str, Any]
    tables: dict[str, dict[str, int]] = field(default_factory=dict)
    credentials: dict[str, int] = field(default_factory=dict)
    files: int = 0
    bytes: int = 0
    seconds: float = 0.0

    @property
    def quarantined(self) -> int:
        """Rows that no item can hold, over all tables."""
        return sum(counts["quarantined"] for counts in self.tables.values())

    @property
    def ok(self) -> bool:
        """Whether every row is in the export as an item, or where the plan wants it."""
        return all(counts["quarantined"] == counts["accepted"] for counts in self.tables.values())

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain values."""
        return {
            "ok": self.ok,
            "migration": self.migration,
            "seconds": round(self.seconds, 3),
            "directory": str(self.directory),
            "snapshot": self.snapshot,
            "tables": self.tables,
            "credentials": self.credentials,
            "files": self.files,
            "bytes": self.bytes,
        }


def export(
    plan: Plan,
    environ: Mapping[str, str],
    directory: Path,
    *,
    processes: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> ExportReport:
    """Write the plan's tables and credentials, as one snapshot of the source has them, into `directory`.

    The directory appears whole or not at all, durable when this returns; what a killed export left is removed
    by the next. `overwrite` replaces an earlier export once the new one is whole; without it StageError says
    that one is there. Rows that no item can hold are listed and counted. Raises the SourceError branch, and
    RunnerActive when another export into this directory runs.
    """
    began = time.monotonic()
    progress = progress or Silent()
    directory = directory.absolute()
    _require_free(directory, overwrite)
    with _partial(directory) as partial, hold_snapshot(source_dsn(plan, environ), source_tables(plan)) as owner:
        progress.say(f"Exporting snapshot {owner.position.snapshot} (LSN {owner.position.lsn}) of the source.")
        with Workers(_processes(processes), environ) as workers:
            tables = _export_tables(plan, environ, partial, owner, workers, progress)
        credentials = _export_credentials(plan, environ, partial, owner, progress)
        manifest = Manifest(
            migration=plan.name,
            plan_digest=plan_digest(plan),
            snapshot=owner.position.as_json() | {"source_id": owner.position.source_id},
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            tables=tuple(tables),
            credentials=tuple(credentials),
        )
        faults.point("export.written")
        sync_tree(partial)
        write_durably(partial / export_manifest.NAME, manifest.to_bytes())
        faults.point("export.manifest")
        _put_in_place(partial, directory)
    return _report(manifest, directory, time.monotonic() - began)


def _report(manifest: Manifest, directory: Path, seconds: float) -> ExportReport:
    return ExportReport(
        migration=manifest.migration,
        directory=directory,
        snapshot=dict(manifest.snapshot),
        tables={table.mapping.name: table.counts for table in manifest.tables},
        credentials={c.source: c.rows for c in manifest.credentials},
        files=len(manifest.files),
        bytes=sum(file.bytes for file in manifest.files),
        seconds=seconds,
    )


def _processes(wanted: int | None) -> int:
    return os.cpu_count() or 1 if wanted is None else wanted


def _require_free(directory: Path, overwrite: bool) -> None:
    if not directory.exists() or (directory.is_dir() and not any(directory.iterdir())):
        return
    if not directory.is_dir() or not {path.name for path in directory.iterdir()} <= OURS:
        raise StageError(
            f"{directory} is there and is no export of ours.", remedy="Name another directory, or remove it."
        )
    if not overwrite:
        raise StageError(f"{directory} holds an export already.", remedy="Pass --overwrite, or name another directory.")


@contextmanager
def _partial(directory: Path) -> Iterator[Path]:
    """Give an empty directory beside the wanted one, ours alone while the context lasts, and gone after it."""
    partial = directory.parent / f".{directory.name}.partial"
    lock = _locked(partial)
    try:
        for left in (_old(directory), *partial.iterdir()):
            if left.is_dir():
                shutil.rmtree(left)
            else:
                left.unlink(missing_ok=True)
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        os.close(lock)


def _locked(partial: Path) -> int:
    """Make the directory and lock it; what an export that was killed left in it stays for the caller to remove."""
    while True:
        partial.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(partial, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise RunnerActive(f"Another export writes {partial}.", remedy="Wait until it ends.") from None
        # Between mkdir and lock another export may have renamed the directory into place: then it is not ours.
        if partial.exists() and partial.stat().st_ino == os.fstat(lock).st_ino:
            return lock
        os.close(lock)


def _old(directory: Path) -> Path:
    return directory.parent / f".{directory.name}.old"


def _put_in_place(partial: Path, directory: Path) -> None:
    """Rename; an earlier export is moved aside first, and removed when the new one is durably there."""
    if directory.exists():
        directory.rename(_old(directory))
    partial.rename(directory)
    sync_directory(directory.parent)
    shutil.rmtree(_old(directory), ignore_errors=True)


@dataclass(frozen=True, slots=True)
class ExportTask:
    """One span of segments for one entry; plain values. `dsn` is the plan's reference."""

    dsn: str
    snapshot: str
    mapping: TableMapping
    directory: str
    number: int
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class SpanResult:
    """The files of one span, and what the plan's policies did to its rows; see `copy_report.TableCounts`."""

    data: tuple[FileRecord, ...]
    digests: tuple[FileRecord, ...]
    refused: tuple[FileRecord, ...]
    accepted: int = 0
    skipped: int = 0
    nulled: int = 0


def _export_tables(
    plan: Plan,
    environ: Mapping[str, str],
    partial: Path,
    owner: SnapshotOwner,
    workers: Workers,
    progress: Progress,
) -> list[ExportedTable]:
    name = owner.position.name
    with open_source(plan, environ) as connection, adopt_snapshot(connection, name):
        mappings = compile_plan(connection, plan)
        require_identities(connection, mappings)
        segments = {source: plan_segments(connection, source) for source in {m.source for m in mappings}}

    def tasks() -> Iterator[ExportTask]:
        for mapping in mappings:
            for number, span in enumerate(_spans(segments[mapping.source]), start=1):
                owner.check()
                yield ExportTask(plan.source.dsn, name, mapping, str(partial), number, span)

    for mapping in mappings:
        progress.start(PHASE, mapping.name, None)
    results: dict[str, dict[int, SpanResult]] = {mapping.name: {} for mapping in mappings}
    for task, result in workers.run(export_span, tasks(), lambda message: progress.advance(PHASE, *message)):
        results[task.mapping.name][task.number] = result
    for mapping in mappings:
        progress.finish(PHASE, mapping.name)
    return [_exported(mapping, results[mapping.name]) for mapping in mappings]


def _spans(segments: list[Segment]) -> Iterator[tuple[Segment, ...]]:
    for start in range(0, len(segments), SEGMENTS_PER_SPAN):
        yield tuple(segments[start : start + SEGMENTS_PER_SPAN])


def _exported(mapping: TableMapping, results: Mapping[int, SpanResult]) -> ExportedTable:
    ordered = [result for _, result in sorted(results.items())]
    data = tuple(file for result in ordered for file in result.data)
    refused = tuple(file for result in ordered for file in result.refused)
    items, quarantined = (sum(file.rows for file in files) for files in (data, refused))
    skipped = sum(result.skipped for result in ordered)
    return ExportedTable(
        mapping=mapping,
        rows=items + quarantined + skipped,
        items=items,
        quarantined=quarantined,
        data=data,
        digests=tuple(file for result in ordered for file in result.digests),
        refused=refused,
        accepted=sum(result.accepted for result in ordered),
        skipped=skipped,
        nulled=sum(result.nulled for result in ordered),
    )


def export_span(task: ExportTask, report: Report) -> SpanResult:
    """Write the files of one span; begun again on a fresh connection when the connection to the source breaks."""
    for attempts_left in reversed(range(SOURCE_ATTEMPTS)):
        try:
            return _export_span(task, report)
        except SourceUnreachable:
            if not attempts_left:
                raise
    raise AssertionError("unreachable")


def _export_span(task: ExportTask, report: Report) -> SpanResult:
    with connect_source(task.dsn, os.environ) as connection, adopt_snapshot(connection, task.snapshot):
        directory, number = Path(task.directory), f"{task.number:05d}"
        tables, verify = folder("tables", task.mapping.name), folder("verify", task.mapping.name)
        with (
            LineFiles(directory, f"{tables}/data-{number}") as data,
            LineFiles(directory, f"{verify}/refused-{number}") as refused,
            LineFiles(directory, f"{verify}/digests-{number}", ".gz") as digests,
        ):
            items = ItemFiles(task.mapping, data, refused, report)
            for segment in task.segments:
                unreadable: list[UnreadableRow] = []
                lines = copy_rows(connection, task.mapping, segment, on_unreadable=unreadable.append)
                rows = items.write(lines)
                rows += items.set_aside(unreadable)
                compared = _write_digests(task.mapping, select_rows(connection, task.mapping, segment), digests)
                if rows != compared:
                    raise SourceChanged(f"{segment} was read twice under one snapshot with {rows} and {compared} rows.")
                faults.point("export.segment")
    files = tuple(data.records), tuple(digests.records), tuple(refused.records)
    return SpanResult(*files, items.accepted, items.skipped, items.nulled)


def _write_digests(mapping: TableMapping, batches: Iterator[Sequence[Any]], digests: LineFiles) -> int:
    """Write digests of key, row and attributes, and the key, of every row that is to be an item.

    The rows are read by the path of verification; return how many there were.
    """
    rows = 0
    expected = Expectation(mapping)
    for batch in batches:
        pairs = (expected.pairs(row.values, row.unrestored, row.texts) for row in batch)
        digests.add(_digest_line(mapping, each) for each in pairs if each is not None)
        rows += len(batch)
    return rows


def _digest_line(mapping: TableMapping, pairs: Pairs) -> bytes:
    key = digest_key(key_pairs(mapping, pairs))
    row, attributes = row_and_attribute_digests(mapping, pairs)
    texts = orjson.dumps(key_texts(mapping, dict(pairs)))
    return f"{key.hex()}\t{row.hex()}\t{attributes.hex()}\t".encode() + texts


def _export_credentials(
    plan: Plan, environ: Mapping[str, str], partial: Path, owner: SnapshotOwner, progress: Progress
) -> list[ExportedCredentials]:
    exported = []
    with open_source(plan, environ) as connection, adopt_snapshot(connection, owner.position.name):
        for secret in plan.secrets:
            name = str(secret.source)
            progress.start(PHASE, name, None)
            table = compile_credentials(secret, read_tables(connection, [secret.source]).get(secret.source))
            with LineFiles(partial, f"{folder('credentials', name)}/credentials") as files:
                for group in read_credentials(connection, secret):
                    files.add(credential_lines(secret, group))
                    progress.advance(PHASE, name, len(group.rows))
            rows = sum(file.rows for file in files.records)
            written = ExportedCredentials(table.mapping, table.ciphertext_is_text, rows, tuple(files.records))
            _, credentials = compared_credentials(partial, written, secret)
            require_same_credentials(table, credentials, read_by_name(connection, table))
            progress.finish(PHASE, name)
            exported.append(written)
    return exported
