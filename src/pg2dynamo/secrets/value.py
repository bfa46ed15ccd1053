"""What a secret holds: how it is composed, when two are the same, and the request token of a write."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import sha256
from typing import Any, NoReturn

from pg2dynamo.errors import SecretUndecryptable
from pg2dynamo.secret import Secret

_BLANKS_OUTSIDE_STRINGS = re.compile(r'("(?:[^"\\]|\\.)*")|[ \t\r\n]+')


@dataclass(frozen=True, slots=True)
class VersionContent:
    """One version of a secret as it shall be.

    `key` is the canonical primary key of the credential that it comes from. `json` says that the value is a JSON
    object, compared by value; else it is text, compared exactly.
    """

    key: str
    content: Secret[str] = field(repr=False)
    json: bool


class NotPlainJson(ValueError):
    """The text is not JSON by RFC 8259, or says a name twice."""


def parse_json(text: str) -> Any:
    """Parse JSON with exact numbers (`Decimal`), refusing what has no one meaning.

    Raises NotPlainJson, whose text holds no value, for NaN and Infinity, for a name that stands twice and for nesting
    beyond what can be read.
    """
    try:
        return json.loads(
            text, parse_float=Decimal, parse_int=Decimal, parse_constant=_refuse, object_pairs_hook=_unrepeated
        )
    except (ValueError, ArithmeticError, RecursionError):
        pass
    raise NotPlainJson("not JSON")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a name stands twice")
    return result


def same_json(one: Any, other: Any) -> bool:
    """Tell whether two parsed documents are equal: numbers by exact value, true never equal to 1."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same_json(value, other[name]) for name, value in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same_json, one, other))
    return bool(one == other)


def same_content(wanted: VersionContent, stored: Secret[str] | None) -> bool:
    """Tell whether a stored SecretString (None: binary or gone) already is what is wanted."""
    if stored is None:
        return False
    if wanted.content.reveal() == stored.reveal():
        return True
    if not wanted.json:
        return False
    try:
        return same_json(parse_json(wanted.content.reveal()), parse_json(stored.reveal()))
    except (NotPlainJson, RecursionError):
        return False


def compose_object(fields: Mapping[str, str], plaintext_field: str, plaintext: Secret[bytes]) -> Secret[str]:
    """Return the SecretString: a compact JSON object, its names sorted.

    `fields` gives each field's value as JSON text. The decrypted document goes in as it was written, without the
    blanks between its parts, so that no number and no escape changes. Raises SecretUndecryptable when it is not JSON.
    """
    text = _text(plaintext, "not UTF-8 JSON")
    try:
        parse_json(text.reveal())
    except NotPlainJson:
        text = Secret("")
    if not text:
        raise SecretUndecryptable("not UTF-8 JSON")
    values = {**fields, plaintext_field: _BLANKS_OUTSIDE_STRINGS.sub(r"\1", text.reveal())}
    return Secret("{" + ",".join(f"{json.dumps(name)}:{values[name]}" for name in sorted(values)) + "}")


def compose_text(plaintext: Secret[bytes]) -> Secret[str]:
    """Return the decrypted text itself as the SecretString. Raises SecretUndecryptable when it is no text or empty."""
    text = _text(plaintext, "not UTF-8 text")
    if not text:
        raise SecretUndecryptable("the decrypted text is empty")
    return text


def _text(plaintext: Secret[bytes], reason: str) -> Secret[str]:
    try:
        return Secret(plaintext.reveal().decode("utf-8"))
    except UnicodeDecodeError:
        pass
    raise SecretUndecryptable(reason)


class Tokens:
    """Makes request tokens: Secrets Manager takes them as version ids, and a repeated one as a repeated request.

    A token is HMAC-SHA256 over the secret's name, the value, the credential's key and the version that is current
    before the write, so that A → B → A is three versions. `key` comes from `decrypt.derive_key`; without one the
    value is left out, since a digest of it without a key could be guessed from.
    """

    def __init__(self, key: Secret[bytes] | None) -> None:
        self._key = key

    def __repr__(self) -> str:
        return "Tokens()"

    def token(self, name: str, version: VersionContent, predecessor: str | None, repeat: int = 0) -> str:
        """Return 64 hexadecimal characters; `repeat` tells apart writes that are alike in everything else."""
        content = version.content.reveal() if self._key else ""
        key = self._key.reveal() if self._key else b"pg2dynamo"
        digest = hmac.new(key, digestmod=sha256)
        for part in (name, content, version.key, predecessor or "", str(repeat)):
            encoded = part.encode("utf-8", "surrogatepass")
            digest.update(len(encoded).to_bytes(8, "big") + encoded)
        return digest.hexdigest()
