"""What all requests share: the store, the settings, and what is made of them once."""

from __future__ import annotations

from onboarding.api.cursors import Cursors
from onboarding.api.idempotency import Idempotency
from onboarding.api.rates import TokenBuckets
from onboarding.api.settings import ApiSettings
from onboarding.api.sweeper import Sweeper
from onboarding.store.interface import Store


class Service:
    """See the module. Safe to use from several threads."""

    def __init__(self, store: Store, settings: ApiSettings) -> None:
        self.store, self.settings = store, settings
        self.cursors = Cursors(settings.token_keys)
        self.idempotency = Idempotency(settings.token_keys, settings.clock, settings.receipts_kept)
        self.sweeper = Sweeper(store, settings.sweep_every_seconds)
        self.buckets = TokenBuckets(
            settings.rate, monotonic_seconds=settings.monotonic_seconds, remembered=settings.callers_remembered
        )
