"""How often a caller may ask: a token bucket for each, in bounded memory."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from onboarding.api.settings import Rate


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class TokenBuckets:
    """Safe to use from several threads.

    At most `remembered` callers are remembered; the one that asked longest ago is forgotten, and then has a full
    bucket again.
    """

    def __init__(self, rate: Rate, *, monotonic_seconds: Callable[[], float], remembered: int) -> None:
        self._rate, self._now, self._remembered = rate, monotonic_seconds, remembered
        self._buckets: OrderedDict[Hashable, _Bucket] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._buckets)

    def wait_seconds(self, caller: Hashable) -> int:
        """Take a token and return 0, or return after how many whole seconds there will be one."""
        with self._lock:
            bucket = self._filled(caller)
            if bucket.tokens >= 1:
                bucket.tokens -= 1
                return 0
            return max(1, math.ceil((1 - bucket.tokens) / self._rate.per_second))

    def _filled(self, caller: Hashable) -> _Bucket:
        now = self._now()
        bucket = self._buckets.setdefault(caller, _Bucket(float(self._rate.burst), now))
        self._buckets.move_to_end(caller)
        if len(self._buckets) > self._remembered:
            self._buckets.popitem(last=False)
        gained = (now - bucket.filled_at) * self._rate.per_second
        bucket.tokens, bucket.filled_at = min(float(self._rate.burst), bucket.tokens + gained), now
        return bucket
