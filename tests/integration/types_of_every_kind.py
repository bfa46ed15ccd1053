"""Types of every kind, hostile values of each, and how to make random ones: the material of the round trip."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import strategies as st

from tests.integration.hostile_values import (
    DAY,
    FLOATS,
    FROM_MICROSECONDS,
    HOSTILE_JSON,
    HOSTILE_TEXTS,
    HOSTILE_TIMESTAMPS,
    JSON_REFUSALS,
    NOT_FINITE,
    NUMBER_REFUSALS,
    Subject,
    arrays_of,
    floats,
    instant,
    interval_of,
    json_documents,
    of_labels,
    offsets,
    powers_of_two,
    texts,
    time_text,
    timestamps,
    timetz_text,
    whole,
)
from tests.integration.types_as_text import TYPES_AS_TEXT, TYPES_OF_EXTENSIONS, inets

SETUP = """
CREATE SCHEMA IF NOT EXISTS kinds;
CREATE TYPE kinds.mood AS ENUM ('sad', 'so so', 'haß"py', 'null', '', 'a,b{}\\', 'it''s', '𝄞', 'x%');
CREATE DOMAIN kinds.calm AS kinds.mood;
CREATE DOMAIN kinds.score AS numeric(10, 2);
CREATE DOMAIN kinds.grade AS kinds.score CHECK (VALUE >= 0);
CREATE DOMAIN kinds.tags AS text[];
CREATE DOMAIN kinds.grid AS int[];
CREATE DOMAIN kinds.grids AS kinds.grid[];
CREATE DOMAIN kinds.nets AS inet[];
CREATE DOMAIN kinds.doc AS jsonb;
CREATE DOMAIN kinds.docs AS kinds.doc[];
CREATE TYPE kinds.pair AS (a int, b text);
CREATE DOMAIN kinds.couple AS kinds.pair;
CREATE TYPE kinds.nest AS (p kinds.pair, pairs kinds.pair[], tags kinds.tags, n numeric(5,2), r int4range, j json);
CREATE TYPE kinds.words AS RANGE (subtype = text, collation = "C", multirange_type_name = kinds.many_words);
CREATE TABLE kinds."odd ""Table" ();
"""
MOODS = ("sad", "so so", 'haß"py', "null", "", "a,b{}\\", "it's", "𝄞", "x%")
ARRAYS_OF_ARRAYS = (
    *("{}", '{"{}"}', '{"{a}","{b,NULL}",NULL}', '{"[0:1]={a,b}"}', '[3:3]={"{a}"}', '{{"{a}"},{NULL}}'),
    *('{"{{a}}"}', '{{"{a}"}}', '{"{\\"{a}\\"}"}'),
)


def char_text(number: int) -> str:
    """What the server writes for a value of "char"."""
    if number < 0:
        return f"\\{number + 256:o}"
    return chr(number) if number else ""


TYPES_WITH_A_KIND: dict[str, Subject] = {
    "text": Subject("text", HOSTILE_TEXTS, texts(), expected=str),
    "varchar": Subject("varchar(2000)", HOSTILE_TEXTS, texts(), expected=str),
    "char(n)": Subject("character(12)", ("", "a", " a ", "NULL", "\\"), texts(12).map(lambda t: t[:12])),
    "name": Subject("name", ("", "a", "\\N"), texts(15), expected=str),
    '"char"': Subject(
        '"char"',
        tuple(map(str, range(-128, 128))),
        whole(-128, 127),
        "v::int::{type}",
        lambda text: char_text(int(text)),
    ),
    "bpchar": Subject("bpchar", ("", " a ", "a\t"), texts(5)),
    "enum": Subject("kinds.mood", MOODS, st.sampled_from(MOODS), expected=str),
    "domain over enum": Subject("kinds.calm", ("sad", ""), st.just("null"), expected=str),
    "xml": Subject(
        "xml",
        ("<a>\n\t&amp;</a>", "", 'text "\\', "<a/><b/>", "<!-- -->", '<?xml version="1.0" standalone="yes"?><a/>'),
        st.sampled_from(["<b/>", "<c x='1'>é</c>"]),
        needs="SELECT ''::xml",
    ),
    "smallint": Subject("smallint", ("-32768", "32767", "0"), whole(-32_768, 32_767), expected=int),
    "integer": Subject("integer", ("-2147483648", "2147483647"), whole(-(2**31), 2**31 - 1), expected=int),
    "bigint": Subject("bigint", (str(-(2**63)), str(2**63 - 1), "0"), whole(-(2**63), 2**63 - 1), expected=int),
    "oid": Subject("oid", ("0", "4294967295", "2147483648"), whole(0, 2**32 - 1), expected=int),
    "numeric": Subject(
        "numeric",
        (
            *("0", "-0", "0.00", "1.50", "100", "-1e-130", "1e-131", "9.9e125", "1e126", "1e60", "10000", "0.0001"),
            *("9" * 38, "9" * 39, "9" * 38 + "000", "0." + "9" * 38, "1" * 20 + "." + "1" * 18, "1e-1000"),
            *("1" * 20 + "." + "1" * 19, "1e131071", "9" * 131_072, "0." + "1" * 16_383, *NOT_FINITE),
        ),
        st.decimals(allow_nan=False, allow_infinity=False).map(str)
        | st.builds(lambda digits, exponent: f"{digits}e{exponent}", whole(-(10**39), 10**39), st.integers(-140, 130)),
        refusals=NUMBER_REFUSALS,
        expected=Decimal,
        text_kept=False,
    ),
    "numeric(1000,-5)": Subject(
        "numeric(1000,-5)", ("1234567", "-50000", "1e300", "9e130"), whole(0, 10**9), refusals=NUMBER_REFUSALS
    ),
    "numeric(2,5)": Subject("numeric(2,5)", ("0.00012", "-0.00099", "0"), whole(-99, 99).map(lambda n: f"{n}e-5")),
    "domain over domain": Subject("kinds.grade", ("1.5", "0"), whole(0, 9), expected=Decimal),
    "numeric(p,s)": Subject("numeric(10,3)", ("1.5", "-9999999.999"), whole(-(10**6), 10**6), expected=Decimal),
    "domain": Subject("kinds.score", ("1.5", "-0.01"), whole(-(10**6), 10**6), expected=Decimal),
    "real": Subject(
        "real",
        ("0", "-0", "0.1", "16777217", "1e23", "3.4028235e38", "1e-45", *NOT_FINITE, *powers_of_two(-149, 128)),
        floats(32),
        refusals=NUMBER_REFUSALS,
        text_kept=False,
    ),
    "double precision": Subject(
        "double precision",
        (*FLOATS, *NOT_FINITE, *powers_of_two(-1074, 1024)),
        floats(64),
        refusals=NUMBER_REFUSALS,
        text_kept=False,
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
    "time(2)": Subject("time(2)", ("23:59:59.99",), st.integers(0, DAY).map(time_text)),
    "timestamp(0)": of_labels("timestamp(0)", "2024-01-02 03:04:05", "0001-01-01 00:00:00 BC", "infinity"),
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
    "interval with fields": of_labels("interval year to month", "1 year 2 mons", "-3 mons", "0"),
    "interval with precision": of_labels("interval day to second(3)", "1 day 02:03:04.567", "-1 day +00:00:01", "0"),
    "infinite interval": of_labels("interval", "infinity", "-infinity", needs="SELECT 'infinity'::interval"),
    "domain over jsonb": Subject(
        "kinds.doc", ('{"a":[1]}', "null"), json_documents(), refusals=JSON_REFUSALS, text_kept=False
    ),
    "json": Subject(
        "json",
        (
            *(*HOSTILE_JSON, '{"a":1,"a":1}', '"\\ud800"', '"\\u0000"', "-0.0", ' {"a" :\t1}\n'),
            *("1e999999", "1e99999999999999999999", "0e99999999999999999999"),
        ),
        json_documents(),
        refusals=JSON_REFUSALS,
        text_kept=False,
    ),
    "jsonb": Subject("jsonb", HOSTILE_JSON, json_documents(), refusals=JSON_REFUSALS, text_kept=False),
    "text[]": Subject(
        "text[]", ("{}", "{NULL}", '{"NULL",""}', "[0:1]={a,b}", "[-1:-1][5:6]={{a,NULL}}"), arrays_of(texts(5))
    ),
    "integer[]": Subject("integer[]", ("{}", "{1,NULL}", "{{{{{{1}}}}}}"), arrays_of(whole(-9, 9))),
    "numeric[]": Subject(
        "numeric[]", ("{1.50,-0,1e-130}", "{NaN}"), arrays_of(whole(-9, 9)), refusals=NUMBER_REFUSALS, text_kept=False
    ),
    "double precision[]": Subject(
        "double precision[]",
        ("{-0,1e23,1e100}", "{Infinity}"),
        arrays_of(st.just("0.1")),
        refusals=NUMBER_REFUSALS,
        text_kept=False,
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
        text_kept=False,
    ),
    "json[]": Subject(
        "json[]",
        ('{"[[1]]"}', "{{{1}}}"),
        arrays_of(json_documents()),
        refusals=(*JSON_REFUSALS, "JSON null"),
        text_kept=False,
    ),
    "enum[]": Subject("kinds.mood[]", ('{sad,"null","",NULL}',), arrays_of(st.sampled_from(MOODS))),
    "char(n)[]": Subject("character(3)[]", ('{a,"  b"}',), arrays_of(st.sampled_from(["a", "ab", " "]))),
    "domain over array": Subject("kinds.tags", ("{a}", "[2:2]={b}"), arrays_of(texts(3))),
    "array of domain": Subject("kinds.score[]", ("{1.50,NULL}",), arrays_of(whole(-9, 9))),
    "array of domain over array": Subject("kinds.tags[]", ARRAYS_OF_ARRAYS, arrays_of(arrays_of(texts(3)))),
    "array of domain over array of numbers": Subject(
        "kinds.grid[]", ('{"{{1,2},{3,NULL}}"}',), arrays_of(arrays_of(whole(0, 9)))
    ),
    "array of domain over array of inet": Subject(
        "kinds.nets[]", ('{"{10.0.0.1,NULL}"}', '{{"{::1}"}}'), arrays_of(arrays_of(inets))
    ),
    "array of domain over array of jsonb": Subject(
        "kinds.docs[]",
        ('{"{1,NULL}"}', '{{"{\\"[1]\\"}"}}', '{"{{1}}"}'),
        arrays_of(arrays_of(json_documents())),
        refusals=(*JSON_REFUSALS, "JSON null"),
        text_kept=False,
    ),
    "domain over array of domain over array": Subject(
        "kinds.grids", ('{"{{1,2}}","[0:0]={3}"}', "{}"), arrays_of(arrays_of(whole(0, 9)))
    ),
}
"""Types that have a kind of their own."""

SUBJECTS = TYPES_WITH_A_KIND | TYPES_AS_TEXT | TYPES_OF_EXTENSIONS
"""The zoo: every type that a column may have."""
