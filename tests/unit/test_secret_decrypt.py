"""Keys come from the environment, and nothing that goes wrong with them says what they are."""

from __future__ import annotations

import base64
import traceback

import pytest
from cryptography.fernet import Fernet

from pg2dynamo.errors import PlanError, SecretError, SecretUndecryptable
from pg2dynamo.plan.model import Decrypt
from pg2dynamo.secrets.decrypt import build_decryptor, derive_key

NEW, OLD, OTHER = (Fernet.generate_key().decode() for _ in range(3))
PLAN = Decrypt(format="fernet", keys=("env:NEW_KEY", "optional-env:OLD_KEY"))


def token(key: str, plaintext: bytes = b'{"a": 1}') -> bytes:
    return Fernet(key).encrypt(plaintext)


def test_every_key_of_the_plan_decrypts() -> None:
    decryptor = build_decryptor(PLAN, {"NEW_KEY": NEW, "OLD_KEY": OLD + "\n"})
    for key in (NEW, OLD):
        assert decryptor.decrypt(token(key)).reveal() == b'{"a": 1}'


def test_an_optional_key_may_be_unset_and_another_may_not() -> None:
    decryptor = build_decryptor(PLAN, {"NEW_KEY": NEW})
    assert decryptor.decrypt(token(NEW)).reveal() == b'{"a": 1}'
    with pytest.raises(PlanError, match="NEW_KEY"):
        build_decryptor(PLAN, {"OLD_KEY": OLD})
    with pytest.raises(SecretError, match="OLD_KEY"):
        build_decryptor(Decrypt(keys=("optional-env:OLD_KEY",)), {})


@pytest.mark.parametrize(
    ("ciphertext", "reason"),
    [
        (token(OTHER), "no key decrypts it"),
        (token(NEW)[:-4] + b"AAA=", "no key decrypts it"),
        (b"", "not a Fernet token"),
        (b"not a token", "not a Fernet token"),
        (b"\x00\xff", "not a Fernet token"),
        (base64.urlsafe_b64encode(b"\x80" + bytes(71)), "not a Fernet token"),
        (base64.urlsafe_b64encode(b"\x81" + bytes(72)), "not a Fernet token"),
        (base64.urlsafe_b64encode(b"\x80" + bytes(72)), "no key decrypts it"),
    ],
    ids=["other key", "altered", "empty", "text", "bytes", "too short", "other version", "no signature"],
)
def test_what_does_not_decrypt_has_a_reason_without_values(ciphertext: bytes, reason: str) -> None:
    with pytest.raises(SecretUndecryptable) as raised:
        build_decryptor(PLAN, {"NEW_KEY": NEW}).decrypt(ciphertext)
    assert str(raised.value) == reason
    assert raised.value.__context__ is None


@pytest.mark.parametrize("key", ["short", NEW[:-2], "ü" * 44], ids=["short", "cut", "not ASCII"])
def test_a_key_that_is_none_is_named_by_its_variable_only(key: str) -> None:
    with pytest.raises(SecretError, match="NEW_KEY is not a Fernet key") as raised:
        build_decryptor(PLAN, {"NEW_KEY": key})
    assert key not in "".join(traceback.format_exception(raised.value))


def test_the_plaintext_format_takes_the_column_as_it_is() -> None:
    plan = Decrypt(format="plaintext")
    assert build_decryptor(plan, {}).decrypt(b"as it is").reveal() == b"as it is"
    assert derive_key(plan, {}, "tokens") is None


def test_the_derived_key_is_the_same_everywhere_and_another_for_each_purpose_and_key() -> None:
    def derived(purpose: str, key: str) -> bytes:
        secret = derive_key(PLAN, {"NEW_KEY": key}, purpose)
        assert secret is not None
        return secret.reveal()

    fixed = base64.urlsafe_b64encode(bytes(32)).decode()
    assert derived("tokens", fixed).hex() == derived("tokens", fixed + "\n").hex()
    assert len({derived("tokens", fixed), derived("other", fixed), derived("tokens", NEW)}) == 3
    assert len(derived("tokens", fixed)) == 32
