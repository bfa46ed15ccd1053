"""The rows of an export as items, and the list of those that no item can hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import orjson

from pg2dynamo.errors import RowRefused, RowSkipped
from pg2dynamo.mapping.encode import Encoder
from pg2dynamo.mapping.table import TableMapping
from pg2dynamo.migration.export_files import LineFiles
from pg2dynamo.migration.workers import Report
from pg2dynamo.postgres.lines import UnreadableRow


class ItemFiles:
    """Writes the rows of one span as items, and lists those that no item can hold; counts by the plan's policies."""

    def __init__(self, mapping: TableMapping, data: LineFiles, refused: LineFiles, report: Report) -> None:
        self._mapping, self._data, self._refused, self._report = mapping, data, refused, report
        self._encoder = Encoder(mapping)
        self.accepted = self.skipped = self.nulled = 0

    def write(self, batches: Iterator[list[bytes]]) -> int:
        """Write rows; return how many there were."""
        rows = 0
        for lines in batches:
            for line in lines:
                self._write(line)
            rows += len(lines)
            self._report((self._mapping.name, len(lines)))
        return rows

    def _write(self, line: bytes) -> None:
        try:
            encoded = self._encoder.encode(line)
        except RowSkipped:
            self.skipped += 1
        except RowRefused as fault:
            self._list(line, fault.attribute, fault.reason, accepted=fault.accepted)
        else:
            self._data.add((b'{"Item":' + encoded.item + b"}",))
            self.nulled += encoded.nulled

    def set_aside(self, rows: Sequence[UnreadableRow]) -> int:
        """List rows that stay in the source; return how many."""
        for row in rows:
            self._list(row.line, row.attribute, row.reason, accepted=row.accepted_by(self._mapping))
        self._report((self._mapping.name, len(rows)))
        return len(rows)

    def _list(self, line: bytes, attribute: str, reason: str, *, accepted: bool) -> None:
        key = self._encoder.source_key(line)
        entry = {"key": key, "attribute": attribute, "reason": reason, "accepted": accepted}
        self._refused.add((orjson.dumps(entry),))
        self.accepted += accepted
