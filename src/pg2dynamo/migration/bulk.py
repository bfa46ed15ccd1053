"""Copy whole tables by way of S3: items into objects, ImportTable, and a check of the outcome item for item.

The story of one entry is in `begin` and `bulk_finish.finish`. It is recorded before each step that leaves something
behind, so that the next run finds it: objects are removed, a job that DynamoDB has taken is waited for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from math import ceil
from types import TracebackType
from typing import Self
from urllib.parse import quote
from uuid import uuid4

from pg2dynamo import faults
from pg2dynamo.dynamodb.bucket import get_object, list_objects, put_object, remove_objects, s3_client
from pg2dynamo.dynamodb.import_record import ImportRecord
from pg2dynamo.dynamodb.table_import import MOST_JOBS, MOST_OBJECTS
from pg2dynamo.dynamodb.tables import describe_table
from pg2dynamo.errors import ImportFailed, PlanError, TargetRejected
from pg2dynamo.mapping.table import TableMapping
from pg2dynamo.migration.bulk_finish import BegunImport, Bulk, finish, give_up, request
from pg2dynamo.migration.bulk_manifest import BulkManifest, manifest_from, manifest_of
from pg2dynamo.migration.bulk_segment import UploadJob, UploadResult, UploadTask, upload_span
from pg2dynamo.migration.copy_report import TableCounts
from pg2dynamo.migration.copy_segment import CopyJob
from pg2dynamo.migration.run import recorded_run
from pg2dynamo.migration.source import compile_plan, open_source
from pg2dynamo.migration.workers import Workers
from pg2dynamo.plan.model import ImportPlan
from pg2dynamo.plan.ways import Via
from pg2dynamo.postgres.segments import Segment, plan_segments
from pg2dynamo.postgres.selection import estimated_rows
from pg2dynamo.postgres.snapshot import SnapshotOwner, adopt_snapshot

PHASE = "upload"
SEGMENTS_PER_SPAN = 8
"""Segments that make one object or a few, 64 MB of heap: many of them, so that DynamoDB reads them in parallel."""
MOST_SPANS = MOST_OBJECTS // 5
"""A table of more gets longer spans: an import takes a bounded number of objects, and a span may need several."""


def finish_begun(bulk: Bulk, via: Via) -> None:
    """Go on with what an earlier run has begun: remove its objects, or wait for its job and check what it made.

    What DynamoDB has not taken yet is given up when everything is to be written in batches now. Entries whose job is
    done are journaled as copied when this returns, under the snapshot that was read then. Raises ImportFailed as
    `bulk_finish.finish`, and when a table is left of an import that cannot be gone on with.
    """
    begun = bulk.journal.imports()
    if not begun:
        return
    with open_source(bulk.plan, bulk.environ) as connection:
        mappings = {mapping.name: mapping for mapping in compile_plan(connection, bulk.plan)}
    with recorded_run(bulk.journal, "copy") as run:
        with AllFailures() as failures:
            for record in begun.values():
                with failures.kept():
                    _resume(bulk, record, mappings.get(record.source), via)
        run.end("complete", {"imports": sorted(begun)})


def _resume(bulk: Bulk, record: ImportRecord, mapping: TableMapping | None, via: Via) -> None:
    name, say = record.source, bulk.progress.say
    if record.state == "uploading":
        say(f"{name}: an import was cut short before DynamoDB was asked for it; its objects are removed.")
        return give_up(bulk, record)
    table = describe_table(bulk.journal.client, record.target)
    known = bulk.journal.tables().get(name)
    if known is not None and known.state == "complete" and known.target_id == record.table_id != "":
        return give_up(bulk, record)
    same = mapping is not None and (mapping.digest, mapping.target) == (record.mapping_digest, record.target)
    left = table is None and (record.arn or via is Via.BATCH)
    if mapping is not None and same and record.state == "importing" and not left:
        say(f"{name}: going on with the import that was begun at {record.started_at}.")
        begun = BegunImport(mapping, record, _stored_manifest(bulk, record))
        request(bulk, begun)
        finish(bulk, begun)
        return None
    if table is not None and record.table_id in ("", table.table_id):
        raise _left_behind(record)
    say(f"{name}: there is no table of the import that was begun at {record.started_at}; its objects are removed.")
    return give_up(bulk, record)


def _left_behind(record: ImportRecord) -> ImportFailed:
    why = "failed" if record.state == "failed" else "another plan began"
    return ImportFailed(
        f"The table {record.target} was left by an import of {record.source} that {why}: its items are not to be "
        "relied upon.",
        remedy=f"Wait until the table is ACTIVE, delete it, and run again. What was sent is in "
        f"s3://{record.bucket}/{record.prefix}/ until then.",
    )


def _stored_manifest(bulk: Bulk, record: ImportRecord) -> BulkManifest:
    data = get_object(s3_client(bulk.settings), record.bucket, record.manifest_name)
    if data is None or sha256(data).hexdigest() != record.manifest:
        bulk.put(replace(record, state="failed"))
        raise ImportFailed(
            f"What was sent for the import of {record.source} is no longer in s3://{record.bucket}/{record.prefix}/, "
            f"so that the table {record.target} cannot be checked.",
            remedy="Wait until the table is ACTIVE, delete it, and run again.",
        )
    return manifest_from(data)


class AllFailures:
    """Goes on when an import has failed, so that no other is left behind for it, and tells of all in the end."""

    def __init__(self) -> None:
        self._found: list[ImportFailed] = []

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep a failure for the end."""
        try:
            yield
        except ImportFailed as failure:
            self._found.append(failure)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and self._found:
            *others, last = self._found
            raise ImportFailed(" ".join([*map(str, others), last.message]), remedy=last.remedy)


