"""Types that are kept as the text of their output function, those of extensions too: a part of the zoo."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.integration.hostile_values import Subject, arrays_of, of_labels, texts, whole

points = st.tuples(st.integers(-99, 99), st.integers(-99, 99)).map(lambda p: f"({p[0]}.5,{p[1]})")
boxes = st.tuples(points, points).map(",".join)
inets = st.builds(
    lambda a, b, mask: f"{a}.0.{b}.1/{mask}", st.integers(0, 255), st.integers(0, 255), st.sampled_from([8, 24, 31, 32])
)
NESTED = (
    '("(1,""a """" b"")","{""(1,x)"",NULL}","{a,""b,c"",NULL}",1.50,"[1,5)","{""k"": [1, 2]}")',
    "(,,,,,)",
    '("(,)",{},{},,empty,null)',
)


def of_extension(name: str, type_name: str, *labels: str) -> Subject:
    """A type of an extension, which stands in the schema `kinds`."""
    return of_labels(type_name, *labels, needs=f"CREATE EXTENSION IF NOT EXISTS {name} SCHEMA kinds")


TYPES_AS_TEXT: dict[str, Subject] = {
    # networks
    "inet": Subject("inet", ("127.0.0.1", "::1/64", "10.0.0.1/8", "1.2.3.4/32", "::ffff:1.2.3.4"), inets),
    "cidr": of_labels("cidr", "10.0.0.0/8", "::/0", "192.168.0.0/16", "10.1.2.3/32"),
    "macaddr": of_labels("macaddr", "08:00:2b:01:02:03", "ff:ff:ff:ff:ff:ff"),
    "macaddr8": of_labels("macaddr8", "08:00:2b:01:02:03:04:05", "08:00:2b:01:02:03"),
    # bits and money
    "bit": Subject("bit(5)", ("10101", "00000"), st.text("01", min_size=5, max_size=5)),
    "bit of one": of_labels("bit", "0", "1"),
    "varbit": Subject("bit varying", ("", "1", "01" * 500), st.text("01", max_size=9)),
    "varbit(n)": Subject("bit varying(7)", ("", "1010101"), st.text("01", max_size=7)),
    "money": Subject("money", ("-1,234.50", "0", "92233720368547758.07", "-92233720368547758.08"), whole(-9999, 9999)),
    # ranges and multiranges
    "int4range": of_labels("int4range", "empty", "(,)", "[1,5)", "(,7]", "[2,3]"),
    "int8range": of_labels("int8range", "empty", "[-9223372036854775808,9223372036854775807)"),
    "numrange": of_labels("numrange", "empty", "(1.50,2.0]", "[NaN,NaN]", "[-Infinity,1e200)"),
    "daterange": of_labels("daterange", "empty", "[2024-01-01,infinity]", '["0044-03-15 BC",)'),
    "tsrange": of_labels("tsrange", "empty", '["2024-01-01 00:00:00.000001",infinity]'),
    "tstzrange": of_labels("tstzrange", '["2024-01-01 00:00+02",)', "empty", "(,infinity)"),
    "range of text": of_labels("kinds.words", "empty", '["a,b","c\\"d\\\\")', '["",""]', '("(","]"]'),
    "int4multirange": of_labels("int4multirange", "{}", "{[1,3),[5,8)}", "{(,)}"),
    "int8multirange": of_labels("int8multirange", "{}", "{[1,3),[5,)}"),
    "nummultirange": of_labels("nummultirange", "{}", "{[1.50,2],(3,4.000)}"),
    "datemultirange": of_labels("datemultirange", "{}", "{[2024-01-01,2024-02-01)}"),
    "tsmultirange": of_labels("tsmultirange", "{}", "{[2024-01-01,2024-02-01),(2025-01-01,)}"),
    "tstzmultirange": of_labels("tstzmultirange", "{}", "{[2024-01-01 00:00+02,infinity)}"),
    "multirange of text": of_labels("kinds.many_words", "{}", '{["a,b",c],["d}","e\\""]}'),
    # text search and paths
    "tsvector": of_labels("tsvector", "'a':1A 'b''c':2", "", "x y z", "'\\\\':3D '{,}':16383"),
    "tsquery": of_labels("tsquery", "'a' & !'b' | 'c':*AB", "", "'it''s' <-> 'x' <3> '\\\\'"),
    "jsonpath": of_labels("jsonpath", '$."a"[*] ? (@ > 1)', "$", 'strict $."\\"b\\\\".c'),
    # geometry
    "point": Subject("point", ("(0,-0)", "(1e300,NaN)", "(Infinity,5e-324)", "(0.1,1e23)"), points),
    "line": of_labels("line", "{1,2,3}", "{0,-1,0.1}"),
    "lseg": of_labels("lseg", "[(1,2),(3,4)]", "[(0.1,-0),(1e300,2)]"),
    "box": Subject("box", ("(1,1),(0,0)", "(0.1,Infinity),(-1,-2)"), boxes),
    "path": of_labels("path", "((1,2),(3,4))", "[(1,2),(3,4)]", "((0.1,1e300))"),
    "polygon": of_labels("polygon", "((1,2),(3,4),(5,6))", "((0,0))"),
    "circle": of_labels("circle", "<(1,2),3>", "<(0.1,-0),0>"),
    # names of what the database holds
    "regclass": Subject(
        "regclass",
        ("pg_class", 'kinds."odd ""Table"', "4294967295", "0"),
        st.just("pg_type"),
        "CASE WHEN v ~ '^[0-9]+$' THEN v::oid::{type} ELSE v::{type} END",  # the cast from text takes names only
    ),
    "regcollation": of_labels("regcollation", '"C"', '"POSIX"', "-"),
    "regconfig": of_labels("regconfig", "simple", "english", "-"),
    "regdictionary": of_labels("regdictionary", "simple", "-"),
    "regnamespace": of_labels("regnamespace", "kinds", "pg_catalog", "-"),
    "regoper": of_labels("regoper", "pg_catalog.||/", "0"),
    "regoperator": of_labels("regoperator", "+(integer,integer)", "!!(none,tsquery)", "0"),
    "regproc": of_labels("regproc", "now", "-"),
    "regprocedure": of_labels("regprocedure", "int4in(cstring)", "numeric(money)", "-"),
    "regrole": of_labels("regrole", "pg_monitor", "-"),
    "regtype": of_labels("regtype", "kinds.mood", "integer[]", '"char"', "timestamp with time zone", "-"),
    "aclitem": of_labels(
        "aclitem", "=r/pg_monitor", "pg_monitor=arwdDxt/pg_monitor", "pg_monitor=r*w/pg_signal_backend"
    ),
    # what the server counts by
    "xid": of_labels("xid", "0", "4294967295"),
    "xid8": of_labels("xid8", "0", "18446744073709551615"),
    "cid": of_labels("cid", "0", "4294967295"),
    "tid": of_labels("tid", "(0,1)", "(4294967295,65535)"),
    "pg_lsn": of_labels("pg_lsn", "16/B374D848", "0/0", "FFFFFFFF/FFFFFFFF"),
    "pg_snapshot": of_labels("pg_snapshot", "10:20:10,14,15", "1:1:"),
    "txid_snapshot": of_labels("txid_snapshot", "10:20:10,14,15", "1:1:"),
    "int2vector": of_labels("int2vector", "1 -2 32767", "", "7"),
    "oidvector": of_labels("oidvector", "1 2 4294967295", "", "7"),
    "refcursor": Subject("refcursor", ("", "a\tb\\"), texts(5)),
    # composites
    "composite": Subject(
        "kinds.pair",
        ("(,)", '(1,"a ""b"", \\\\")', "(1,)", '(,"")', '(1,"NULL")'),
        texts(5).map(lambda t: '(7,"' + t.replace("\\", "").replace('"', "") + '")'),
    ),
    "domain over composite": of_labels("kinds.couple", "(1,a)", "(,)"),
    "composite of composites": of_labels("kinds.nest", *NESTED),
    # arrays of them
    "box[]": Subject("box[]", ("{(1,1),(0,0);(2,2),(1,1)}", "{}"), arrays_of(boxes, ";")),
    "point[]": Subject("point[]", ('{"(1,2)",NULL}',), arrays_of(points)),
    "inet[]": Subject("inet[]", ("{10.0.0.1/8,1.2.3.4}",), arrays_of(inets)),
    "composite[]": Subject("kinds.pair[]", ('{"(,)","(1,\\"a b\\")",NULL}',), arrays_of(st.just('(1,"x,y")'))),
}
"""Types of every server whose values are S, the text of the output function."""

