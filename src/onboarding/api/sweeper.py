"""The upkeep of the store beside the requests: deletions are finished, expired receipts forgotten."""

from __future__ import annotations

import json
import logging
import threading

from onboarding.api.request_log import error_place
from onboarding.store.interface import Store

LOGGER = logging.getLogger("onboarding.sweeper")
SWEEP_SECONDS = 2.0
"""How long one sweep goes on, and so about how long stopping can take."""
PAUSE_SECONDS = 0.5
"""Between sweeps while something is left."""


class Sweeper:
    """A thread that calls `store.sweep` every so often, and soon after a deletion."""

    def __init__(self, store: Store, every_seconds: float) -> None:
        self._store, self._every_seconds = store, every_seconds
        self._woken, self._stopping = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="onboarding-sweeper", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Have a sweep soon."""
        self._woken.set()

    def stop(self) -> None:
        """End the thread, after the sweep that is going on. Idempotent."""
        self._stopping.set()
        self._woken.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        left = 0
        while not self._stopping.is_set():
            if left:
                self._stopping.wait(PAUSE_SECONDS)
            else:
                self._woken.wait(self._every_seconds)
            self._woken.clear()
            if not self._stopping.is_set():
                left = self._sweep()

    def _sweep(self) -> int:
        try:
            return self._store.sweep(seconds=SWEEP_SECONDS)
        except Exception as error:  # noqa: BLE001 - the next sweep goes on; what was wrong must not end the thread
            LOGGER.error("%s", json.dumps({"sweep": "failed", "error": error_place(error)}))
            return 0
