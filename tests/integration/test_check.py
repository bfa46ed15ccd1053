"""The checklist: a line for everything that would go wrong later, and nothing of any value."""

from __future__ import annotations

import os
from dataclasses import dataclass

import psycopg
import pytest
from cryptography.fernet import Fernet

from pg2dynamo.migration.check import CheckReport, Level, check
from pg2dynamo.migration.prepare import prepare
from pg2dynamo.plan.load import parse_plan
from tests.conftest import Database
from tests.integration.reading import run

PLAN = """
name: {unique}
source: {{dsn: env:DATABASE_URL}}
target: {{control_table: {unique}-control}}
tables:
  - from: public.people
    to: {unique}-people
    key: {{hash: id}}
    indexes:
      - {{name: town-index, hash: town, range: born}}
"""

SECRETS = """
secrets:
  - from: public.credentials
    name: {unique}/{{person}}
    ciphertext: encrypted
    decrypt: {{format: fernet, keys: [env:KEY]}}
    newest_by: created
    fields: [person]
    plaintext: credentials
    kms_key: alias/{unique}
"""

SCHEMA = (
    "CREATE TABLE public.people (id text PRIMARY KEY, town text, born float8)",
    "CREATE TABLE public.credentials (id int PRIMARY KEY, person text, encrypted bytea, created timestamp)",
)


@dataclass
class Setting:
    """A source with a plan over it."""

    database: Database
    unique: str
    environ: dict[str, str]

    def check(self, text: str = PLAN, **environ: str) -> CheckReport:
        """Go through the checklist of this plan."""
        return check(parse_plan(text.format(unique=self.unique), {}), self.environ | environ)

    def prepare(self, text: str = PLAN) -> None:
        """Make the target of this plan."""
        prepare(parse_plan(text.format(unique=self.unique), {}), self.environ, create_kms_key=True)


@pytest.fixture
def setting(any_database: Database, any_aws_environ: dict[str, str], unique: str) -> Setting:
    """An empty source and an unprepared target."""
    run(any_database, *SCHEMA)
    environ = any_aws_environ | {"DATABASE_URL": any_database.dsn, "PATH": os.environ["PATH"]}
    return Setting(any_database, unique, environ | {"KEY": Fernet.generate_key().decode()})


def _lines(report: CheckReport, subject: str) -> list[str]:
    return [f"{line.level.value}: {line.message}" for line in report.lines if line.subject == subject]


def _failures(report: CheckReport) -> list[str]:
    return [f"{line.subject}: {line.message}" for line in report.lines if line.level is Level.FAILED]


def test_before_prepare_absent_tables_are_warnings(setting: Setting) -> None:
    report = setting.check()
    assert report.ok
    for table in ("control", "people"):
        subject = f"DynamoDB table {setting.unique}-{table}"
        assert _lines(report, subject) == ["warning: it is not there yet"]
        assert [line.remedy for line in report.lines if line.subject == subject] == ["Run `pg2dynamo prepare`."]


def test_after_prepare_everything_is_ok(setting: Setting) -> None:
    setting.prepare(PLAN + SECRETS)
    report = setting.check(PLAN + SECRETS)
    assert [line for line in report.lines if line.level is not Level.OK] == []
    assert report.as_json()["passed"] is True
    subjects = [line.subject for line in report.lines]
    assert subjects == [
        "PostgreSQL",
        "table public.people",
        f"DynamoDB table {setting.unique}-control",
        f"DynamoDB table {setting.unique}-people",
        "Secrets Manager",
        f"KMS key alias/{setting.unique}",
        "secrets public.credentials",
    ]


def test_keys_that_dynamodb_refuses_are_counted_at_and_past_the_limit(setting: Setting) -> None:
    run(
        setting.database,
        "INSERT INTO public.people VALUES ('', 'town', 1), (repeat('k', 2048), '', 1), (repeat('k', 2049), NULL, 1), "
        "(repeat('é', 1025), repeat('t', 2049), 'NaN'), ('ok', repeat('t', 2048), NULL)",
    )
    assert sorted(_lines(setting.check(), "table public.people"))[1:] == [
        "warning: born is NaN or infinite, which is no number in DynamoDB: 1 rows would go to quarantine",
        "warning: id is a key of more than 2,048 bytes: 2 rows would go to quarantine",
        "warning: id is empty, and a key must not be: 1 rows would go to quarantine",
        "warning: town is a key of more than 2,048 bytes: 1 rows would go to quarantine",
        "warning: town is empty, and a key must not be: 1 rows would go to quarantine",
    ]


def test_a_plan_that_does_not_fit_the_catalog_fails_with_every_fault(setting: Setting) -> None:
    text = PLAN.replace("hash: town", "hash: twon") + (
        "  - {{from: public.nowhere, to: nowhere, key: {{hash: id}}}}\n"
        "  - {{from: public.credentials, to: 'b d', key: {{hash: id}}}}\n"
        "  - {{from: public.seen, to: seen, key: {{hash: id}}}}\n"
    )
    run(setting.database, "CREATE VIEW public.seen AS SELECT 1 AS id")
    report = setting.check(text)
    assert not report.ok
    assert _failures(report) == [
        "table public.people: public.people: the key attribute twon is no column and no computed attribute.",
        "table public.nowhere: the source has no such table",
        "table public.credentials: b d: names of tables and indexes have 3 to 255 of the characters A-Z a-z 0-9 _ . -",
        "table public.seen: public.seen is a view, so its rows cannot be told apart.",
    ]


