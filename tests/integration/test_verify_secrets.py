"""Every difference between secrets and credentials is found and rightly named, and nothing else is."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from pg2dynamo.dynamodb.records import SecretRefusal
from pg2dynamo.migration.difference import Difference
from pg2dynamo.migration.repair_secrets import SecretRepair, repair_secrets
from pg2dynamo.migration.verify_report import Comparison
from pg2dynamo.migration.verify_secrets import verify_secrets
from tests.conftest import Database
from tests.secrets_case import SecretsCase, Stored, make_secrets_case


@dataclass
class Copied:
    """Two accounts copied, one of them with three credentials and one with one."""

    case: SecretsCase
    stored: Stored
    one: str
    many: str
    refusals: list[SecretRefusal]

    def verify(self, refusals: list[SecretRefusal] | None = None) -> tuple[Comparison, list[Difference]]:
        found: list[Difference] = []
        refusals = self.refusals if refusals is None else refusals
        result = verify_secrets(self.case.plan, self.case.environ, snapshot=None, refusals=refusals, found=found.append)
        return result, found

    def named(self) -> list[tuple[str, str, tuple[str, ...]]]:
        found = self.verify()[1]
        assert {d.table for d in found} <= {"public.credentials"}
        return sorted((d.key["name"], d.kind, d.attributes) for d in found)

    def repair(self) -> SecretRepair:
        return repair_secrets(self.case.plan, self.case.environ, self.verify()[1])

    def rewrite(self, account: str, change: Callable[[Any], Any]) -> None:
        name = self.case.name(account)
        self.put(name, change(self.stored.current(name)))

    def put(self, name: str, document: Any) -> None:
        text = document if isinstance(document, str) else json.dumps(document)
        self.stored.api.put_secret_value(SecretId=name, SecretString=text)


@pytest.fixture
def copied(any_database: Database, any_aws_environ: dict[str, str], unique: str) -> Copied:
    return make_copied(any_database, any_aws_environ, unique)


def make_copied(database: Database, any_aws_environ: dict[str, str], unique: str) -> Copied:
    case = make_secrets_case(database, any_aws_environ, unique)
    one, many = str(uuid.uuid4()), str(uuid.uuid4())
    case.add(one, 1, {"a": 1, "b": ["x", None, 1.50]}, priority=7, expires_at="infinity")
    for day in (1, 2, 3):
        case.add(many, day, {"day": day})
    report = case.copy()
    return Copied(case, Stored(), one, many, list(report.refusals))


def test_copied_secrets_are_equal(database: Database, any_aws_environ: dict[str, str], unique: str) -> None:
    copied = make_copied(database, any_aws_environ, unique)
    result, found = copied.verify()
    assert (result.equal, result.compared, found) == (True, 2, [])


def test_another_writers_formatting_is_no_difference(copied: Copied) -> None:
    name = copied.case.name(copied.one)
    document = copied.stored.current(name)
    copied.put(name, json.dumps(dict(reversed(document.items())), indent=2).replace("1.5", "15e-1"))
    assert copied.named() == []


@pytest.mark.parametrize(
    ("change", "attributes"),
    [
        (lambda d: d | {"credentials": {"a": 1, "b": ["x", None, 1.5000000000000001e0 + 2.3e-16]}}, ("credentials",)),
        (lambda d: d | {"credentials": {"a": True, "b": ["x", None, 1.5]}}, ("credentials",)),
        (lambda d: d | {"credentials": {"a": 1, "b": [None, "x", 1.5]}}, ("credentials",)),
        (lambda d: d | {"credentials": json.dumps(d["credentials"])}, ("credentials",)),
        (lambda d: d | {"credential_type": d["credential_type"] + " "}, ("credential_type",)),
        (lambda d: d | {"credential_type": None}, ("credential_type",)),
        (lambda d: d | {"priority": "7"}, ("priority",)),
        (lambda d: d | {"priority": 8}, ("priority",)),
        (lambda d: d | {"created_at": "2024-01-01T03:04:05.678001"}, ("created_at",)),
        (lambda d: d | {"created_at": d["expires_at"], "expires_at": d["created_at"]}, ("created_at", "expires_at")),
        (lambda d: {name: d[name] for name in d if name != "expires_at"}, ("expires_at",)),
        (lambda d: {name: d[name] for name in d if name != "credentials"}, ("credentials",)),
        (lambda d: d | {"more": None}, ("more",)),
        (lambda d: "no document", ("SecretString",)),
        (lambda d: [d], ("SecretString",)),
    ],
)
def test_a_changed_value_is_named_by_its_field_and_mended(
    copied: Copied, change: Callable[[Any], Any], attributes: tuple[str, ...]
) -> None:
    copied.rewrite(copied.one, change)
    assert copied.named() == [(copied.case.name(copied.one), "different", attributes)]
    assert copied.repair().as_json() == {"stored": 1, "written": 1, "restored": 0, "deleted": 0, "refused": 0}
    assert copied.named() == []


def test_a_missing_field_is_found_though_it_is_null(copied: Copied) -> None:
    copied.rewrite(copied.many, lambda d: {name: d[name] for name in d if name != "expires_at"})
    assert copied.named() == [(copied.case.name(copied.many), "different", ("expires_at",))]


def test_a_current_version_that_is_an_older_credential_is_named_so_and_mended(copied: Copied) -> None:
    name = copied.case.name(copied.many)
    older = next(d for d in copied.stored.documents(name) if d["credentials"] == {"day": 2})
    copied.put(name, older)
    assert copied.named() == [(name, "different", ("AWSCURRENT",))]
    copied.repair()
    assert copied.named() == []
    assert copied.stored.current(name)["credentials"] == {"day": 3}


def test_a_secret_that_is_gone_is_missing_and_stored_again(copied: Copied) -> None:
    name = copied.case.name(copied.many)
    copied.stored.api.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    assert copied.named() == [(name, "missing", ())]
    assert copied.repair().as_json() == {"stored": 1, "written": 3, "restored": 0, "deleted": 0, "refused": 0}
    assert copied.named() == []


def test_a_secret_waiting_for_deletion_is_missing_and_restored(copied: Copied) -> None:
    name = copied.case.name(copied.many)
    copied.stored.api.delete_secret(SecretId=name, RecoveryWindowInDays=7)
    assert copied.named() == [(name, "missing", ())]
    assert copied.repair().as_json() == {"stored": 1, "written": 0, "restored": 1, "deleted": 0, "refused": 0}
    assert copied.named() == []


def test_an_older_credential_without_a_version_is_found_and_put_back(copied: Copied) -> None:
    copied.case.add(copied.one, None, {"older": "than all"})
    name = copied.case.name(copied.one)
    assert copied.named() == [(name, "different", ("older versions",))]
    before = copied.stored.current(name)
    copied.repair()
    assert copied.named() == []
    assert copied.stored.current(name) == before


def test_a_secret_too_many_is_extra_and_deleted_with_a_recovery_window(copied: Copied) -> None:
    name = copied.case.name(str(uuid.uuid4()))
    copied.stored.api.create_secret(Name=name, SecretString="{}")
    assert copied.named() == [(name, "extra", ())]
    assert copied.repair().deleted == 1
    assert copied.named() == []
    copied.stored.api.restore_secret(SecretId=name)


def test_a_secret_of_another_shape_under_the_prefix_is_nobodys_business(copied: Copied) -> None:
    copied.stored.api.create_secret(Name=copied.case.name("a/b"), SecretString="{}")
    copied.stored.api.create_secret(Name=copied.case.plan.name + "/accountant", SecretString="{}")
    assert copied.named() == []


def test_an_undecryptable_credential_is_refused_when_recorded_and_else_never_equal(copied: Copied) -> None:
    copied.case.add(copied.one, 9, {}, encrypted_data=b"not a token")
    report = copied.case.copy()
    assert [r.reason for r in report.refusals] == ["not a Fernet token"]
    result, found = copied.verify(list(report.refusals))
    assert (result.equal, result.refused, result.skipped, found) == (True, 1, 0, [])
    result, found = copied.verify([])
    assert (result.equal, result.refused, result.skipped, found) == (False, 0, 1, [])


def test_a_recorded_refusal_does_not_excuse_a_credential_that_decrypts_now(copied: Copied) -> None:
    new_key = copied.case.environ.pop("CREDENTIAL_KEY_OLD")
    copied.case.add(copied.one, 9, {"late": True}, key=copied.case.old_key)
    copied.refusals = list(copied.case.copy().refusals)
    assert copied.named() == []
    copied.case.environ["CREDENTIAL_KEY_OLD"] = new_key
    assert copied.named() == [(copied.case.name(copied.one), "different", ("AWSCURRENT",))]


EVERY_KIND = """
name: {unique}
source: {{dsn: env:DATABASE_URL}}
secrets:
  - from: public.credentials
    name: "{unique}/{{owner}}/{{id}}"
    ciphertext: secret
    decrypt: {{format: fernet, keys: [env:CREDENTIAL_KEY]}}
    newest_by: id
    fields: [b, t, n, f, truth, d, tz, i, j, a, ba, lower, inet, word]
    plaintext: value
