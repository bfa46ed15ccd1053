"""What the writer knows of the operations of one request, from the first time it is sent until all are answered for."""

from __future__ import annotations

from dataclasses import dataclass

from pg2dynamo.dynamodb.attempts import Attempts
from pg2dynamo.dynamodb.batch import Operation


@dataclass(slots=True, eq=False)
class Delivery:
    """Operations on different keys, on their way.

    `size` is about how many bytes of memory they take. Moments are of the monotonic clock: before `due` they are not
    sent; until `rest_until` a request with them whose answer was lost can be executed. `units` are the write units
    that are reserved for them, None when none are. `generation` is the window's when they were sent.
    """

    operations: list[Operation]
    size: int
    attempts: Attempts | None = None
    due: float = 0.0
    rest_until: float = 0.0
    units: float | None = None
    generation: int = 0

    def halves(self) -> tuple[Delivery, Delivery]:
        """Return the second half and the first, each a delivery by itself."""
        middle = len(self.operations) // 2
        first, second = self.operations[:middle], self.operations[middle:]
        size = self.size * middle // len(self.operations)
        return (
            Delivery(second, self.size - size, rest_until=self.rest_until),
            Delivery(first, size, rest_until=self.rest_until),
        )
