"""The rows of an export as items, and the list of those that no item can hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

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
            _, items, left = self._encoder.encode_many(lines)
            items += self._one_by_one(lines[number] for number in left)
            self._data.add(b'{"Item":%b}' % item for item in items)
            rows += len(lines)
            self._report((self._mapping.name, len(lines)))
        return rows

    def _one_by_one(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the items of rows that are not as usual, and list those that none can hold."""
        for line in lines:
            try:
                encoded = self._encoder.encode(line)
            except RowSkipped:
                self.skipped += 1
            except RowRefused as fault:
                self._list(line, fault.attribute, fault.reason, accepted=fault.accepted)
            else:
                self.nulled += encoded.nulled
                yield encoded.item

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
