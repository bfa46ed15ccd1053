"""Whom the wire speaks to: verified TLS, and proxies that are used, exempted or refused but never ignored."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pg2dynamo.dynamodb.scan import scan_pages
from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.dynamodb.wire import Wire
from pg2dynamo.dynamodb.writer import BatchWriter
from pg2dynamo.errors import TargetError, TargetUnreachable
from tests.authority import Authority, make_authority
from tests.scripted_endpoint import (
    ScriptedEndpoint,
)
from tests.scripted_proxy import ScriptedProxy

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


def write(count: int, settings: TargetSettings = SETTINGS) -> BatchWriter:
    with BatchWriter(settings, "t", on_refused=lambda key, reason: pytest.fail(reason)) as writer:
        for number in range(count):
            writer.put(b'{"id":{"S":"%d"}}' % number, b'{"id":{"S":"%d"}}' % number)
    return writer


# TLS


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("tls") / "trusted", "localhost")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("tls") / "stranger", "localhost")


@pytest.fixture
def secure(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedEndpoint]:
    with ScriptedEndpoint(tls=authority.server) as endpoint:
        enter(endpoint, monkeypatch)
        yield endpoint


def test_an_endpoint_of_a_trusted_authority_is_spoken_to(
    secure: ScriptedEndpoint, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(authority.bundle))

    write(1000)
    pages = list(scan_pages(SETTINGS, "t", 0, 1))

    assert sum(len(page) for page in pages) == 1000
    assert secure.connections <= SETTINGS.in_flight + 1


@pytest.mark.parametrize("bundle", ["default", "stranger"])
def test_an_untrusted_certificate_is_refused_at_once_and_nothing_is_sent(
    secure: ScriptedEndpoint, stranger: Authority, monkeypatch: pytest.MonkeyPatch, bundle: str
) -> None:
    if bundle == "stranger":
        monkeypatch.setenv("AWS_CA_BUNDLE", str(stranger.bundle))

    with pytest.raises(TargetUnreachable, match=r"not trusted.*AWS_CA_BUNDLE"):
        write(10)
    assert secure.requests == []


def test_a_certificate_of_another_host_is_refused(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedEndpoint(tls=authority.server) as endpoint:
        enter(endpoint, monkeypatch)
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"https://127.0.0.1:{endpoint.port}")
        monkeypatch.setenv("AWS_CA_BUNDLE", str(authority.bundle))

        with pytest.raises(TargetUnreachable, match="not trusted"):
            write(10)
        assert endpoint.requests == []


def test_a_missing_bundle_is_told(secure: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "none.pem"))

    with pytest.raises(TargetError, match="AWS_CA_BUNDLE"):
        Wire(SETTINGS)


def test_plain_text_where_tls_is_spoken_ends_in_time(secure: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"http://localhost:{secure.port}")

    with pytest.raises(TargetUnreachable):
        write(1, IMPATIENT)


# Proxies


def test_a_proxy_is_tunnelled_through_to_a_secure_endpoint(
    secure: ScriptedEndpoint, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(authority.bundle))
    with ScriptedProxy() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://someone:pass%21word@{proxy.authority}")
        write(100)

    assert len(secure.stored("t")) == 100
    assert all(head.startswith(f"CONNECT localhost:{secure.port} HTTP/1.1\r\n") for head in proxy.heads)
    assert all("proxy-authorization: Basic c29tZW9uZTpwYXNzIXdvcmQ=" in head for head in proxy.heads)
    assert all("authorization: AWS4" not in head for head in proxy.heads)
    assert len(proxy.heads) == secure.connections > 0


def test_a_proxy_forwards_to_a_plain_endpoint(endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedProxy() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://{proxy.authority}")
        write(10)

    assert len(endpoint.stored("t")) == 10
    assert proxy.heads[0].startswith(f"POST http://127.0.0.1:{endpoint.port}/ HTTP/1.1\r\n")


@pytest.mark.parametrize("exempt", ["127.0.0.1", "localhost,127.0.0.1", "*"])
def test_no_proxy_exempts_the_endpoint(
    endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch, exempt: str
) -> None:
    with ScriptedProxy() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://{proxy.authority}")
        monkeypatch.setenv("NO_PROXY", exempt)
        write(10)

    assert proxy.heads == []
    assert len(endpoint.stored("t")) == 10


@pytest.mark.parametrize("refusal", ["407 Proxy Authentication Required", "403 Forbidden"])
def test_a_proxy_that_refuses_ends_the_run_at_once(
    secure: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch, refusal: str
) -> None:
    with ScriptedProxy(refusal=refusal) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.authority}")
        with pytest.raises(TargetUnreachable, match=f"proxy.*{refusal[:3]}"):
            write(10)

        assert len(proxy.heads) == 1


@pytest.mark.parametrize("kind", ["socks5", "https"])
def test_a_proxy_of_another_kind_is_refused_and_not_gone_round(
    endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"{kind}://someone:hunter2@127.0.0.1:1")

    with pytest.raises(TargetError, match="HTTP_PROXY") as caught:
        Wire(SETTINGS)
    assert "hunter2" not in str(caught.value)