def test_more_indexes_than_a_table_can_have_fail(setting: Setting) -> None:
    columns = ", ".join(f"ADD c{n} text" for n in range(21))
    run(setting.database, f"ALTER TABLE public.people {columns}")
    indexes = "".join(f"      - {{{{name: index-{n}, hash: c{n}}}}}\n" for n in range(20))
    head = PLAN.partition("      - ")[0]
    assert setting.check(head + indexes).ok
    assert _failures(setting.check(head + indexes + "      - {{name: index-20, hash: c20}}\n")) == [
        "table public.people: 21 indexes, and a table can have 20"
    ]


def test_a_table_of_another_shape_fails_with_the_difference(setting: Setting) -> None:
    setting.prepare()
    report = setting.check(PLAN.replace("hash: town, range: born", "hash: born"))
    [failure] = _failures(report)
    assert failure.startswith(f"DynamoDB table {setting.unique}-people: the key of its index town-index")


def test_missing_privileges_and_row_security_fail_before_a_row_is_read(setting: Setting) -> None:
    role = setting.unique
    run(
        setting.database,
        f"CREATE ROLE {role} LOGIN PASSWORD '{role}'",
        f"GRANT SELECT ON public.credentials TO {role}",
        "ALTER TABLE public.credentials ENABLE ROW LEVEL SECURITY",
    )
    text = PLAN + "  - {{from: public.credentials, to: credentials, key: {{hash: id}}}}\n"
    try:
        dsn = psycopg.conninfo.make_conninfo(setting.database.dsn, user=role, password=role)
        report = setting.check(text, DATABASE_URL=dsn)
    finally:
        run(setting.database, f"DROP OWNED BY {role}", f"DROP ROLE {role}")
    assert _failures(report) == [
        "table public.people: the role may not read it",
        "table public.credentials: row-level security would hide rows from this role",
    ]
    assert f"GRANT SELECT ON public.people TO {role}." in [line.remedy for line in report.lines]


def test_what_cannot_be_reached_fails_and_the_rest_is_still_looked_at(setting: Setting) -> None:
    nothing = "http://127.0.0.1:1"
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_SECRETS_MANAGER"):
        os.environ[name] = nothing
    report = setting.check(PLAN + SECRETS, DATABASE_URL="postgresql://app:hunter2@127.0.0.1:1/db")
    subjects = [line.subject for line in report.lines if line.level is Level.FAILED]
    assert subjects == ["PostgreSQL", "DynamoDB", "Secrets Manager", f"KMS key alias/{setting.unique}"]
    assert "hunter2" not in str(report)


def test_an_unset_variable_is_a_failed_line(setting: Setting) -> None:
    report = check(parse_plan(PLAN.format(unique=setting.unique), {}), {})
    assert (
        _failures(report)[0]
        == "PostgreSQL: The environment variable DATABASE_URL is not set, and the plan refers to it."
    )


def _credentials(setting: Setting, rows: list[tuple[str | None, bytes | None]]) -> None:
    with setting.database.connect() as conn:
        for number, (person, encrypted) in enumerate(rows):
            conn.execute(
                "INSERT INTO public.credentials VALUES (%s, %s, %s, '2026-01-01'::timestamp + %s * interval '1 day')",
                [number, person, encrypted, number],
            )


def test_credentials_are_decrypted_and_only_counted(setting: Setting) -> None:
    key, lost = Fernet(setting.environ["KEY"]), Fernet(Fernet.generate_key())
    good, foreign = key.encrypt(b'{"password": "hunter2"}'), lost.encrypt(b'{"password": "hunter2"}')
    _credentials(
        setting,
        [("a", good), ("a", good), ("b", good), ("b", foreign), ("c", foreign), ("c", good), ("d", b"hunter2"),
         ("not a name", good), (None, good), ("e", None), ("f", key.encrypt(b"hunter2"))],
    )  # fmt: skip
    report = setting.check(PLAN + SECRETS)
    assert _lines(report, "secrets public.credentials") == [
        "warning: 4 credentials do not decrypt, 3 of them the newest of their name; the copy refuses and counts them",
        "warning: 1 credentials cannot be a secret; the copy refuses and lists them",
        "warning: 2 credentials have no valid secret name; the copy refuses and lists them",
        "ok: 4 credentials decrypt, for 3 secrets",
    ]
    assert "hunter2" not in str(report.as_json())


def test_keys_that_decrypt_nothing_fail(setting: Setting) -> None:
    _credentials(setting, [("a", Fernet(Fernet.generate_key()).encrypt(b"{}"))])
    report = setting.check(PLAN + SECRETS)
    assert "secrets public.credentials: no key decrypts any of 1 credentials" in _failures(report)
    assert "KMS key" in " ".join(_failures(report)), "the key's alias was not created"


@pytest.mark.parametrize("key", ["", "no key"])
def test_a_credential_key_that_is_none_fails_without_being_shown(setting: Setting, key: str) -> None:
    report = setting.check(PLAN + SECRETS, KEY=key)
    [line] = [line for line in report.lines if line.subject == "secrets public.credentials"]
    assert line.level is Level.FAILED
    assert "no key" not in line.message
