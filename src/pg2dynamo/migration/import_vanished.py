"""Delete items that an export does not hold, from a table that this migration has written before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson

from pg2dynamo.dynamodb.scan import scan_pages
from pg2dynamo.dynamodb.writer import BatchWriter
from pg2dynamo.errors import MassDeletion, TargetRejected
from pg2dynamo.mapping.decode import Decoder
from pg2dynamo.mapping.write_units import WriteUnits
from pg2dynamo.migration.export_digests import DigestIndex
from pg2dynamo.migration.export_manifest import ExportedTable
from pg2dynamo.migration.import_file import ImportJob
from pg2dynamo.migration.verify_segment import digested_item


def delete_vanished_items(job: ImportJob, exported: ExportedTable, allowed: int) -> int:
    """Delete the items whose keys the export does not list; return how many.

    Raises MassDeletion, before the first is deleted, when there are more than `allowed`.
    """
    with TemporaryDirectory(prefix="pg2dynamo-import-") as directory:
        index = DigestIndex(Path(job.directory), exported.digests, Path(directory) / "keys.sqlite")
        with closing(index):
            found: list[bytes] = []
            for key in _unlisted(job, index):
                found.append(key)
                if len(found) > allowed:
                    raise MassDeletion(
                        f"More than {allowed:,} items of {job.mapping.target} are not in the export.",
                        remedy="Make sure that the rows are really gone, then run again with a higher --max-deletes.",
                    )
    units = WriteUnits(job.mapping)
    with BatchWriter(job.settings, job.mapping.target, on_refused=_never, units=units) as writer:
        for key in found:
            writer.delete(key)
        writer.flush()
    return len(found)


def _unlisted(job: ImportJob, index: DigestIndex) -> Iterator[bytes]:
    names = job.mapping.key_attributes
    decoder = Decoder(job.mapping)
    for page in scan_pages(job.settings, job.mapping.target, 0, 1, key_attributes=names):
        digests = [digested_item(job.mapping, decoder, item).key for item in page]
        listed = index.rows(digests)
        for item, digest in zip(page, digests, strict=True):
            if digest not in listed and job.mapping.owns(item):
                yield orjson.dumps({name: item[name] for name in names})


def _never(_key: bytes, reason: str) -> None:
    raise TargetRejected(f"DynamoDB rejected a deletion: {reason}.")
