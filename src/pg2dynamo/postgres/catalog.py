"""What the catalog says: tables, columns, keys, indexes, and the type of an expression.

Reads only; every name it puts into SQL is quoted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import psycopg

from pg2dynamo.errors import Pg2DynamoError, PlanError, SourceError
from pg2dynamo.mapping.table import TableName, quote_identifier
from pg2dynamo.mapping.types import ColumnType, Kind
from pg2dynamo.plan.schema import ForeignKey, SourceColumn, SourceIndex, SourceTable
from pg2dynamo.postgres.connect import translate, translated
from pg2dynamo.postgres.leaf_indexes import NOT_NULL, leaf_uniqueness

_KINDS_OF_TABLE = {"r": "table", "p": "partitioned", "f": "foreign", "v": "view", "m": "materialized view"}

KIND_OF_OID: dict[int, Kind] = {
    16: Kind.BOOLEAN,
    17: Kind.BYTEA,
    18: Kind.TEXT,  # "char"
    19: Kind.TEXT,  # name
    20: Kind.INTEGER,
    21: Kind.INTEGER,
    23: Kind.INTEGER,
    25: Kind.TEXT,
    26: Kind.INTEGER,  # oid
    114: Kind.JSON,
    142: Kind.TEXT,  # xml
    700: Kind.FLOAT4,
    701: Kind.FLOAT8,
    1042: Kind.TEXT,  # bpchar
    1043: Kind.TEXT,  # varchar
    1082: Kind.DATE,
    1083: Kind.TIME,
    1114: Kind.TIMESTAMP,
    1184: Kind.TIMESTAMPTZ,
    1186: Kind.INTERVAL,
    1266: Kind.TIMETZ,
    1700: Kind.NUMERIC,
    2950: Kind.UUID,
    3802: Kind.JSONB,
}
"""The kinds of the built-in types, by their fixed oids (pg_type.dat); all others are OUTPUT, ARRAY or TEXT."""

_NAMES_OF_OBJECTS = (
    *("aclitem", "regclass", "regcollation", "regconfig", "regdatabase", "regdictionary", "regnamespace"),
    *("regoper", "regoperator", "regproc", "regprocedure", "regrole", "regtype"),
)
"""Types whose text names an object or a role, and is no value when that is not there."""

_RECORDS = (2249, 2287)  # what `a, b` in parentheses is: no column can have this type

_TABLES = """
SELECT c.oid, n.nspname, c.relname, c.relkind::text, c.reltuples::bigint,
       CASE WHEN c.relkind IN ('r', 'm') THEN pg_table_size(c.oid)
            ELSE (SELECT coalesce(sum(pg_table_size(t.relid)), 0)::bigint FROM pg_partition_tree(c.oid) t) END,
       obj_description(c.oid, 'pg_class'),
       row_security_active(c.oid) OR EXISTS (
         SELECT FROM pg_partition_tree(c.oid) t WHERE c.relkind = 'p' AND row_security_active(t.relid)),
       EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = c.oid) AND c.relkind = 'r',
       (SELECT sum(l.reltuples)::bigint FROM pg_partition_tree(c.oid) t JOIN pg_class l ON l.oid = t.relid
         WHERE t.isleaf AND l.reltuples >= 0)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm') AND c.relpersistence <> 't'
"""

_ALL_TABLES = """
   AND NOT c.relispartition
   AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                      AND d.deptype = 'e')
"""

_NAMED_TABLES = "   AND (n.nspname, c.relname) IN (SELECT * FROM unnest(%(schemas)s::text[], %(names)s::text[]))\n"

_COLUMNS = f"""
SELECT attrelid, attname, atttypid, atttypmod, {NOT_NULL}, attgenerated <> '', col_description(attrelid, attnum)
  FROM pg_attribute AS a
 WHERE attrelid = ANY(%s::oid[]) AND attnum > 0 AND NOT attisdropped
 ORDER BY attrelid, attnum
"""  # noqa: S608

_INDEXES = """
SELECT i.indrelid, c.relname, am.amname, i.indisunique, i.indisprimary,
       pg_get_expr(i.indpred, i.indrelid), coalesce((to_jsonb(i)->>'indnullsnotdistinct')::boolean, false),
       (SELECT array_agg(a.attname ORDER BY k.n)
          FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, n)
          LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum AND k.attnum <> 0
         WHERE k.n <= i.indnkeyatts), NOT i.indimmediate
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am am ON am.oid = c.relam
 WHERE i.indrelid = ANY(%s::oid[]) AND i.indisvalid AND i.indisready AND i.indislive
 ORDER BY i.indrelid, i.indisprimary DESC, c.relname
