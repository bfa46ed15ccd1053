"""Kill `copy` at every named point and at random moments; `copy` again; then everything is equal.

The source changes between the kill and the second run, so that what it finishes is another snapshot.
"""

from __future__ import annotations

import random
import re
import signal
import subprocess

import pytest

from tests.acceptance.conftest import SOURCE, Migration, Onboarding

pytestmark = pytest.mark.acceptance

BAD_ROW = "UPDATE scan_results SET status = '' WHERE scan_id = (SELECT min(scan_id) FROM scan_results)"
MENDED_ROW = "UPDATE scan_results SET status = 'completed' WHERE status = ''"
KILLED = -signal.SIGKILL


def points(*prefixes: str) -> list[str]:
    """Return the named points in the source that begin so: a new one is tested as soon as it is there."""
    found = set[str]()
    for path in sorted((SOURCE / "pg2dynamo").rglob("*.py")):
        found |= set(re.findall(r'faults\.point\("([a-z_.]+)"\)', path.read_text()))
    return sorted(point for point in found if point.startswith(prefixes))


def await_copying(process: subprocess.Popen[str]) -> None:
    """Return when the process has taken its snapshot and begins to copy."""
    assert process.stderr is not None
    assert any("Copying snapshot" in line for line in process.stderr), "the copy never began"


def change_the_source(onboarding: Onboarding) -> None:
    """Insert, update, move, and delete rows, with credentials: what a live application does meanwhile."""
    onboarding.execute(
        MENDED_ROW,
        "UPDATE accounts SET account_name = account_name || ' renamed' WHERE account_id IN "
        "(SELECT account_id FROM accounts ORDER BY account_id LIMIT 3)",
        "DELETE FROM schedule_executions WHERE execution_id IN "
        "(SELECT execution_id FROM schedule_executions ORDER BY execution_id LIMIT 2)",
        "INSERT INTO scan_results (scan_id, account_id, provider_type, started_at, status) SELECT "
        "'scan ' || gen_random_uuid(), account_id, 'aws', now(), 'running' FROM accounts ORDER BY account_id LIMIT 2",
        # The newest credential of an account goes, and another account goes back to its oldest one.
        "DELETE FROM account_credentials WHERE credential_id = (SELECT credential_id FROM account_credentials c "
        "WHERE (SELECT count(*) FROM account_credentials o WHERE o.account_id = c.account_id) > 1 "
        "ORDER BY created_at DESC LIMIT 1)",
        "INSERT INTO account_credentials (account_id, credential_type, encrypted_data, created_at) "
        "SELECT account_id, credential_type, encrypted_data, now() FROM account_credentials "
        "ORDER BY created_at LIMIT 1",
    )


def test_the_points_are_found() -> None:
    assert len(points("copy.")) >= 8
    assert len(points("secrets.")) >= 3


@pytest.mark.parametrize("point", [*points("copy.", "secrets."), "copy.segment.journaled:4", "secrets.after_put:3"])
def test_a_copy_killed_at_a_named_point_is_finished_by_the_next(migration: Migration, point: str) -> None:
    migration.onboarding.execute(BAD_ROW)
    code, _, narration = migration.run("copy", "--processes", "0", kill_at=point)
    assert code == KILLED, f"{point} was not reached: {narration}"
    change_the_source(migration.onboarding)
    migration.finish_and_compare()


@pytest.mark.parametrize("seed", range(4))
def test_a_copy_killed_at_any_moment_is_finished_by_the_next(migration: Migration, seed: int) -> None:
    """Twice: killed a random time after the copy has begun, in whatever it is doing then."""
    chance = random.Random(seed)
    for _ in range(2):
        with migration.start("copy", "--processes", "2") as process:
            await_copying(process)
            try:
                process.wait(timeout=chance.uniform(0, 1.5))
            except subprocess.TimeoutExpired:
                process.kill()
        assert process.returncode in (KILLED, 0, 1)
        change_the_source(migration.onboarding)
    migration.finish_and_compare()


def test_ctrl_c_ends_a_copy_with_a_word_on_how_to_go_on(migration: Migration) -> None:
    with migration.start("copy", "--processes", "2") as process:
        await_copying(process)
        process.send_signal(signal.SIGINT)
        _, narration = process.communicate(timeout=60)
    assert process.returncode == 1, narration
    assert "Run the same command again" in narration
    assert "Traceback" not in narration
    migration.finish_and_compare()


def test_a_second_copy_after_completion_writes_nothing(migration: Migration) -> None:
    change_the_source(migration.onboarding)
    migration.finish_and_compare()
    _, again, _ = migration.json("copy", "--processes", "0")
    assert {counts["written"] for counts in again["tables"].values()} == {0}
    assert {counts["deleted"] for counts in again["tables"].values()} == {0}
    assert again["secrets"]["written"] == 0
