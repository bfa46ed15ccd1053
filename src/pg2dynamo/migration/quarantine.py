"""Try the rows again that earlier runs had to put into quarantine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, islice

from psycopg import Connection

from pg2dynamo.dynamodb.journal import Journal, QuarantinedRow
from pg2dynamo.dynamodb.writer import BatchWriter
from pg2dynamo.errors import RowRefused, RowSkipped
from pg2dynamo.mapping.encode import Encoder
from pg2dynamo.mapping.table import TableMapping
from pg2dynamo.mapping.write_units import WriteUnits
from pg2dynamo.migration.copy_segment import CopyJob
from pg2dynamo.migration.source import connect_source
from pg2dynamo.postgres.lines import UnreadableRow
from pg2dynamo.postgres.rows import copy_rows_by_key
from pg2dynamo.postgres.snapshot import adopt_snapshot

KEYS_PER_STATEMENT = 100

Key = frozenset[tuple[str, str | None]]


@dataclass(slots=True)
class RetryResult:
    """How many rows of the quarantine were written now, are gone from the source, and are refused still."""

    written: int = 0
    gone: int = 0
    refused: int = 0


def can_be_retried(row: QuarantinedRow, mapping: TableMapping) -> bool:
    """Return whether the row can be read again alone: its key was kept, and is the source's and not the item's."""
    return row.retryable and row.key.keys() == {key.column for key in mapping.source_key}


def retry_quarantined(
    job: CopyJob, environ: Mapping[str, str], journal: Journal, rows: Iterable[QuarantinedRow], *, whole: bool
) -> RetryResult:
    """Read the rows again under the job's snapshot and write those that fit now.

    A row leaves the quarantine only when its item is written, the row is gone or the plan leaves it out. A row whose
    key was too long to be kept leaves it when `whole`: then this run has read the whole table and would have refused
    it anew. Idempotent.
    """
    result = RetryResult()
    groups = _groups(rows)
    first = next(groups, None)
    if first is None:
        return result
    with connect_source(job.dsn, environ) as connection, adopt_snapshot(connection, job.snapshot):
        for group in chain([first], groups):
            _retry_group(job, connection, journal, [row for row in group if can_be_retried(row, job.mapping)], result)
            lost = [row for row in group if not can_be_retried(row, job.mapping)]
            if whole:
                journal.remove_quarantined(lost)
                result.gone += len(lost)
    return result


def _retry_group(
    job: CopyJob, connection: Connection, journal: Journal, group: list[QuarantinedRow], result: RetryResult
) -> None:
    encoder = Encoder(job.mapping)
    waiting = {_key(row.key): row for row in group}
    unreadable: list[UnreadableRow] = []
    keys = [row.key for row in group]
    lines = [line for batch in copy_rows_by_key(connection, job.mapping, keys, unreadable.append) for line in batch]
    refused, skipped = _write(job, encoder, lines)
    refused |= {_key(encoder.source_key(row.line)): _of_unreadable(row, job) for row in unreadable}
    found = {_key(encoder.source_key(line)) for line in lines} | refused.keys()
    still = [_refused_again(waiting[key], job, refusal) for key, refusal in refused.items()]
    result.written += len(found - refused.keys() - skipped)
    result.gone += len(waiting.keys() - found)
    result.refused += len(still)
    journal.put_quarantined(still)
    journal.remove_quarantined([row for key, row in waiting.items() if key not in refused])


def _groups(rows: Iterable[QuarantinedRow]) -> Iterator[list[QuarantinedRow]]:
    iterator = iter(rows)
    while group := list(islice(iterator, KEYS_PER_STATEMENT)):
        yield group


def _key(key: dict[str, str | None]) -> Key:
    return frozenset(key.items())


def _of_unreadable(row: UnreadableRow, job: CopyJob) -> RowRefused:
    return RowRefused(row.attribute, row.reason, accepted=row.accepted_by(job.mapping))


def _write(job: CopyJob, encoder: Encoder, lines: list[bytes]) -> tuple[dict[Key, RowRefused], set[Key]]:
    """Write the rows; return the refusals by source key, and the rows that are left out, whose items are deleted."""
    refused: dict[Key, RowRefused] = {}
    left_out: set[Key] = set()
    sources: dict[bytes, Key] = {}

    def reject(item_key: bytes, reason: str) -> None:
        refused[sources[item_key]] = RowRefused("", reason)

    units = WriteUnits(job.mapping)
    with BatchWriter(job.settings, job.mapping.target, on_refused=reject, units=units) as writer:
        for line in lines:
            source = _key(encoder.source_key(line))
            try:
                encoded = encoder.encode(line)
            except RowSkipped as skipped:
                left_out.add(source)
                if skipped.key is not None:
                    sources[skipped.key] = source
                    writer.delete(skipped.key)
                continue
            except RowRefused as refusal:
                refused[source] = refusal.with_traceback(None)
                continue
            sources[encoded.key] = source
            writer.put(encoded.key, encoded.item)
        writer.flush()
    return refused, left_out


def _refused_again(row: QuarantinedRow, job: CopyJob, refusal: RowRefused) -> QuarantinedRow:
    return replace(
        row,
        attribute=refusal.attribute,
        reason=refusal.reason,
        snapshot=job.snapshot_label,
        accepted=refusal.accepted,
    )
