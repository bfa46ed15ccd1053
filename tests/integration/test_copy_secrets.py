"""Credentials become secrets: every row accounted for, the newest current, again without a change."""

from __future__ import annotations

import uuid

import pytest

from tests.conftest import Database
from tests.secrets_case import SecretsCase, Stored, make_secrets_case


@pytest.fixture
def case(any_database: Database, any_aws_environ: dict[str, str], unique: str) -> SecretsCase:
    return make_secrets_case(any_database, any_aws_environ, unique)


@pytest.fixture
def stored(any_aws_environ: dict[str, str]) -> Stored:
    return Stored()


def account() -> str:
    return str(uuid.uuid4())


def test_a_credential_becomes_a_secret_of_the_shape_that_applications_read(case: SecretsCase, stored: Stored) -> None:
    one = account()
    case.add(one, 2, {"access_key_id": "AKIA", "n": 1})
    report = case.copy()
    assert (report.rows, report.current, report.older, report.refused, report.written) == (1, 1, 0, 0, 1)
    assert stored.current(case.name(one)) == {
        "credential_type": "aws_access_key",
        "credentials": {"access_key_id": "AKIA", "n": 1},
        "account_id": one,
        "priority": None,
        "created_at": "2024-01-02T03:04:05.678000",
        "expires_at": None,
    }


def test_the_newest_credential_is_current_and_older_ones_are_earlier_versions_in_order(
    case: SecretsCase, stored: Stored
) -> None:
    one = account()
    for day in (3, 1, 2):
        case.add(one, day, {"day": day}, key=case.old_key if day < 3 else None)
    report = case.copy()
    assert (report.rows, report.current, report.older, report.written) == (3, 1, 2, 3)
    assert [document["credentials"]["day"] for document in stored.documents(case.name(one))] == [1, 2, 3]
    assert stored.current(case.name(one))["credentials"] == {"day": 3}
    labels = list(stored.versions(case.name(one)).values())
    assert [any(label.startswith("pg2dynamo-") for label in own) for own in labels] == [True, True, False]
    assert "AWSPREVIOUS" in labels[1]


def test_a_second_run_writes_nothing(case: SecretsCase, stored: Stored) -> None:
    one, other = account(), account()
    for day in (1, 2):
        case.add(one, day, {"day": day})
    case.add(other, 1, "text")
    case.copy()
    before = [stored.versions(case.name(a)) for a in (one, other)]
    report = case.copy()
    assert (report.rows, report.current, report.older, report.written, report.unchanged) == (3, 2, 1, 0, 3)
    assert [stored.versions(case.name(a)) for a in (one, other)] == before