"""


def test_fields_of_every_kind_are_composed_and_compared(
    database: Database, any_aws_environ: dict[str, str], unique: str
) -> None:
    schema = """
    CREATE TYPE mood AS ENUM ('sad', 'ok');
    CREATE TABLE credentials (id int, owner text, secret text, b bytea, t text, n numeric, f float8, truth boolean,
      d date, tz timestamptz, i interval, j jsonb, a text[], ba bytea[], lower int[], inet inet, word mood,
      PRIMARY KEY (owner, id));
    """
    case = make_secrets_case(database, any_aws_environ, unique, EVERY_KIND, schema)
    with case.database.connect() as conn:
        conn.execute(
            b"""INSERT INTO public.credentials VALUES
            (1, 'ann', %(secret)s, '\\x00ff', E'q"\\\\\\n\\t\\x01 \\u20ac', -1.50, 0.1, true,
             '0044-03-15 BC', '2024-01-02 03:04:05+09', '1 mon 2 days -00:00:00.000001', '{"a": [1.50, null, "x"]}',
             ARRAY['a', NULL, 'b"'], ARRAY['\\x00'::bytea, NULL], '[0:1]={7,NULL}', '10.0.0.0/8', 'ok'),
            (2, 'ann', %(secret)s, '', '', -12345678901234567890.1234567890, -0.0, false,
             'infinity', '-infinity', '0', 'null', '{}', '{}', '{}',
             '::1/64', 'sad'),
            (3, 'ann', %(secret)s, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
            (4, 'ann', %(secret)s, NULL, NULL, NULL, 'NaN', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)
            """,
            {"secret": case.key.encrypt(b'{"k": 1e2}').decode()},
        )
    report = case.copy()
    assert (report.current, report.refused) == (3, 1)
    copied = Copied(case, Stored(), "", "", list(report.refusals))
    result, found = copied.verify()
    assert (found, result.compared, result.refused, result.skipped) == ([], 3, 1, 0)
    name = f"{unique}/ann/1"
    document = copied.stored.current(name)
    assert (document["b"], document["j"], document["word"]) == ("AP8=", {"a": [1.5, None, "x"]}, "ok")
    for field in document:
        if field != "value":
            copied.put(name, document | {field: None})
            assert copied.named() == [(name, "different", (field,))]
    copied.put(name, document | {"b": "AP4=", "ba": ["AQ==", None], "value": {"k": 100}})
    assert copied.named() == [(name, "different", ("b", "ba"))]
    assert copied.repair().stored == 1
    assert copied.named() == []
    assert case.copy().written == 0


PLAIN = """
name: {unique}
source: {{dsn: env:DATABASE_URL}}
secrets:
  - from: public.credentials
    name: "{unique}/{{id}}"
    ciphertext: secret
    decrypt: {{format: plaintext}}
    newest_by: id
"""


def test_a_secret_that_is_text_is_compared_exactly(
    any_database: Database, any_aws_environ: dict[str, str], unique: str
) -> None:
    schema = """
    CREATE TABLE credentials (id int PRIMARY KEY, secret bytea);
    INSERT INTO credentials VALUES (1, '1.0'), (2, convert_to('{"a": 1} ', 'UTF8')), (3, '\\xff');
    """
    case = make_secrets_case(any_database, any_aws_environ, unique, PLAIN, schema)
    report = case.copy()
    assert [refusal.reason for refusal in report.refusals] == ["not UTF-8 text"]
    copied = Copied(case, Stored(), "", "", list(report.refusals))
    assert copied.named() == []
    copied.put(f"{unique}/1", "1.00")
    copied.put(f"{unique}/2", '{"a": 1}')
    assert copied.named() == [(f"{unique}/{n}", "different", ("SecretString",)) for n in (1, 2)]
    copied.repair()
    assert copied.named() == []


def test_verification_and_repair_tell_no_value(copied: Copied, caplog: pytest.LogCaptureFixture) -> None:
    marker = "plaintext-marker-c0de"
    for name in ("", "botocore", "botocore.endpoint", "botocore.parsers", "urllib3", "psycopg"):
        caplog.set_level(logging.DEBUG, logger=name)
    copied.case.add(copied.one, 9, {"password": marker})
    result, found = copied.verify()
    repaired = copied.repair()
    assert (result.different, repaired.written) == (1, 1)
    told = [repr(result), repr(found), json.dumps([d.as_json() for d in found]), repr(repaired), caplog.text]
    assert marker not in "".join(told)
