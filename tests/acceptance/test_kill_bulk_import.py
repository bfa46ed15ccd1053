"""Kill `copy --via import` at every named point; run it again; then everything is equal and nothing is left behind.

The source changes between the kill and the second run, so that what that finishes is another snapshot.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pg2dynamo.migration.verify import verify
from tests.acceptance.test_kill import points
from tests.bulk_case import BulkCase, make_bulk_case
from tests.conftest import Database

pytestmark = pytest.mark.acceptance

KILLED = -signal.SIGKILL
REFUSED = "UPDATE people SET town = '' WHERE id = 4"
MENDED = "UPDATE people SET town = 'mended' WHERE id = 4"
CHANGED = (
    "UPDATE people SET name = name || ' renamed' WHERE id IN (1, 2); DELETE FROM visits WHERE person = 7; "
    "INSERT INTO people (id, name) VALUES (1001, 'new')"
)
BEFORE_THE_JOB = ("bulk.begun", "bulk.batch_read", "bulk.quarantined", "bulk.span_stored", "bulk.uploaded")


@pytest.fixture
def case(any_database: Database, any_aws_environ: dict[str, str], unique: str) -> BulkCase:
    """A filled source, a bucket, and no tables yet."""
    return make_bulk_case(any_database, any_aws_environ, unique)


def run(case: BulkCase, folder: Path, *arguments: str, kill_at: str | None = None) -> tuple[int, dict[str, Any], str]:
    """Run `copy` in a process of its own; return exit code, report and narration."""
    (folder / "plan.yaml").write_text(case.plan_text)
    environ = case.environ | ({"PG2DYNAMO_KILL_AT": kill_at} if kill_at else {})
    command = [sys.executable, "-m", "pg2dynamo", "copy", "--json", "--processes", "0", *arguments]
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=120)
    return done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr


def test_the_points_are_found() -> None:
    assert len(points("bulk.")) >= 14
    assert set(BEFORE_THE_JOB) <= set(points("bulk."))


@pytest.mark.parametrize("point", [*points("bulk."), "bulk.requested:2", "bulk.journaled:2"])
def test_an_import_killed_at_a_named_point_is_finished_by_the_next(case: BulkCase, tmp_path: Path, point: str) -> None:
    case.execute(REFUSED)
    code, _, narration = run(case, tmp_path, "--via", "import", kill_at=point)
    assert code == KILLED, f"{point} was not reached: {narration}"
    left = set(case.objects())
    case.execute(MENDED)
    case.execute(CHANGED)
    code, report, narration = run(case, tmp_path, "--via", "import")
    assert (code, report["ok"]) == (0, True), narration
    assert {name: counts["items"] for name, counts in report["tables"].items()} == {
        "public.people": 301,
        "public.visits": 199,
    }
    if point in BEFORE_THE_JOB:
        assert "its objects are removed" in narration
        assert report["tables"]["public.people"]["via"] == "import"
    assert not left & set(case.objects())
    assert (case.objects(), case.journal().imports()) == ([], {})
    assert verify(case.plan, case.environ, processes=0, report=tmp_path / "report.jsonl").equal
    code, again, _ = run(case, tmp_path)
    assert {counts["written"] + counts["deleted"] for counts in again["tables"].values()} == {0}
