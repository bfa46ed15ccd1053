"""Tokens: only what was signed with one of the keys, by HS256, for this service, is believed."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from onboarding.api.keys import TokenKeys, token_keys
from onboarding.api.permissions import Role
from onboarding.api.tokens import AUDIENCE, ISSUER, Identity, InvalidToken, issue_token, read_token

NOW = datetime(2026, 1, 2, 3, 4, 5)
KEY, OLD_KEY = b"a key of at least thirty-two bytes", b"the key before, of thirty-two bytes"
KEYS = TokenKeys((KEY, OLD_KEY))
TENANT = UUID("5c0f5f8e-7a1d-4c7e-9d55-0c1a7f3b1a01")
SECONDS = 1_767_323_045
CLAIMS = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ci", "role": "reader", "tenant": str(TENANT)}
TIMES = {"iat": SECONDS, "exp": SECONDS + 60}


def signed(claims: dict[str, Any], key: Any = KEY, algorithm: str = "HS256") -> str:
    return jwt.encode(claims, key, algorithm=algorithm)


def test_a_token_tells_again_who_it_was_made_for() -> None:
    for identity in (Identity("ci", Role.PLATFORM, None), Identity("ci", Role.ADMIN, TENANT)):
        token = issue_token(KEYS, identity, NOW, timedelta(hours=1))
        assert read_token(KEYS, token, NOW) == identity


def test_a_token_of_the_key_before_is_believed_and_one_of_another_key_is_not() -> None:
    assert read_token(KEYS, signed(CLAIMS | TIMES, OLD_KEY), NOW).subject == "ci"
    with pytest.raises(InvalidToken):
        read_token(KEYS, signed(CLAIMS | TIMES, b"another key, of thirty-two bytes!!"), NOW)


def test_a_token_ends_at_its_time_and_does_not_begin_in_the_future() -> None:
    token = signed(CLAIMS | TIMES)
    read_token(KEYS, token, NOW + timedelta(seconds=59))
    with pytest.raises(InvalidToken, match="expired"):
        read_token(KEYS, token, NOW + timedelta(seconds=60))
    with pytest.raises(InvalidToken, match="not valid yet"):
        read_token(KEYS, token, NOW - timedelta(seconds=61))
    with pytest.raises(InvalidToken, match="not valid yet"):
        read_token(KEYS, signed(CLAIMS | TIMES | {"nbf": SECONDS + 61}), NOW)


@pytest.mark.parametrize("name", ["iss", "aud", "sub", "role", "iat", "exp"])
def test_a_token_without_one_of_its_claims_is_refused(name: str) -> None:
    claims = {claim: value for claim, value in (CLAIMS | TIMES).items() if claim != name}
    with pytest.raises(InvalidToken):
        read_token(KEYS, signed(claims), NOW)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("iss", "somebody"),
        ("aud", "something"),
        ("role", "root"),
        ("role", "platform"),
        ("role", ["reader"]),
        ("role", None),
        ("tenant", None),
        ("tenant", "not an id"),
        ("tenant", TENANT.hex),
        ("tenant", str(TENANT).upper()),
        ("tenant", 7),
        ("sub", ""),
        ("sub", "x" * 256),
        ("exp", "soon"),
        ("exp", 1e30),
        ("exp", True),
        ("iat", SECONDS + 0.5),
        ("nbf", "now"),
    ],
    ids=str,
)
def test_a_token_with_a_claim_that_does_not_fit_is_refused(name: str, value: object) -> None:
    claims = CLAIMS | TIMES | {name: value}
    # Signed as bytes: the library would not make some of these claims.
    token = jwt.api_jws.encode(json.dumps(claims).encode(), KEY, algorithm="HS256")
    with pytest.raises(InvalidToken):
        read_token(KEYS, token, NOW)


def test_only_the_one_algorithm_counts_whatever_the_token_says_of_itself() -> None:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    claims = CLAIMS | TIMES
    unsigned = f"{_segment({'alg': 'none', 'typ': 'JWT'})}.{_segment(claims)}."
    for keys in (KEYS, TokenKeys((public,))):
        for token in (unsigned, jwt.encode(claims, "", algorithm="none"), signed(claims, private, "RS256")):
            with pytest.raises(InvalidToken):
                read_token(keys, token, NOW)
    for algorithm in ("HS384", "HS512"):
        with pytest.raises(InvalidToken):
            read_token(KEYS, signed(claims, KEY * 2, algorithm), NOW)


@pytest.mark.parametrize("token", ["", ".", "..", "a.b.c", "é", "e30.e30.", "." * 5_000, "e30" * 2_000], ids=range(8))
def test_what_is_no_token_is_refused_without_being_repeated(token: str) -> None:
    with pytest.raises(InvalidToken) as refused:
        read_token(KEYS, token, NOW)
    assert refused.value.__cause__ is None
    assert not token.strip(".") or token not in str(refused.value)


def test_a_token_altered_in_any_character_is_refused() -> None:
    token = signed(CLAIMS | TIMES)
    for place in range(0, len(token) - 1, 7):
        altered = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        with pytest.raises(InvalidToken):
            read_token(KEYS, altered, NOW)


def test_keys_that_are_short_or_missing_are_refused_and_never_shown() -> None:
    with pytest.raises(ValueError, match="fewer than 32 bytes"):
        TokenKeys((b"k" * 31,))
    with pytest.raises(ValueError, match="fewer than 32 bytes"):
        TokenKeys((KEY, b"k" * 31))
    with pytest.raises(ValueError, match="ONBOARDING_TOKEN_KEY"):
        token_keys({"ONBOARDING_TOKEN_KEY_OLD": OLD_KEY.decode()})
    environ = {"ONBOARDING_TOKEN_KEY": KEY.decode(), "ONBOARDING_TOKEN_KEY_OLD": OLD_KEY.decode()}
    assert token_keys(environ) == KEYS
    assert "key of" not in repr(KEYS)


def test_a_role_has_a_tenant_exactly_when_it_is_none_of_the_platform() -> None:
    for role in Role:
        platform = role in (Role.PLATFORM, Role.SCHEDULER)
        with pytest.raises(ValueError, match="tenant"):
            Identity("ci", role, TENANT if platform else None)


def _segment(claims: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
