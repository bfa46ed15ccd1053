"""Signatures are what AWS's own SDK makes; the signing key follows day and credentials."""

from __future__ import annotations

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from pg2dynamo.dynamodb.signing import Signer, SigningCredentials, SigningScope
from pg2dynamo.secret import Secret

TIMESTAMP = "20240102T030405Z"


def authorization(signer: Signer, body: bytes, credentials: SigningCredentials, timestamp: str = TIMESTAMP) -> str:
    lines = signer.headers("BatchWriteItem", body, credentials, timestamp).split("\r\n")
    return next(line.partition(": ")[2] for line in lines if line.startswith("authorization"))


def botocore_authorization(scope: SigningScope, body: bytes, credentials: SigningCredentials, timestamp: str) -> str:
    request = AWSRequest(method="POST", url=f"https://{scope.host}{scope.path}", data=body)
    request.headers["Content-Type"] = "application/x-amz-json-1.0"
    request.headers["X-Amz-Target"] = "DynamoDB_20120810.BatchWriteItem"
    request.headers["X-Amz-Date"] = timestamp
    request.headers["Host"] = scope.host
    if credentials.token:
        request.headers["X-Amz-Security-Token"] = credentials.token.reveal()
    request.context["timestamp"] = timestamp
    keys = Credentials(credentials.access_key, credentials.secret_key.reveal())
    signer = SigV4Auth(keys, scope.service, scope.region)
    signature = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    names = signer.signed_headers(signer.headers_to_sign(request))
    return f"AWS4-HMAC-SHA256 Credential={signer.scope(request)}, SignedHeaders={names}, Signature={signature}"


def keys(access: str = "AKID", secret: str = "secret", token: str | None = None) -> SigningCredentials:
    return SigningCredentials(access, Secret(secret), Secret(token) if token else None)


@given(
    body=st.binary(max_size=200),
    secret=st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60),
    token=st.none() | st.text(alphabet="abcXYZ019+/=", min_size=1, max_size=80),
    host=st.sampled_from(["dynamodb.eu-central-1.amazonaws.com", "127.0.0.1:8000", "localhost:4566"]),
    path=st.sampled_from(["/", "/base", "/a/b~c"]),
    timestamp=st.sampled_from(["20240102T030405Z", "20261231T235959Z"]),
)
def test_a_signature_is_the_one_that_botocore_makes(
    body: bytes, secret: str, token: str | None, host: str, path: str, timestamp: str
) -> None:
    scope = SigningScope(host, path, "eu-central-1")
    credentials = keys("AKID", secret, token)

    ours = authorization(Signer(scope), body, credentials, timestamp)

    assert ours == botocore_authorization(scope, body, credentials, timestamp)


@pytest.mark.parametrize(
    ("credentials", "timestamp"),
    [
        (keys(), "20240103T000000Z"),
        (keys(secret="another"), TIMESTAMP),
        (keys(access="OTHER", secret="another", token="t"), TIMESTAMP),
    ],
    ids=["another day", "another secret key", "another role"],
)
def test_a_kept_signing_key_is_not_used_for(credentials: SigningCredentials, timestamp: str) -> None:
    scope = SigningScope("h", "/", "us-east-1")
    signer = Signer(scope)
    authorization(signer, b"{}", keys())

    later = authorization(signer, b"{}", credentials, timestamp)

    assert later == botocore_authorization(scope, b"{}", credentials, timestamp)


def test_the_signing_key_of_the_day_is_derived_once(monkeypatch: pytest.MonkeyPatch) -> None:
    signer, credentials = Signer(SigningScope("h", "/", "us-east-1")), keys()
    authorization(signer, b"1", credentials)
    monkeypatch.setattr(Secret, "reveal", lambda secret: pytest.fail("the secret key was used again"))

    authorization(signer, b"2", credentials)


def test_credentials_are_never_printed() -> None:
    credentials = keys("AKID", "the-secret-key", "the-token")

    shown = f"{credentials!r} {credentials}"

    assert "the-secret-key" not in shown
    assert "the-token" not in shown
