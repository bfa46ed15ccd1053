"""Time to live where the endpoint has none, refuses, or another switches it on: by an endpoint that plays them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from pg2dynamo.dynamodb.client import dynamodb_client
from pg2dynamo.dynamodb.protection import UNKNOWN_OPERATIONS
from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.dynamodb.ttl import TimeToLive, enable_time_to_live, time_to_live
from pg2dynamo.errors import TargetError
from tests.scripted_endpoint import ScriptedEndpoint, Step, answer, error

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TOO_SOON = error(400, "ValidationException", "Time to live has been modified multiple times within a fixed interval")


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedEndpoint]:
    with ScriptedEndpoint() as endpoint:
        for name, value in endpoint.environ.items():
            monkeypatch.setenv(name, value)
        yield endpoint


@pytest.fixture
def client(endpoint: ScriptedEndpoint) -> DynamoDBClient:
    return dynamodb_client(TargetSettings(request_timeout_seconds=5.0))


def described(status: str, attribute: str | None = "goes") -> Step:
    names = {"AttributeName": attribute} if attribute else {}
    return answer(json.dumps({"TimeToLiveDescription": {"TimeToLiveStatus": status, **names}}).encode())


@pytest.mark.parametrize("code", sorted(UNKNOWN_OPERATIONS))
def test_an_endpoint_without_time_to_live_is_known_by_its_error(
    endpoint: ScriptedEndpoint, client: DynamoDBClient, code: str
) -> None:
    endpoint.script(error(400, code))
    assert time_to_live(client, "any") == TimeToLive(None, known=False)


@pytest.mark.parametrize(
    ("status", "attribute"), [("ENABLED", "goes"), ("ENABLING", "goes"), ("DISABLING", None), ("DISABLED", None)]
)
def test_it_is_on_when_it_is_or_is_being_switched_on(
    endpoint: ScriptedEndpoint, client: DynamoDBClient, status: str, attribute: str | None
) -> None:
    endpoint.script(described(status))
    assert time_to_live(client, "any") == TimeToLive(attribute)


def test_when_another_switches_it_on_at_the_same_moment_that_is_no_error(
    endpoint: ScriptedEndpoint, client: DynamoDBClient
) -> None:
    endpoint.script(described("DISABLED", None), TOO_SOON, described("ENABLING"))
    assert enable_time_to_live(client, "any", "goes") is False


def test_a_refusal_is_told_in_the_services_words(endpoint: ScriptedEndpoint, client: DynamoDBClient) -> None:
    endpoint.script(described("DISABLING"), TOO_SOON, described("DISABLING"))
    with pytest.raises(TargetError, match="modified multiple times"):
        enable_time_to_live(client, "any", "goes")