"""

_FOREIGN_KEYS = """
SELECT k.conrelid, k.conname, n.nspname, f.relname,
       (SELECT array_agg(a.attname ORDER BY u.n) FROM unnest(k.conkey) WITH ORDINALITY u(attnum, n)
          JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum),
       (SELECT array_agg(a.attname ORDER BY u.n) FROM unnest(k.confkey) WITH ORDINALITY u(attnum, n)
          JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.attnum)
  FROM pg_constraint k JOIN pg_class f ON f.oid = k.confrelid JOIN pg_namespace n ON n.oid = f.relnamespace
 WHERE k.contype = 'f' AND k.conparentid = 0 AND k.conrelid = ANY(%s::oid[])
 ORDER BY k.conrelid, k.conname
"""

# typoutput tells true arrays from int2vector and oidvector, which are written without braces. The operator is that of
# the default B-tree or hash index on the type, or on one that it is coerced to as it is (varchar to text).
_TYPE = """
WITH RECURSIVE base(oid, typmod) AS (
  SELECT %(oid)s::oid, %(typmod)s::int
  UNION ALL
  SELECT t.typbasetype, t.typtypmod FROM base b JOIN pg_type t ON t.oid = b.oid WHERE t.typtype = 'd'
)
SELECT t.oid, t.typname, t.typtype::text,
       (SELECT e.typdelim::text FROM pg_type e WHERE e.oid = t.typelem), format_type(%(oid)s, %(typmod)s),
       CASE WHEN t.typoutput = 'array_out'::regproc THEN t.typelem ELSE 0 END, b.typmod,
       EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'citext'
                WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'),
       (SELECT format('%%I', n.nspname) || '.' || o.oprname
          FROM pg_opclass k
          JOIN pg_amop a ON a.amopfamily = k.opcfamily AND a.amoplefttype = k.opcintype
           AND a.amoprighttype = k.opcintype AND a.amopstrategy = CASE k.opcmethod WHEN 403 THEN 3 ELSE 1 END
          JOIN pg_operator o ON o.oid = a.amopopr JOIN pg_namespace n ON n.oid = o.oprnamespace
         WHERE k.opcdefault AND k.opcmethod IN (403, 405)
           AND (k.opcintype = t.oid OR k.opcintype IN (SELECT c.casttarget FROM pg_cast c WHERE c.castsource = t.oid
                                                          AND c.castmethod = 'b' AND c.castcontext = 'i'))
         ORDER BY k.opcintype <> t.oid, k.opcmethod, k.opcintype LIMIT 1)
  FROM base b JOIN pg_type t ON t.oid = b.oid WHERE t.typtype <> 'd'