class BulkImports:
    """The imports of one run: `begin` while the snapshot is held, `finish` when it is given back."""

    def __init__(self, bulk: Bulk) -> None:
        self._bulk = bulk
        self._begun: list[BegunImport] = []
        self._done: dict[str, TableCounts] = {}

    def begin(self, jobs: Sequence[CopyJob], owner: SnapshotOwner, blocks: int) -> None:
        """Put the items of each entry into S3 and ask DynamoDB to import them, so many at a time as it takes."""
        with self._bulk.workers() as workers:
            for job in jobs:
                if len(self._begun) == MOST_JOBS:
                    self._finish_first()
                begun = self._upload(job, owner, blocks, workers)
                request(self._bulk, begun)
                self._begun.append(begun)

    def finish(self) -> dict[str, TableCounts]:
        """Wait for every import and check it; return what each entry's copy came to, by name."""
        with AllFailures() as failures:
            while self._begun:
                with failures.kept():
                    self._finish_first()
        return self._done

    def _finish_first(self) -> None:
        begun = self._begun.pop(0)
        self._done[begun.mapping.name] = finish(self._bulk, begun)

    def _upload(self, job: CopyJob, owner: SnapshotOwner, blocks: int, workers: Workers) -> BegunImport:
        """Store objects and manifest, recorded before the first and after the last."""
        bulk, where = self._bulk, self._where()
        folder = f"{where.prefix}/{quote(job.migration, safe='')}/{uuid4().hex}"
        record = ImportRecord(
            source=job.mapping.name,
            target=job.mapping.target,
            mapping_digest=job.mapping.digest,
            state="uploading",
            bucket=where.bucket,
            prefix=folder,
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        bulk.put(record)
        faults.point("bulk.begun")
        upload = UploadJob(job, where.bucket, record.data_prefix, where.kms_key)
        results = self._read(upload, owner, blocks, workers)
        manifest = manifest_of(owner.position, job.snapshot_label, blocks, results)
        self._require_objects(record, manifest)
        faults.point("bulk.uploaded")
        data = manifest.to_bytes()
        put_object(s3_client(bulk.settings), where.bucket, record.manifest_name, data, where.kms_key)
        record = replace(record, state="importing", manifest=sha256(data).hexdigest())
        bulk.put(record)
        faults.point("bulk.recorded")
        return BegunImport(job.mapping, record, manifest)

    def _where(self) -> ImportPlan:
        if self._bulk.plan.target.import_ is None:
            raise PlanError("The plan names no bucket to import from.")
        return self._bulk.plan.target.import_

    def _read(self, upload: UploadJob, owner: SnapshotOwner, blocks: int, workers: Workers) -> list[UploadResult]:
        bulk, mapping, results = self._bulk, upload.copy.mapping, dict[int, UploadResult]()
        with (
            open_source(bulk.plan, bulk.environ) as connection,
            adopt_snapshot(connection, owner.position.name),
        ):
            segments = plan_segments(connection, mapping.source, blocks)
            bulk.progress.start(PHASE, mapping.name, estimated_rows(connection, mapping))

        def tasks() -> Iterator[UploadTask]:
            for number, span in enumerate(spans(segments), start=1):
                bulk.lease.check()
                owner.check()
                yield UploadTask(upload, number, span)

        def advance(message: tuple[str, int]) -> None:
            bulk.progress.advance(PHASE, *message)

        for task, result in workers.run(upload_span, tasks(), advance):
            results[task.number] = result
        bulk.progress.finish(PHASE, mapping.name)
        return [result for _, result in sorted(results.items())]

    def _require_objects(self, record: ImportRecord, manifest: BulkManifest) -> None:
        """Make sure that there are the objects which were stored and no other: DynamoDB imports whatever is there."""
        client = s3_client(self._bulk.settings)
        there, sent = dict(list_objects(client, record.bucket, record.data_prefix)), dict(manifest.objects)
        # An attempt that was begun again when the source's connection broke may have left more objects.
        remove_objects(client, record.bucket, sorted(there.keys() - sent.keys()))
        if {name: there.get(name) for name in sent} != sent:
            raise TargetRejected(
                f"Objects stored in s3://{record.bucket}/{record.prefix}/ are not there, or not as they were.",
                remedy="Make sure that nothing else writes there, and run again.",
            )
        if len(sent) > MOST_OBJECTS:
            raise TargetRejected(
                f"{record.source} makes {len(sent):,} objects, and an import takes {MOST_OBJECTS:,}.",
                remedy="Use --via batch.",
            )


def spans(segments: Sequence[Segment]) -> Iterator[tuple[Segment, ...]]:
    """Yield all segments, in spans that are longer where there would be too many."""
    size = max(SEGMENTS_PER_SPAN, ceil(len(segments) / MOST_SPANS))
    for start in range(0, len(segments), size):
        yield tuple(segments[start : start + size])
