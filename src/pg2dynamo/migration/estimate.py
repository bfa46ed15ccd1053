"""Estimate a migration before anything is made: from the planner's statistics at once, or by encoding every row.

Nothing is written, and AWS is not called: only the source is looked at.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psycopg

from pg2dynamo.errors import PlanError
from pg2dynamo.mapping.table import TableMapping, TableName
from pg2dynamo.migration.estimate_exact import count_credentials, measure_entry
from pg2dynamo.migration.progress import Progress, Silent
from pg2dynamo.migration.source import compile_plan, open_source, source_dsn, source_tables
from pg2dynamo.plan.estimate import (
    NEW_TABLE_UNITS_PER_SECOND,
    EntryEstimate,
    PlanEstimate,
    SecretsEstimate,
    estimate_entry,
)
from pg2dynamo.plan.load import resolve
from pg2dynamo.plan.model import Plan, SecretPlan
from pg2dynamo.plan.prices import load_prices
from pg2dynamo.plan.sizes import Known
from pg2dynamo.plan.statistics import ColumnStatistics, TableStatistics
from pg2dynamo.plan.table import TablePlan
from pg2dynamo.postgres.selection import estimated_rows
from pg2dynamo.postgres.snapshot import adopt_snapshot, hold_snapshot
from pg2dynamo.postgres.statistics import read_statistics

DEFAULT_REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class EstimateOptions:
    """How to estimate. `exact` reads every row; `prices` is a file instead of the packaged list."""

    exact: bool = False
    region: str | None = None
    prices: Path | None = None
    units_per_second: int = NEW_TABLE_UNITS_PER_SECOND


def estimate(
    plan: Plan, environ: Mapping[str, str], options: EstimateOptions | None = None, *, progress: Progress | None = None
) -> PlanEstimate:
    """Return what copying the plan comes to: items, bytes, write units, time and money, for each entry and in all.

    From statistics no row is read; exactly, every row under one snapshot, in memory that does not grow. Changes
    nothing and needs no AWS. Raises PlanError for a region without prices and the branches of SourceError.
    """
    options, progress = options or EstimateOptions(), progress or Silent()
    if options.units_per_second < 1:
        raise PlanError("A rate is at least 1 write unit a second.")
    region, notes = _region(plan, environ, options.region)
    prices = load_prices(options.prices, region)
    with ExitStack() as stack:
        if options.exact:
            owner = stack.enter_context(hold_snapshot(source_dsn(plan, environ), source_tables(plan)))
        conn = stack.enter_context(open_source(plan, environ, application="pg2dynamo estimate"))
        if options.exact:
            stack.enter_context(adopt_snapshot(conn, owner.position.name))
        mappings = compile_plan(conn, plan)
        statistics = read_statistics(conn, source_tables(plan))
        if options.exact:
            entries = [measure_entry(conn, mapping, statistics.get(mapping.source), progress) for mapping in mappings]
        else:
            entries = [_by_statistics(conn, *each, statistics) for each in zip(plan.tables, mappings, strict=True)]
        secrets, more = _secrets(conn, plan.secrets, statistics, exact=options.exact)
    rate = options.units_per_second
    return PlanEstimate(plan.name, region, prices, options.exact, rate, tuple(entries), secrets, (*notes, *more))


def _region(plan: Plan, environ: Mapping[str, str], wanted: str | None) -> tuple[str, tuple[str, ...]]:
    """Return the region whose prices count, and what to say of the choice."""
    planned = resolve(plan.target.region, environ) if plan.target.region else None
    found = wanted or (planned.reveal() if planned else None)
    found = found or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    if found:
        return found, ()
    return DEFAULT_REGION, (f"no region is set: the prices are those of {DEFAULT_REGION}.",)


def _by_statistics(
    conn: psycopg.Connection, entry: TablePlan, mapping: TableMapping, statistics: Mapping[TableName, TableStatistics]
) -> EntryEstimate:
    own = statistics.get(mapping.source, _unknown(mapping.source))
    rows = own.rows
    if rows < 0 or (mapping.where is not None and rows > 0):
        rows = estimated_rows(conn, mapping)
    known = Known(_attributes(entry, mapping, statistics), statistics)
    return estimate_entry(mapping, own, known, rows=rows)


def _unknown(table: TableName) -> TableStatistics:
    return TableStatistics(table, rows=-1, analysed=False, heap_bytes=0, toast_bytes=0, columns={})


def _attributes(
    entry: TablePlan, mapping: TableMapping, statistics: Mapping[TableName, TableStatistics]
) -> dict[str, ColumnStatistics]:
    """Return what is known of the attributes that are no columns: constants, look-ups, computed ones, time to live."""
    own = statistics.get(mapping.source, _unknown(mapping.source)).columns
    found: dict[str, ColumnStatistics] = {}
    for name, value in entry.constants.items():
        found[name] = ColumnStatistics(0.0, 1.0, len(str(value).encode()) + 1.0)
    for lookup in entry.lookups:
        theirs = statistics.get(lookup.source, _unknown(lookup.source)).columns
        missing = max((own[ours].null_fraction for ours in lookup.on.values() if ours in own), default=0.0)
        for name, column in lookup.attributes.items():
            if column in theirs:
                found[name] = _sparser(theirs[column], missing)
    if entry.ttl is not None and entry.ttl.from_ in own:
        found[entry.ttl.attribute] = ColumnStatistics(own[entry.ttl.from_].null_fraction, 1e9, 8.0)
    restored = {a.name: own[a.restores] for a in mapping.attributes if a.restores is not None and a.restores in own}
    return found | {name: _of_another_form(column) for name, column in restored.items()}


def _sparser(column: ColumnStatistics, missing: float) -> ColumnStatistics:
    present = (1 - column.null_fraction) * (1 - missing)
    return ColumnStatistics(1 - present, column.distinct, column.average_bytes)


def _of_another_form(column: ColumnStatistics) -> ColumnStatistics:
    """Return what an attribute that is computed from a column has of it: how often it is NULL, but not its width."""
    return ColumnStatistics(column.null_fraction, column.distinct, 0.0)


def _secrets(
    conn: psycopg.Connection,
    plans: Iterable[SecretPlan],
    statistics: Mapping[TableName, TableStatistics],
    *,
    exact: bool,
) -> tuple[SecretsEstimate, tuple[str, ...]]:
    """Return how many secrets there will be, and of which tables too little is known to say."""
    total, notes = SecretsEstimate(), []
    for plan in plans:
        own = statistics.get(plan.source, _unknown(plan.source))
        if exact:
            total += SecretsEstimate(*count_credentials(conn, plan))
            continue
        if not own.analysed:
            notes.append(
                f"{plan.source}: no statistics, the number of secrets is a guess. Run ANALYZE on the table, or "
                "estimate with --exact."
            )
        total += _secrets_by_statistics(plan, own)
    return total, tuple(notes)


def _secrets_by_statistics(plan: SecretPlan, statistics: TableStatistics) -> SecretsEstimate:
    rows = max(statistics.rows, 0)
    columns = [statistics.columns.get(name) for name in plan.name_columns]
    names = math.prod(column.distinct if column is not None and column.distinct else rows for column in columns)
    return SecretsEstimate(min(rows, round(names)), rows)
