"""Rows into items by Python code written for the one mapping: many times as fast as looking at each field's type.

A text without a quote stands in JSON as COPY writes it: both escape alike but for characters that are refused here.
What is not as usual is left to the reference; see `row_program.FastEncoder`. It is taken for granted that numbers,
dates and times come from PostgreSQL's own output functions.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import orjson

from pg2dynamo.mapping import instants
from pg2dynamo.mapping.copy_text import NULL_FIELD, unescape
from pg2dynamo.mapping.document_text import DocumentText
from pg2dynamo.mapping.limits import AttributeValue, Malformed
from pg2dynamo.mapping.numbers import number
from pg2dynamo.mapping.row_program import Cell, RowProgram

Convert = Callable[[str], AttributeValue]

MOST_BYTES = 400_000
"""A longer line, or item in JSON, may be more than DynamoDB takes, which is not judged here."""
_MOST_AT_ONCE = 1_000_000
_CONTROLS = bytes(code for code in range(0x20) if code not in b"\t\n")
_FOREIGN_ESCAPE = re.compile(rb"\\(?:[^bfnrtN]|\Z|N(?![\t\n]|\Z)|(?<=[^\t\n]\\)N)")
"""An escape that JSON has not, `\\v` among them, or that COPY does not write, where no backslash is escaped."""

_TEXTS = {
    "S": ("S", "{f}"),
    "N": ("N", "{f}"),
    "D": ("N", "{f} if '0' < {f}[-1] <= '9' and len({f}) < 39 and 'e' not in {f} else number({f})"),
    "B": ("B", "binary({f})"),
    "DATE": ("S", "{f} if len({f}) == 10 and {f}[4] == '-' else date({f})"),
    "TIME": ("S", "time({f})"),
    "TIMESTAMP": ("S", "{f}.replace(' ', 'T') if is_plain({f}) else timestamp({f})"),
    "TIMESTAMPTZ": ("S", "{f}[:10] + 'T' + {f}[11:26] + 'Z' if is_plain({f}) else timestamptz({f})"),
}
"""For each form that is a text in JSON: DynamoDB's type, and Python for what stands between the quotes; {f} is the
field."""
_QUOTED = "{f} if '\"' not in {f} else {f}.replace('\"', '\\\\\"')"
_IS_PLAIN = {
    "TIMESTAMP": "len({f}) == 26 and {f}[10] == ' ' and {f}[-1] != 'C'",
    "TIMESTAMPTZ": "len({f}) == 29 and {f}[10] == ' ' and {f}[26:] == '+00'",
}


class GeneratedEncoder:
    """A `FastEncoder` for one program. Not changed by use.

    `converters` are the reference's own, one for each cell, for what has no form of its own.
    """

    def __init__(self, program: RowProgram, converters: Sequence[Convert]) -> None:
        self._plain = _compiled(program, converters, quotes=False)
        self._quoted = _compiled(program, converters, quotes=True)

    def encode(self, lines: list[bytes]) -> tuple[list[bytes], list[bytes], Sequence[int]]:
        """See `row_program.FastEncoder`."""
        if not lines:
            return [], [], []
        joined = b"\n".join(lines)
        text = _usual_text(joined, len(lines))
        if text is None:
            return self._in_halves(lines)
        left: list[int] = []
        keys, items = (self._quoted if '"' in text else self._plain)(text.split("\n"), left)
        if items and max(map(len, items)) > MOST_BYTES:
            return self._in_halves(lines)
        return keys, items, left

    def _in_halves(self, lines: list[bytes]) -> tuple[list[bytes], list[bytes], Sequence[int]]:
        """Find the lines that are not usual, so that only these are left."""
        if len(lines) == 1:
            return [], [], [0]
        middle = len(lines) // 2
        keys, items, left = self.encode(lines[:middle])
        more_keys, more_items, more_left = self.encode(lines[middle:])
        return keys + more_keys, items + more_items, [*left, *(number + middle for number in more_left)]


def _usual_text(joined: bytes, lines: int) -> str | None:
    """Return the text of lines that may be encoded as they stand, None when one of them may not."""
    if len(joined) > (_MOST_AT_ONCE if lines > 1 else MOST_BYTES) or joined.count(b"\n") != lines - 1:
        return None
    if len(joined.translate(None, _CONTROLS)) != len(joined) or _has_foreign_escape(joined):
        return None
    try:
        return joined.decode()
    except UnicodeDecodeError:
        return None


def _has_foreign_escape(joined: bytes) -> bool:
    return _FOREIGN_ESCAPE.search(joined.replace(rb"\\", b"..")) is not None


def _compiled(
    program: RowProgram, converters: Sequence[Convert], *, quotes: bool
) -> Callable[[list[str], list[int]], tuple[list[bytes], list[bytes]]]:
    names: dict[str, Any] = {
        "NULL": NULL_FIELD,
        "BOOLEANS": {"t": "true", "f": "false"},
        "number": number,
        "binary": _binary,
        "leave": _leave,
        "date": instants.date,
        "time": instants.time,
        "timestamp": instants.timestamp,
        "timestamptz": instants.timestamptz,
    }
    for n, (cell, convert) in enumerate(zip(program.cells, converters, strict=True)):
        names[f"value{n}"] = _value_writer(cell.form, convert)
    exec(compile(_source(program, quotes=quotes), "<encoder of a table>", "exec"), names)  # noqa: S102
    made: Callable[[list[str], list[int]], tuple[list[bytes], list[bytes]]] = names["encode"]
    return made


def _source(program: RowProgram, *, quotes: bool) -> str:
    """Write the function: no object is made of a row but the text of each attribute, of the key and of the item.

    Names stand in it as literals of Python only, with `%` doubled: Python makes `'…%s…' % (text,)` one instruction.
    """
    cells = range(len(program.cells))
    texts = [f"            {line}" for n in cells for line in _statements(program, n, quotes=quotes)]
    key = "{" + ",".join("%s" for _ in program.key) + "}"
    first_comma = "" if 0 in program.key else ".replace(',', '', 1)"
    return "\n".join(
        [
            "def encode(rows, left):",
            "    keys, items = [], []",
            "    for n, row in enumerate(rows):",
            "        try:",
            f"            {''.join(f'f{n}, ' for n in range(program.width))}= row.split('\\t')",
            *texts,
            f"            item = {'{' + '%s' * len(cells) + '}'!r} % ({''.join(f'a{n}, ' for n in cells)})",
            f"            key = {key!r} % ({''.join(f'k{n}, ' for n in program.key)})",
            "        except (ValueError, LookupError, TypeError):",
            "            left.append(n)",
            "            continue",
            f"        items.append(item{first_comma}.encode())",
            "        keys.append(key.encode())",
            "    return keys, items",
        ]
    )


def _statements(program: RowProgram, n: int, *, quotes: bool) -> Iterator[str]:
    """Write what makes `a<n>`, the attribute with a comma before it, or nothing where it is NULL."""
    cell, is_key = program.cells[n], n in program.key
    if is_key or cell.key_limit:
        yield f"if {_not_a_key(cell, n, is_key=is_key)}: raise ValueError"
    if is_key:
        yield f"k{n} = {_attribute(cell, n, '', quotes=quotes)}"
        yield f"a{n} = ',' + k{n}" if n else f"a{n} = k{n}"
        return
    null = f",{cell.name.decode()}:" + '{"NULL":true}' if cell.nulls else ""
    yield f"a{n} = {null!r} if f{n} == NULL else {_attribute(cell, n, ',', quotes=quotes)}"


def _not_a_key(cell: Cell, n: int, *, is_key: bool) -> str:
    """Write what is true when the row is left because of a key."""
    # COPY's text of a value is never shorter than the value: at most four bytes a character, half a one a hex digit.
    size = f"len(f{n}) - 3" if cell.form == "B" else f"len(f{n}) * 4"
    unfit = f"not 0 < {size} <= {cell.key_limit}" if cell.key_limit else "False"
    return f"f{n} == NULL or {unfit}" if is_key else f"f{n} != NULL and {unfit}"


def _attribute(cell: Cell, n: int, comma: str, *, quotes: bool) -> str:
    """Write an expression of the attribute, name and value, as JSON after the comma."""
    name, field = comma + cell.name.decode().replace("%", "%%"), f"f{n}"
    if cell.form == "BOOL":
        return repr(name + ':{"BOOL":%s}') + f" % (BOOLEANS[{field}],)"
    if cell.form not in _TEXTS:
        return repr(name + ":%s") + f" % (value{n}({field}),)"
    kind, content = _TEXTS[cell.form]
    if quotes:
        content = _QUOTED if content == "{f}" else f"leave() if '\"' in {{f}} else {content}"
    content = content.replace("is_plain({f})", _IS_PLAIN.get(cell.form, "")).replace("{f}", field)
    return repr(name + ':{"' + kind + '":"%s"}') + f" % ({content},)"


def _leave() -> str:
    raise Malformed("a quote in what has none")


def _binary(field: str) -> str:
    if field[:3] != r"\\x":
        raise Malformed("bytea that is not in hex")
    return b64encode(bytes.fromhex(field[3:])).decode()


def _value_writer(form: str, convert: Convert) -> Callable[[str], str]:
    """Return what writes the attribute value of a COPY field as JSON."""

    def written(field: str) -> str:
        return orjson.dumps(convert(unescape(field) if "\\" in field else field)).decode()

    if form == "JSONB":
        write = DocumentText().write
        return lambda field: write(unescape(field) if "\\" in field else field)
    return _list_writer(form[1:], written) if form[1:] in _ELEMENTS else written


_ELEMENTS: dict[str, tuple[str, Callable[[str], str]]] = {
    "S": ("S", str),
    "N": ("N", str),
    "D": ("N", number),
    "DATE": ("S", instants.date),
    "TIMESTAMP": ("S", instants.timestamp),
    "TIMESTAMPTZ": ("S", instants.timestamptz),
    "BOOL": ("BOOL", {"t": "true", "f": "false"}.__getitem__),
}

_ELEMENT = re.compile(r'"[^"]*"|[^",{}]+')


def _list_writer(element: str, written: Callable[[str], str]) -> Callable[[str], str]:
    kind, convert = _ELEMENTS[element]
    quote = "" if kind == "BOOL" else '"'
    start, between, end = f'{{"L":[{{"{kind}":{quote}', f'{quote}}},{{"{kind}":{quote}', f"{quote}}}]}}"

    def array(field: str) -> str:
        # Elements that would be taken for something else stand in quotes, but for NULL.
        if "NULL" in field or field[:1] != "{" or field[1:2] in "{}" or "\\" in field:
            return written(field)
        if '"' in field:
            elements = _ELEMENT.findall(field, 1)
            if "{" + ",".join(elements) + "}" != field:
                return written(field)
            return start + between.join([convert(element.strip('"')) for element in elements]) + end
        if convert is str:
            return start + field[1:-1].replace(",", between) + end
        return start + between.join(map(convert, field[1:-1].split(","))) + end

    return array
