"""Digests of items by Python code written for the one mapping, straight from DynamoDB JSON: no value is made of them.

The reference is `decode` and `digest`. An item in which anything is not as usual, and so every one that no row of the
mapping could be, is left to it, so the digests are the same for all items. Nothing is shared with the encoder.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pg2dynamo.mapping import calendar
from pg2dynamo.mapping.decode import MALFORMED, UUID_TEXT, Decoder, Read
from pg2dynamo.mapping.digest import KEY_HASH, ROW_HASH, encode_integer, encode_plain, encode_value, heading
from pg2dynamo.mapping.document_digests import PLAIN_NUMBER, encode_attribute_value
from pg2dynamo.mapping.fitness import may_be_text
from pg2dynamo.mapping.table import Attribute, TableMapping
from pg2dynamo.mapping.types import Kind
from pg2dynamo.mapping.values import Endless, Foreign

Item = dict[str, Any]
Reference = Callable[[Item], tuple[bytes, bytes]]
"""Gives the digests of key and row of any item."""

_MOST_DAYS = 20_000
_NULL = {"NULL": True}
_FORMS: dict[Kind, str] = {
    Kind.TEXT: "TEXT",
    Kind.OUTPUT: "TEXT",
    Kind.UUID: "UUID",
    Kind.INTEGER: "INTEGER",
    Kind.NUMERIC: "NUMBER",
    Kind.FLOAT4: "NUMBER",
    Kind.FLOAT8: "NUMBER",
    Kind.BOOLEAN: "BOOLEAN",
    Kind.BYTEA: "BINARY",
    Kind.DATE: "DATE",
    Kind.TIMESTAMP: "TIMESTAMP",
    Kind.TIMESTAMPTZ: "TIMESTAMPTZ",
    Kind.JSON: "DOCUMENT",
    Kind.JSONB: "DOCUMENT",
}
_INSTANT = (
    "t = v['S']",
    "i = DAYS[t[:10]] + MINUTES[t[10:17]] + SECONDS[t[17:20]] + THOUSANDTHS[t[20:23]] + {ends}[t[23:]]",
    "{a} = {h}b'n%dE0;' % i if i % 10 else {h}b'%b' % integer(i)",
)
_TEMPLATES: dict[str, tuple[str, ...]] = {
    "TEXT": ("t = v['S'].encode()", "{a} = {h}b's%d:%b' % (len(t), t)"),
    "UUID": ("t = v['S']", "if is_uuid(t) is None: raise ValueError", "{a} = {h}b's36:%b' % t.encode()"),
    "INTEGER": (
        "t = v['N']",
        "i = int(t)",
        "if str(i) != t: raise ValueError",
        "{a} = {h}b'n%dE0;' % i if i % 10 else {h}b'%b' % integer(i)",
    ),
    "NUMBER": ("{a} = {h}b'%b' % number(v['N'])",),
    "BOOLEAN": ("{a} = {h}b'%b' % (b'1' if v['BOOL'] is True else b'0' if v['BOOL'] is False else malformed())",),
    "BINARY": ("t = binary(v['B'])", "{a} = {h}b'b%d:%b' % (len(t), t)"),
    "DATE": ("{a} = {h}b'%b' % DATES[v['S']]",),
    "TIMESTAMP": tuple(line.replace("{ends}", "MILLIONTHS") for line in _INSTANT),
    "TIMESTAMPTZ": tuple(line.replace("{ends}", "MILLIONTHS_Z") for line in _INSTANT),
    "DOCUMENT": ("{a} = {h}b'j%b' % document(v)",),
    "OTHER": ("{a} = {h}b'%b' % other{n}(v)",),
}
"""For each form: Python that makes of `v`, an attribute value of one entry, {a}, the encoding with its heading {h}, a
literal of bytes that the next one goes on with."""


class ItemDigests:
    """Digests the items of one mapping. Not changed by use but for what it remembers, up to a bound."""

    def __init__(self, mapping: TableMapping) -> None:
        self._decoder = Decoder(mapping)
        self._digest = _compiled(mapping, self._decoder)

    def digest(self, items: Iterable[Item], reference: Reference) -> tuple[list[bytes], list[bytes]]:
        """Return the digests of the keys and of the items, in order; those of what is left are the reference's."""
        return self._digest(items, reference)


_Digest = Callable[[Iterable[Item], Reference], tuple[list[bytes], list[bytes]]]


def _compiled(mapping: TableMapping, decoder: Decoder) -> _Digest:
    names: dict[str, Any] = {
        "LEFT": (*MALFORMED, OverflowError),
        "KEY_HASH": KEY_HASH,
        "ROW_HASH": ROW_HASH,
        "NULL": _NULL,
        "malformed": _malformed,
        "DATES": _Dates(),
        "DAYS": _Days(),
        "MINUTES": {f"T{n // 60:02d}:{n % 60:02d}:": n * 60 * calendar.SECOND for n in range(1440)},
        "SECONDS": {f"{n:02d}.": n * calendar.SECOND for n in range(60)},
        "THOUSANDTHS": {f"{n:03d}": n * 1000 for n in range(1000)},
        "MILLIONTHS": {f"{n:03d}": n for n in range(1000)},
        "MILLIONTHS_Z": {f"{n:03d}Z": n for n in range(1000)},
        "is_uuid": UUID_TEXT.fullmatch,
        "integer": encode_integer,
        "number": _number,
        "binary": _binary,
        "document": encode_attribute_value,
        "flat": decoder.flat,
    }
    forms = {attribute.name: _form(attribute) for attribute in mapping.attributes}
    forms |= dict.fromkeys((derived.name for derived in mapping.derived), "TEXT")
    nulls = {attribute.name for attribute in mapping.attributes if attribute.nulls}
    order = sorted(forms)
    attributes = {attribute.name: attribute for attribute in mapping.attributes}
    for n, name in enumerate(order):
        names[f"other{n}"] = _other(attributes.get(name), decoder.readers[name])
    lines = [line for n, name in enumerate(order) for line in _attribute(n, name, forms[name], nulls=name in nulls)]
    keys = [n for n, name in enumerate(order) if name in mapping.key_attributes]
    exec(compile(_source(lines, keys, len(order), maps=decoder.has_maps), "<digests of items>", "exec"), names)  # noqa: S102
    made: _Digest = names["digest"]
    return made


