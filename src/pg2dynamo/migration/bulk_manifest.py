"""What was sent of one entry to be imported: kept beside the objects, so that another run can check and go on.

It holds counts and digests, never values.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from pg2dynamo.mapping.digest import Buckets
from pg2dynamo.mapping.table import TableName
from pg2dynamo.migration.bulk_segment import SegmentCounts, UploadResult
from pg2dynamo.postgres.segments import Segment
from pg2dynamo.postgres.snapshot import SnapshotPosition


@dataclass(frozen=True, slots=True)
class BulkManifest:
    """The snapshot that was read, what became of each segment's rows, and all items' digests in buckets.

    `snapshot_label` is the snapshot as rows in quarantine name it, `segment_blocks` the size of a segment.
    """

    source_id: str
    snapshot: str
    snapshot_label: str
    as_of: int
    segment_blocks: int
    segments: tuple[SegmentCounts, ...]
    objects: tuple[tuple[str, int], ...]
    buckets: bytes

    @property
    def items(self) -> int:
        """How many items were sent."""
        return sum(counts.items for counts in self.segments)

    def to_bytes(self) -> bytes:
        """Return the manifest as bytes, equal for equal manifests."""
        values: dict[str, Any] = {name: getattr(self, name) for name in ("source_id", "snapshot", "snapshot_label")}
        values |= {"as_of": self.as_of, "segment_blocks": self.segment_blocks}
        values |= {"segments": [asdict(counts) for counts in self.segments], "objects": self.objects}
        return orjson.dumps(values | {"buckets": b64encode(self.buckets).decode()}, option=orjson.OPT_SORT_KEYS)


def manifest_of(position: SnapshotPosition, label: str, blocks: int, results: Sequence[UploadResult]) -> BulkManifest:
    """Return the manifest of what the spans' results tell, in their order."""
    buckets = Buckets()
    for result in results:
        buckets.merge(Buckets.from_bytes(result.buckets))
    return BulkManifest(
        source_id=position.source_id,
        snapshot=position.snapshot,
        snapshot_label=label,
        as_of=position.xmin,
        segment_blocks=blocks,
        segments=tuple(counts for result in results for counts in result.segments),
        objects=tuple(each for result in results for each in result.objects),
        buckets=buckets.to_bytes(),
    )


def manifest_from(data: bytes) -> BulkManifest:
    """Return what `to_bytes` wrote; the caller has made sure by its digest that it is that."""
    values = orjson.loads(data)
    values["segments"] = tuple(_counts(each) for each in values["segments"])
    values["objects"] = tuple((name, size) for name, size in values["objects"])
    values["buckets"] = b64decode(values["buckets"])
    return BulkManifest(**values)


def _counts(values: dict[str, Any]) -> SegmentCounts:
    segment = values["segment"]
    leaf = TableName(**segment["leaf"])
    return SegmentCounts(**(values | {"segment": Segment(**(segment | {"leaf": leaf}))}))
