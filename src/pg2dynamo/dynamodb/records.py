"""What the control table holds of a migration, as plain values, and their form there.

Every entry is an item of `migration` (hash) and `entry` (range) with a `version`. An entry of a version that
this code does not know is refused, never guessed at.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, TypeAlias

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from pg2dynamo.errors import StageError

VERSION = 1
"""The version of the entries' form; raise it when an older pg2dynamo could misread a newer entry."""

KEY_BYTES_LIMIT = 300_000
"""The longest key of a row that is kept with its entry: an item holds 409,600 bytes in all."""

ACCEPTED = "accepted"
"""The attribute of a quarantined row's entry that says so of it; absent where the plan does not accept the row."""

Item: TypeAlias = dict[str, Any]
TableState: TypeAlias = Literal["copying", "complete"]
RunState: TypeAlias = Literal["running", "complete", "incomplete", "failed"]

_LONG_KEY = "the key is too long to be kept, so this row is not retried alone: it is copied with its whole table only"


@dataclass(frozen=True)
class SegmentRecord:
    """A segment that is copied: every item of it has been answered for.

    `blocks` is the segment's size in blocks, `filenode` the file it was read from, `as_of` the xmin of the
    snapshot that it was read under (64 bits). `skipped` of the rows are left out by the plan, and `nulled` values of
    the items are NULL by the plan.
    """

    leaf: str
    number: int
    blocks: int
    filenode: int
    as_of: int
    rows: int
    quarantined: int
    skipped: int = 0
    nulled: int = 0


@dataclass(frozen=True)
class TableRecord:
    """How far the copy of one table is, and what it was made from and into; `source` is the plan's name for it.

    `rows == items + quarantined + skipped`, of the last copy.
    """

    source: str
    target: str
    target_id: str
    mapping_digest: str
    source_id: str
    segment_blocks: int
    state: TableState
    snapshot: str
    rows: int
    items: int
    quarantined: int
    updated_at: str
    skipped: int = 0


@dataclass(frozen=True)
class RunRecord:
    """One run of one command; `started_at` and `ended_at` are ISO 8601 in UTC, `summary` any JSON."""

    run_id: str
    command: str
    state: RunState
    started_at: str
    ended_at: str | None
    host: str
    process: int
    snapshot: str | None
    lsn: str | None
    summary: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class QuarantinedRow:
    """A row that DynamoDB could not take, by the text of its source key.

    A key over `KEY_BYTES_LIMIT` is not kept: such a row comes back with an empty `key`, `lost_key` set to the
    digest of the key, and a reason that says so. It must not be taken for a row that is gone. `accepted`: the plan
    says that such rows may stay in quarantine.
    """

    table: str
    key: dict[str, str | None]
    attribute: str
    reason: str
    snapshot: str
    lost_key: str | None = None
    accepted: bool = False

    @property
    def retryable(self) -> bool:
        """Whether the row can be read again by its key."""
        return self.lost_key is None


@dataclass(frozen=True)
class SecretRefusal:
    """A row of credentials that did not become a secret, and why."""

    table: str
    key: dict[str, str]
    name: str
    reason: str


def part(text: str) -> str:
    """Return `text` as one part of an entry's name: never holding `#`, which separates parts."""
    return text.replace("%", "%25").replace("#", "%23")


def key_digest(key: Mapping[str, str | None]) -> str:
    """Return a digest of a row's key: equal exactly when columns and values are."""
    return hashlib.sha256(_json(dict(key)).encode()).hexdigest()


def table_entry(source: str) -> str:
    """Return the name of a table's entry."""
    return f"table#{part(source)}"


def segments_prefix(source: str) -> str:
    """Return what the names of all segments of a table begin with."""
    return f"segment#{part(source)}#"


def segment_entry(source: str, record: SegmentRecord) -> str:
    """Return the name of a segment's entry; names sort by leaf and number."""
    return f"{segments_prefix(source)}{part(record.leaf)}#{record.number:010d}"


def run_entry(record: RunRecord) -> str:
    """Return the name of a run's entry; names sort by the time of their start."""
    return f"run#{part(record.started_at)}#{part(record.run_id)}"


def quarantine_prefix(source: str | None) -> str:
    """Return what the names of quarantined rows begin with, of one table or of all."""
    return "quarantine#" if source is None else f"quarantine#{part(source)}#"


def quarantine_entry(row: QuarantinedRow) -> str:
    """Return the name of a quarantined row's entry."""
    return quarantine_prefix(row.table) + (row.lost_key or key_digest(row.key))


def refusals_prefix(source: str | None) -> str:
    """Return what the names of refused credentials begin with, of one table or of all."""
    return "refusal#" if source is None else f"refusal#{part(source)}#"


def refusal_entry(refusal: SecretRefusal) -> str:
    """Return the name of a refused credential's entry."""
    return refusals_prefix(refusal.table) + key_digest(refusal.key)