def _source(lines: list[str], keys: list[int], count: int, *, maps: bool) -> str:
    """Write the function. Names of attributes stand in it as literals of Python only."""
    return "\n".join(
        [
            "def digest(items, reference):",
            "    keys, rows = [], []",
            "    for item in items:",
            "        try:",
            f"            given = {'flat(item)' if maps else 'item'}",
            "            get, absent = given.get, 0",
            *(f"            {line}" for line in lines),
            f"            if len(given) + absent != {count}: raise ValueError",
            f"            k = b''.join(({''.join(f'a{n}, ' for n in keys)}))",
            "            key, row = KEY_HASH.copy(), ROW_HASH.copy()",
            "            key.update(k)",
            f"            row.update(b''.join(({''.join(f'a{n}, ' for n in range(count))})))",
            "            key, row = key.digest(), row.digest()",
            "        except LEFT:",
            "            key, row = reference(item)",
            "        keys.append(key)",
            "        rows.append(row)",
            "    return keys, rows",
        ]
    )


def _attribute(n: int, name: str, form: str, *, nulls: bool) -> Iterator[str]:
    """Write what makes `a<n>`: the attribute's encoding, nothing where it is absent."""
    literal = repr(heading(name).replace(b"%", b"%%")) + " "
    yield f"v = get({name!r})"
    if nulls:
        yield f"if v == NULL: a{n} = b''"
        yield "elif v is None: raise ValueError"
    else:
        yield "if v is None:"
        yield f"    a{n} = b''"
        yield "    absent += 1"
    yield "else:"
    yield "    if len(v) != 1: raise ValueError"
    for line in _TEMPLATES[form]:
        yield "    " + line.replace("{a}", f"a{n}").replace("{n}", str(n)).replace("{h}", literal)


def _form(attribute: Attribute) -> str:
    as_text = attribute.unfit == "text" and may_be_text(attribute.type)
    return "OTHER" if attribute.embed is not None or as_text else _FORMS.get(attribute.type.kind, "OTHER")


def _other(attribute: Attribute | None, read: Read) -> Callable[[Any], bytes]:
    """Return what encodes an attribute value that has no form of its own."""

    def other(value: Any) -> bytes:
        found = read(value)
        if found is None or isinstance(found, Foreign):
            raise ValueError
        return encode_value(found)

    element = attribute.type.element if attribute is not None and _form(attribute) == "OTHER" else None
    encode = _ELEMENTS.get(element.kind) if element is not None and attribute and attribute.unfit != "text" else None
    return other if encode is None else _list(encode, other)


def _list(encode: Callable[[Any], bytes], other: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    """Return what encodes a list of these elements, and leaves every other to `other`."""

    def encoded(value: Any) -> bytes:
        try:
            elements = value["L"]
            if type(elements) is not list:
                raise ValueError
            parts = [b"z" if element == _NULL else encode(element) for element in elements]
        except MALFORMED:
            return other(value)
        return b"l%d:%b" % (len(parts), b"".join(parts))

    return encoded


def _malformed() -> bytes:
    raise ValueError


def _only(value: Any, form: str) -> Any:
    if len(value) != 1:
        raise ValueError
    return value[form]


def _text(value: Any) -> bytes:
    content = _only(value, "S").encode()
    return b"s%d:%b" % (len(content), content)


def _integer(value: Any) -> bytes:
    text = _only(value, "N")
    number = int(text)
    if str(number) != text:
        raise ValueError
    return encode_integer(number)


def _number(text: Any) -> bytes:
    if PLAIN_NUMBER.fullmatch(text) is None:
        raise ValueError
    return encode_plain(text)


def _binary(text: Any) -> bytes:
    data = a2b_base64(text)
    if b2a_base64(data, newline=False) != text.encode():
        raise ValueError
    return data


_ELEMENTS: dict[Kind, Callable[[Any], bytes]] = {
    Kind.TEXT: _text,
    Kind.OUTPUT: _text,
    Kind.INTEGER: _integer,
    Kind.NUMERIC: lambda value: _number(_only(value, "N")),
    Kind.FLOAT4: lambda value: _number(_only(value, "N")),
    Kind.FLOAT8: lambda value: _number(_only(value, "N")),
    Kind.JSON: lambda value: b"j" + encode_attribute_value(value),
    Kind.JSONB: lambda value: b"j" + encode_attribute_value(value),
}


class _Days(dict[str, int]):
    """The microseconds from 2000-01-01 to the dates of years of four digits, by their texts."""

    def __missing__(self, text: str) -> int:
        days = calendar.read_date(text)
        if isinstance(days, Endless):
            raise ValueError
        if len(self) >= _MOST_DAYS:
            self.clear()
        return self.setdefault(text, days * calendar.DAY)


class _Dates(dict[str, bytes]):
    """The encodings of dates, by their texts."""

    def __missing__(self, text: str) -> bytes:
        if len(self) >= _MOST_DAYS:
            self.clear()
        return self.setdefault(text, encode_value(calendar.read_date(text)))
