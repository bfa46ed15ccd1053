"""Lines of COPY text for the fuzzer: values of every form, usual and hostile, and how they are spoilt."""

from __future__ import annotations

import random
import string
from collections.abc import Callable

from pg2dynamo.mapping.types import Kind
from tests.copy_lines import array_text, copy_field, jsonb_text

Value = Callable[[random.Random], str]

TOKENS = (
    *("\\", '"', "\\\\", '\\"', "{", "}", "[", "]", ",", ":", ", ", ": ", "null", "true", "false", "NULL", "\\N"),
    *("\\u0041", "\\u0000", "\\u001f", "\\ud834\\udd1e", "\\ud800", "\\udc00", "\\u00", "\\/", "\\b", "\\v", "\\q"),
    *("0", "-", "-0", ".", "e", "E", "e+5", "E-130", "1e39", "1e125", "1e126", "00", "9" * 38, "9" * 39, "0" * 40),
    *(" BC", "+00", "+01", "-infinity", "infinity", "-02-30", " 24:00:00", ".123456", "\\x", "ff", "f", "NaN"),
    *("\0", "\x01", "\x08", "\n", "\r", "\v", "\x1f", "\x7f", "é", "☃", "𝄞", "\ufeff", " ", "a" * 70, '{"a": ' * 33),
)
NAMES = ("a", "b", "bb", "é", r"\"", r"\\", r"\n", r"\u0001", r"a\"", "b/")
"""Few and short, so that they meet; as JSON has them, without quotes."""
BYTES = (b"\t", b"\\", b'"', b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf0\x9d", b"\xc0\x80", b"\xf4\x90\x80\x80", b"\\N")


def text(chance: random.Random) -> str:
    """A text of a few words, now and then with anything in it."""
    if chance.random() < 0.5:
        return "".join(chance.choices(string.ascii_letters + "  -", k=chance.randrange(40)))
    return "".join(chance.choice(TOKENS) for _ in range(chance.randrange(6))).replace("\0", "")


def number(chance: random.Random) -> str:
    """A number as numeric_out or float8out writes it."""
    kind = chance.randrange(5)
    if kind == 0:
        return f"{chance.uniform(-1000, 1000):.{chance.randrange(1, 6)}f}"
    if kind == 1:
        return repr(chance.uniform(-1, 1) * 10.0 ** chance.randrange(-140, 130))
    if kind == 2:
        digits = "".join(chance.choices(string.digits, k=chance.randrange(1, 45))).lstrip("0") or "0"
        return chance.choice(["", "-"]) + digits + chance.choice(["", "." + digits])
    if kind == 3:
        return str(chance.randrange(-100, 100) * 10 ** chance.randrange(45))
    return chance.choice(["NaN", "Infinity", "-Infinity", "-0", "0.00", "0." + "0" * 40 + "1", "1e-130", "1e+40"])


def integer(chance: random.Random) -> str:
    """An integer of up to eight bytes."""
    return str(chance.getrandbits(chance.randrange(1, 64)) * chance.choice([1, -1]))


def day(chance: random.Random) -> str:
    """A date in any year that PostgreSQL has."""
    year = chance.choice([chance.randrange(1, 10_000), chance.randrange(1, 5_874_898), 2024])
    return f"{year:04d}-{chance.randrange(1, 13):02d}-{chance.randrange(1, 29):02d}"


def clock(chance: random.Random) -> str:
    """A time of day with as many digits as it needs."""
    fraction = f".{chance.randrange(1, 10 ** chance.randrange(1, 7))}"
    shown = f"{chance.randrange(25):02d}:{chance.randrange(60):02d}:{chance.randrange(60):02d}"
    return shown + (fraction if chance.random() < 0.6 else "")


def _instant(zone: str) -> Value:
    def instant(chance: random.Random) -> str:
        if chance.random() < 0.1:
            return chance.choice(["infinity", "-infinity"])
        return f"{day(chance)} {clock(chance)}{zone}{chance.choice(['', '', '', ' BC'])}"

    return instant


def document(chance: random.Random) -> str:
    """A document as PostgreSQL writes jsonb, or nearly: in other order, with other spaces, or nested very deep."""
    made = jsonb_text(_json_value(chance, 0))
    turn = chance.random()
    if turn < 0.05:
        return made.replace(", ", chance.choice([",", " ,\n", "  , "])).replace(": ", chance.choice([":", " : "]))
    if turn < 0.1:
        depth = chance.randrange(30, 35)
        return "[" * depth + made + "]" * depth
    if turn < 0.2:
        names = chance.choices(NAMES, k=chance.randrange(1, 5))
        names.sort(key=lambda name: len(name.encode()) if turn < 0.15 else 0)
        return "{" + ", ".join(f'"{name}": {made}' for name in names) + "}"
    return made


def _json_value(chance: random.Random, depth: int) -> object:
    kind = chance.randrange(9 if depth < 4 else 6)
    if kind < 2:
        return text(chance)
    if kind < 4:
        return chance.choice(
            [chance.randrange(-(10**9), 10**9), chance.randrange(10**6) / 100, 10 ** chance.randrange(60)]
        )
    if kind == 4:
        return chance.choice([None, True, False])
    if kind == 5:
        return ""
    if kind == 6:
        return [_json_value(chance, depth + 1) for _ in range(chance.randrange(4))]
    return {text(chance): _json_value(chance, depth + 1) for _ in range(chance.randrange(5))}


def _array(element: Value) -> Value:
    def array(chance: random.Random) -> str:
        if chance.random() < 0.05:
            return chance.choice(
                ["{}", "{{a,b},{c,d}}", "[0:1]={1,2}", "{NULL}", '{""}', "{,}", "{ a}", '{"a"b}', "{1}}"]
            )
        return array_text([element(chance) if chance.random() < 0.9 else None for _ in range(chance.randrange(6))])

    return array


VALUES: dict[tuple[Kind, Kind | None], Value] = {
    (Kind.TEXT, None): text,
    (Kind.INTEGER, None): integer,
    (Kind.NUMERIC, None): number,
    (Kind.BOOLEAN, None): lambda chance: chance.choice("tf"),
    (Kind.BYTEA, None): lambda chance: "\\x" + chance.randbytes(chance.randrange(30)).hex(),
    (Kind.DATE, None): lambda chance: day(chance) + chance.choice(["", "", " BC"]),
    (Kind.TIME, None): clock,
    (Kind.TIMESTAMP, None): _instant(""),
    (Kind.TIMESTAMPTZ, None): _instant("+00"),
    (Kind.TIMETZ, None): lambda chance: clock(chance) + "+02",
    (Kind.JSONB, None): document,
    (Kind.JSON, None): document,
}
VALUES |= {
    (Kind.ARRAY, kind): _array(VALUES[kind, None])
    for kind in (
        *(Kind.TEXT, Kind.INTEGER, Kind.NUMERIC, Kind.BOOLEAN, Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ),
        *(Kind.BYTEA, Kind.JSONB),
    )
}
"""By kind, and for arrays the elements': what makes the text of a value."""


def random_line(chance: random.Random, values: tuple[Value, ...]) -> bytes:
    """A line of COPY: half of them as they should be, in others a field or bytes anywhere are spoilt."""
    wrong = chance.randrange(len(values)) if chance.random() < 0.3 else None
    made = "\t".join(_field(chance, value, wrong=n == wrong) for n, value in enumerate(values)).encode()
    return _spoilt_line(chance, made) if chance.random() < 0.2 else made


def _field(chance: random.Random, value: Value, *, wrong: bool) -> str:
    if chance.random() < 0.1:
        return "\\N"
    made = value(chance)
    if chance.random() < 0.001:
        made *= chance.randrange(1_000, 20_000)
    return copy_field(_spoilt(chance, made) if wrong else made)


def _spoilt(chance: random.Random, made: str) -> str:
    for _ in range(chance.randrange(1, 4)):
        at, until = sorted(chance.choices(range(len(made) + 1), k=2))
        change = chance.randrange(4)
        if change == 0:
            made = made[:at] + made[until:]
        elif change == 1:
            made = made[:until] + made[at:until] * chance.randrange(1, 4) + made[until:]
        else:
            made = made[:at] + chance.choice(TOKENS) + made[at if change == 2 else until :]
    return made


def _spoilt_line(chance: random.Random, line: bytes) -> bytes:
    at = chance.randrange(len(line) + 1)
    change = chance.randrange(4)
    if change == 0:
        return line[:at]
    if change == 1:
        return line[:at] + chance.choice(BYTES) + line[at:]
    if change == 2:
        return line[:at] + chance.randbytes(chance.randrange(1, 5)) + line[at:]
    return line[:at] + bytes(byte ^ 1 << chance.randrange(8) for byte in line[at : at + 1]) + line[at + 1 :]
