"""Columns that look like credentials, by their names: what could become a secret, and what belongs together. Pure.

Ciphertext and its nonce, tag, salt or key's name are one credential. What is one way (a hash) is none to decrypt.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from pg2dynamo.mapping.types import Kind
from pg2dynamo.plan.infer.facts import Facts
from pg2dynamo.plan.infer.yaml_text import comment, commented, scalar, source
from pg2dynamo.plan.schema import SourceColumn, SourceTable

_COMPANIONS = {
    *("iv", "nonce", "tag", "authtag", "mac", "hmac", "salt", "kid", "aad", "algorithm", "cipher"),
    *("auth_tag", "key_id", "key_version", "key_name", "kek_id", "dek", "wrapped_key", "initialization_vector"),
}
_CIPHERTEXT = {"encrypted", "encryption", "enc", "ciphertext", "cipher", "sealed", "crypted"}
_SECRET_WORDS = {
    *("secret", "secrets", "password", "passwd", "passphrase", "pwd", "token", "credential", "credentials", "otp"),
    *("totp", "apikey", "dsn", "pin", "jwt", "bearer", "mnemonic"),
}
_SECRET_PAIRS = {
    *("api_key", "private_key", "secret_key", "access_key", "signing_key", "encryption_key", "client_secret"),
    *("connection_string", "database_url", "webhook_url", "webhook_secret", "recovery_codes", "backup_codes"),
    *("refresh_token", "license_key", "auth_key", "shared_key", "master_key", "service_account"),
}
_ONE_WAY = {"hash", "hashed", "digest", "sha1", "sha256", "sha512", "md5", "bcrypt", "argon2", "scrypt", "checksum"}
_ONE_WAY |= {"fingerprint", "verifier"}
_ABOUT = {
    *("id", "type", "name", "at", "on", "count", "status", "state", "kind", "length", "limit", "enabled", "required"),
    *("expires", "expiry", "expiration", "policy", "version", "prefix", "hint", "label", "description", "field"),
}
"""Last words of names that speak about a credential and are none."""

_TIMES = (Kind.TIMESTAMP, Kind.TIMESTAMPTZ)
_HOLDS_TEXT = (Kind.TEXT, Kind.BYTEA, Kind.OUTPUT, Kind.JSON, Kind.JSONB)
_ONE_WAY_NAMES = {("encrypted", "password"), ("crypted", "password")}
"""As widely used libraries name the column that holds a password's hash."""


@dataclass(frozen=True, slots=True)
class Credential:
    """One credential of a table: the column with the secret, or its ciphertext, and what is needed to decrypt it."""

    column: str
    companions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Credentials:
    """What looks like credentials in a table; `one_way` are hashes, of which nobody can tell the secret."""

    found: tuple[Credential, ...]
    one_way: tuple[str, ...]


def find_credentials(table: SourceTable) -> Credentials:
    """Return what looks like credentials by the names and types of columns."""
    columns = [column for column in table.columns if _can_hold(table, column)]
    one_way = tuple(c.name for c in columns if _is_one_way(c.name))
    stems = {column.name: _stem(column.name) for column in table.columns}
    bases = [c for c in columns if c.name not in one_way and not _is_companion(c.name)]
    found = []
    for column in bases:
        companions = tuple(
            name
            for name, stem in stems.items()
            if name != column.name and _is_companion(name) and _same(stem, stems[column.name])
        )
        if _is_secret(column.name) or (companions and _encrypts(companions)):
            found.append(Credential(column.name, companions))
    return Credentials(tuple(found), one_way)


def _can_hold(table: SourceTable, column: SourceColumn) -> bool:
    of_key = any(column.name in key.columns for key in table.foreign_keys) or column.name in table.primary_key
    return column.type.kind in _HOLDS_TEXT and not of_key


def _words(name: str) -> tuple[str, ...]:
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return tuple(word for word in re.split(r"[^a-z0-9]+", apart) if word)


def _is_companion(name: str) -> bool:
    words = _words(name)
    return bool(words) and (words[-1] in _COMPANIONS or "_".join(words[-2:]) in _COMPANIONS)


def _stem(name: str) -> tuple[str, ...]:
    """Return the words of a name without those that say which part of a credential it is."""
    words = _words(name)
    if words and "_".join(words[-2:]) in _COMPANIONS:
        words = words[:-2]
    elif words and words[-1] in _COMPANIONS:
        words = words[:-1]
    return tuple(word for word in words if word not in _CIPHERTEXT)


def _same(stem: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Return whether two parts are of one credential; one without a name is of a nameless one, or of data."""
    return stem == other or {stem, other} <= {(), ("data",), ("value",), ("payload",)}


def _encrypts(companions: Iterable[str]) -> bool:
    return any(_words(name)[-1] in ("iv", "nonce", "tag", "authtag") for name in companions)


def _is_one_way(name: str) -> bool:
    words = _words(name)
    secret = any(word in _SECRET_WORDS for word in words)
    return words in _ONE_WAY_NAMES or (secret and any(word in _ONE_WAY for word in words))


def _is_secret(name: str) -> bool:
    words = _words(name)
    if not words or words[-1] in _ABOUT:
        return False
    pairs = {"_".join(pair) for pair in pairwise(words)}
    return any(word in _SECRET_WORDS | _CIPHERTEXT for word in words) or bool(pairs & _SECRET_PAIRS)


def credential_lines(facts: Facts, to: str) -> list[str]:
    """Return comment lines that say what to do with a table's credentials; none when nothing looks like one."""
    found = find_credentials(facts.table)
    table = facts.table.name
    lines: list[str] = []
    parted = [c for c in found.found if _encrypts(c.companions)]
    if parted:
        shown = "; ".join(f"{c.column} with {', '.join(c.companions)}" for c in parted)
        lines += comment(
            f"{table}: {shown}: {'each is' if len(parted) > 1 else 'this is'} one credential, encrypted by the "
            "application. Its parts stay together as attributes of the item, as they are."
        )
    if whole := [c.column for c in found.found if c not in parted]:
        lines += _suggestion(facts, to, whole)
    if found.one_way:
        lines += comment(
            f"{table}: {', '.join(found.one_way)} cannot be decrypted by anyone (a hash): no secret, an attribute."
        )
    return lines


def _suggestion(facts: Facts, to: str, columns: Sequence[str]) -> list[str]:
    table = facts.table
    owner = next((c for key in table.foreign_keys for c in key.columns), None) or next(iter(table.primary_key), "id")
    times = [c.name for c in table.columns if c.type.kind in _TIMES]
    newest = next((name for name in times if name.startswith("created")), times[0] if times else owner)
    column = next((name for name in columns if set(_words(name)) & _CIPHERTEXT), columns[0])
    what = f"{table.name}.{column} looks like a credential"
    if others := [name for name in columns if name != column]:
        what += f", as do {', '.join(others)}"
    head = f"{what}. To move it to Secrets Manager, take the table out of `tables` and say instead:"
    return [
        *comment(head),
        *commented(
            [
                "secrets:",
                f"  - from: {source(table.name)}",
                f"    name: {scalar(f'{to}/{{{owner}}}')}",
                f"    ciphertext: {scalar(column)}",
                "    decrypt: {format: fernet, keys: [env:CREDENTIAL_KEY]}  # or {format: plaintext}",
                f"    newest_by: {scalar(newest)}",
            ]
        ),
    ]
