"""Import one file of an export: one call on plain values, which any process can make, and make twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from pg2dynamo import faults
from pg2dynamo.dynamodb.client import dynamodb_client
from pg2dynamo.dynamodb.journal import Journal, QuarantinedRow
from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.dynamodb.writer import BatchWriter
from pg2dynamo.errors import ExportDamaged
from pg2dynamo.mapping.table import TableMapping
from pg2dynamo.mapping.write_units import WriteUnits
from pg2dynamo.migration.export_files import read_lines
from pg2dynamo.migration.export_manifest import ExportedTable, FileRecord
from pg2dynamo.migration.workers import Report

ROWS_PER_REPORT = 500
_HEAD, _TAIL = b'{"Item":', b"}"


@dataclass(frozen=True, slots=True)
class ImportJob:
    """What all files of one table share."""

    migration: str
    control_table: str
    directory: str
    export_id: str
    snapshot_label: str
    mapping: TableMapping
    settings: TargetSettings

    @property
    def leaf_prefix(self) -> str:
        """What the journal's names of this export's files begin with; no table of a source has such a name."""
        return f"export:{self.export_id}:"


@dataclass(frozen=True, slots=True)
class ImportTask:
    """One file of one table."""

    job: ImportJob
    number: int
    file: FileRecord


def import_file(task: ImportTask, report: Report) -> int:
    """Write the items of one file; return how many were written, when DynamoDB has answered for each.

    What the service refuses is in the journal's quarantine then. Raises TargetError, and ExportDamaged when the
    file changed since it was proved.
    """
    job = task.job
    rejected: dict[bytes, str] = {}
    waiting = 0
    units = WriteUnits(job.mapping)
    with BatchWriter(job.settings, job.mapping.target, on_refused=rejected.__setitem__, units=units) as writer:
        for key, item, _ in _items(job, task.file):
            writer.put(key, item)
            waiting += 1
            if waiting == ROWS_PER_REPORT:
                report((job.mapping.name, waiting))
                waiting = 0
                faults.point("import.batch.read")
        writer.flush()
    report((job.mapping.name, waiting))
    faults.point("import.file.written")
    if rejected:
        journal = Journal(dynamodb_client(job.settings), job.control_table, job.migration)
        found = [(key, parsed) for key, _, parsed in _items(job, task.file) if key in rejected]
        journal.put_quarantined([_quarantined(job, parsed, rejected[key]) for key, parsed in found])
    return task.file.rows - len(rejected)


def _items(job: ImportJob, file: FileRecord) -> Iterator[tuple[bytes, bytes, dict[str, Any]]]:
    names = job.mapping.key_attributes
    for line in read_lines(Path(job.directory), file):
        item = line[len(_HEAD) : -len(_TAIL)]
        try:
            parsed = orjson.loads(item)
            key = orjson.dumps({name: parsed[name] for name in names})
        except (ValueError, KeyError, TypeError):
            raise ExportDamaged(f"The file {file.path} holds a line that is no item.") from None
        yield key, item, parsed


def _quarantined(job: ImportJob, item: dict[str, Any], reason: str) -> QuarantinedRow:
    """Name the row by its source key; by its item's key when the source's is not among the attributes."""
    by_column = {attribute.column: attribute.name for attribute in job.mapping.attributes}
    names = {key.column: by_column.get(key.column) for key in job.mapping.source_key}
    if None in names.values():
        names = {name: name for name in job.mapping.key_attributes}
    texts = {column: str(next(iter(item[name].values()))) for column, name in names.items() if name in item}
    return QuarantinedRow(job.mapping.name, dict(texts), "", reason, job.snapshot_label)


def refused_rows(directory: Path, exported: ExportedTable, snapshot_label: str) -> Iterator[QuarantinedRow]:
    """Yield the rows that the exporting side could not make items of."""
    for file in exported.refused:
        for line in read_lines(directory, file):
            entry = orjson.loads(line)
            yield QuarantinedRow(
                table=exported.mapping.name,
                key=entry["key"],
                attribute=entry["attribute"],
                reason=entry["reason"],
                snapshot=snapshot_label,
                accepted=entry["accepted"],
            )
