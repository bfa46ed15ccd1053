"""The lines of the checklist that are about PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import psycopg

from pg2dynamo.dynamodb.tables import shape_faults, table_shape
from pg2dynamo.errors import Pg2DynamoError
from pg2dynamo.mapping.table import TableMapping, TableName
from pg2dynamo.migration.credentials import compile_credentials
from pg2dynamo.migration.source import compile_one, default_policy, read_by, source_tables
from pg2dynamo.plan.attributes import Policy
from pg2dynamo.plan.check import CheckLine, Level, check_table, failed, ok, warning
from pg2dynamo.plan.check_embeds import check_embeds
from pg2dynamo.plan.check_values import WORDS, value_checks
from pg2dynamo.plan.compile import Catalog
from pg2dynamo.plan.model import Plan
from pg2dynamo.plan.schema import SourceTable
from pg2dynamo.plan.shared import share_targets
from pg2dynamo.plan.table import TablePlan
from pg2dynamo.postgres.catalog import read_tables
from pg2dynamo.postgres.server import count_where, missing_privileges, server_facts


@dataclass
class SourceFindings:
    """The lines about the source, and what of the plan can be looked at further."""

    lines: list[CheckLine] = field(default_factory=list)
    mappings: list[TableMapping] = field(default_factory=list)
    readable: set[TableName] = field(default_factory=set)
    unreadable: set[TableName] = field(default_factory=set)


def check_source(conn: psycopg.Connection, plan: Plan) -> SourceFindings:
    """Look at the server and at every table that the plan reads; counts values of rows, and shows none."""
    findings = SourceFindings(lines=list(_server_lines(conn)))
    known = read_tables(conn, source_tables(plan))
    policy = default_policy(plan)
    for secret in plan.secrets:
        _note(findings, conn, secret.source, known.get(secret.source), ())
        _compile_secret(findings, plan, known, secret.source)
    sources = dict.fromkeys(table_plan.source for table_plan in plan.tables)
    for other in dict.fromkeys(name for table_plan in plan.tables for name in read_by(table_plan)):
        if other not in sources and other not in (secret.source for secret in plan.secrets):
            _note(findings, conn, other, known.get(other), ())
    for source in sources:
        entries = [table_plan for table_plan in plan.tables if table_plan.source == source]
        table = known.get(source)
        _note(findings, conn, source, table, check_table(entries, table) if table else [])
        for entry in entries if table else []:
            findings.lines += check_embeds(entry, known)
            _compile(findings, conn, entry, known, policy)
    _share(findings)
    return findings


def failure(subject: str, error: Pg2DynamoError) -> CheckLine:
    """Return an error as a line."""
    return failed(subject, error.message, error.remedy or "")


def _server_lines(conn: psycopg.Connection) -> Iterator[CheckLine]:
    facts = server_facts(conn)
    yield ok("PostgreSQL", f"version {facts.version}, database {facts.database}, role {facts.role}")
    if facts.in_recovery:
        yield warning(
            "PostgreSQL",
            "a standby: it may cancel long reads in favour of replay",
            "Set hot_standby_feedback = on, or max_standby_streaming_delay high enough, or use the primary.",
        )


def _note(
    findings: SourceFindings,
    conn: psycopg.Connection,
    name: TableName,
    table: SourceTable | None,
    notes: list[CheckLine] | tuple[()],
) -> None:
    """Look at one table's existence, privileges and row-level security."""
    subject = f"table {name}"
    if table is None:
        findings.lines.append(failed(subject, "the source has no such table", "Correct `from` in the plan."))
        findings.unreadable.add(name)
        return
    grants = missing_privileges(conn, name)
    lines = list(notes)
    if grants:
        lines.append(failed(subject, "the role may not read it", f"{'; '.join(grants)}."))
    if table.row_security and not notes:
        lines.append(failed(subject, "row-level security would hide rows from this role", "Give it BYPASSRLS."))
    sound = all(line.level is not Level.FAILED for line in lines)
    (findings.readable if sound else findings.unreadable).add(name)
    findings.lines += lines


def _share(findings: SourceFindings) -> None:
    """Look at entries of one DynamoDB table together."""
    try:
        findings.mappings = share_targets(findings.mappings)
    except Pg2DynamoError as error:
        findings.lines.append(failure("plan", error))
        return
    for mapping in findings.mappings:
        faults = shape_faults(mapping.target, table_shape(mapping)) if mapping.others else []
        if faults:
            findings.lines.append(failed(f"table {mapping.name}", "; ".join(faults), "Correct the plan."))


def _compile(
    findings: SourceFindings, conn: psycopg.Connection, plan: TablePlan, known: Catalog, policy: Policy
) -> None:
    subject, table = f"table {plan.name}", known[plan.source]
    if findings.unreadable.intersection(read_by(plan)) and table.kind in ("table", "partitioned"):
        return
    try:
        mapping = compile_one(conn, plan, known, policy)
        faults = shape_faults(mapping.target, table_shape(mapping))
        if faults:
            findings.lines.append(failed(subject, "; ".join(faults), "Correct the plan."))
            return
        findings.mappings.append(mapping)
        findings.lines += _value_lines(conn, mapping, table)
    except Pg2DynamoError as error:
        findings.lines.append(failure(subject, error))


_MEND = "Mend the rows, take another attribute for a key, or say with `unfit` what is to become of them."


def _value_lines(conn: psycopg.Connection, mapping: TableMapping, table: SourceTable) -> Iterator[CheckLine]:
    subject = f"table {mapping.name}"
    checks = value_checks(mapping)
    counts = count_where(conn, mapping, [check.sql for check in checks])
    for check, count in zip(checks, counts, strict=True):
        if count:
            message = f"{check.attribute} {check.reason}: {count:,} rows {WORDS[check.policy]}".lstrip()
            yield warning(subject, message, _MEND if check.policy == "error" else "")
    size = f"about {table.estimated_rows:,} rows" if table.estimated_rows >= 0 else "not yet analysed"
    yield ok(subject, f"{len(mapping.attributes)} attributes, {len(mapping.indexes)} indexes, {size}")


def _compile_secret(findings: SourceFindings, plan: Plan, known: dict[TableName, SourceTable], name: TableName) -> None:
    if name not in findings.readable:
        return
    secret = next(s for s in plan.secrets if s.source == name)
    try:
        compile_credentials(secret, known.get(name))
    except Pg2DynamoError as error:
        findings.readable.discard(name)
        findings.lines.append(failure(f"secrets {name}", error))
