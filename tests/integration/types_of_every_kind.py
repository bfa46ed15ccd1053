"""Types of every kind, hostile values of each, and how to make random ones: the material of the round trip."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from pg2dynamo.mapping.values import Endless, Value

DAY = 86_400_000_000

SETUP = """
CREATE SCHEMA IF NOT EXISTS kinds;
CREATE TYPE kinds.mood AS ENUM ('sad', 'so so', 'haß"py', 'null', '');
CREATE DOMAIN kinds.score AS numeric(10, 2);
CREATE DOMAIN kinds.tags AS text[];
CREATE TYPE kinds.pair AS (a int, b text);
"""


@dataclass(frozen=True)
class Subject:
    """A type under test.

    Values travel to the server as text `v`, which `sql` makes a value of the type. `expected` gives, for
    types where it is known without asking a server, the value of that text. `refusals` are words of the
    reasons for which values of this type may be refused.
    """

    type: str
    hostile: tuple[str, ...]
    random: st.SearchStrategy[str]
    sql: str = "v::{type}"
    expected: Callable[[str], Value] | None = None
    refusals: tuple[str, ...] = ()

    @property
    def expression(self) -> str:
        """The SQL that makes a value of the text `v`."""
        return self.sql.format(type=self.type)


def whole(lowest: int, highest: int) -> st.SearchStrategy[str]:
    """Whole numbers as text."""
    return st.integers(lowest, highest).map(str)


def texts(longest: int = 20) -> st.SearchStrategy[str]:
    """Any text that PostgreSQL can store, often of characters that some syntax means something by."""
    anything = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
    return st.text(anything | st.sampled_from("\\\"'{},; \t\n\r\b\f\v[]()=:N"), max_size=longest)


HOSTILE_TEXTS = (
    *("", " ", "  a  ", "\\", "\\N", "\\.", "\\\\", "\t", "\n", "\r\n", "\b\f\v", "\x01\x1f\x7f", '"', "'", '\\"'),
    *("NULL", "null", "{}", "{a,b}", "é", "e\u0301", "\ufeff", "𝄞", "\u2028", "\uffff", "a\tb\\tc\\\td", "N" * 2_000),
)


def instant(text: str) -> Value:
    """The number that a text holds, or an infinity."""
    return Endless(text) if "infinity" in text else int(text)


def time_text(microseconds: int) -> str:
    """A time of day."""
    seconds, fraction = divmod(microseconds, 1_000_000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{fraction:06d}"


def interval_of(text: str) -> Value:
    """Months, days and microseconds."""
    months, days, microseconds = map(int, text.split())
    return months, days, microseconds


def array_literal(elements: list[Any], delimiter: str = ",") -> str:
    """An array as PostgreSQL reads it: every element quoted."""
    parts = []
    for element in elements:
        if element is None:
            parts.append("NULL")
        elif isinstance(element, list):
            parts.append(array_literal(element, delimiter))
        else:
            parts.append('"' + element.replace("\\", "\\\\").replace('"', '\\"') + '"')
    return "{" + delimiter.join(parts) + "}"


def arrays_of(elements: st.SearchStrategy[str], delimiter: str = ",") -> st.SearchStrategy[str]:
    """Arrays of one to three dimensions, rectangular, with NULLs, some with lower bounds of their own."""

    @st.composite
    def literal(draw: st.DrawFn) -> str:
        lengths = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))

        def nested(level: int) -> list[Any]:
            if level == len(lengths):
                raise AssertionError
            deeper = level + 1 < len(lengths)
            return [nested(level + 1) if deeper else draw(st.none() | elements) for _ in range(lengths[level])]

        text = array_literal(nested(0), delimiter)
        if draw(st.booleans()):
            return text
        lowers = [draw(st.integers(-3, 3)) for _ in lengths]
        bounds = "".join(f"[{low}:{low + length - 1}]" for low, length in zip(lowers, lengths, strict=True))
        return f"{bounds}={text}"

    return st.just("{}") | literal()


json_numbers = st.integers(-(10**38) + 1, 10**38 - 1).map(str) | st.sampled_from(
    ["0", "-0", "0.0", "1.50", "1e5", "1E+5", "12e-3", "1e-130", "9e125", "0.1", "-1.25e2", "0e9999", "1" + "0" * 60]
)
json_strings = texts(6).map(lambda text: json.dumps(text)) | texts(6).map(lambda t: json.dumps(t, ensure_ascii=False))


def json_documents() -> st.SearchStrategy[str]:
    """JSON texts with spaces, escapes and numbers in all their forms; some have duplicate or empty names."""
    return st.recursive(
        st.sampled_from(["null", "true", "false"]) | json_numbers | json_strings,
        lambda inner: (
            st.lists(inner, max_size=4).map(lambda parts: f"[ {' , '.join(parts)}\n]")
            | st.lists(st.tuples(json_strings, inner), max_size=4).map(
                lambda pairs: "{" + ", ".join(f"{name} : {value}" for name, value in pairs) + "}"
            )
        ),
        max_leaves=10,
    )


HOSTILE_JSON = (
    *("null", '""', "[]", "{}", "0", "-0", "1.0", "1e5", '"\\u00e9\\n\\"\\\\"', '"\\ud834\\udd1e"', '{"a":{"a":{}}}'),
    *("12345678901234567890.1234567890123456", "1" * 38, "1" * 39, "1e125", "1e126", "1e-130", "1e-131"),
    *('{"":1}', '[{"b":1,"a":[null,true,{"S":"x"},{"N":"1"}]}]', '{"L":[],"NULL":true}', '"\\\\N"'),
    *("[" * 31 + "]" * 31, "[" * 32 + "]" * 32, "[" * 33 + "]" * 33, "[" * 3_000 + "]" * 3_000),
    *('{"a":' * 32 + "1" + "}" * 32, '{"a":' * 33 + "1" + "}" * 33),
)
JSON_REFUSALS = ("in json", "levels of nesting", "a number", "surrogate")


def floats(width: int) -> st.SearchStrategy[str]:
    """Floating-point numbers of every magnitude, infinities and NaN."""
    return st.floats(width=32 if width == 32 else 64).map(repr).map(lambda text: text.replace("inf", "Infinity"))


def powers_of_two(lowest: int, highest: int) -> tuple[str, ...]:
    """Where the distance between floating-point numbers changes, and printing them is hardest."""
    return tuple(repr(2.0**exponent) for exponent in range(lowest, highest))


FLOATS = ("0", "-0", "1", "-1.5", "0.1", "1e23", "2e23", "5e-324", "1e-130", "1e-131", "9007199254740993", "1e-300")
NOT_FINITE = ("NaN", "Infinity", "-Infinity")
NUMBER_REFUSALS = ("no number for", "a number")

timestamps = whole(-211_813_488_000_000_000, 9_223_371_331_199_999_999)
HOSTILE_TIMESTAMPS = (
    *("0", "-1", "1", "-211813488000000000", "9223371331199999999", "infinity", "-infinity"),
    *("-63082281600000000", "-63082281600000001", "-63113904000000000", "-63113904000000001"),  # years 1 and 0
    *("252455615999999999", "252455616000000000"),  # the end of year 9999
)
FROM_MICROSECONDS = (
    "CASE WHEN v LIKE '%infinity' THEN v::{type} ELSE '2000-01-01Z'::{type} + (v || ' microseconds')::interval END"
)
offsets = st.integers(-57_599, 57_599)


def timetz_text(microseconds: int, east: int) -> str:
    """A time of day with its offset."""
    return f"{time_text(microseconds)}{'-' if east < 0 else '+'}{time_text(abs(east) * 1_000_000)[:8]}"


hostname_parts = st.integers(0, 255)
inets = st.builds(
    lambda a, b, mask: f"{a}.0.{b}.1/{mask}", hostname_parts, hostname_parts, st.sampled_from([8, 24, 31, 32])
)
points = st.tuples(st.integers(-99, 99), st.integers(-99, 99)).map(lambda p: f"({p[0]}.5,{p[1]})")
boxes = st.tuples(points, points).map(",".join)

SUBJECTS: dict[str, Subject] = {
    "text": Subject("text", HOSTILE_TEXTS, texts(), expected=str),
    "varchar": Subject("varchar(2000)", HOSTILE_TEXTS, texts(), expected=str),
    "char(n)": Subject("character(12)", ("", "a", " a ", "NULL", "\\"), texts(12).map(lambda t: t[:12])),
    "name": Subject("name", ("", "a", "\\N"), texts(15), expected=str),
    '"char"': Subject('"char"', ("", "a", "\\", '"', "\n"), st.sampled_from("azAZ09\\\t")),
    "enum": Subject(
        "kinds.mood", ("sad", "so so", 'haß"py', "null", ""), st.sampled_from(["sad", "null", ""]), expected=str
    ),
    "xml": Subject("xml", ("<a>\n\t&amp;</a>", "", 'text "\\'), st.sampled_from(["<b/>", "<c x='1'>é</c>"])),
    "smallint": Subject("smallint", ("-32768", "32767", "0"), whole(-32_768, 32_767), expected=int),
    "integer": Subject("integer", ("-2147483648", "2147483647"), whole(-(2**31), 2**31 - 1), expected=int),
    "bigint": Subject("bigint", (str(-(2**63)), str(2**63 - 1), "0"), whole(-(2**63), 2**63 - 1), expected=int),
    "oid": Subject("oid", ("0", "4294967295", "2147483648"), whole(0, 2**32 - 1), expected=int),
    "numeric": Subject(
        "numeric",
        (
            *("0", "-0", "0.00", "1.50", "100", "-1e-130", "1e-131", "9.9e125", "1e126", "1e60", "10000", "0.0001"),
            *("9" * 38, "9" * 39, "9" * 38 + "000", "0." + "9" * 38, "1" * 20 + "." + "1" * 18, "1e-1000"),
            *("1" * 20 + "." + "1" * 19, "1e131071", *NOT_FINITE),
        ),
        st.decimals(allow_nan=False, allow_infinity=False).map(str)
        | st.builds(lambda digits, exponent: f"{digits}e{exponent}", whole(-(10**39), 10**39), st.integers(-140, 130)),
        refusals=NUMBER_REFUSALS,
        expected=Decimal,
    ),
    "numeric(p,s)": Subject("numeric(10,3)", ("1.5", "-9999999.999"), whole(-(10**6), 10**6), expected=Decimal),
    "domain": Subject("kinds.score", ("1.5", "-0.01"), whole(-(10**6), 10**6), expected=Decimal),
    "real": Subject(
        "real",
        ("0", "-0", "0.1", "16777217", "1e23", "3.4028235e38", "1e-45", *NOT_FINITE, *powers_of_two(-149, 128)),
        floats(32),
        refusals=NUMBER_REFUSALS,
    ),
    "double precision": Subject(
        "double precision",
        (*FLOATS, *NOT_FINITE, *powers_of_two(-1074, 1024)),
        floats(64),
        refusals=NUMBER_REFUSALS,
    ),
    "boolean": Subject("boolean", ("t", "f"), st.sampled_from("tf"), expected=lambda text: text == "t"),
    "bytea": Subject(
        "bytea",
        ("", "00", "5c", "5c4e", "ff" * 999),
        st.binary(max_size=30).map(bytes.hex),
        "decode(v, 'hex')",
        bytes.fromhex,
    ),
    "uuid": Subject("uuid", ("00000000-0000-0000-0000-000000000000",), st.uuids().map(str), expected=str),
    "date": Subject(
        "date",
        ("0", "-730120", "-730119", "-730485", "-730486", "-2451545", "2145031948", "2921939", "2921940", "infinity"),
        whole(-2_451_545, 2_145_031_948) | whole(-20_000, 20_000) | st.sampled_from(["infinity", "-infinity"]),
        "CASE WHEN v LIKE '%infinity' THEN v::date ELSE '2000-01-01'::date + v::int END",
        instant,
    ),
    "time": Subject("time", ("00:00:00", "24:00:00", "23:59:59.999999"), st.integers(0, DAY).map(time_text)),
    "timetz": Subject(
        "timetz",
        ("00:00:00+00", "24:00:00-15:59:59", "23:59:59.9+05:30", "12:00:00-00:00:01", "00:00:00+15:59:59"),
        st.builds(timetz_text, st.integers(0, DAY), offsets | st.integers(-15, 15).map(lambda hours: hours * 3600)),
    ),
    "timestamp": Subject("timestamp", HOSTILE_TIMESTAMPS, timestamps, FROM_MICROSECONDS, instant),
    "timestamptz": Subject("timestamptz", HOSTILE_TIMESTAMPS, timestamps, FROM_MICROSECONDS, instant),
    "interval": Subject(
        "interval",
        (
            *("0 0 0", "1 0 0", "0 30 0", "-1 2 -3", "12 0 0", "-13 1 1", "1 -1 0", "0 0 -1", "0 -1 3600000000"),
            *("2147483647 2147483647 9223372036854775806", "-2147483647 -2147483647 -9223372036854775807"),
        ),
        st.tuples(st.integers(-30, 30), st.integers(-99, 99), st.integers(-(10**12), 10**12)).map(
            lambda parts: " ".join(map(str, parts))
        ),
        "format('%s mons %s days %s microseconds', VARIADIC string_to_array(v, ' '))::interval",
        interval_of,
    ),
    "json": Subject(
        "json",
        (
            *(*HOSTILE_JSON, '{"a":1,"a":1}', '"\\ud800"', '"\\u0000"', "-0.0", ' {"a" :\t1}\n'),
            *("1e999999", "1e99999999999999999999", "0e99999999999999999999"),
        ),
        json_documents(),
        refusals=JSON_REFUSALS,
    ),
    "jsonb": Subject("jsonb", HOSTILE_JSON, json_documents(), refusals=JSON_REFUSALS),
    "text[]": Subject(
        "text[]", ("{}", "{NULL}", '{"NULL",""}', "[0:1]={a,b}", "[-1:-1][5:6]={{a,NULL}}"), arrays_of(texts(5))
    ),
    "integer[]": Subject("integer[]", ("{}", "{1,NULL}", "{{{{{{1}}}}}}"), arrays_of(whole(-9, 9))),
    "numeric[]": Subject("numeric[]", ("{1.50,-0,1e-130}", "{NaN}"), arrays_of(whole(-9, 9)), refusals=NUMBER_REFUSALS),
    "double precision[]": Subject(
        "double precision[]", ("{-0,1e23,1e100}", "{Infinity}"), arrays_of(st.just("0.1")), refusals=NUMBER_REFUSALS
    ),
    "boolean[]": Subject("boolean[]", ("{t,f,NULL}",), arrays_of(st.sampled_from("tf"))),
    "bytea[]": Subject(
        "bytea[]", ('{"\\\\x5c","\\\\x"}',), arrays_of(st.binary(max_size=4).map(lambda data: "\\x" + data.hex()))
    ),
    "uuid[]": Subject("uuid[]", (), arrays_of(st.uuids().map(str))),
    "date[]": Subject("date[]", ('{"0044-03-15 BC",infinity}',), arrays_of(st.dates().map(str))),
    "timestamptz[]": Subject(
        "timestamptz[]", ('{"0044-03-15 12:00:00.5+00 BC",-infinity}',), arrays_of(st.datetimes().map(str))
    ),
    "time[]": Subject("time[]", ("{24:00}",), arrays_of(st.integers(0, DAY).map(time_text))),
    "interval[]": Subject("interval[]", ('{"1 mon","30 days"}',), arrays_of(whole(-99, 99).map(lambda n: f"{n} days"))),
    "jsonb[]": Subject(
        "jsonb[]",
        ("{1,NULL}", "{null}", '{"[1]"}', "{{1}}", '{{"[1]"},{"{}"}}', "{}", '[0:0]={"[[1]]"}'),
        arrays_of(json_documents()),
        refusals=(*JSON_REFUSALS, "JSON null"),
    ),
    "json[]": Subject(
        "json[]", ('{"[[1]]"}', "{{{1}}}"), arrays_of(json_documents()), refusals=(*JSON_REFUSALS, "JSON null")
    ),
    "enum[]": Subject("kinds.mood[]", ('{sad,"null","",NULL}',), arrays_of(st.sampled_from(["so so", 'haß"py']))),
    "char(n)[]": Subject("character(3)[]", ('{a,"  b"}',), arrays_of(st.sampled_from(["a", "ab", " "]))),
    "domain over array": Subject("kinds.tags", ("{a}", "[2:2]={b}"), arrays_of(texts(3))),
    "array of domain": Subject("kinds.score[]", ("{1.50,NULL}",), arrays_of(whole(-9, 9))),
    "inet": Subject("inet", ("127.0.0.1", "::1/64", "10.0.0.1/8", "1.2.3.4/32"), inets),
    "cidr": Subject("cidr", ("10.0.0.0/8", "::/0"), st.just("192.168.0.0/16")),
    "macaddr": Subject("macaddr", ("08:00:2b:01:02:03",), st.just("ff:ff:ff:ff:ff:ff")),
    "bit": Subject("bit(5)", ("10101", "00000"), st.text("01", min_size=5, max_size=5)),
    "varbit": Subject("bit varying", ("", "1"), st.text("01", max_size=9)),
    "money": Subject("money", ("-1,234.50", "0"), whole(-9999, 9999)),
    "int4range": Subject("int4range", ("empty", "(,)", "[1,5)", "(,7]"), st.just("[2,3]")),
    "tstzrange": Subject("tstzrange", ('["2024-01-01 00:00+02",)', "empty"), st.just("(,infinity)")),
    "int4multirange": Subject("int4multirange", ("{}", "{[1,3),[5,8)}"), st.just("{(,)}")),
    "tsvector": Subject("tsvector", ("'a':1A 'b''c':2", ""), st.just("x y z")),
    "point": Subject("point", ("(0,-0)", "(1e300,NaN)"), points),
    "box[]": Subject("box[]", ("{(1,1),(0,0);(2,2),(1,1)}", "{}"), arrays_of(boxes, ";")),
    "point[]": Subject("point[]", ('{"(1,2)",NULL}',), arrays_of(points)),
    "inet[]": Subject("inet[]", ("{10.0.0.1/8,1.2.3.4}",), arrays_of(inets)),
    "composite": Subject(
        "kinds.pair",
        ("(,)", '(1,"a ""b"", \\\\")', "(1,)"),
        texts(5).map(lambda t: '(7,"' + t.replace("\\", "").replace('"', "") + '")'),
    ),
    "composite[]": Subject("kinds.pair[]", ('{"(,)","(1,\\"a b\\")",NULL}',), arrays_of(st.just('(1,"x,y")'))),
    "jsonpath": Subject("jsonpath", ('$."a"[*] ? (@ > 1)',), st.just("$")),
    "pg_lsn": Subject("pg_lsn", ("16/B374D848",), st.just("0/0")),
    "oidvector": Subject("oidvector", ("1 2 3", ""), st.just("7")),
}