"""


class _Types:
    """The types met while reading a catalog, each asked for once."""

    def __init__(self, conn: psycopg.Connection) -> None:
        self._conn = conn
        self._known: dict[tuple[int, int], ColumnType] = {}

    def get(self, oid: int, typmod: int) -> ColumnType:
        """Return the type of that oid and modifier, domains resolved."""
        known = self._known.get((oid, typmod))
        if known is None:
            known = self._known[(oid, typmod)] = self._read(oid, typmod)
        return known

    def _read(self, oid: int, typmod: int) -> ColumnType:
        row = self._conn.execute(_TYPE, {"oid": oid, "typmod": typmod}).fetchone()
        if row is None:
            raise SourceError(f"The catalog does not know the type {oid}.")
        base, typname, typtype, delimiter, name, element_oid, base_typmod, of_citext, operator = row
        if element_oid:
            element = self.get(element_oid, base_typmod)
            return ColumnType(Kind.ARRAY, name, base, element, delimiter, equals=None)
        equals = _equals(typname, typtype, operator, domain=base != oid)
        if typtype == "e" or (of_citext and typname == "citext"):
            return ColumnType(Kind.TEXT, name, base, equals=equals)
        return ColumnType(KIND_OF_OID.get(base, Kind.OUTPUT), name, base, equals=equals)


def _equals(typname: str, typtype: str, operator: str | None, *, domain: bool) -> str | None:
    """Return what `ColumnType.equals` is.

    Composites may hold what has no equality, the name of what is gone is no value of a `reg` type, and PostgreSQL has
    no operators for domains over enums: by text.
    """
    if typtype in ("e", "r", "m"):
        return None if typtype == "e" and domain else "="
    if operator is None or typtype == "c" or typname in _NAMES_OF_OBJECTS:
        return None
    return "=" if operator == "pg_catalog.=" else f"OPERATOR({operator})"


def read_tables(conn: psycopg.Connection, names: Sequence[TableName] | None = None) -> dict[TableName, SourceTable]:
    """Read tables from the catalog: the named ones that exist, or all that are no part of the system.

    Partitions and tables of extensions are left out unless named. `row_security` is true when policies would
    hide rows from the current role; `inherited` when other tables inherit from this one (their rows are theirs).
    """
    with translated("Reading the catalog"):
        found = _read_heads(conn, names)
        oids = [head[0] for head in found]
        types = _Types(conn)
        columns = _grouped(conn, _COLUMNS, oids)
        indexes = _grouped(conn, _INDEXES, oids)
        foreign_keys = _grouped(conn, _FOREIGN_KEYS, oids)
        tables = [
            _table(head, columns.get(head[0], []), indexes.get(head[0], []), foreign_keys.get(head[0], []), types)
            for head in found
        ]
        leaves = leaf_uniqueness(conn, [table.oid for table in tables if _lacks_uniqueness(table)])
    whole = (replace(t, indexes=(*t.indexes, leaves[t.oid])) if t.oid in leaves else t for t in tables)
    return {table.name: table for table in whole}


def _lacks_uniqueness(table: SourceTable) -> bool:
    """Tell whether a partitioned table has no unique index of its own that tells all its rows apart."""
    not_null = {column.name for column in table.columns if column.not_null}
    serves = (i for i in table.indexes if i.unique and i.predicate is None and not_null.issuperset(i.columns))
    return table.kind == "partitioned" and not any(serves)


def _read_heads(conn: psycopg.Connection, names: Sequence[TableName] | None) -> list[tuple[Any, ...]]:
    order = " ORDER BY n.nspname, c.relname"
    if names is None:
        return conn.execute(_TABLES.encode() + _ALL_TABLES.encode() + order.encode()).fetchall()
    wanted = {"schemas": [n.schema for n in names], "names": [n.name for n in names]}
    return conn.execute((_TABLES + _NAMED_TABLES + order).encode(), wanted).fetchall()


def _grouped(conn: psycopg.Connection, query: str, oids: list[int]) -> dict[int, list[tuple[Any, ...]]]:
    result: dict[int, list[tuple[Any, ...]]] = {}
    for row in conn.execute(query.encode(), [oids]):
        result.setdefault(row[0], []).append(row[1:])
    return result


def _table(
    head: tuple[Any, ...],
    columns: list[tuple[Any, ...]],
    indexes: list[tuple[Any, ...]],
    foreign_keys: list[tuple[Any, ...]],
    types: _Types,
) -> SourceTable:
    oid, schema, name, relkind, tuples, size, comment, row_security, inherited, leaf_tuples = head
    source_indexes = tuple(
        SourceIndex(index, tuple(keys), unique, primary, method, predicate, nulls_not_distinct, deferrable)
        for index, method, unique, primary, predicate, nulls_not_distinct, keys, deferrable in indexes
    )
    primary_key = next((i.columns for i in source_indexes if i.primary), ())
    return SourceTable(
        name=TableName(schema, name),
        oid=oid,
        kind=_KINDS_OF_TABLE[relkind],
        columns=tuple(SourceColumn(n, types.get(t, m), nn, g, c) for n, t, m, nn, g, c in columns),
        primary_key=tuple(column for column in primary_key if column is not None),
        indexes=source_indexes,
        foreign_keys=tuple(
            ForeignKey(k, tuple(mine), TableName(s, t), tuple(theirs)) for k, s, t, mine, theirs in foreign_keys
        ),
        row_security=row_security,
        estimated_rows=leaf_tuples if relkind == "p" and leaf_tuples is not None else tuples,
        total_bytes=size,
        comment=comment,
        inherited=inherited,
    )


def describe(conn: psycopg.Connection, table: TableName, expressions: Mapping[str, str]) -> dict[str, ColumnType]:
    """Return the type of each SQL expression over the table's columns, as the server describes it.

    Reads no row. Raises PlanError naming the attribute whose SQL the server does not accept.
    """
    types = _Types(conn)
    return {name: _describe(conn, table, name, sql, types) for name, sql in expressions.items()}


def _describe(conn: psycopg.Connection, table: TableName, name: str, sql: str, types: _Types) -> ColumnType:
    query = f"SELECT ({sql}) FROM {table.quoted} AS {quote_identifier(table.name)} LIMIT 0"  # noqa: S608
    try:
        with conn.transaction(), conn.cursor(binary=True) as cursor:
            # The extended protocol, which a binary answer needs, takes one statement only.
            cursor.execute(query.encode())
            result = cursor.pgresult
            if result is None or result.nfields != 1 or result.ftype(0) in _RECORDS:
                raise PlanError(f"{table}: the SQL of {name} is not one value.")
            oid, typmod = result.ftype(0), result.fmod(0)
    except psycopg.Error as error:
        raise _refused(table, name, error) from None
    with translated(f"Describing {table}"):
        return types.get(oid, typmod)


def _refused(table: TableName, name: str, error: psycopg.Error) -> Pg2DynamoError:
    state = error.sqlstate or ""
    if state == "42501" or state[:2] not in ("42", "22", "0A"):
        return translate(error, f"Describing {name} of {table}")
    # No row was read, so the text of a class 42 error can quote only the plan and the catalog.
    words = f": {error.diag.message_primary}" if state.startswith("42") else ""
    return PlanError(
        f"{table}: PostgreSQL does not accept the SQL of {name} (SQLSTATE {state}{words}).",
        remedy="Functions and types outside pg_catalog need their schema's name.",
    )
