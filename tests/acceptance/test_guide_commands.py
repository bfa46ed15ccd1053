"""The migration guide's four commands, as it writes them, between two sides that cannot reach each other."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from onboarding.demo import PLAN
from onboarding.seed import CredentialKeys, SeedReport, fill
from pg2dynamo.local.aws import AwsStack
from tests.conftest import Database, lacking

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]
ACCOUNTS = 20
ENTITIES = (
    *("TENANTS", "TENANT_NAMES", "PROVIDERS", "TENANT_PROVIDERS"),
    *("ACCOUNTS", "SCHEDULES", "EXECUTIONS", "SCAN_RESULTS"),
)
KEYS = CredentialKeys(Fernet.generate_key().decode(), Fernet.generate_key().decode())


@dataclass
class Sides:
    """The two sides: what each has in its environment, and the directory that is carried from one to the other."""

    directory: Path
    common: dict[str, str]
    source: dict[str, str] = field(repr=False)
    target: dict[str, str] = field(repr=False)
    name: str
    seeded: SeedReport

    @property
    def export(self) -> Path:
        """The export's directory."""
        return self.directory / "postgres_export"

    def run(self, script: str, environ: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
        """Run one of the guide's commands with this environment and no other."""
        return subprocess.run(
            ["python3", f"{ROOT}/migration/{script}.py", *options],
            cwd=self.directory,
            env=self.common | environ,
            capture_output=True,
            text=True,
            check=False,
        )

    def step(self, script: str, *options: str, code: int = 0, **more: str) -> dict[str, Any]:
        """Run a command on its own side, and return the object that it prints."""
        environ = self.source if script == "export_postgres" else self.target
        done = self.run(script, environ | more, "--json", *options)
        assert done.returncode == code, done.stderr
        result: dict[str, Any] = json.loads(done.stdout)
        return result

    def tables(self) -> set[str]:
        """Return the tables of this test that there are."""
        names = _client("dynamodb", self.target).get_paginator("list_tables").paginate()
        return {name for page in names for name in page["TableNames"] if self.name in name}


def _client(service: Any, environ: dict[str, str]) -> Any:
    url = environ.get(f"AWS_ENDPOINT_URL_{service.upper()}", environ["AWS_ENDPOINT_URL"])
    return boto3.Session(
        environ["AWS_ACCESS_KEY_ID"], environ["AWS_SECRET_ACCESS_KEY"], region_name=environ["AWS_REGION"]
    ).client(service, endpoint_url=url)


def _sides(database: Database, stack: AwsStack, name: str, directory: Path) -> Sides:
    if shutil.which("python3") is None:
        lacking("the guide's commands need a python3 in the path")
    plan = directory / "plan.yaml"
    text = PLAN.read_text().replace("name: onboarding", f"name: {name}", 1)
    plan.write_text(text.replace("target: {", f"target: {{control_table: {name}-control, ", 1))
    common = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(directory),
        "PG2DYNAMO_PLAN": str(plan),
        "SECRETS_MANAGER_PREFIX": name,
        **{f"DYNAMODB_{entity}_TABLE": f"{name}-{entity.lower()}" for entity in ENTITIES},
    }
    target = dict(stack.environ) | {"CREDENTIAL_KEY": KEYS.current, "CREDENTIAL_KEY_OLD": KEYS.old}
    seeded = fill(database.dsn, KEYS, accounts=ACCOUNTS)
    return Sides(directory, common, {"DATABASE_URL": database.dsn}, target, name, seeded)


@pytest.fixture
def sides(any_database: Database, any_aws: AwsStack, unique: str, tmp_path: Path) -> Sides:
    return _sides(any_database, any_aws, unique, tmp_path)


@pytest.fixture
def exported(sides: Sides) -> Sides:
    sides.step("export_postgres")
    return sides


def expect(sides: Sides) -> tuple[str, str]:
    return "--expect-refused", str(sides.seeded.secrets.refused)


