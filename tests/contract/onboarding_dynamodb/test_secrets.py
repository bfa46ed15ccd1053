"""Credentials in Secrets Manager: their form, their rotation, their deletion, and how fresh they are read."""

from __future__ import annotations

import json
import logging
import traceback
import uuid
from datetime import datetime
from typing import Any

import pytest

from onboarding.storage import secrets_manager_storage as module
from onboarding.storage.secrets_manager_storage import SecretsManagerStorage, secrets_manager_storage
from onboarding.store.errors import Invalid, NotFound, Unavailable
from onboarding.store.records import NewCredential
from pg2dynamo.secret import Secret
from pg2dynamo.secrets.value import compose_object
from tests.contract.onboarding_dynamodb.conftest import World
from tests.contract.onboarding_dynamodb.test_faults import answer_instead, refused
from tests.contract.onboarding_store.conftest import Making

KIND = "ibm_api_key"
VALUE = {"api_key": 'kü"ß\\n', "n": 1.5, "nested": [None, True]}


@pytest.fixture
def storage(any_world: World) -> SecretsManagerStorage:
    return any_world.secrets()


@pytest.fixture
def account() -> str:
    return str(uuid.uuid4())


def stored_text(world: World, account: str) -> str:
    client = world.client("secretsmanager")
    return str(client.get_secret_value(SecretId=f"{world.prefix}/account/{account}")["SecretString"])


def test_a_secret_is_what_pg2dynamo_would_write(any_world: World, storage: SecretsManagerStorage, account: str) -> None:
    told = storage.store(account, KIND, VALUE, expires_at=datetime(2027, 1, 2, 3, 4, 5))
    fields = {name: json.dumps(told[name]) for name in ("account_id", "created_at", "credential_type", "expires_at")}
    plaintext = Secret(json.dumps(VALUE).encode())
    assert stored_text(any_world, account) == compose_object(fields, "credentials", plaintext).reveal()
    assert told["expires_at"] == "2027-01-02T03:04:05.000000"
    assert {"secret_arn", "version_id"} < told.keys()


def test_a_secret_that_pg2dynamo_wrote_is_read(any_world: World, storage: SecretsManagerStorage, account: str) -> None:
    fields = {"account_id": account, "created_at": "2024-01-02T03:04:05.678000", "credential_type": KIND}
    texts = {name: json.dumps(text) for name, text in fields.items()} | {"expires_at": "null"}
    text = compose_object(texts, "credentials", Secret(json.dumps(VALUE).encode())).reveal()
    name = f"{any_world.prefix}/account/{account}"
    any_world.client("secretsmanager").create_secret(Name=name, SecretString=text)
    assert storage.retrieve(account) == {**fields, "expires_at": None, "credentials": VALUE}
    assert storage.describe(account) == {**fields, "expires_at": None}


def test_going_back_to_an_earlier_value_makes_it_current(
    any_world: World, storage: SecretsManagerStorage, account: str
) -> None:
    versions = [storage.store(account, KIND, {"api_key": key})["version_id"] for key in ("A", "B", "A")]
    assert len(set(versions)) == 3
    assert storage.retrieve(account)["credentials"] == {"api_key": "A"}
    client = any_world.client("secretsmanager")
    current = client.get_secret_value(SecretId=f"{any_world.prefix}/account/{account}")
    assert current["VersionId"] == versions[-1]


def test_what_waits_for_its_deletion_is_not_found_and_may_be_stored_again(
    storage: SecretsManagerStorage, account: str
) -> None:
    storage.store(account, KIND, {"api_key": "A"})
    assert storage.retrieve(account)
    storage.delete(account)
    for read in (storage.retrieve, storage.describe, storage.delete):
        with pytest.raises(NotFound):
            read(account)
    storage.store(account, KIND, {"api_key": "B"})
    assert storage.retrieve(account)["credentials"] == {"api_key": "B"}


def test_without_days_of_recovery_a_secret_is_gone_at_once(any_world: World, account: str) -> None:
    hasty = SecretsManagerStorage({**any_world.environ, "SECRETS_MANAGER_RECOVERY_DAYS": "0"})
    hasty.store(account, KIND, {"api_key": "A"})
    hasty.delete(account)
    client = any_world.client("secretsmanager")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.describe_secret(SecretId=f"{any_world.prefix}/account/{account}")
    with pytest.raises(Invalid):
        SecretsManagerStorage({**any_world.environ, "SECRETS_MANAGER_RECOVERY_DAYS": "3"}).delete(account)


