"""Generated credentials as Fernet tokens, and the few that no key decrypts.

Tokens are deterministic: the same seed and keys give the same bytes. Fernet's own `encrypt` takes its
initialisation vector from the operating system, so the token is put together here as the Fernet
specification gives it; `tests/unit/test_seed.py` decrypts it with the library.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import hashes, hmac, padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

TYPES = {
    "aws": ("aws_access_key", "aws_iam_role"),
    "azure": ("azure_service_principal",),
    "gcp": ("gcp_service_account",),
    "alicloud": ("alicloud_access_key",),
    "oci": ("oci_user_principal",),
    "ibm": ("ibm_api_key",),
}

FOREIGN_KEY = base64.urlsafe_b64encode(b"a key that nobody kept, 32 bytes").decode()
"""The key of the credentials that were encrypted with a key since lost."""


@dataclass(frozen=True)
class CredentialKeys:
    """The Fernet keys in use: before and after a rotation. They do not show in its representation."""

    current: str
    old: str

    def __repr__(self) -> str:
        return "CredentialKeys(**********)"

    def check(self) -> None:
        """Raise ValueError when one of them is no Fernet key."""
        Fernet(self.current)
        Fernet(self.old)


def token(key: str, plaintext: bytes, at: datetime, rng: Random) -> bytes:
    """Return the Fernet token of `plaintext`, made at `at`, with its vector from `rng`."""
    raw = base64.urlsafe_b64decode(key)
    vector = rng.randbytes(16)
    pad = padding.PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(raw[16:]), modes.CBC(vector)).encryptor()
    ciphertext = encryptor.update(pad.update(plaintext) + pad.finalize()) + encryptor.finalize()
    body = b"\x80" + int(at.replace(tzinfo=UTC).timestamp()).to_bytes(8, "big") + vector + ciphertext
    signature = hmac.HMAC(raw[:16], hashes.SHA256())
    signature.update(body)
    return base64.urlsafe_b64encode(body + signature.finalize())


def plaintext(kind: str, rng: Random) -> dict[str, Any]:
    """Return a credential object of this type."""
    number = f"{rng.randrange(10**12):012d}"
    return _OBJECTS[kind](rng, number)


def _hex(rng: Random, length: int) -> str:
    return rng.randbytes(length // 2).hex()


def _pem(rng: Random) -> str:
    body = "\n".join(base64.b64encode(rng.randbytes(48)).decode() for _ in range(12))
    return f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"


def _access_key(rng: Random, number: str) -> dict[str, Any]:
    secret = base64.b64encode(rng.randbytes(30)).decode()
    return {"access_key_id": f"AKIA{_hex(rng, 16).upper()}", "secret_access_key": secret, "account_number": number}


def _role(rng: Random, number: str) -> dict[str, Any]:
    external = rng.choice((None, "", _hex(rng, 32), "externe Kennung ✓"))
    return {"role_arn": f"arn:aws:iam::{number}:role/Scanner", "external_id": external, "account_number": number}


def _azure(rng: Random, number: str) -> dict[str, Any]:
    return {"client_id": _hex(rng, 32), "client_secret": f'{_hex(rng, 24)}~\\"é', "subscription_id": number}


def _gcp(rng: Random, number: str) -> dict[str, Any]:
    return {"type": "service_account", "project_id": f"p-{number}", "private_key": _pem(rng), "scopes": ["a", "b"]}


def _alicloud(rng: Random, number: str) -> dict[str, Any]:
    return {"access_key_id": f"LTAI{_hex(rng, 16)}", "access_key_secret": _hex(rng, 30), "account_number": number}


def _oci(rng: Random, number: str) -> dict[str, Any]:
    return {"user_ocid": f"ocid1.user.oc1..{number}", "fingerprint": _hex(rng, 32), "key": _pem(rng)}


def _ibm(rng: Random, number: str) -> dict[str, Any]:
    return {"api_key": _hex(rng, 44), "account_id": number, "limits": {"rate": 12.5, "burst": 10, "note": None}}


_OBJECTS: dict[str, Callable[[Random, str], dict[str, Any]]] = {
    "aws_access_key": _access_key,
    "aws_iam_role": _role,
    "azure_service_principal": _azure,
    "gcp_service_account": _gcp,
    "alicloud_access_key": _alicloud,
    "oci_user_principal": _oci,
    "ibm_api_key": _ibm,
}


@dataclass(frozen=True)
class Fault:
    """What is wrong with one credential, and which of its account's credentials it is.

    `place` is `newest`, `older`, or `only` when the account has no other.
    """

    name: str
    place: str


FAULTS = (
    Fault("foreign key", "newest"),
    Fault("truncated", "older"),
    Fault("not json", "newest"),
    Fault("empty", "older"),
    Fault("altered", "newest"),
    Fault("not utf-8", "older"),
    Fault("foreign key", "only"),
)
"""The credentials of a generated database that cannot be moved, one account each."""


def faulty_token(fault: Fault, key: str, plain: bytes, at: datetime, rng: Random) -> bytes:
    """Return ciphertext that cannot be moved, for the reason that `fault` names."""
    good = token(key, plain, at, rng)
    match fault.name:
        case "foreign key":
            return token(FOREIGN_KEY, plain, at, rng)
        case "truncated":
            return good[: len(good) // 2]
        case "not json":
            return token(key, b"access_key_id=AKIA;secret=none", at, rng)
        case "not utf-8":
            return token(key, b'{"api_key": "\xff\xfe"}', at, rng)
        case "altered":
            return good[:40] + (b"A" if good[40:41] != b"A" else b"B") + good[41:]
        case _:
            return b""


def encode(value: dict[str, Any], rng: Random) -> bytes:
    """Return the JSON of a credential, in one of the spellings that applications write."""
    compact = rng.random() < 0.5
    return json.dumps(value, ensure_ascii=rng.random() < 0.5, separators=(",", ":") if compact else None).encode(
        "utf-8"
    )