def test_the_four_commands_migrate_everything(database: Database, aws: AwsStack, unique: str, tmp_path: Path) -> None:
    sides = _sides(database, aws, unique, tmp_path)
    exported = sides.step("export_postgres")
    assert {name: counts["items"] for name, counts in exported["tables"].items()} == _rows(sides)
    decrypted = sides.step("decrypt_credentials", *expect(sides))
    assert {refusal["key"]["credential_id"] for refusal in decrypted["refusals"]} == set(sides.seeded.refused)
    imported = sides.step("import_dynamodb", *expect(sides))
    assert {name: counts["items"] for name, counts in imported["tables"].items()} == _rows(sides)
    secrets = sides.seeded.secrets
    found = [imported["secrets"][name] for name in ("rows", "current", "older", "refused")]
    assert found == [secrets.rows, secrets.current, secrets.older, secrets.refused]
    verified = sides.step("verify_migration")
    assert verified["equal"] is True
    assert verified["compared"] == sum(_rows(sides).values()) + secrets.current
    again = sides.step("import_dynamodb", *expect(sides))
    assert again["secrets"]["written"] == sum(counts["written"] for counts in again["tables"].values()) == 0


def _rows(sides: Sides) -> dict[str, int]:
    tables = {name: rows for name, rows in sides.seeded.tables.items() if name != "public.account_credentials"}
    return tables | {"tenant-names": tables["public.tenants"], "tenant-providers": tables["public.providers"]}


def test_more_refused_credentials_than_expected_are_a_failure(exported: Sides) -> None:
    one_less = ("--expect-refused", str(exported.seeded.secrets.refused - 1))
    assert exported.step("decrypt_credentials", *one_less, code=1)["ok"] is False
    assert exported.step("import_dynamodb", *one_less, code=1)["ok"] is False


def test_no_plaintext_of_a_credential_is_in_any_file(exported: Sides, any_database: Database) -> None:
    exported.step("decrypt_credentials", *expect(exported))
    content = b"".join(_read(path) for path in exported.directory.rglob("*") if path.is_file())
    fernet = MultiFernet([Fernet(KEYS.current), Fernet(KEYS.old)])
    with any_database.connect() as connection:
        tokens = [row[0] for row in connection.execute("SELECT encrypted_data FROM account_credentials")]
    found = 0
    for token in tokens:
        assert token == b"" or token in content or b64encode(token) in content
        for value in _values(fernet, token):
            found += 1
            assert value.encode() not in content
            assert b64encode(value.encode()) not in content
    assert found > ACCOUNTS
    assert KEYS.current.encode() not in content


