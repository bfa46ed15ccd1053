"""Rows and secrets in one verification, one report and one repair."""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path
from typing import Any

import pytest

from pg2dynamo.migration.repair import RepairCounts
from tests.conftest import Database
from tests.integration.verified import ROWS, Migration, begin
from tests.secrets_case import SecretsCase, Stored, make_secrets_case


@pytest.fixture
def case(any_database: Database, any_aws_environ: dict[str, str], unique: str) -> SecretsCase:
    return make_secrets_case(any_database, any_aws_environ, unique)


@pytest.fixture
def whole(case: SecretsCase, any_aws_environ: dict[str, str], unique: str, tmp_path: Path) -> Migration:
    """Rows and credentials, copied."""
    migration = begin(case.database, {**os.environ, **any_aws_environ, **case.environ}, unique, tmp_path)
    migration.plan = migration.plan.model_copy(update={"secrets": case.plan.secrets})
    migration.journal.ensure_table()
    return migration


def test_planted_differences_of_rows_and_secrets_are_found_and_mended(whole: Migration, case: SecretsCase) -> None:
    value, field, older, gone, fine = accounts = sorted(str(uuid.uuid4()) for _ in range(5))
    for account in accounts:
        for day in (1, 2):
            case.add(account, day, {"secret": f"hunter{day}", "day": day})
    case.copy()
    report = whole.verify()
    assert report.equal
    assert report.as_json()["compared"] == ROWS + 5

    stored = Stored()
    names = [case.name(account) for account in (value, field, older, gone)]
    too_many = case.name("00000000-0000-0000-0000-000000000000")

    def rewrite(account: str, document: object) -> None:
        stored.api.put_secret_value(SecretId=case.name(account), SecretString=json.dumps(document))

    document = stored.current(names[0])
    rewrite(value, document | {"credentials": {"secret": "hunter3", "day": 2}})
    rewrite(field, {name: v for name, v in stored.current(names[1]).items() if name != "expires_at"})
    rewrite(older, stored.documents(names[2])[0])
    stored.api.delete_secret(SecretId=names[3], ForceDeleteWithoutRecovery=True)
    stored.api.create_secret(Name=too_many, SecretString="{}")
    whole.delete(1)

    report = whole.verify()
    assert not report.equal
    found = {tuple(line["key"].values()): (line["kind"], line["attributes"]) for line in lines(whole)}
    assert found == {
        ("1",): ("missing", []),
        (names[0],): ("different", ["credentials"]),
        (names[1],): ("different", ["expires_at"]),
        (names[2],): ("different", ["AWSCURRENT"]),
        (names[3],): ("missing", []),
        (too_many,): ("extra", []),
    }
    assert all("hunter" not in path.read_text() for path in whole.directory.iterdir())
    assert report.as_json()["secrets"] == {
        "equal": False,
        "compared": 5,
        "missing": 1,
        "different": 3,
        "extra": 1,
        "skipped": 0,
        "refused": 0,
    }

    before = stored.versions(case.name(fine))
    mended = whole.repair()
    assert mended.tables == {"public.things": RepairCounts(written=1)}
    assert (mended.secrets["stored"], mended.secrets["deleted"]) == (4, 1)
    assert stored.versions(case.name(fine)) == before
    assert whole.verify().equal


def lines(migration: Migration) -> list[dict[str, Any]]:
    return [json.loads(line) for line in migration.report.read_text().splitlines()]


def test_an_undecryptable_credential_is_refused_when_the_journal_knows_it_and_else_never_equal(
    whole: Migration, case: SecretsCase
) -> None:
    case.add(str(uuid.uuid4()), 1, {}, encrypted_data=b"not a token")
    assert whole.verify().as_json()["skipped"] == 1
    assert not whole.verify().equal
    whole.journal.put_refusals(list(case.copy().refusals))
    report = whole.verify()
    assert report.equal
    assert report.as_json()["secrets"]["refused"] == 1


def test_chosen_tables_are_verified_without_secrets(whole: Migration, case: SecretsCase) -> None:
    case.add(str(uuid.uuid4()), 1, {"never": "copied"})
    report = whole.verify(tables=["things"])
    assert report.equal
    assert report.as_json()["secrets"] is None