def segment_values(source: str, record: SegmentRecord) -> Item:
    """Return the attributes of a segment's entry."""
    return {
        "source": source,
        "leaf": record.leaf,
        "number": record.number,
        "blocks": record.blocks,
        "filenode": record.filenode,
        "as_of": record.as_of,
        "rows": record.rows,
        "quarantined": record.quarantined,
        "skipped": record.skipped,
        "nulled": record.nulled,
    }


def segment_from(values: Item) -> SegmentRecord:
    """Return the segment that an entry's attributes give."""
    return SegmentRecord(
        leaf=values["leaf"],
        number=values["number"],
        blocks=values["blocks"],
        filenode=values["filenode"],
        as_of=values["as_of"],
        rows=values["rows"],
        quarantined=values["quarantined"],
        skipped=values.get("skipped", 0),
        nulled=values.get("nulled", 0),
    )


def table_values(record: TableRecord) -> Item:
    """Return the attributes of a table's entry."""
    return {
        "source": record.source,
        "target": record.target,
        "target_id": record.target_id,
        "mapping_digest": record.mapping_digest,
        "source_id": record.source_id,
        "segment_blocks": record.segment_blocks,
        "state": record.state,
        "snapshot": record.snapshot,
        "rows": record.rows,
        "items": record.items,
        "quarantined": record.quarantined,
        "updated_at": record.updated_at,
        "skipped": record.skipped,
    }


def table_from(values: Item) -> TableRecord:
    """Return the table that an entry's attributes give."""
    return TableRecord(
        source=values["source"],
        target=values["target"],
        target_id=values["target_id"],
        mapping_digest=values["mapping_digest"],
        source_id=values["source_id"],
        segment_blocks=values["segment_blocks"],
        state=values["state"],
        snapshot=values["snapshot"],
        rows=values["rows"],
        items=values["items"],
        quarantined=values["quarantined"],
        updated_at=values["updated_at"],
        skipped=values.get("skipped", 0),
    )


def run_values(record: RunRecord) -> Item:
    """Return the attributes of a run's entry."""
    return {
        "run_id": record.run_id,
        "command": record.command,
        "state": record.state,
        "started_at": record.started_at,
        "ended_at": record.ended_at,
        "host": record.host,
        "process": record.process,
        "snapshot": record.snapshot,
        "lsn": record.lsn,
        "summary": _json(record.summary),
    }


def run_from(values: Item) -> RunRecord:
    """Return the run that an entry's attributes give."""
    return RunRecord(
        run_id=values["run_id"],
        command=values["command"],
        state=values["state"],
        started_at=values["started_at"],
        ended_at=values["ended_at"],
        host=values["host"],
        process=values["process"],
        snapshot=values["snapshot"],
        lsn=values["lsn"],
        summary=json.loads(values["summary"]),
    )


def quarantined_values(row: QuarantinedRow) -> Item:
    """Return the attributes of a quarantined row's entry; see `QuarantinedRow` for a key that is too long."""
    values: Item = {"table": row.table, "attribute": row.attribute, "reason": row.reason, "snapshot": row.snapshot}
    if row.accepted:
        values[ACCEPTED] = True
    key = _json(row.key)
    if row.lost_key is None and len(key.encode()) <= KEY_BYTES_LIMIT:
        return {**values, "key": key}
    reason = row.reason if row.lost_key else f"{row.reason}; {_LONG_KEY}"
    return {**values, "reason": reason, "lost_key": row.lost_key or key_digest(row.key)}


def quarantined_from(values: Item) -> QuarantinedRow:
    """Return the quarantined row that an entry's attributes give."""
    return QuarantinedRow(
        table=values["table"],
        key=json.loads(values["key"]) if "key" in values else {},
        attribute=values["attribute"],
        reason=values["reason"],
        snapshot=values["snapshot"],
        lost_key=values.get("lost_key"),
        accepted=values.get(ACCEPTED, False),
    )


def refusal_values(refusal: SecretRefusal) -> Item:
    """Return the attributes of a refused credential's entry."""
    return {
        "table": refusal.table,
        "key": _json(refusal.key),
        "name": refusal.name,
        "reason": refusal.reason,
    }


def refusal_from(values: Item) -> SecretRefusal:
    """Return the refused credential that an entry's attributes give."""
    return SecretRefusal(values["table"], json.loads(values["key"]), values["name"], values["reason"])


def to_item(migration: str, entry: str, values: Item) -> Item:
    """Return the item of one entry, in DynamoDB's typed form."""
    serializer = TypeSerializer()
    whole = {"migration": migration, "entry": entry, "version": VERSION, **values}
    return {name: serializer.serialize(value) for name, value in whole.items()}


def from_item(item: Item) -> Item:
    """Return the attributes of one entry.

    Raises StageError when a newer pg2dynamo wrote it.
    """
    deserializer = TypeDeserializer()
    values = {name: _plain(deserializer.deserialize(value)) for name, value in item.items()}
    if values.get("version") != VERSION:
        raise StageError(
            f"The control table holds entries of version {values.get('version')}; this pg2dynamo knows {VERSION}.",
            remedy="Upgrade pg2dynamo, on every machine that works on this migration.",
        )
    return values


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, Decimal) else value


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