TYPES_OF_EXTENSIONS: dict[str, Subject] = {
    "citext": of_extension("citext", "kinds.citext", "aB", "", "É", "\\N", " a"),
    "hstore": of_extension("hstore", "kinds.hstore", "", 'a=>1, "b ""=>"=>NULL'.replace('""', '\\"'), '""=>""'),
    "ltree": of_extension("ltree", "kinds.ltree", "", "Top.Science.Astronomy", "a_1.B"),
    "lquery": of_extension("ltree", "kinds.lquery", "*.a@*|b{1,2}", "Top.*{0,2}.!x"),
    "ltxtquery": of_extension("ltree", "kinds.ltxtquery", "a & !b@*", "x"),
    "cube": of_extension("cube", "kinds.cube", "(1,2,3)", "(0.1),(1e300)"),
    "seg": of_extension("seg", "kinds.seg", "1.50", "1.5 .. 2.30"),
    "isbn": of_extension("isn", "kinds.isbn", "978-0-393-04002-9"),
    "lo": of_extension("lo", "kinds.lo", "4294967295", "0"),
    "query_int": of_extension("intarray", "kinds.query_int", "1&(2|!3)"),
    "vector": of_extension("vector", "kinds.vector", "[1,2.5,-0.1]"),
    "vector(n)": of_extension("vector", "kinds.vector(2)", "[1,1e-30]"),
}
"""Types of extensions, where the server has them."""
