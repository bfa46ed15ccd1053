"""Kill `copy` at every named point and at random moments; `copy` again; then everything is equal.

The source changes between the kill and the second run, so that what it finishes is another snapshot.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography.fernet import Fernet

from onboarding.seed import CredentialKeys, SeedReport, fill
from pg2dynamo.migration.prepare import prepare
from pg2dynamo.plan.load import load_plan
from tests.conftest import Database, Servers

pytestmark = pytest.mark.acceptance

SOURCE = Path(__file__).parents[2] / "src"
ENTITIES = ("TENANTS", "PROVIDERS", "ACCOUNTS", "SCHEDULES", "EXECUTIONS", "SCAN_RESULTS")
BAD_ROW = "UPDATE scan_results SET status = '' WHERE scan_id = (SELECT min(scan_id) FROM scan_results)"
MENDED_ROW = "UPDATE scan_results SET status = 'completed' WHERE status = ''"
KILLED = -signal.SIGKILL


def points(*prefixes: str) -> list[str]:
    """Return the named points in the source that begin so: a new one is tested as soon as it is there."""
    found = set[str]()
    for path in sorted((SOURCE / "pg2dynamo").rglob("*.py")):
        found |= set(re.findall(r'faults\.point\("([a-z_.]+)"\)', path.read_text()))
    return sorted(point for point in found if point.startswith(prefixes))


@dataclass(frozen=True)
class Onboarding:
    """A filled onboarding database, and the environment of a process that migrates it."""

    dsn: str
    seeded: SeedReport
    environ: dict[str, str]

    def execute(self, *statements: str) -> None:
        """Run SQL on the source."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())


@pytest.fixture(scope="module")
def onboarding(servers: Servers) -> Iterator[Onboarding]:
    """One filled database for all kills; each test has a target of its own."""
    server = servers.postgres("pg18-wheel")
    name = f"kill_{os.getpid()}"
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
    database = Database(server.dsn.rpartition("/")[0] + f"/{name}", name, server)
    keys = CredentialKeys(Fernet.generate_key().decode(), Fernet.generate_key().decode())
    seeded = fill(database.dsn, keys, accounts=20)
    environ = {"DATABASE_URL": database.dsn, "CREDENTIAL_KEY": keys.current, "CREDENTIAL_KEY_OLD": keys.old}
    yield Onboarding(database.dsn, seeded, environ)
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@dataclass(frozen=True)
class Migration:
    """One migration of the onboarding database to names that no other test uses, by processes of its own."""

    onboarding: Onboarding
    environ: dict[str, str]
    folder: Path

    def start(self, *arguments: str, kill_at: str | None = None) -> subprocess.Popen[str]:
        """Start a command of pg2dynamo."""
        environ = self.environ | ({"PG2DYNAMO_KILL_AT": kill_at} if kill_at else {})
        command = [sys.executable, "-m", "pg2dynamo", *arguments, "--plan", "plan.yaml"]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=self.folder, env=environ, stdout=pipe, stderr=pipe, text=True)

    def run(self, *arguments: str, kill_at: str | None = None) -> tuple[int, str, str]:
        """Run a command to its end; return its exit code, output and narration."""
        with self.start(*arguments, kill_at=kill_at) as process:
            out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    def json(self, *arguments: str) -> tuple[int, dict[str, Any], str]:
        """Run a command with --json."""
        code, out, err = self.run(*arguments, "--json")
        return code, json.loads(out), err

    def finish_and_compare(self) -> None:
        """Copy to the end and see that nothing differs and every row is accounted for."""
        refused = str(self.onboarding.seeded.secrets.refused)
        code, copied, narration = self.json("copy", "--processes", "0", "--expect-refused", refused)
        assert code == 0, narration
        code, verified, narration = self.json("verify", "--processes", "0")
        assert (code, verified["equal"]) == (0, True), narration
        assert {name: counts["items"] for name, counts in copied["tables"].items()} == self._rows()
        secrets = copied["secrets"]
        assert secrets["rows"] == secrets["current"] + secrets["older"] + secrets["refused"]

    def _rows(self) -> dict[str, int]:
        with psycopg.connect(self.onboarding.dsn) as connection:
            names = [name for name in self.onboarding.seeded.tables if name != "public.account_credentials"]
            counts = [connection.execute(f"SELECT count(*) FROM {name}".encode()).fetchone() for name in names]
        return {name: row[0] for name, row in zip(names, counts, strict=True) if row}


@pytest.fixture
def migration(onboarding: Onboarding, any_aws_environ: dict[str, str], unique: str, tmp_path: Path) -> Migration:
    """A prepared, empty target of the test's own."""
    plan = (SOURCE / "onboarding" / "plan.yaml").read_text()
    target = f"target: {{control_table: {unique}-control, request_timeout_seconds: 1, "
    plan = plan.replace("name: onboarding", f"name: {unique}", 1).replace("target: {", target, 1)
    (tmp_path / "plan.yaml").write_text(plan)
    names = {f"DYNAMODB_{entity}_TABLE": f"{unique}-{entity.lower()}" for entity in ENTITIES}
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    environ = inherited | any_aws_environ | onboarding.environ | names | {"SECRETS_MANAGER_PREFIX": unique}
    made = Migration(onboarding, environ, tmp_path)
    prepare(load_plan(tmp_path / "plan.yaml", environ), environ, create_kms_key=True)
    return made


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
