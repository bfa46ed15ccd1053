"""AWS on this machine: what answers, as whom, and to whom."""

from __future__ import annotations

import os
from pathlib import Path

import boto3
import pytest

from pg2dynamo.local.aws import ACCOUNT_ID, AwsStack
from pg2dynamo.local.dynamodb_local import (
    READY_FOLDER_VARIABLE,
    default_cache,
    ensure_dynamodb_local,
    why_unavailable,
)
from pg2dynamo.local.process import LocalServerError
from tests.conftest import Servers, lacking
from tests.integration.sockets import LOOPBACK, listening_addresses


def test_every_service_answers_for_one_account(aws_environ: dict[str, str], unique: str) -> None:
    assert boto3.client("sts").get_caller_identity()["Account"] == ACCOUNT_ID
    key = boto3.client("kms").create_key()["KeyMetadata"]["Arn"]
    secret = boto3.client("secretsmanager").create_secret(Name=unique, SecretString="s")["ARN"]
    assert f":{ACCOUNT_ID}:" in key
    assert f":{ACCOUNT_ID}:" in secret


def test_tables_are_made_at_the_endpoint_of_the_stack(aws_environ: dict[str, str], unique: str) -> None:
    client = boto3.client("dynamodb")
    client.create_table(
        TableName=unique,
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    assert client.meta.endpoint_url == aws_environ["AWS_ENDPOINT_URL_DYNAMODB"]
    assert client.describe_table(TableName=unique)["Table"]["TableStatus"] == "ACTIVE"


def test_they_listen_on_the_loopback_address_only(aws: AwsStack, servers: Servers) -> None:
    running = servers.aws_processes()
    assert {name: listening_addresses(pid) for name, pid in running.items()} == dict.fromkeys(running, LOOPBACK)


@pytest.mark.parametrize("name", ["AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_KMS", "AWS_ROLE_ARN"])
def test_the_settings_of_this_machine_do_not_leak_in(
    name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "of-this-machine")
    request.getfixturevalue("any_aws_environ")
    assert name not in os.environ


def test_without_java_the_reason_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ensure_dynamodb_local(tmp_path) is None
    assert why_unavailable(tmp_path) == "DynamoDB Local needs Java 17 or later (package openjdk-17-jdk-headless)"


def test_a_java_without_compiler_is_not_enough(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _program(tmp_path / "java", "echo java.base@17.0.1")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert why_unavailable(tmp_path) == (
        "DynamoDB Local needs a Java development kit, not only a runtime (package openjdk-17-jdk-headless)"
    )


def test_a_failed_fetch_is_an_error_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if why_unavailable(default_cache()) is not None:
        lacking(str(why_unavailable(default_cache())))
    monkeypatch.delenv(READY_FOLDER_VARIABLE, raising=False)
    _program(tmp_path / "mvn", "echo no route to the registry; exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(LocalServerError, match="no route to the registry"):
        ensure_dynamodb_local(tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_ready_folder_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    libraries = ensure_dynamodb_local(default_cache())
    if libraries is None:
        lacking(str(why_unavailable(default_cache())))
    monkeypatch.setenv(READY_FOLDER_VARIABLE, str(libraries))
    assert ensure_dynamodb_local(tmp_path / "never-made") == libraries
    assert not (tmp_path / "never-made").exists()


def _program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
