"""`onboarding tables`: a service that begins on DynamoDB, with nothing to move."""

from __future__ import annotations

import subprocess
import sys

from onboarding.database.dynamodb_tables import TableNames
from onboarding.store.opening import open_store
from onboarding.store.records import NewTenant

COMMAND = (sys.executable, "-c", "from onboarding.cli import main; main()", "tables")
VARIABLES = ("TENANTS", "TENANT_NAMES", "PROVIDERS", "TENANT_PROVIDERS", "ACCOUNTS", "SCHEDULES", "EXECUTIONS")
MORE = ("SCAN_RESULTS", "SERVICE_STATE")


def test_it_makes_what_is_missing_and_says_so_again(any_aws_environ: dict[str, str], unique: str) -> None:
    names = {f"DYNAMODB_{name}_TABLE": f"{unique}-{name.lower()}" for name in (*VARIABLES, *MORE)}
    assert set(names.values()) == set(vars_of(TableNames.from_environ(names)))
    for _ in range(2):
        done = subprocess.run(COMMAND, env=any_aws_environ | names, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "The onboarding tables are there.\n")
    store = open_store("dynamodb", any_aws_environ | names)
    made = store.create_tenant(NewTenant(tenant_name="first"))
    assert store.get_tenant_by_name("first") == made
    store.close()


def test_without_an_aws_that_answers_it_says_so_in_one_line(any_aws_environ: dict[str, str]) -> None:
    away = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:9"}
    done = subprocess.run(COMMAND, env=any_aws_environ | away, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: DynamoDB")
    assert len(done.stderr.splitlines()) == 1


def vars_of(names: TableNames) -> list[str]:
    """Return all names."""
    return [getattr(names, field) for field in names.__dataclass_fields__]
