"""The table of types that the documentation shows: which PostgreSQL types take which DynamoDB form.

Words only: what is done is `encode` and `decode`. The table and they are held against one another by the tests.
"""

from __future__ import annotations

from dataclasses import dataclass

from pg2dynamo.mapping.types import Kind


@dataclass(frozen=True, slots=True)
class Family:
    """Types that are written alike: a row of the table.

    `types` are PostgreSQL's own names, `groups` say in words what has no name of its own. `forms` are those of
    DynamoDB, by its letters. `kind` is None where it is that of another type.
    """

    kind: Kind | None
    types: tuple[str, ...]
    forms: tuple[str, ...]
    note: str = ""
    groups: tuple[str, ...] = ()


_DOCUMENT = ("M", "L", "S", "N", "BOOL", "NULL")
_AS_WRITTEN = "the text that PostgreSQL writes"

FAMILIES = (
    Family(
        Kind.TEXT,
        ("text", "character varying", "character", "bpchar", "name", '"char"', "citext", "xml"),
        ("S",),
        'the text as it is, padding of `char(n)` included; a `"char"` of 128 to 255 is `\\200` to `\\377`',
        ("enums",),
    ),
    Family(Kind.INTEGER, ("smallint", "integer", "bigint", "oid", "lo"), ("N",)),
    Family(
        Kind.NUMERIC, ("numeric",), ("N",), "the value: 1.50 becomes 1.5, which `numeric(10,2)` shows as 1.50 again"
    ),
    Family(
        Kind.FLOAT4,
        ("real",),
        ("N",),
        "the shortest number that is read as the same `real`, not by way of a double; -0 becomes 0",
    ),
    Family(
        Kind.FLOAT8, ("double precision",), ("N",), "the shortest number that is read as the same double; -0 becomes 0"
    ),
    Family(Kind.BOOLEAN, ("boolean",), ("BOOL",)),
    Family(Kind.BYTEA, ("bytea",), ("B",), "no bytes are an empty B, and not NULL"),
    Family(Kind.UUID, ("uuid",), ("S",), "lower case, with hyphens"),
    Family(Kind.DATE, ("date",), ("S",), "`2024-01-02`"),
    Family(
        Kind.TIMESTAMP,
        ("timestamp without time zone",),
        ("S",),
        "`2024-01-02T03:04:05.000000`: always six digits, so that it sorts as text",
    ),
    Family(Kind.TIMESTAMPTZ, ("timestamp with time zone",), ("S",), "the same in UTC, with `Z`"),
    Family(Kind.TIME, ("time without time zone",), ("S",), "`03:04:05.000000`, up to `24:00:00.000000`"),
    Family(
        Kind.TIMETZ,
        ("time with time zone",),
        ("S",),
        "the same with its offset, `+02:00`, and the seconds of the offset where it has any",
    ),
    Family(
        Kind.INTERVAL,
        ("interval",),
        ("S",),
        "`1 year 2 mons 3 days 04:05:06.7`; months, days and time stay apart: `1 mon` is not `30 days`",
    ),
    Family(
        Kind.JSON,
        ("json",),
        _DOCUMENT,
        "the document; numbers exact to 38 digits; spaces, the order of names and how numbers are spelt are not kept",
    ),
    Family(Kind.JSONB, ("jsonb",), _DOCUMENT, "the document; numbers exact to 38 digits, 1.50 becomes 1.5"),
    Family(
        Kind.ARRAY,
        (),
        ("L", "M"),
        "L, nested by dimension; M of `bounds` and `elements` where a lower bound is not 1, and where elements are "
        "json, or arrays themselves, and stand in several dimensions",
        ("arrays",),
    ),
    Family(None, (), (), "as the type that they stand for", ("domains",)),
    Family(Kind.OUTPUT, ("inet", "cidr", "macaddr", "macaddr8"), ("S",), _AS_WRITTEN),
    Family(Kind.OUTPUT, ("bit", "bit varying"), ("S",), "of 0 and 1"),
    Family(Kind.OUTPUT, ("money",), ("S",), "`$1,234.50`, whatever the database's locale"),
    Family(
        Kind.OUTPUT,
        (
            *("int4range", "int8range", "numrange", "daterange", "tsrange", "tstzrange", "int4multirange"),
            *("int8multirange", "nummultirange", "datemultirange", "tsmultirange", "tstzmultirange"),
        ),
        ("S",),
        "`[1,5)`, `{[1,3),[5,8)}`; dates and times in them as PostgreSQL writes them in UTC",
        ("other ranges and multiranges",),
    ),
    Family(Kind.OUTPUT, (), ("S",), '`(1,"a b")`, nested and with arrays too', ("composites",)),
    Family(Kind.OUTPUT, ("tsvector", "tsquery", "jsonpath"), ("S",), _AS_WRITTEN),
    Family(
        Kind.OUTPUT, ("point", "line", "lseg", "box", "path", "polygon", "circle"), ("S",), _AS_WRITTEN + ", -0 kept"
    ),
    Family(
        Kind.OUTPUT,
        (
            *("regclass", "regcollation", "regconfig", "regdictionary", "regnamespace", "regoper", "regoperator"),
            *("regproc", "regprocedure", "regrole", "regtype", "aclitem"),
        ),
        ("S",),
        "the name at the time of reading, with its schema unless that is `pg_catalog`",
    ),
    Family(
        Kind.OUTPUT,
        (
            *("xid", "xid8", "cid", "tid", "pg_lsn", "pg_snapshot", "txid_snapshot", "int2vector", "oidvector"),
            "refcursor",
        ),
        ("S",),
        _AS_WRITTEN,
    ),
    Family(
        Kind.OUTPUT,
        ("hstore", "ltree", "lquery", "ltxtquery", "cube", "seg", "isbn", "query_int", "vector"),
        ("S",),
        _AS_WRITTEN + ": PostGIS's `geometry` in hexadecimal, for one",
        ("every other type",),
    ),
)


def markdown() -> str:
    """Return the table as the documentation shows it."""
    rows = ["| PostgreSQL | DynamoDB | form |", "|---|---|---|"]
    for family in FAMILIES:
        names = ", ".join((*(f"`{name}`" for name in family.types), *family.groups))
        rows.append(f"| {names} | {', '.join(family.forms)} | {family.note} |")
    return "\n".join(rows) + "\n"
