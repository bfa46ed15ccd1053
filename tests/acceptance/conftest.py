"""The onboarding database and its migration by processes of their own, for acceptance tests."""

from __future__ import annotations

import json
import os
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

SOURCE = Path(__file__).parents[2] / "src"
ENTITIES = (
    *("TENANTS", "TENANT_NAMES", "PROVIDERS", "TENANT_PROVIDERS"),
    *("ACCOUNTS", "SCHEDULES", "EXECUTIONS", "SCAN_RESULTS"),
)
LOOKUPS = {"tenant-names": "public.tenants", "tenant-providers": "public.providers"}
"""Entries of the plan that have another name than their source table, and that table."""


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
            sources = {name: name for name in names} | LOOKUPS
            counts = [
                connection.execute(f"SELECT count(*) FROM {name}".encode()).fetchone() for name in sources.values()
            ]
        return {name: row[0] for name, row in zip(sources, counts, strict=True) if row}


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
