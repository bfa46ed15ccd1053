"""What looks like a credential: ciphertext with its parts is one, a hash is none, and what speaks about one is none."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pg2dynamo.plan.infer import infer
from pg2dynamo.plan.infer.credentials import Credential, find_credentials
from pg2dynamo.plan.load import parse_plan
from tests.unit.inferred import BOOLEAN, BYTEA, TEXT, TIMESTAMP, comments, table


def found(*columns: str) -> Sequence[Credential]:
    return find_credentials(table(columns=("id", *columns))).found


@pytest.mark.parametrize(
    "name",
    [
        *(
            "encrypted_data",
            "api_key",
            "private_key",
            "passphrase",
            "otp_secret",
            "refresh_token",
            "webhook_url",
            "dsn",
        ),
        *("connection_string", "credentials", "clientSecret", "password", "totp", "signing_key", "accessToken"),
    ],
)
def test_a_name_of_a_credential_is_one(name: str) -> None:
    assert found(name) == (Credential(name),)


@pytest.mark.parametrize(
    "name",
    [
        *("token_id", "secret_name", "credential_type", "password_changed_at", "token_count", "key", "description"),
        *("author", "spin", "passenger", "notes", "primary_key_name"),
    ],
)
def test_a_name_that_speaks_about_a_credential_or_only_sounds_like_one_is_none(name: str) -> None:
    assert found(name) == ()


@pytest.mark.parametrize(
    ("base", "parts"),
    [
        ("token_encrypted", ("token_iv", "token_tag")),
        ("encrypted_token", ("encrypted_token_iv", "encrypted_token_salt")),
        ("token_ciphertext", ("token_nonce", "token_key_id", "token_auth_tag")),
        ("ciphertext", ("nonce", "tag")),
        ("encrypted_data", ("iv", "auth_tag")),
        ("settings", ("settings_iv",)),
    ],
)
def test_ciphertext_and_its_parts_are_one_credential(base: str, parts: tuple[str, ...]) -> None:
    assert found(base, *parts) == (Credential(base, parts),)
    said = comments(infer("shop", [table(columns=("id", base, *parts))]))
    assert f"{base} with {', '.join(parts)}: this is one credential, encrypted by the application" in said


def test_parts_of_two_credentials_are_not_mixed() -> None:
    columns = ("a_encrypted", "a_iv", "b_encrypted", "b_iv")
    assert found(*columns) == (Credential("a_encrypted", ("a_iv",)), Credential("b_encrypted", ("b_iv",)))


def test_many_pairs_are_one_comment_a_table() -> None:
    columns = [name for n in range(116) for name in (f"encrypted_{n}x", f"encrypted_{n}x_iv")]
    text = infer("shop", [table(columns=("id", *columns))])
    assert len(found(*columns)) == 116
    assert comments(text).count("encrypted by the application") == 1


@pytest.mark.parametrize(
    "name", ["password_hash", "hashed_password", "token_digest", "encrypted_password", "crypted_password"]
)
def test_what_is_one_way_is_no_secret_to_decrypt_and_is_said_so(name: str) -> None:
    assert found(name) == ()
    said = comments(infer("shop", [table(columns=("id", name))]))
    assert f"{name} cannot be decrypted by anyone (a hash)" in said
    assert "secrets:" not in said


def test_keys_flags_and_times_are_no_credentials() -> None:
    columns = {"token": TEXT, "secret_id": TEXT, "password": BOOLEAN, "otp": TIMESTAMP}
    source = table(columns=columns, key=("token",), foreign=[("secret_id",)])
    assert find_credentials(source).found == ()


def test_columns_that_look_like_credentials_are_suggested_as_secrets() -> None:
    columns = {"id": TEXT, "account_id": TEXT, "encrypted_data": BYTEA, "created_at": TIMESTAMP}
    text = infer("shop", [table("credentials", columns, foreign=[("account_id",)])])
    suggestion = "\n".join(line[2:] for line in text.splitlines() if line.startswith("# "))
    plan = parse_plan(f"name: x\n{suggestion[suggestion.index('secrets:') :]}", {})
    assert plan.secrets[0].name == "shop-credentials/{account_id}"
    assert (plan.secrets[0].ciphertext, plan.secrets[0].newest_by) == ("encrypted_data", "created_at")


def test_the_name_of_a_key_beside_a_token_that_carries_all_else_keeps_nothing_from_being_a_secret() -> None:
    text = infer("shop", [table(columns=("id", "encrypted_data", "encryption_key_id"))])
    assert "accounts.encrypted_data looks like a credential. To move it" in comments(text)
    assert "encrypted by the application" not in comments(text)


def test_several_credentials_of_a_table_are_one_suggestion_that_names_them() -> None:
    text = infer("shop", [table(columns=("id", "api_key", "client_secret", "encrypted_data"))])
    assert "accounts.encrypted_data looks like a credential, as do api_key, client_secret." in comments(text)
    assert text.count("secrets:") == 1
