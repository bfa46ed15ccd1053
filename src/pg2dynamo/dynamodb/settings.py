"""How DynamoDB is reached: plain values that travel to worker processes; credentials never do.

Endpoint, profile and credentials come from the AWS SDK's own configuration in each process.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TargetSettings:
    """Settings of all calls to DynamoDB.

    `request_timeout_seconds` bounds one HTTP request; a request that outlives it is closed and sent again.
    `give_up_seconds` bounds how long one request is retried without success before the run ends with an error.
    `budget_file` is the file of the `WriteBudget` that every write asks first; without one, writes are not held back.
    `count_consumed` asks DynamoDB what each write has used, and corrects the budget by it.
    """

    region: str | None = None
    in_flight: int = 32
    request_timeout_seconds: float = 10.0
    give_up_seconds: float = 120.0
    budget_file: str | None = None
    count_consumed: bool = False
