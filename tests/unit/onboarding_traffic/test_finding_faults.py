"""A store that goes wrong is told; one that does not, is not."""

from __future__ import annotations

from typing import Any

import pytest

from onboarding.store.errors import Conflict
from onboarding.store.memory import MemoryStore
from onboarding.store.opening import utc_now
from tests.unit.onboarding_traffic.stores import (
    FAULTY,
    Breaks,
    DropsAnItem,
    Method,
    MixesCredentials,
    TurnsTimeBack,
    Wrapped,
    run,
)


@pytest.mark.parametrize("seed", [1, 2])
def test_every_answer_of_the_reference_is_right(seed: int) -> None:
    report = run(MemoryStore(utc_now), seed=seed, operations=3_000)
    assert (report.wrong, report.listed, report.ok) == (0, (), True)
    assert report.operations >= 3_000
    assert len(report.refusals) > 20


@pytest.mark.parametrize("faulty", FAULTY, ids=lambda faulty: faulty.__name__)
def test_a_fault_is_found(faulty: type[Wrapped]) -> None:
    report = run(faulty())
    assert report.wrong > 0
    assert not report.ok
    assert report.listed[0].differences


def test_a_wrong_answer_says_which_fields_differ_and_never_a_value() -> None:
    values = run(MixesCredentials()).listed
    assert {wrong.differences for wrong in values} == {("credentials",)}
    assert {wrong.kind for wrong in values} == {"read_credential"}
    times = run(TurnsTimeBack()).listed
    assert times[0].differences == ("updated_at",)
    broken = run(Breaks())
    assert broken.listed[0].differences == ("RuntimeError instead of Page",)
    assert "with a value in it" not in str(broken.as_json())


def test_of_many_wrong_answers_all_are_counted_and_a_hundred_listed() -> None:
    report = run(DropsAnItem(), operations=4_000)
    assert report.wrong > 100
    assert len(report.listed) == 100


def test_it_leaves_nothing_behind_unless_told_to() -> None:
    store = MemoryStore(utc_now)
    assert run(store).left == ()
    assert not any(store._records.values())
    kept = run(store, label="kept", cleanup=False)
    assert set(kept.left) == {tenant.tenant_name for tenant in store._records["tenant"].values()} != set()


def test_what_there_is_stays_bounded_however_long_it_runs() -> None:
    store = MemoryStore(utc_now)
    run(store, operations=12_000, workers=1, cleanup=False)
    counts = {kind: len(records) for kind, records in store._records.items()}
    assert counts["tenant"] <= 3
    assert counts["account"] <= 27
    assert counts["execution"] <= 27 * 2 * 8
    assert counts["scan_result"] <= 27 * 10


class TakesNoTenant(Wrapped):
    """Refuses every tenant of one worker."""

    def call(self, name: str, method: Method, *args: Any, **kwargs: Any) -> Any:
        if name == "create_tenant" and args[0].tenant_name.startswith("t-1-0-"):
            raise Conflict("tenant", "Not today.")
        return method(*args, **kwargs)


def test_a_run_that_cannot_even_begin_ends_and_says_so() -> None:
    report = run(TakesNoTenant())
    assert report.seconds < 60
    assert {(wrong.kind, wrong.differences) for wrong in report.listed} == {
        ("create_tenant", ("Conflict instead of Tenant",))
    }
