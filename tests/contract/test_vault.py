"""The vault against Secrets Manager: order, idempotence, lost answers, refusals, and that nothing is ever told."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Iterator, Sequence

import boto3
import pytest

from pg2dynamo.errors import SecretDenied, SecretError, SecretRefused, TargetUnreachable
from pg2dynamo.secret import Secret
from pg2dynamo.secrets.client import NameTaken, SecretsClient, secrets_client
from pg2dynamo.secrets.names import version_label
from pg2dynamo.secrets.value import VersionContent
from pg2dynamo.secrets.vault import LABELLED_VERSIONS, MIGRATION_TAG, Stored, Vault
from tests.secrets_case import Stored as Aws
from tests.secrets_proxy import Call, SecretsProxy, fail, lose_answer

TAGS = {MIGRATION_TAG: "test"}
MARKER = "plaintext-marker-7f3a"


@pytest.fixture
def aws_now(any_aws_environ: dict[str, str]) -> Aws:
    return Aws()


@pytest.fixture
def client(any_aws_environ: dict[str, str]) -> SecretsClient:
    return secrets_client()


@pytest.fixture
def proxy(any_aws_environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[SecretsProxy]:
    with SecretsProxy(any_aws_environ["AWS_ENDPOINT_URL_SECRETS_MANAGER"]) as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", running.url)
        yield running


def vault_of(client: SecretsClient, tags: dict[str, str] | None = None) -> Vault:
    return Vault(client, kms_key=None, tags=TAGS if tags is None else tags, token_key=Secret(b"k" * 32))


def versions(*contents: object) -> list[VersionContent]:
    return [VersionContent(f"key {c}", Secret(json.dumps({"v": c})), json=True) for c in contents]


def texts(contents: Sequence[str]) -> list[VersionContent]:
    return [VersionContent(f"row {n}", Secret(c), json=False) for n, c in enumerate(contents)]


def test_the_newest_is_current_and_a_repetition_writes_nothing(
    client: SecretsClient, aws_now: Aws, unique: str
) -> None:
    vault = vault_of(client)
    assert vault.store(unique, versions(1, 2, 3)) == Stored(versions=3, written=3)
    before = aws_now.versions(unique)
    assert vault.store(unique, versions(1, 2, 3)) == Stored(versions=3, written=0)
    assert aws_now.versions(unique) == before
    assert [d["v"] for d in aws_now.documents(unique)] == [1, 2, 3]
    assert aws_now.current(unique) == {"v": 3}


def test_a_repetition_changes_nothing_by_reading_alone(proxy: SecretsProxy, unique: str) -> None:
    vault = vault_of(secrets_client())
    vault.store(unique, versions(1, 2))
    done = len(proxy.calls)
    vault.store(unique, versions(1, 2))
    assert set(proxy.operations()[done:]) == {"DescribeSecret", "GetSecretValue"}


def test_a_value_that_comes_back_is_current_again(client: SecretsClient, aws_now: Aws, unique: str) -> None:
    vault = vault_of(client)
    for value in ("A", "B", "A", "B", "A"):
        assert vault.store(unique, versions(value)).written == 1
        assert aws_now.current(unique) == {"v": value}
    assert [d["v"] for d in aws_now.documents(unique)] == ["A", "B", "A", "B", "A"]


def test_an_older_version_that_is_missing_is_put_without_moving_the_current_one(
    client: SecretsClient, aws_now: Aws, unique: str
) -> None:
    vault = vault_of(client)
    vault.store(unique, versions(3))
    (current,) = aws_now.versions(unique)
    assert vault.store(unique, versions(1, 2, 3)).written == 2
    assert "AWSCURRENT" in aws_now.versions(unique)[current]
    labels = [own for version, own in aws_now.versions(unique).items() if version != current]
    assert labels == [[version_label("key 1")], [version_label("key 2")]]


def test_a_newer_version_moves_the_current_one_to_the_labelled_older_ones(
    client: SecretsClient, aws_now: Aws, unique: str
) -> None:
    vault = vault_of(client)
    vault.store(unique, versions(1))
    assert vault.store(unique, versions(1, 2)).written == 1
    assert sorted(map(sorted, aws_now.versions(unique).values())) == [
        ["AWSCURRENT"],
        ["AWSPREVIOUS", version_label("key 1")],
    ]


def test_the_newest_older_versions_keep_labels_and_the_others_lose_them(
    client: SecretsClient, aws_now: Aws, unique: str
) -> None:
    vault = vault_of(client)
    for count in (LABELLED_VERSIONS + 3, LABELLED_VERSIONS + 4):
        vault.store(unique, versions(*range(count)))
        held = {
            d["v"]: own for d, own in zip(aws_now.documents(unique), aws_now.versions(unique).values(), strict=True)
        }
        labelled = {v for v, own in held.items() if version_label(f"key {v}") in own}
        assert labelled == set(range(count - 1 - LABELLED_VERSIONS, count - 1))
        assert held[count - 1] == ["AWSCURRENT"]
    assert vault.store(unique, versions(*range(LABELLED_VERSIONS + 4))).written == 0


def test_the_same_text_three_times_is_three_versions(client: SecretsClient, aws_now: Aws, unique: str) -> None:
    vault = vault_of(client)
    assert vault.store(unique, texts(["same", "same", "same"])).written == 3
    assert vault.store(unique, texts(["same", "same", "same"])).written == 0
    assert len(aws_now.versions(unique)) == 3


def test_texts_are_compared_exactly_and_documents_by_value(client: SecretsClient, aws_now: Aws, unique: str) -> None:
    vault = vault_of(client)
    aws_now.api.create_secret(Name=unique, SecretString='{ "v" : 1.0 }')
    assert vault.store(unique, versions(1)).written == 0
    aws_now.api.create_secret(Name=unique + "-text", SecretString="1.0")
    assert vault.store(unique + "-text", texts(["1"])).written == 1


@pytest.mark.parametrize("operation", ["CreateSecret", "PutSecretValue", "UpdateSecretVersionStage"])
def test_a_lost_answer_ends_as_an_undisturbed_run(
    proxy: SecretsProxy, aws_now: Aws, unique: str, operation: str
) -> None:
    lost: list[Call] = []

    def first_time(call: Call) -> object:
        if call.operation == operation and not lost:
            lost.append(call)
            return lose_answer
        return None

    proxy.rule = first_time  # type: ignore[assignment]
    vault_of(secrets_client()).store(unique, versions(1, 2, 3))
    assert len(lost) == 1
    assert [d["v"] for d in aws_now.documents(unique)] == [1, 2, 3]
    assert aws_now.current(unique) == {"v": 3}


def test_a_throttled_call_is_tried_again_and_not_for_ever(proxy: SecretsProxy, unique: str) -> None:
    proxy.rule = lambda call: fail("ThrottlingException") if call.number == 1 else None
    vault_of(secrets_client()).store(unique, versions(1))
    proxy.calls.clear()
    proxy.rule = lambda call: fail("ThrottlingException")
    with pytest.raises(SecretError, match="throttled"):
        vault_of(secrets_client(attempts=2)).store(unique, versions(1))
    assert len(proxy.calls) == 2


@pytest.mark.parametrize(
    ("code", "kind"), [("AccessDeniedException", SecretDenied), ("EncryptionFailure", SecretDenied)]
)
def test_what_cannot_succeed_ends_at_once(proxy: SecretsProxy, unique: str, code: str, kind: type[Exception]) -> None:
    proxy.rule = lambda call: fail(code) if call.operation == "CreateSecret" else None
    with pytest.raises(kind, match=code):
        vault_of(secrets_client()).store(unique, versions(1))
    assert proxy.operations() == ["DescribeSecret", "CreateSecret"]


def test_an_endpoint_that_does_not_answer_is_said_to(
    any_aws_environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with SecretsProxy("http://127.0.0.1:1") as gone:
        url = gone.url
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", url)
    with pytest.raises(TargetUnreachable):
        vault_of(secrets_client(attempts=1)).store("name", versions(1))


def test_a_name_waiting_for_deletion_is_refused_with_a_remedy(client: SecretsClient, aws_now: Aws, unique: str) -> None:
    vault = vault_of(client)
    vault.store(unique, versions(1))
    client.delete(unique)
    with pytest.raises(SecretRefused, match=r"waiting for its deletion.*restore"):
        vault.store(unique, versions(1))
    client.restore(unique)
    assert vault.store(unique, versions(1)).written == 0


def test_a_secret_of_another_migration_is_refused_and_one_of_nobodys_taken_over(
    client: SecretsClient, aws_now: Aws, unique: str
) -> None:
    vault_of(client, {MIGRATION_TAG: "other"}).store(unique, versions(1))
    with pytest.raises(SecretRefused, match="pg2dynamo:migration=other"):
        vault_of(client).store(unique, versions(2))
    assert aws_now.current(unique) == {"v": 1}
    aws_now.api.create_secret(Name=unique + "-untagged", SecretString='{"v": 1}')
    assert vault_of(client).store(unique + "-untagged", versions(2)).written == 1


def test_a_writer_who_always_comes_between_is_not_fought_for_ever(
    proxy: SecretsProxy, aws_now: Aws, unique: str, any_aws_environ: dict[str, str]
) -> None:
    other = boto3.client("secretsmanager", endpoint_url=any_aws_environ["AWS_ENDPOINT_URL_SECRETS_MANAGER"])

    def interfere(call: Call) -> tuple[int, bytes]:
        answer = call.pass_on()
        other.put_secret_value(SecretId=unique, SecretString="another's")
        return answer

    proxy.rule = lambda call: interfere if call.operation in ("CreateSecret", "PutSecretValue") else None
    with pytest.raises(SecretRefused, match="another writer"):
        vault_of(secrets_client()).store(unique, versions(1))


def test_names_and_values_are_taken_at_their_limits_and_refused_beyond(client: SecretsClient, unique: str) -> None:
    vault = vault_of(client)
    name = unique.ljust(512, "x")
    fits = "é" * 32_768
    assert vault.store(name, texts([fits])).written == 1
    with pytest.raises(SecretRefused, match="65,536 bytes"):
        vault.store(name, texts([fits + "x"]))
    with pytest.raises(SecretRefused, match="512 characters"):
        vault.store(name + "x", texts(["text"]))
    with pytest.raises(SecretRefused, match="characters"):
        vault.store(unique + "/ü", texts(["text"]))
    with pytest.raises(SecretRefused, match="100 versions"):
        vault.store(unique, versions(*range(101)))


def test_the_request_token_does_not_give_the_value_away(proxy: SecretsProxy, unique: str) -> None:
    for key in (b"1" * 32, b"2" * 32):
        vault = Vault(secrets_client(), kms_key=None, tags=TAGS, token_key=Secret(key))
        vault.store(f"{unique}-{key[0]}", versions(1))
        vault.store(unique, versions(key[0]))
    tokens = [call.request["ClientRequestToken"] for call in proxy.calls if "ClientRequestToken" in call.request]
    assert len(set(tokens)) == len(tokens) == 4
    assert all(len(token) == 64 for token in tokens)


def test_secrets_are_made_with_the_key_and_tags_of_the_plan(proxy: SecretsProxy, unique: str) -> None:
    Vault(secrets_client(), kms_key="alias/mine", tags=TAGS, token_key=None).store(unique, versions(1))
    (create,) = [call.request for call in proxy.calls if call.operation == "CreateSecret"]
    assert create["KmsKeyId"] == "alias/mine"
    assert create["Tags"] == [{"Key": "pg2dynamo:migration", "Value": "test"}]


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    for name in ("", "boto3", "botocore", "botocore.endpoint", "botocore.parsers", "botocore.auth", "urllib3"):
        caplog.set_level(logging.DEBUG, logger=name)
    return caplog


def test_no_log_output_or_exception_ever_holds_the_value(
    proxy: SecretsProxy, unique: str, everything_logged: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    client = secrets_client(attempts=1)
    vault = vault_of(client)
    told: list[str] = [
        repr(vault),
        repr(client),
        repr(texts([MARKER])),
        repr(vars(texts([MARKER])[0].content.__class__)),
    ]
    assert vault.store(unique, texts([MARKER + "1", MARKER])) == Stored(2, 2)
    assert vault.store(unique, texts([MARKER + "1", MARKER])) == Stored(2, 0)
    for answer in (
        fail("InvalidRequestException", message=MARKER),
        fail("AccessDeniedException", message=MARKER),
        fail("InternalServiceError", status=500, message=MARKER),
        lose_answer,
    ):
        proxy.rule = lambda call, answer=answer: answer if call.operation == "PutSecretValue" else None  # type: ignore[misc]
        with pytest.raises((SecretError, TargetUnreachable)) as raised:
            vault.store(unique, texts([f"{MARKER}{len(told)}"]))
        assert raised.value.__context__ is None
        told += traceback.format_exception(raised.value)
    with pytest.raises(SecretRefused) as refused:
        vault.store(unique, texts([MARKER * 10_000]))
    told += traceback.format_exception(refused.value)
    told += [everything_logged.text, *capfd.readouterr()]
    assert "pg2dynamo" in "".join(told)
    assert MARKER not in "".join(told)


def test_the_libraries_would_have_logged_it(
    client: SecretsClient, unique: str, everything_logged: pytest.LogCaptureFixture
) -> None:
    vault_of(client).store(unique, versions(MARKER))
    assert MARKER not in everything_logged.text
    boto3.client("secretsmanager").get_secret_value(SecretId=unique)
    assert MARKER in everything_logged.text


def test_parameters_that_the_library_refuses_are_not_repeated(client: SecretsClient) -> None:
    with pytest.raises(SecretRefused) as raised:
        client.put("name", Secret(MARKER), "short", [MARKER])
    assert MARKER not in "".join(traceback.format_exception(raised.value))


def test_a_token_taken_by_another_value_is_told_apart(client: SecretsClient, unique: str) -> None:
    client.create(unique, Secret("one"), "t" * 64, kms_key=None, tags={})
    client.create(unique, Secret("one"), "t" * 64, kms_key=None, tags={})
    with pytest.raises(NameTaken):
        client.create(unique, Secret("two"), "t" * 64, kms_key=None, tags={})
    with pytest.raises(NameTaken):
        client.put(unique, Secret("two"), "t" * 64, ["AWSCURRENT"])
