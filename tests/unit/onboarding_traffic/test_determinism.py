"""The same options ask the same, whatever the moment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from onboarding.store.memory import MemoryStore
from onboarding.store.opening import utc_now
from tests.unit.onboarding_traffic.stores import Flaky, quick, run


def test_two_runs_of_a_seed_ask_and_get_the_same() -> None:
    first, second, other = (run(MemoryStore(utc_now), seed=seed) for seed in (7, 7, 8))
    assert first.digest == second.digest != other.digest


def test_answers_that_were_lost_do_not_change_what_is_asked() -> None:
    steady = run(MemoryStore(utc_now), seed=7)
    flaky = run(Flaky(3, before=0.05, after=0.05), seed=7, watch=quick())
    assert flaky.unavailable > 50
    assert flaky.digest == steady.digest


def _recorded(path: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return sorted(lines, key=lambda line: (line["worker"], line["operation"]))


def test_a_recording_holds_each_worker_s_operations_in_order_and_no_credential(tmp_path: Path) -> None:
    report = run(MemoryStore(utc_now), record=tmp_path / "first.jsonl")
    run(MemoryStore(utc_now), record=tmp_path / "second.jsonl")
    first, second = (_recorded(tmp_path / f"{name}.jsonl") for name in ("first", "second"))
    assert len(first) == report.operations
    assert [line["kind"] for line in first] == [line["kind"] for line in second]
    stored = [line for line in first if line["method"] == "put_credential"]
    assert stored
    assert all("credentials" not in line["arguments"][1] for line in stored)
    read = [line for line in first if line["method"] == "read_credential" and "info" in line["answer"]]
    assert all(set(line["answer"]) == {"info"} for line in read)
