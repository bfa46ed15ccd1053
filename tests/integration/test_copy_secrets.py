"""Credentials become secrets: every row accounted for, the newest current, again without a change."""

from __future__ import annotations

import dataclasses
import json
import logging
import signal
import subprocess
import sys
import traceback
import uuid

import pytest
from cryptography.fernet import Fernet

from pg2dynamo.errors import MassDeletion, RunnerActive, SecretError
from pg2dynamo.faults import VARIABLE
from pg2dynamo.migration.copy import CopyOptions, copy
from pg2dynamo.migration.copy_secrets import DELETIONS_ALLOWED, SecretsReport, copy_all_secrets, delete_vanished
from pg2dynamo.migration.credentials import read_credentials
from pg2dynamo.migration.prepare import prepare
from pg2dynamo.migration.progress import Silent
from pg2dynamo.migration.source import open_source
from pg2dynamo.migration.target import open_journal, target_settings
from pg2dynamo.plan.load import parse_plan
from pg2dynamo.postgres.snapshot import adopt_snapshot, hold_snapshot
from pg2dynamo.secret import Secret
from pg2dynamo.secrets.decrypt import build_decryptor
from pg2dynamo.secrets.names import NamesSeen
from tests.conftest import Database
from tests.secrets_case import PLAN, SecretsCase, Stored, make_secrets_case


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


def reasons(report: SecretsReport) -> list[str]:
    assert report.rows == report.current + report.older + report.refused
    assert len(report.refusals) == report.refused
    return sorted(refusal.reason for refusal in report.refusals)


def test_what_cannot_be_a_secret_is_refused_with_its_key_and_a_reason(case: SecretsCase) -> None:
    good, bad = account(), account()
    expected = {
        case.add(good, 1, {}, encrypted_data=b"no token"): "not a Fernet token",
        case.add(good, 2, {}, key=Fernet(Fernet.generate_key())): "no key decrypts it",
        case.add(good, 3, {}, encrypted_data=case.key.encrypt(b"{oops")): "not UTF-8 JSON",
        case.add(good, 4, {}, encrypted_data=None): "encrypted_data is NULL",
        case.add(good, 5, "x" * 65_536): "a secret of more than 65,536 bytes",
        case.add(None, 6, {}): "account_id is NULL, so there is no name",
        case.add(bad, 7, {}, encrypted_data=b""): "not a Fernet token",
    }
    case.add(good, 1, "good")
    report = case.copy()
    assert {r.key["credential_id"]: r.reason for r in report.refusals} == expected
    assert {r.name for r in report.refusals} == {case.name(good), case.name(bad), case.name("{account_id}")}
    assert (report.rows, report.current, report.older, report.refused) == (8, 1, 0, 7)
    assert case.copy().refusals == report.refusals


def test_when_the_newest_is_refused_the_newest_of_the_others_is_current_and_it_is_said(
    case: SecretsCase, stored: Stored
) -> None:
    one = account()
    case.add(one, 1, "old")
    case.add(one, 2, "new", key=Fernet(Fernet.generate_key()))
    report = case.copy()
    assert (report.current, report.refused, report.newest_refused) == (1, 1, 1)
    assert stored.current(case.name(one))["credentials"] == "old"
    assert "1 secrets hold an older credential" in report.warnings[0]


def test_a_time_that_is_null_is_the_oldest_and_equal_times_go_by_primary_key(case: SecretsCase, stored: Stored) -> None:
    one = account()
    for number in (3, 1, 2):
        case.add(one, 1, number, credential_id=f"00000000-0000-0000-0000-00000000000{number}")
    case.add(one, None, 0, credential_id="ffffffff-0000-0000-0000-000000000000")
    case.copy()
    assert [d["credentials"] for d in stored.documents(case.name(one))] == [0, 1, 2, 3]