def _read(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def _values(fernet: MultiFernet, token: bytes) -> Iterator[str]:
    """Yield the long texts of a credential: short ones may be elsewhere by chance."""
    try:
        content = json.loads(fernet.decrypt(token))
    except (InvalidToken, ValueError):
        return
    yield from (text for text in content.values() if isinstance(text, str) and len(text) > 15)


def test_a_changed_item_and_a_missing_one_are_found(exported: Sides) -> None:
    exported.step("import_dynamodb", *expect(exported))
    client, table = _client("dynamodb", exported.target), f"{exported.name}-tenants"
    first, second = client.scan(TableName=table, Limit=2)["Items"]
    client.put_item(TableName=table, Item={**first, "status": {"S": first["status"]["S"] + " "}})
    client.delete_item(TableName=table, Key={"tenant_id": second["tenant_id"]})
    client.put_item(TableName=table, Item={**second, "tenant_id": {"S": "00000000-0000-4000-8000-000000000000"}})
    verified = exported.step("verify_migration", "--report", str(exported.directory / "r.jsonl"), code=3)
    lines = [json.loads(line) for line in (exported.directory / "r.jsonl").read_text().splitlines()]
    assert {(line["kind"], line["key"]["tenant_id"], *line["attributes"]) for line in lines} == {
        ("different", first["tenant_id"]["S"], "status"),
        ("missing", second["tenant_id"]["S"]),
        ("extra", "00000000-0000-4000-8000-000000000000"),
    }
    assert verified["equal"] is False


def test_a_changed_secret_is_found(exported: Sides) -> None:
    exported.step("import_dynamodb", *expect(exported))
    client = _client("secretsmanager", exported.target | {"AWS_ENDPOINT_URL": _secrets_url(exported)})
    ours = [{"Key": "name", "Values": [f"{exported.name}/"]}]
    secret = client.list_secrets(Filters=ours, MaxResults=1)["SecretList"][0]
    value = json.loads(client.get_secret_value(SecretId=secret["Name"])["SecretString"])
    client.put_secret_value(SecretId=secret["Name"], SecretString=json.dumps(value | {"expires_at": "2030-01-01"}))
    verified = exported.step("verify_migration", code=3)
    assert verified["secrets"]["different"] == 1


def _secrets_url(sides: Sides) -> str:
    return sides.target["AWS_ENDPOINT_URL_SECRETS_MANAGER"]


def flip(export: Path) -> None:
    path = max(export.glob("tables/*/*"), key=lambda path: path.stat().st_size)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def truncate(export: Path) -> None:
    path = next(export.glob("credentials/*/*"))
    path.write_bytes(path.read_bytes()[:-10])


def lose(export: Path) -> None:
    next(export.glob("verify/*/*")).unlink()


def lose_manifest(export: Path) -> None:
    (export / "manifest.json").unlink()


def add(export: Path) -> None:
    shutil.copy(next(export.glob("tables/*/*")), export / "tables" / "copy.json.gz")


def lose_all(export: Path) -> None:
    shutil.rmtree(export)


def test_a_damaged_or_incomplete_export_is_refused_before_anything_is_written(exported: Sides) -> None:
    damages: list[Callable[[Path], None]] = [flip, truncate, lose, lose_manifest, add, lose_all]
    kept = exported.directory / "kept"
    exported.export.rename(kept)
    for damage in damages:
        shutil.copytree(kept, exported.export, dirs_exist_ok=True)
        damage(exported.export)
        for command in ("import_dynamodb", "decrypt_credentials"):
            answer = exported.step(command, *expect(exported), code=1)
            assert answer["error"]["kind"] == "ExportDamaged", damage
        assert exported.tables() == set()
        shutil.rmtree(exported.export, ignore_errors=True)


@pytest.mark.parametrize("point", ["import.table.begun:3", "import.file.answered:2", "import.file.journaled:4"])
def test_an_import_that_was_killed_goes_on_where_it_was(exported: Sides, point: str) -> None:
    done = exported.run("import_dynamodb", exported.target | {"PG2DYNAMO_KILL_AT": point})
    assert done.returncode == -signal.SIGKILL
    report = exported.step("import_dynamodb", *expect(exported))
    journaled = {"import.table.begun:3": 0, "import.file.answered:2": 1, "import.file.journaled:4": 4}[point]
    assert sum(counts["written"] == 0 for counts in report["tables"].values()) == journaled
    assert exported.step("verify_migration")["equal"] is True


@pytest.mark.parametrize("point", ["import.batch.read", "import.file.written:1"])
def test_an_import_whose_worker_was_killed_fails_and_goes_on_when_run_again(exported: Sides, point: str) -> None:
    exported.step("import_dynamodb", code=1, PG2DYNAMO_KILL_AT=point)
    exported.step("import_dynamodb", *expect(exported))
    assert exported.step("verify_migration")["equal"] is True


@pytest.mark.parametrize("point", ["export.written", "export.manifest"])
def test_an_export_that_was_killed_leaves_no_export_and_nothing_after_the_next(sides: Sides, point: str) -> None:
    done = sides.run("export_postgres", sides.source | {"PG2DYNAMO_KILL_AT": point})
    assert done.returncode == -signal.SIGKILL
    assert not sides.export.exists()
    sides.step("export_postgres")
    assert {path.name for path in sides.directory.iterdir()} == {"plan.yaml", "postgres_export"}


def test_a_newer_export_replaces_the_older_one_and_what_it_imported(exported: Sides, any_database: Database) -> None:
    exported.step("import_dynamodb", *expect(exported))
    with any_database.connect() as connection:
        connection.execute("UPDATE tenants SET description = 'changed'")
        connection.execute("DELETE FROM scan_results WHERE scan_id IN (SELECT scan_id FROM scan_results LIMIT 5)")
    exported.step("export_postgres")
    report = exported.step("import_dynamodb", *expect(exported))
    assert report["tables"]["public.scan_results"]["deleted"] == 5
    assert exported.step("verify_migration")["equal"] is True


def test_an_import_that_would_delete_suspiciously_many_items_stops_before_the_first(
    exported: Sides, any_database: Database
) -> None:
    exported.step("import_dynamodb", *expect(exported))
    with any_database.connect() as connection:
        connection.execute("DELETE FROM scan_results WHERE scan_id IN (SELECT scan_id FROM scan_results LIMIT 101)")
    exported.step("export_postgres")
    answer = exported.step("import_dynamodb", *expect(exported), code=1)
    assert answer["error"]["kind"] == "MassDeletion"
    assert exported.step("verify_migration", code=3)["extra"] == 101
    allowed = exported.step("import_dynamodb", *expect(exported), "--max-deletes", "101")
    assert allowed["tables"]["public.scan_results"]["deleted"] == 101
    assert exported.step("verify_migration")["equal"] is True


def test_a_table_that_holds_items_of_others_is_not_written_unless_asked(exported: Sides) -> None:
    client, table = _client("dynamodb", exported.target), f"{exported.name}-tenants"
    key = {"AttributeName": "tenant_id", "KeyType": "HASH"}
    name = {"AttributeName": "tenant_name", "KeyType": "HASH"}
    client.create_table(
        TableName=table,
        KeySchema=[key],
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("tenant_id", "tenant_name")],
        GlobalSecondaryIndexes=[
            {"IndexName": "tenant-name-index", "KeySchema": [name], "Projection": {"ProjectionType": "ALL"}}
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    client.put_item(TableName=table, Item={"tenant_id": {"S": "theirs"}})
    answer = exported.step("import_dynamodb", *expect(exported), code=1)
    assert answer["error"]["kind"] == "TargetRejected"
    assert client.scan(TableName=table)["Items"] == [{"tenant_id": {"S": "theirs"}}]
    exported.step("import_dynamodb", *expect(exported), "--overwrite")
    assert exported.step("verify_migration", code=3)["extra"] == 1


def test_a_python_that_lacks_the_package_hands_over_to_the_checkouts_own() -> None:
    if not (ROOT / ".venv" / "bin" / "python").exists():
        lacking("the checkout has no environment of its own")
    bare = getattr(sys, "_base_executable", sys.executable)
    done = subprocess.run(
        [bare, f"{ROOT}/migration/verify_migration.py", "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Step 4" in done.stdout


def test_another_plan_than_that_of_the_export_is_refused(exported: Sides) -> None:
    plan = Path(exported.common["PG2DYNAMO_PLAN"])
    plan.write_text(plan.read_text().replace("THEN 'true'", "THEN 'yes'"))
    answer = exported.step("import_dynamodb", *expect(exported), code=2)
    assert answer["error"]["kind"] == "PlanError"
    assert exported.tables() == set()


def test_a_missing_variable_is_named(sides: Sides) -> None:
    done = sides.run("export_postgres", {"AWS_REGION": "eu-central-1"})
    assert done.returncode == 2
    assert "DATABASE_URL" in done.stderr
    assert "Traceback" not in done.stderr
