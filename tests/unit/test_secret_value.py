"""How a secret's value is composed, and when two values are the same."""

from __future__ import annotations

import json

import pytest

from pg2dynamo.errors import SecretUndecryptable
from pg2dynamo.secret import Secret
from pg2dynamo.secrets.names import NameShape, NamesSeen, canonical_key, render_name, version_label
from pg2dynamo.secrets.value import (
    NotPlainJson,
    Tokens,
    VersionContent,
    compose_object,
    compose_text,
    parse_json,
    same_content,
)


def composed(plaintext: bytes, fields: dict[str, str] | None = None) -> str:
    return compose_object(fields or {}, "credentials", Secret(plaintext)).reveal()


def test_the_document_is_compact_and_its_names_are_sorted() -> None:
    text = composed(b'{"b": [1, 2],\n "a": "x y"}', {"z": "null", "account_id": '"7"'})
    assert text == '{"account_id":"7","credentials":{"b":[1,2],"a":"x y"},"z":null}'


@pytest.mark.parametrize("number", ["1.10", "1e400", "-0", "123456789012345678901234567890", "0.1000000000000000055"])
def test_numbers_and_escapes_go_in_as_they_were_written(number: str) -> None:
    inner = f'{{"n": {number}, "s": "\\u00e9 \\" {{ , }} \\ud83d\\ude00 \t"}}'.replace("\t", "\\t")
    assert (
        composed(inner.encode())
        == f'{{"credentials":{inner.replace(": ", ":", 1).replace(", ", ",", 1).replace(": ", ":", 1)}}}'
    )
    assert json.loads(composed(inner.encode()))["credentials"] == json.loads(inner)


@pytest.mark.parametrize(
    "plaintext",
    [b"", b"{", b"\xff", b'{"a": NaN}', b"Infinity", b'{"a": 1, "a": 2}', b"[" * 100_000, b"{'a': 1}", b'"\n"'],
)
def test_what_is_no_json_of_one_meaning_is_refused(plaintext: bytes) -> None:
    with pytest.raises(SecretUndecryptable, match=r"^not UTF-8 JSON$") as raised:
        composed(plaintext)
    assert raised.value.__context__ is None


def test_text_is_itself_and_must_be_some() -> None:
    assert compose_text(Secret("pässword ".encode())).reveal() == "pässword "
    for plaintext in (b"", b"\xff"):
        with pytest.raises(SecretUndecryptable):
            compose_text(Secret(plaintext))


def same(one: str, other: str | None, *, is_json: bool = True) -> bool:
    return same_content(VersionContent("key", Secret(one), is_json), None if other is None else Secret(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [('{"a":1,"b":2}', '{ "b": 2.0, "a": 10e-1 }'), ('"\\u0041"', '"A"'), ("-0", "0"), ("1e400", "10e399")],
)
def test_another_form_of_the_same_document_is_the_same(one: str, other: str) -> None:
    assert same(one, other)
    assert not same(one, other, is_json=False)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", "true"),
        ("0", "false"),
        ("null", "false"),
        ('{"a":null}', "{}"),
        ("[1,2]", "[2,1]"),
        ('"1"', "1"),
        ('""', "null"),
        ("0.1", "0.10000000000000001"),
        ("12345678901234567890123", "12345678901234567890124"),
        ('{"a":1}', '{"a":1,"a":1}'),
        ('{"a":1}', "no json"),
        ('{"a":1}', None),
        ('"a"', '"\\ud800"'),
    ],
)
def test_other_documents_are_not_the_same(one: str, other: str | None) -> None:
    assert not same(one, other)


def test_a_document_that_is_not_one_says_nothing_of_its_text() -> None:
    with pytest.raises(NotPlainJson) as raised:
        parse_json('{"password": oops}')
    assert "oops" not in repr(raised.value)
    assert raised.value.__context__ is None


def test_a_token_depends_on_all_that_makes_a_write_another() -> None:
    tokens = Tokens(Secret(b"key"))
    one = VersionContent("k", Secret("text"), False)
    base = tokens.token("name", one, "before")
    others = [
        Tokens(Secret(b"other")).token("name", one, "before"),
        tokens.token("named", one, "before"),
        tokens.token("name", VersionContent("k", Secret("texts"), False), "before"),
        tokens.token("name", VersionContent("kk", Secret("text"), False), "before"),
        tokens.token("name", one, "befores"),
        tokens.token("name", one, None),
        tokens.token("name", one, "before", 1),
        tokens.token("namet", VersionContent("k", Secret("ext"), False), "before"),
    ]
    assert base == Tokens(Secret(b"key")).token("name", one, "before")
    assert len({base, *others}) == 9


def test_without_a_key_the_value_is_no_part_of_the_token() -> None:
    tokens = Tokens(None)
    one, other = (VersionContent("k", Secret(text), False) for text in ("a", "b"))
    assert tokens.token("name", one, None) == tokens.token("name", other, None)


def test_names_are_rendered_and_recognised() -> None:
    assert render_name("a/{x}-{y}", {"x": "{y}", "y": "2"}) == "a/{y}-2"
    shape = NameShape("app.v1/{x}-{y}")
    assert shape.prefix == "app.v1/"
    assert shape.fits("app.v1/a-b")
    for name in ("app.v1/a", "app.v1/-b", "app.v1/a-b/c", "appxv1/a-b", "app.v1/a-b\n/"):
        assert not shape.fits(name), name


def test_a_label_is_short_and_the_key_it_comes_from_has_one_form() -> None:
    assert canonical_key({"b": "2", "a": "1"}) == canonical_key({"a": "1", "b": "2"})
    assert canonical_key({"a": 'x","b":"y'}) != canonical_key({"a": "x", "b": "y"})
    assert len(version_label("x" * 10_000)) == 34


def test_names_seen_are_remembered() -> None:
    seen = NamesSeen()
    seen.add("one")
    assert "one" in seen
    assert "two" not in seen
