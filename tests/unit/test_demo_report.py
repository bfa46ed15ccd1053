"""The demonstration calls every number that is not as it must be a failure."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from onboarding.demo import DemoReport
from onboarding.seed import SecretCounts, SeedReport
from pg2dynamo.dynamodb.records import SecretRefusal
from pg2dynamo.migration.check import CheckLine, CheckReport, Level
from pg2dynamo.migration.copy_report import CopyReport, TableCounts
from pg2dynamo.migration.copy_secrets import SecretsReport
from pg2dynamo.migration.verify_report import Comparison, VerifyReport

CREDENTIALS = "public.account_credentials"
A, B = "public.a", "public.b"
COPIED = {A: TableCounts(rows=5), B: TableCounts(rows=3), "a-lookup": TableCounts(rows=5)}
VERIFIED = {A: Comparison(compared=5), B: Comparison(compared=3), "a-lookup": Comparison(compared=5)}


def good() -> DemoReport:
    refusal = SecretRefusal(CREDENTIALS, {"credential_id": "c7"}, "name", "no key decrypts it")
    return DemoReport(
        seeded=SeedReport(5, 7, {A: 5, B: 3, CREDENTIALS: 4}, SecretCounts(4, 2, 1, 1), ("c7",)),
        checked=CheckReport("m", (CheckLine(Level.OK, "PostgreSQL", "there"),)),
        copied=CopyReport(
            "m",
            {},
            False,
            dict(COPIED),
            SecretsReport(rows=4, current=2, older=1, refused=1, refusals=(refusal,)),
            refused_expected=1,
        ),
        verified=VerifyReport("m", "1:1:", Path("r"), dict(VERIFIED), Comparison(compared=2, refused=1)),
        seconds=1.5,
        sources={A: A, B: B, "a-lookup": A},
    )


def with_secrets(**counts: Any) -> DemoReport:
    report = good()
    return replace(report, copied=replace(report.copied, secrets=replace(report.copied.secrets, **counts)))


def with_table(counts: TableCounts, name: str = "public.a") -> DemoReport:
    report = good()
    return replace(report, copied=replace(report.copied, tables=COPIED | {name: counts}))


def without(name: str) -> DemoReport:
    report = good()
    tables = {other: counts for other, counts in COPIED.items() if other != name}
    return replace(report, copied=replace(report.copied, tables=tables))


def with_verified(**found: object) -> DemoReport:
    report = good()
    return replace(report, verified=replace(report.verified, **found))  # type: ignore[arg-type]


def test_everything_as_it_must_be_is_ok() -> None:
    assert good().unexpected == ()
    assert good().ok


@pytest.mark.parametrize(
    "report",
    [
        with_table(TableCounts(rows=4)),
        with_table(TableCounts(rows=5, quarantined=1)),
        with_table(TableCounts(rows=6)),
        with_table(TableCounts(rows=4), "a-lookup"),
        with_table(TableCounts(rows=5, quarantined=1), "a-lookup"),
        with_table(TableCounts(rows=5), "of-no-plan"),
        without("a-lookup"),
        without(B),
        replace(good(), sources={A: A, "a-lookup": A}),
        replace(good(), sources={A: A, B: B}),
        with_secrets(rows=5),
        with_secrets(current=1),
        with_secrets(older=0),
        with_secrets(refused=0),
        with_verified(tables=VERIFIED | {A: Comparison(compared=5, different=1)}),
        with_verified(tables=VERIFIED | {A: Comparison(compared=4)}),
        with_verified(tables=VERIFIED | {"a-lookup": Comparison(compared=4)}),
        with_verified(tables={A: VERIFIED[A], B: VERIFIED[B]}),
        with_verified(tables={}),
        with_verified(secrets=None),
        with_verified(secrets=Comparison(compared=1, refused=1)),
        with_verified(secrets=Comparison(compared=2, refused=0, skipped=1)),
    ],
)
def test_any_other_number_is_said_and_is_a_failure(report: DemoReport) -> None:
    assert report.unexpected
    assert not report.ok
    assert report.as_json()["ok"] is False


def test_another_credential_refused_than_the_one_that_cannot_be_decrypted_is_a_failure() -> None:
    report = good()
    other = SecretRefusal(CREDENTIALS, {"credential_id": "c1"}, "name", "no key decrypts it")
    secrets = replace(report.copied.secrets, refusals=(other,))
    assert not replace(report, copied=replace(report.copied, secrets=secrets)).ok


def test_a_failed_check_is_a_failure_but_for_the_key_that_prepare_makes() -> None:
    def checked(subject: str) -> DemoReport:
        return replace(good(), checked=CheckReport("m", (CheckLine(Level.FAILED, subject, "not there"),)))

    assert checked("KMS key alias/k").ok
    assert not checked("PostgreSQL").ok


def test_the_json_has_the_fields_that_are_promised_and_no_others() -> None:
    assert good().as_json() == {
        "ok": True,
        "seconds": 1.5,
        "tables": {
            A: {"rows": 5, "items": 5, "quarantined": 0},
            B: {"rows": 3, "items": 3, "quarantined": 0},
            "a-lookup": {"rows": 5, "items": 5, "quarantined": 0},
        },
        "secrets": {"rows": 4, "current": 2, "older": 1, "refused": 1},
        "verify": good().verified.as_json(),
    }