def test_beyond_a_hundred_versions_the_oldest_are_refused(case: SecretsCase, stored: Stored) -> None:
    one = account()
    token = case.key.encrypt(b'"x"')
    with case.database.connect() as conn:
        conn.execute(
            b"INSERT INTO public.credentials (account_id, encrypted_data, priority, created_at)"
            b" SELECT %s, %s, n, '2024-01-01'::timestamp + n * interval '1 s' FROM generate_series(1, 102) n",
            [one, token],
        )
    report = case.copy()
    assert (report.current, report.older) == (1, 99)
    assert reasons(report) == ["a secret keeps 100 versions, and this one is older"] * 2
    assert stored.current(case.name(one))["priority"] == 102
    assert [d["priority"] for d in stored.documents(case.name(one))] == list(range(3, 103))


COLLIDING = """
name: {unique}
source: {{dsn: env:DATABASE_URL}}
secrets:
  - from: public.credentials
    name: "{unique}/{{a}}-{{b}}"
    ciphertext: secret
    decrypt: {{format: plaintext}}
    newest_by: id
"""


def test_rows_that_give_one_name_from_different_columns_are_not_merged(
    any_database: Database, any_aws_environ: dict[str, str], unique: str, stored: Stored
) -> None:
    schema = """
    CREATE TABLE credentials (id int PRIMARY KEY, a text, b text, secret text);
    INSERT INTO credentials VALUES (1, 'x-y', 'z', 'one'), (2, 'x', 'y-z', 'two'), (3, 'x', 'y', 'täxt'),
      (4, 'x', 'y', ''), (5, 'a b', 'c', 'space'), (6, E'x\\ty', E'\\\\N', 'tab'), (7, '', '', 'both empty');
    """
    case = make_secrets_case(any_database, any_aws_environ, unique, COLLIDING, schema)
    report = case.copy()
    assert {r.key["id"]: r.reason for r in report.refusals} == {
        "1": "other rows give the same name from other columns",
        "2": "other rows give the same name from other columns",
        "4": "the decrypted text is empty",
        "5": "a secret name has only the characters A-Z a-z 0-9 / _ + = . @ -",
        "6": "a secret name has only the characters A-Z a-z 0-9 / _ + = . @ -",
    }
    assert stored.api.get_secret_value(SecretId=f"{unique}/x-y")["SecretString"] == "täxt"
    assert sorted(stored.names(unique)) == [f"{unique}/-", f"{unique}/x-y"]


def test_what_a_role_sets_for_its_sessions_changes_nothing(
    database: Database, any_aws_environ: dict[str, str], unique: str, stored: Stored
) -> None:
    case = make_secrets_case(database, any_aws_environ, unique)
    one = account()
    case.add(one, 2, "x", expires_at="infinity")
    for setting in (
        "datestyle = 'German'",
        "bytea_output = 'escape'",
        "search_path = 'nowhere'",
        "timezone = 'Asia/Tokyo'",
    ):
        case.execute(f"ALTER DATABASE {database.name} SET {setting}")
    assert case.copy().written == 1
    assert stored.current(case.name(one))["created_at"] == "2024-01-02T03:04:05.678000"
    assert stored.current(case.name(one))["expires_at"] == "infinity"


def test_a_changed_row_is_a_new_version_and_a_deleted_newest_gives_the_older_one_back(
    case: SecretsCase, stored: Stored
) -> None:
    one = account()
    case.add(one, 1, "A")
    newest = case.add(one, 2, "B")
    case.copy()
    case.execute(f"DELETE FROM public.credentials WHERE credential_id = '{newest}'")
    report = case.copy()
    assert (report.rows, report.written) == (1, 1)
    assert stored.current(case.name(one))["credentials"] == "A"
    case.execute("UPDATE public.credentials SET priority = 5")
    assert case.copy().written == 1
    assert stored.current(case.name(one))["priority"] == 5


def test_secrets_whose_rows_are_gone_are_deleted_but_only_this_migrations_and_never_for_good(
    case: SecretsCase, stored: Stored
) -> None:
    kept, gone = account(), account()
    case.add(kept, 1, "kept")
    identity = case.add(gone, 1, "gone")
    case.copy()
    stored.api.create_secret(Name=case.name("foreign"), SecretString="{}")
    case.execute(f"DELETE FROM public.credentials WHERE credential_id = '{identity}'")
    seen = NamesSeen()
    case.copy(seen=seen)
    assert delete_vanished(case.plan.name, case.secret_plan, case.client, seen) == 1
    assert delete_vanished(case.plan.name, case.secret_plan, case.client, seen) == 0
    assert sorted(stored.names(case.plan.name)) == sorted([case.name(kept), case.name("foreign")])
    stored.api.restore_secret(SecretId=case.name(gone))
    assert stored.current(case.name(gone))["credentials"] == "gone"