@pytest.mark.parametrize("code", ["InvalidRequestException", "ResourceNotFoundException"])
def test_a_secret_that_another_process_deletes_meanwhile_is_stored_all_the_same(
    storage: SecretsManagerStorage, account: str, code: str
) -> None:
    storage.store(account, KIND, {"api_key": "A"})
    left = answer_instead(storage._client(), "PutSecretValue", refused(code))
    storage.store(account, KIND, {"api_key": "B"})
    assert left == []
    assert storage.retrieve(account)["credentials"] == {"api_key": "B"}


@pytest.mark.parametrize("code", ["InvalidRequestException", "ResourceExistsException"])
def test_a_secret_that_another_process_creates_meanwhile_is_stored_all_the_same(
    storage: SecretsManagerStorage, account: str, code: str
) -> None:
    left = answer_instead(storage._client(), "CreateSecret", refused(code))
    storage.store(account, KIND, {"api_key": "B"})
    assert left == []
    assert storage.retrieve(account)["credentials"] == {"api_key": "B"}


def test_reads_are_cached_for_a_while_but_never_past_what_this_process_did(
    any_world: World, storage: SecretsManagerStorage, account: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    another = any_world.secrets()
    storage.store(account, KIND, {"api_key": "A"})
    for reader in (storage, another):
        assert reader.retrieve(account)["credentials"] == {"api_key": "A"}
    storage.store(account, KIND, {"api_key": "B"})
    assert storage.retrieve(account)["credentials"] == {"api_key": "B"}
    assert another.retrieve(account)["credentials"] == {"api_key": "A"}
    storage.delete(account)
    with pytest.raises(NotFound):
        storage.retrieve(account)
    assert another.retrieve(account)["credentials"] == {"api_key": "A"}
    with pytest.raises(NotFound):
        another.describe(account)
    monkeypatch.setattr(module, "CACHE_SECONDS", 0)
    with pytest.raises(NotFound):
        another.retrieve(account)


def test_nothing_tells_a_value(
    any_world: World, storage: SecretsManagerStorage, account: str, caplog: pytest.LogCaptureFixture
) -> None:
    value = uuid.uuid4().hex
    caplog.set_level(logging.DEBUG)
    for name in ("botocore", "botocore.parsers", "botocore.endpoint", "urllib3", "boto3"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    try:
        storage.store(account, KIND, {"api_key": value})
        storage.retrieve(account)
        storage.describe(account)
        answer_instead(storage._client(), "PutSecretValue", refused("InternalServiceError"))
        with pytest.raises(Unavailable) as raised:
            storage.store(account, KIND, {"api_key": value})
    finally:
        for name in ("botocore", "botocore.parsers", "botocore.endpoint", "urllib3", "boto3"):
            logging.getLogger(name).setLevel(logging.NOTSET)
    assert raised.value.__cause__ is None
    told = "".join(traceback.format_exception(raised.value)) + caplog.text + repr(storage) + repr(vars(storage))
    assert value not in told


def test_the_environment_is_read_at_each_call(any_world: World, account: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in any_world.environ.items():
        monkeypatch.setenv(name, text)
    secrets_manager_storage.store(account, KIND, {"api_key": "A"})
    assert any_world.secrets().retrieve(account)["credentials"] == {"api_key": "A"}
    monkeypatch.setenv("SECRETS_MANAGER_PREFIX", f"{any_world.prefix}-other")
    with pytest.raises(NotFound):
        secrets_manager_storage.retrieve(account)


def test_a_credential_of_an_account_that_goes_meanwhile_does_not_stay(any_world: World) -> None:
    store, other = any_world.store(), any_world.store()
    account = Making(store).account()
    gone: list[Any] = []

    def delete_first(**_: Any) -> None:
        if not gone:
            gone.append(account)
            other.delete_account(account.account_id)

    store._secrets._client().meta.events.register("before-call.secrets-manager.CreateSecret", delete_first)
    with pytest.raises(NotFound):
        store.put_credential(account.account_id, NewCredential(credential_type=KIND, credentials={"api_key": "A"}))
    assert gone
    with pytest.raises(NotFound):
        store._secrets.describe(account.account_id)
