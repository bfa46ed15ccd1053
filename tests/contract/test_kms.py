"""The KMS key of the secrets, on the stand-in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pg2dynamo.errors import SecretDenied, SecretError, TargetUnreachable
from pg2dynamo.local.process import free_port
from pg2dynamo.secrets.kms import ensure_key, key_state, kms_client

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient


@pytest.fixture
def client(any_aws_environ: dict[str, str]) -> KMSClient:
    return kms_client()


def test_a_key_that_is_not_there_is_none(client: KMSClient, unique: str) -> None:
    assert key_state(client, f"alias/{unique}") is None


def test_a_key_is_created_once_with_rotation(client: KMSClient, unique: str) -> None:
    state, created = ensure_key(client, f"alias/{unique}")
    assert created
    assert state.fault is None
    assert client.get_key_rotation_status(KeyId=state.arn)["KeyRotationEnabled"]
    assert ensure_key(client, f"alias/{unique}") == (state, False)
    assert key_state(client, state.arn) == state


def test_of_two_keys_made_at_the_same_moment_one_stays(client: KMSClient, unique: str) -> None:
    others: list[str] = []

    def make_another(**_: Any) -> None:
        if not others:
            others.append("")
            others[0] = ensure_key(kms_client(), f"alias/{unique}")[0].arn

    in_vain: list[str] = []
    client.meta.events.register(
        "after-call.kms.CreateKey", lambda parsed, **_: in_vain.append(parsed["KeyMetadata"]["KeyId"])
    )
    client.meta.events.register("before-call.kms.CreateKey", make_another)
    state, created = ensure_key(client, f"alias/{unique}")
    assert not created
    assert [state.arn] == others
    assert [client.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] for key in in_vain] == ["PendingDeletion"]


@pytest.mark.parametrize("key", ["alias/aws/other", "00000000-0000-0000-0000-000000000000"])
def test_only_a_key_with_an_alias_of_ones_own_is_created(client: KMSClient, key: str) -> None:
    with pytest.raises(SecretError, match="only a key with an alias can be created"):
        ensure_key(client, key)


def test_a_key_that_cannot_encrypt_says_why(client: KMSClient, unique: str) -> None:
    state, _ = ensure_key(client, f"alias/{unique}")
    client.disable_key(KeyId=state.arn)
    found = key_state(client, f"alias/{unique}")
    assert found is not None
    assert found.fault == "it is Disabled"


def test_a_key_that_is_not_for_encryption_says_so(client: KMSClient) -> None:
    arn = client.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
    found = key_state(client, arn)
    assert found is not None
    assert "not a symmetric key" in str(found.fault)


def test_without_credentials_the_key_is_denied(
    any_aws_environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(SecretDenied, match="Give AWS credentials"):
        key_state(kms_client(), "alias/any")


def test_a_kms_that_does_not_answer_is_unreachable(
    any_aws_environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(TargetUnreachable, match="Check the endpoint"):
        key_state(kms_client(), "alias/any")