def test_a_mass_deletion_stops_itself_one_past_its_bound(case: SecretsCase, stored: Stored) -> None:
    for _ in range(DELETIONS_ALLOWED + 1):
        case.add(account(), 1, "x")
    case.copy()
    seen = NamesSeen()
    with pytest.raises(MassDeletion, match=r"21 of 21 secrets have no row any more; 20 may"):
        delete_vanished(case.plan.name, case.secret_plan, case.client, seen)
    assert len(stored.names(case.plan.name)) == DELETIONS_ALLOWED + 1
    seen.add(stored.names(case.plan.name)[0])
    assert delete_vanished(case.plan.name, case.secret_plan, case.client, seen) == DELETIONS_ALLOWED


COPY_AGAIN = """
import json, os, sys
from pg2dynamo.migration.copy_secrets import copy_secrets
from pg2dynamo.migration.credentials import read_credentials
from pg2dynamo.migration.progress import Silent
from pg2dynamo.migration.prepare import prepare
from pg2dynamo.migration.progress import Silent
from pg2dynamo.migration.source import open_source
from pg2dynamo.migration.target import open_journal, target_settings
from pg2dynamo.plan.load import parse_plan
from pg2dynamo.postgres.snapshot import adopt_snapshot, hold_snapshot
from pg2dynamo.secret import Secret
from pg2dynamo.plan.load import parse_plan
from pg2dynamo.secrets.client import secrets_client
from pg2dynamo.secrets.names import NamesSeen

plan = parse_plan(os.environ["PLAN"], os.environ)
with open_source(plan, os.environ) as conn:
    rows = read_credentials(conn, plan.secrets[0])
    report = copy_secrets(plan.name, plan.secrets[0], rows, os.environ, secrets_client(), NamesSeen(), Silent())
print(json.dumps(report.as_json()))
"""


@pytest.mark.parametrize(
    "point",
    [
        "secrets.after_create",
        "secrets.after_create:3",
        "secrets.before_put",
        "secrets.after_put",
        "secrets.before_put:4",
        "secrets.after_put:4",
    ],
)
def test_killed_at_any_point_the_next_run_ends_as_an_undisturbed_one(
    case: SecretsCase, stored: Stored, unique: str, point: str
) -> None:
    accounts = [account() for _ in range(3)]
    for one in accounts:
        for day in (1, 2, 3):
            case.add(one, day, {"day": day})
    environ = case.environ | {"PLAN": PLAN.format(unique=unique), VARIABLE: point}
    killed = subprocess.run([sys.executable, "-c", COPY_AGAIN], env=environ, capture_output=True, timeout=60)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    del environ[VARIABLE]
    again = subprocess.run([sys.executable, "-c", COPY_AGAIN], env=environ, capture_output=True, timeout=60, check=True)
    report = json.loads(again.stdout)
    assert (report["rows"], report["current"], report["older"], report["refused"]) == (9, 3, 6, 0)
    for one in accounts:
        name = case.name(one)
        assert [d["credentials"]["day"] for d in stored.documents(name)] == [1, 2, 3]
        labels = list(stored.versions(name).values())
        assert [sorted(stage.partition("-")[0] for stage in own) for own in labels] == [
            ["pg2dynamo"],
            ["AWSPREVIOUS", "pg2dynamo"],
            ["AWSCURRENT"],
        ]
    assert case.copy().written == 0


