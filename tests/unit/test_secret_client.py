"""The pace of calls, told without waiting for it."""

from __future__ import annotations

import pytest

from pg2dynamo.errors import SecretError
from pg2dynamo.secrets.client import TokenBucket, secrets_client


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_calls_keep_to_the_rate_after_one_seconds_worth_at_once() -> None:
    clock = Clock()
    bucket = TokenBucket(40.0, lambda: clock.now, clock.sleep)
    for _ in range(40):
        bucket.take()
    assert clock.now == pytest.approx(100.0)
    for _ in range(80):
        bucket.take()
    assert clock.now == pytest.approx(102.0)


def test_a_pause_saves_up_for_one_second_only() -> None:
    clock = Clock()
    bucket = TokenBucket(40.0, lambda: clock.now, clock.sleep)
    clock.sleep(3_600)
    for _ in range(80):
        bucket.take()
    assert clock.now == pytest.approx(3_701.0)


def test_a_missing_region_is_said_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    with pytest.raises(SecretError, match="region"):
        secrets_client()


@pytest.mark.parametrize(
    ("endpoint", "paced"),
    [
        ("http://127.0.0.1:5000", False),
        ("http://localhost:5000", False),
        ("http://[::1]:5000", False),
        ("http://10.0.0.1:5000", True),
        ("https://secretsmanager.eu-central-1.amazonaws.com", True),
    ],
)
def test_only_an_endpoint_on_this_machine_is_not_paced(
    endpoint: str, paced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", endpoint)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    client = secrets_client("eu-central-1")
    assert (client._changes is not None) is paced
    assert (client._creations is not None) is paced
