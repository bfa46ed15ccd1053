"""One request and its answer: trust, proxies, credentials, configuration, and connections that are kept."""

from __future__ import annotations

import datetime
import json
import os
import ssl
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pg2dynamo.dynamodb.endpoint import CredentialSource, resolve_endpoint
from pg2dynamo.dynamodb.scan import scan_pages
from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.dynamodb.wire import Answer, Wire
from pg2dynamo.dynamodb.writer import BatchWriter
from pg2dynamo.errors import TargetDenied, TargetError
from tests.scripted_endpoint import (
    ACCESS_KEY,
    SECRET_KEY,
    Exchange,
    ScriptedEndpoint,
    Step,
    close_after,
    error,
    raw,
)

SETTINGS = TargetSettings(in_flight=4, request_timeout_seconds=5.0, give_up_seconds=30.0)
IMPATIENT = TargetSettings(in_flight=2, request_timeout_seconds=1.0, give_up_seconds=0.3)
SCAN = b'{"TableName":"t"}'
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def clean_environ(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No configuration but the test's own."""
    names = [n for n in os.environ if n.startswith("AWS_") or n.upper() in PROXY_VARIABLES]
    for name in names:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def enter(endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in endpoint.environ.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedEndpoint]:
    with ScriptedEndpoint() as endpoint:
        enter(endpoint, monkeypatch)
        yield endpoint


def call(settings: TargetSettings = SETTINGS) -> Answer:
    wire = Wire(settings)
    try:
        return wire.call("Scan", SCAN)
    finally:
        wire.close()


def write(count: int, settings: TargetSettings = SETTINGS) -> BatchWriter:
    with BatchWriter(settings, "t", on_refused=lambda key, reason: pytest.fail(reason)) as writer:
        for number in range(count):
            writer.put(b'{"id":{"S":"%d"}}' % number, b'{"id":{"S":"%d"}}' % number)
    return writer


# Connections


def test_one_connection_serves_many_requests(endpoint: ScriptedEndpoint) -> None:
    wire = Wire(SETTINGS)
    answers = [wire.call("Scan", SCAN) for _ in range(20)]
    wire.close()

    assert {answer.status for answer in answers} == {200}
    assert endpoint.connections == 1


def test_a_connection_closed_while_idle_is_replaced_before_anything_is_sent(endpoint: ScriptedEndpoint) -> None:
    """Otherwise the fate of the request would be unknown, and its keys would have to rest."""
    closed = threading.Event()

    def succeed_and_close(exchange: Exchange) -> None:
        exchange.succeed()
        exchange.connection.close()
        closed.set()

    endpoint.script(succeed_and_close)
    wire = Wire(SETTINGS)
    first = wire.call("Scan", SCAN)
    assert closed.wait(20)

    second = wire.call("Scan", SCAN)
    wire.close()

    assert (first.status, second.status) == (200, 200)
    assert endpoint.connections == 2


def test_a_connection_whose_end_is_announced_is_not_used_again(endpoint: ScriptedEndpoint) -> None:
    def announce(exchange: Exchange) -> None:
        exchange.closes = True
        close_after(exchange)

    endpoint.script(announce)
    wire = Wire(SETTINGS)
    answers = [wire.call("Scan", SCAN) for _ in range(2)]
    wire.close()

    assert [answer.status for answer in answers] == [200, 200]


def test_the_rest_of_an_answer_is_never_taken_for_the_next(endpoint: ScriptedEndpoint) -> None:
    """An answer that came too late belongs to a connection that is closed."""
    late = threading.Event()

    def too_late(exchange: Exchange) -> None:
        exchange.wait_until_closed()
        late.set()

    endpoint.script(too_late)
    wire = Wire(TargetSettings(request_timeout_seconds=0.3))
    first, second = wire.call("Scan", SCAN), wire.call("Scan", SCAN)
    wire.close()

    assert (first.status, first.uncertain, first.message) == (0, True, "no answer in time")
    assert second.status == 200
    assert late.wait(20)
    assert endpoint.connections == 2


def test_a_refused_connection_is_certain_not_to_have_been_executed(endpoint: ScriptedEndpoint) -> None:
    endpoint.stop_listening()

    answer = call()

    assert (answer.status, answer.uncertain, answer.message) == (0, False, "connection refused")


@pytest.mark.parametrize("data", [b"HTTP/1.1 200 OK\r\ncontent-length: 30\r\n\r\n{}", b"\x00\r\n\r\n", b""])
def test_a_damaged_answer_leaves_the_fate_of_the_request_unknown(endpoint: ScriptedEndpoint, data: bytes) -> None:
    endpoint.script(raw(data))

    assert call().uncertain


def test_two_answers_to_one_request_are_none(endpoint: ScriptedEndpoint) -> None:
    one, another = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
    endpoint.script(raw(one + another))

    assert call().status == 0


def test_chunked_answers_are_read(endpoint: ScriptedEndpoint) -> None:
    chunked = b'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\n{"I\r\n4\r\n":1}\r\n0\r\n\r\n'
    endpoint.script(raw(chunked))

    assert call().body == b'{"I":1}'


# Signatures


def test_signatures_hold_from_many_threads_while_credentials_change(
    endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The endpoint makes each signature again by botocore."""
    endpoint.secrets = {f"AKID{n}": f"secret-{n}" for n in range(50)}
    turns = iter(range(10**6))
    current = CredentialSource.current

    def rotate(source: CredentialSource) -> object:
        turn = next(turns) // 20 % 50
        source._credentials = type(source._credentials)(f"AKID{turn}", f"secret-{turn}", f"token-{turn}")
        return current(source)

    monkeypatch.setattr(CredentialSource, "current", rotate)

    write(5000, TargetSettings(in_flight=8))

    assert endpoint.bad_signatures == 0
    assert len(endpoint.stored("t")) == 5000


def test_a_wrong_secret_key_is_told(endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")

    with pytest.raises(TargetDenied, match="AWS_SECRET_ACCESS_KEY"):
        write(1)
    assert endpoint.bad_signatures == 1


# Credentials

PROVIDER = """
import json, pathlib
counter = pathlib.Path({counter!r})
turn = int(counter.read_text()) + 1
counter.write_text(str(turn))
print(json.dumps({{"Version": 1, "AccessKeyId": {access!r}, "SecretAccessKey": {secret!r},
                  "SessionToken": f"token-{{turn}}"{expiry}}}))
"""


def use_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expiry: str = "") -> Path:
    """Let credentials come from a command that gives another token each time it is asked."""
    counter, script = tmp_path / "counter", tmp_path / "provider.py"
    counter.write_text("0")
    script.write_text(PROVIDER.format(counter=str(counter), access=ACCESS_KEY, secret=SECRET_KEY, expiry=expiry))
    (tmp_path / "config").write_text(f"[profile renewed]\ncredential_process = {sys.executable} {script}\n")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_PROFILE", "renewed")
    return counter


def refuse_first_token(exchange: Exchange) -> Step | None:
    return error(400, "ExpiredTokenException") if exchange.headers["x-amz-security-token"] == "token-1" else None


def test_expired_credentials_are_renewed_once_for_all_threads(
    endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    counter = use_process(tmp_path, monkeypatch)
    endpoint.always(refuse_first_token)

    write(500)

    assert len(endpoint.stored("t")) == 500
    assert counter.read_text() == "2"


def test_reading_renews_expired_credentials_too(
    endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use_process(tmp_path, monkeypatch)
    endpoint.always(refuse_first_token)

    assert list(scan_pages(SETTINGS, "t", 0, 1)) == []


def test_credentials_are_renewed_before_they_run_out(
    endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=5)
    counter = use_process(tmp_path, monkeypatch, f', "Expiration": "{soon.isoformat()}"')

    wire = Wire(SETTINGS)
    for _ in range(3):
        wire.call("Scan", SCAN)
    wire.close()

    assert int(counter.read_text()) > 1


def test_a_token_that_has_expired_for_good_ends_the_run_at_once(
    endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token-1")
    endpoint.always(refuse_first_token)

    with pytest.raises(TargetDenied, match="Log in again"):
        write(10)
    assert len(endpoint.requests) == 1


def test_no_credentials_are_told(endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    with pytest.raises(TargetDenied, match="AWS_PROFILE"):
        Wire(SETTINGS)


def test_a_profile_that_is_not_there_is_told(endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")

    with pytest.raises(TargetDenied, match="nobody"):
        Wire(SETTINGS)


def test_credentials_are_in_no_representation(endpoint: ScriptedEndpoint) -> None:
    wire = Wire(SETTINGS)

    assert SECRET_KEY not in f"{wire.endpoint!r} {wire.endpoint.credentials.current()!r} {vars(wire)!r}"


# Configuration


def test_the_region_and_endpoint_are_the_sdk_s(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "config").write_text("[profile p]\nregion = eu-central-1\n")
    (tmp_path / "credentials").write_text("[p]\naws_access_key_id = A\naws_secret_access_key = B\n")
    monkeypatch.setenv("AWS_PROFILE", "p")

    resolved = resolve_endpoint(TargetSettings())

    assert resolved.url == "https://dynamodb.eu-central-1.amazonaws.com"
    assert (resolved.host, resolved.port, resolved.scope.region) == (
        "dynamodb.eu-central-1.amazonaws.com",
        443,
        "eu-central-1",
    )
    assert resolved.tls is not None
    assert resolved.tls.verify_mode is ssl.CERT_REQUIRED
    assert resolved.tls.check_hostname
    assert resolve_endpoint(TargetSettings(region="us-west-2")).host == "dynamodb.us-west-2.amazonaws.com"


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB"])
def test_an_endpoint_of_one_s_own_is_used(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "x")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv(name, "http://10.0.0.1:8000/base")

    resolved = resolve_endpoint(TargetSettings())

    assert (resolved.host, resolved.port, resolved.tls) == ("10.0.0.1", 8000, None)
    assert (resolved.scope.host, resolved.scope.path, resolved.scope.region) == ("10.0.0.1:8000", "/base", "us-east-1")


def test_no_region_is_told(endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION")

    with pytest.raises(TargetError, match="AWS_REGION"):
        Wire(SETTINGS)


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://host", "http://user:hunter2@host:1", "http://host:1/?x=1"])
def test_an_address_that_is_none_is_told_without_its_password(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "x")
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)

    with pytest.raises(TargetError, match="AWS_ENDPOINT_URL") as caught:
        resolve_endpoint(TargetSettings(region="us-east-1"))
    assert "hunter2" not in str(caught.value)


def test_the_body_is_what_was_given(endpoint: ScriptedEndpoint) -> None:
    call()

    assert json.loads(endpoint.requests[0].body) == {"TableName": "t"}
    assert endpoint.requests[0].headers["content-type"] == "application/x-amz-json-1.0"