def test_no_value_is_told_by_logs_output_reports_or_errors(
    case: SecretsCase, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    marker = "plaintext-marker-91c4"
    for name in ("", "botocore", "botocore.endpoint", "botocore.parsers", "urllib3", "psycopg"):
        caplog.set_level(logging.DEBUG, logger=name)
    one, other = account(), account()
    case.add(one, 1, {"password": marker})
    case.add(one, 2, {"password": marker * 4_000})
    case.add(other, 1, {}, encrypted_data=case.key.encrypt(b'{"password": "' + marker.encode()))
    report = case.copy()
    with open_source(case.plan, case.environ) as conn:
        groups = list(read_credentials(conn, case.secret_plan))
    refusals = [dataclasses.asdict(refusal) for refusal in report.refusals]
    told = [repr(report), json.dumps(report.as_json()), json.dumps(refusals), repr(groups), repr(case.plan)]
    with pytest.raises(SecretError) as raised:
        build_decryptor(case.secret_plan.decrypt, {"CREDENTIAL_KEY": marker})
    told += [*traceback.format_exception(raised.value), caplog.text, *capfd.readouterr()]
    assert reasons(report) == ["a secret of more than 65,536 bytes", "not UTF-8 JSON"]
    assert marker not in "".join(told)
    assert case.environ["CREDENTIAL_KEY"] not in "".join(told)


def test_the_whole_copy_knows_its_first_run_journals_refusals_and_verifies_equal(
    case: SecretsCase, stored: Stored
) -> None:
    kept, gone = account(), account()
    identity = case.add(gone, 1, "gone")
    late = case.add(kept, 1, "x", key=case.old_key)
    case.copy()  # as another database of the same plan would have done: tagged alike, and not to be deleted
    case.execute(f"DELETE FROM public.credentials WHERE credential_id = '{identity}'")
    control = f"\ntarget: {{control_table: {case.plan.name}-control}}"
    plan = parse_plan(PLAN.format(unique=case.plan.name) + control, case.environ)
    prepare(plan, case.environ)
    old_key = case.environ.pop("CREDENTIAL_KEY_OLD")
    journal = open_journal(plan, target_settings(plan, case.environ))

    first = copy(plan, case.environ, CopyOptions(processes=0))
    assert (first.secrets.refused, first.secrets.deleted, first.ok) == (1, 0, False)
    assert [refusal.key for refusal in journal.refusals()] == [{"credential_id": late}]

    case.environ["CREDENTIAL_KEY_OLD"] = old_key
    second = copy(plan, case.environ, CopyOptions(processes=0))
    assert (second.secrets.current, second.secrets.refused, second.secrets.deleted, second.ok) == (1, 0, 1, True)
    assert list(journal.refusals()) == []
    assert stored.names(plan.name) == [case.name(kept)]


def test_a_lost_lease_stops_before_the_next_secret(case: SecretsCase, stored: Stored) -> None:
    for _ in range(2):
        case.add(account(), 1, "x")

    def lost() -> None:
        raise RunnerActive

    with hold_snapshot(Secret(case.database.dsn), [case.secret_plan.source]) as owner:
        control = f"\ntarget: {{control_table: {case.plan.name}-control}}"
        plan = parse_plan(PLAN.format(unique=case.plan.name) + control, case.environ)
        prepare(plan, case.environ)
        journal = open_journal(plan, target_settings(plan, case.environ))
        with pytest.raises(RunnerActive):
            copy_all_secrets(plan, case.environ, journal, owner.position.name, None, Silent(), lost)
    assert stored.names(plan.name) == []


def test_an_error_in_the_midst_of_reading_is_told_as_what_it_is(case: SecretsCase) -> None:
    with case.database.connect() as conn:
        conn.execute(
            b"INSERT INTO public.credentials (account_id, encrypted_data, created_at)"
            b" SELECT gen_random_uuid(), repeat('x', 1000)::bytea, now() FROM generate_series(1, 5000)"
        )

    def fail_half_way(snapshot: str) -> None:
        with open_source(case.plan, case.environ) as conn, adopt_snapshot(conn, snapshot):
            for _ in read_credentials(conn, case.secret_plan):
                raise SecretError

    with hold_snapshot(Secret(case.database.dsn), [case.secret_plan.source]) as owner, pytest.raises(SecretError):
        fail_half_way(owner.position.name)
