"""Ask the target until it answers: an answer that was lost is asked for again, whatever it takes."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime

from onboarding.store.errors import Unavailable
from onboarding.store.interface import Clock
from onboarding.store.paging import moment_text
from onboarding.traffic.calls import Answer, Call, answer_of
from onboarding.traffic.options import Target, TrafficOptions
from onboarding.traffic.pacing import Watch
from onboarding.traffic.recording import Recording
from onboarding.traffic.report import Counts, Tally

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.05, 2.0
STOPPING_PATIENCE_SECONDS = 10.0
"""How long a run that is to stop still waits for the answer to what it has begun."""


class GaveUp(Exception):
    """The target has not answered for as long as it was to be waited for."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all workers of a run share."""

    target: Target
    options: TrafficOptions
    watch: Watch
    clock: Clock
    stop: threading.Event
    counts: Counts
    recording: Recording | None


@dataclass(frozen=True, slots=True)
class Asked:
    """An answer, and between which real times it was given."""

    answer: Answer
    began: datetime
    ended: datetime


@dataclass
class Asker:
    """One worker's way to the target."""

    worker: int
    around: Surroundings
    tally: Tally
    operation: int = 0

    def once(self, call: Call) -> Asked:
        """Ask once; the answer may be Unavailable, which is counted."""
        around, now = self.around, self.around.watch.now
        began, start = around.clock(), now()
        answer = answer_of(around.target.store, call)
        seconds, ended = now() - start, around.clock()
        if isinstance(answer, Unavailable):
            self.tally.unavailable += 1
            around.counts.add(unavailable=1)
        else:
            self.tally.took(call.kind, seconds)
        if around.recording:
            around.recording.add(self.worker, self.operation, call, answer, moment_text(began), seconds)
        return Asked(answer, began, ended)

    def until_answered(self, call: Call) -> Asked:
        """Ask a question that changes nothing until it is answered. Raises GaveUp."""
        patience = self.patience()
        asked = self.once(call)
        while isinstance(asked.answer, Unavailable):
            patience.wait()
            asked = self.once(call)
        return asked

    def patience(self) -> Patience:
        """Begin to wait for an answer."""
        return Patience(self.around, self.around.watch.now())


@dataclass
class Patience:
    """Waits before the same is asked again, longer each time, until it has been too long in all."""

    around: Surroundings
    since: float
    pause_seconds: float = FIRST_PAUSE_SECONDS

    def wait(self) -> None:
        """Wait. Raises GaveUp."""
        watch, limit = self.around.watch, self.around.options.patience_seconds
        if self.around.stop.is_set():
            limit = min(limit, STOPPING_PATIENCE_SECONDS)
        if watch.now() - self.since >= limit:
            raise GaveUp
        watch.sleep(self.pause_seconds)
        self.pause_seconds = min(self.pause_seconds * 2, LONGEST_PAUSE_SECONDS)
