"""Run traffic: workers in threads, each with its own tenants, from a first tenant that stays to the cleaning up."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

from onboarding.store.interface import Clock
from onboarding.store.opening import utc_now
from onboarding.traffic import writing
from onboarding.traffic.asking import Asker, GaveUp, Surroundings
from onboarding.traffic.choosing import Action, action, choose
from onboarding.traffic.deleting import delete_and_look
from onboarding.traffic.model import Model
from onboarding.traffic.options import Target, TrafficOptions
from onboarding.traffic.pacing import Pacer, Watch
from onboarding.traffic.recording import Recording
from onboarding.traffic.report import Counts, Tally, TrafficProgress, TrafficReport, report_of
from onboarding.traffic.scene import Missing, Peer, Scene
from onboarding.traffic.values import ONE_SECOND
from onboarding.traffic.worker import Worker

PROGRESS_SECONDS = 1.0
SETTING_UP_SECONDS = 600.0
"""How long workers wait for each other's first tenant."""


def no_progress(_: TrafficProgress) -> None:
    """Tell nobody."""


@dataclass
class Shift:
    """One worker's part of a run."""

    number: int
    around: Surroundings
    pacer: Pacer
    share: int | None
    meeting: threading.Barrier
    peers: dict[int, Peer]
    tally: Tally = field(default_factory=Tally)
    met: bool = False
    """Whether the other workers have seen that this one is there."""

    def __post_init__(self) -> None:
        options, features = self.around.options, self.around.target.features
        self.scene = Scene(
            prefix=f"{options.label}-{options.seed}-{self.number}",
            random=Random(f"{options.seed}/{self.number}"),  # noqa: S311 - choices, not secrets
            model=Model(reckons_runs=features.reckons_runs),
            limits=options.limits,
            features=features,
            wall=self.around.clock(),
        )
        self.asker = Asker(self.number, self.around, self.tally)
        self.worker = Worker(self.scene, self.asker)

    def work(self) -> None:
        """Make a first tenant, then do as chosen until the end, then delete the tenants.

        When the target stays away, what there is is left.
        """
        try:
            if self._settle_in():
                self._loop()
            if self.around.options.cleanup:
                self._clean_up()
        except GaveUp:
            return
        finally:
            if not self.met:
                self.meeting.abort()

    def _settle_in(self) -> bool:
        """Make the first tenant and wait for the other workers'; return whether all have one."""
        for make in (writing.create_tenant, writing.create_provider, writing.create_account):
            self._act(make)
        account = next(iter(self.scene.model.all("account")), None)
        if account is None:
            return False
        self.scene.anchor = account.tenant_id
        self.peers[self.number] = Peer(account.tenant_id, account.provider_id, account.account_id)
        try:
            self.meeting.wait(SETTING_UP_SECONDS)
            self.met = True
        except threading.BrokenBarrierError:
            return False
        others = {number: peer for number, peer in sorted(self.peers.items()) if number != self.number}
        self.scene.peers = list(others.values())
        for number, peer in others.items():
            self.worker.name_peer(number, peer)
        return True

    def _loop(self) -> None:
        while not self._finished():
            self.scene.moment += ONE_SECOND
            self.scene.wall = self.around.clock()
            self._act(choose(self.scene.random))

    def _finished(self) -> bool:
        return self.around.stop.is_set() or (self.share is not None and self.tally.operations >= self.share)

    def _act(self, chosen: Action) -> None:
        """Do an action; of one that lacks something, do what makes it instead."""
        while True:
            try:
                self._take_steps(chosen)
            except Missing as missing:
                chosen = action(missing.create)
            else:
                return

    def _take_steps(self, chosen: Action) -> None:
        steps = chosen(self.scene)
        answer: Any = None
        while True:
            try:
                call = steps.send(answer)
            except StopIteration:
                return
            if call.method in self.scene.features.lacks:
                return
            self.pacer.wait()
            answer = self.worker.do(call)

    def _clean_up(self) -> None:
        for tenant in self.scene.model.all("tenant"):
            self._take_steps(partial(delete_and_look, kind="tenant", record=tenant))


def run_traffic(
    target_factory: Callable[[], Target],
    options: TrafficOptions,
    progress: Callable[[TrafficProgress], None] = no_progress,
    *,
    stop: threading.Event | None = None,
    watch: Watch | None = None,
    clock: Clock = utc_now,
) -> TrafficReport:
    """Ask the target as `options` say, and return what it answered wrongly.

    `target_factory` is called once for each worker, and may give the same target to all; the caller closes it.
    `progress` is called about every second. Setting `stop` ends the run in good order.
    """
    watch, stop, counts = watch or Watch(), stop or threading.Event(), Counts()
    recording = Recording(options.record) if options.record else None
    shifts = _shifts(target_factory, options, stop, watch, clock, counts, recording)
    began = watch.now()

    def tell() -> None:
        progress(TrafficProgress(watch.now() - began, counts.operations, counts.unavailable, counts.wrong))

    try:
        with ThreadPoolExecutor(len(shifts), thread_name_prefix="traffic") as pool:
            futures = [pool.submit(shift.work) for shift in shifts]
            _wait(futures, stop, options.seconds, watch, began, tell)
    finally:
        if recording:
            recording.close()
    left = [tenant.tenant_name for shift in shifts for tenant in shift.scene.model.all("tenant")]
    seconds = watch.now() - began
    return report_of([s.tally for s in shifts], seed=options.seed, label=options.label, seconds=seconds, left=left)


def _shifts(
    target_factory: Callable[[], Target],
    options: TrafficOptions,
    stop: threading.Event,
    watch: Watch,
    clock: Clock,
    counts: Counts,
    recording: Recording | None,
) -> list[Shift]:
    pacer, meeting = Pacer(options.rate, watch), threading.Barrier(options.workers)
    peers: dict[int, Peer] = {}
    arounds = [
        Surroundings(target_factory(), options, watch, clock, stop, counts, recording) for _ in range(options.workers)
    ]
    return [
        Shift(number, around, pacer, _share(options, number), meeting, peers) for number, around in enumerate(arounds)
    ]


def _share(options: TrafficOptions, number: int) -> int | None:
    if options.operations is None:
        return None
    whole, rest = divmod(options.operations, options.workers)
    return whole + (number < rest)


def _wait(
    futures: list[Future[None]],
    stop: threading.Event,
    seconds: float | None,
    watch: Watch,
    began: float,
    tell: Callable[[], None],
) -> None:
    """Wait for the workers, telling how far they are; raise what one of them raised after stopping all."""
    waiting: set[Future[None]] = set(futures)
    while waiting:
        left = PROGRESS_SECONDS if seconds is None else max(0.0, began + seconds - watch.now())
        done, waiting = wait(waiting, timeout=min(PROGRESS_SECONDS, left) if not stop.is_set() else PROGRESS_SECONDS)
        if (seconds is not None and watch.now() - began >= seconds) or any(future.exception() for future in done):
            stop.set()
        tell()
    for future in futures:
        future.result()
