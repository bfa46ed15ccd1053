"""What a writer takes of the run's budget of write units: by the sizes of items, then by what the answer tells."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from pg2dynamo.dynamodb.batch import Operation, consumed_units
from pg2dynamo.dynamodb.budget import WriteBudget
from pg2dynamo.dynamodb.delivery import Delivery
from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.dynamodb.wire import Answer

Units = Callable[[bytes | None], float]
"""Says how many write units the item takes with its indexes; None is a delete."""


class Pacing:
    """Holds deliveries back until their write units are there; without a budget it holds back nothing."""

    def __init__(self, settings: TargetSettings, units: Units) -> None:
        """Open the budget of the settings. Raises StageError when its file is gone."""
        self._budget = WriteBudget.open(settings.budget_file) if settings.budget_file else None
        self._counts = settings.count_consumed
        self._units = units

    def allows(self, delivery: Delivery) -> bool:
        """Return whether the delivery may be sent now; at the first asking its units are reserved, and become `due`."""
        if self._budget is None:
            return True
        now = time.monotonic()
        if delivery.units is None:
            delivery.units = self._units_of(delivery.operations)
            delivery.due = now + self._budget.take(delivery.units)
        return delivery.due <= now

    def settle(self, delivery: Delivery, answer: Answer, left: Sequence[Operation] | None) -> None:
        """Correct the reservation by an answer: what was left undone used nothing; what is not known counts as used.

        What is sent again is reserved anew.
        """
        if self._budget is None or delivery.units is None:
            return
        consumed = consumed_units(answer.body) if self._counts and answer.status == 200 else None
        if consumed is not None:
            self._budget.settle(consumed - delivery.units)
        elif left:
            self._budget.settle(-self._units_of(left))
        delivery.units = None

    def close(self) -> None:
        """Close the budget's file."""
        if self._budget is not None:
            self._budget.close()

    def _units_of(self, operations: Sequence[Operation]) -> float:
        return sum([self._units(item) for _, item in operations])
