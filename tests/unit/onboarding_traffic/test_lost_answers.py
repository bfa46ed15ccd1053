"""A write whose answer was lost is followed up until it is known what has become of it."""

from __future__ import annotations

from typing import Any

import pytest

from onboarding.store.errors import Unavailable
from tests.unit.onboarding_traffic.stores import FAULTY, Flaky, ForgetsACounter, Method, Wrapped, quick, run


@pytest.mark.parametrize(
    ("before", "after"), [(0.2, 0.0), (0.0, 0.2), (0.15, 0.15)], ids=["not done", "done", "either"]
)
def test_a_lost_answer_is_no_wrong_one_and_nothing_is_lost_track_of(before: float, after: float) -> None:
    store = Flaky(5, before=before, after=after)
    report = run(store, watch=quick())
    assert report.listed == ()
    assert report.unavailable > 100
    assert not any(store.memory._records.values())
    assert report.outcomes["refused"] > 0
    assert (report.outcomes.get("happened", 0) > 20) == (after > 0)
    assert (report.outcomes.get("repeated", 0) > 20) == (before > 0)


class HalfDone(Wrapped):
    """Loses the answer of every third end of an execution, and its count."""

    def call(self, name: str, method: Method, *args: Any, **kwargs: Any) -> Any:
        if name != "update_execution" or not self.now_and_then():
            return method(*args, **kwargs)
        ForgetsACounter.call(self, name, method, *args, **kwargs)  # type: ignore[arg-type]
        raise Unavailable("memory")


def test_a_write_that_was_half_done_is_found() -> None:
    assert run(HalfDone(), watch=quick(), workers=1).wrong > 0


class DoesSomethingElse(Wrapped):
    """Loses the answer of every third change of an account, and makes another one."""

    def call(self, name: str, method: Method, *args: Any, **kwargs: Any) -> Any:
        if name != "update_account" or not self.now_and_then():
            return method(*args, **kwargs)
        method(args[0], {"account_name": "something else"})
        raise Unavailable("memory")


def test_an_outcome_that_is_neither_is_found() -> None:
    found = [wrong.differences[0] for wrong in run(DoesSomethingElse(), watch=quick(), workers=1).listed]
    assert "neither as before nor as after" in found


class GoesAway(Wrapped):
    """Answers so many calls, then none."""

    def call(self, name: str, method: Method, *args: Any, **kwargs: Any) -> Any:
        if self.calls > 800:
            raise Unavailable("memory")
        return method(*args, **kwargs)


def test_a_store_that_stays_away_ends_the_run_and_the_unknown_is_told() -> None:
    report = run(GoesAway(), watch=quick(), patience_seconds=20, workers=2)
    assert report.wrong == 0
    assert report.operations < 1_000
    assert report.left


def test_faults_are_found_beside_lost_answers() -> None:
    faulty = FAULTY[0]

    class Both(Flaky):
        def call(self, name: str, method: Method, *args: Any, **kwargs: Any) -> Any:
            return super().call(name, lambda *a, **k: faulty.call(self, name, method, *a, **k), *args, **kwargs)

    assert run(Both(1, before=0.05, after=0.05), watch=quick(), workers=1).wrong > 0


class CutsDeletionsShort(Wrapped):
    """Deletes an account and leaves what hung on it until it is swept; its answer is lost."""

    def __init__(self, *, sweeps: bool) -> None:
        super().__init__()
        self.sweeps = sweeps

    def call(self, name: str, method: Method, *args: Any, **kwargs: Any) -> Any:
        with self.lock:
            if name == "sweep" and self.sweeps:
                self._finish()
            if name != "delete_account":
                return method(*args, **kwargs)
            kept = {kind: dict(records) for kind, records in self.memory._records.items()}
            method(*args, **kwargs)
            del kept["account"][args[0]]
            self.memory._records = kept
            raise Unavailable("memory")

    def _finish(self) -> None:
        records = self.memory._records
        for kind in ("schedule", "execution", "scan_result"):
            records[kind] = {i: r for i, r in records[kind].items() if r.account_id in records["account"]}


def test_a_deletion_that_was_cut_short_is_seen_to_its_end() -> None:
    store = CutsDeletionsShort(sweeps=True)
    report = run(store, watch=quick(), deletion_seconds=30)
    assert report.listed == ()
    assert report.reread > 0


def test_a_deletion_that_never_comes_to_its_end_is_found() -> None:
    found = run(CutsDeletionsShort(sweeps=False), watch=quick(), deletion_seconds=30).listed
    assert {wrong.differences for wrong in found} >= {("ScanResult instead of NotFound",)}
