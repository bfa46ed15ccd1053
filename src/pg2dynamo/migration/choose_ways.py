"""Choose for each entry of a plan whether it is imported from S3 or written in batches, given what is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from pg2dynamo.dynamodb.journal import TableRecord
from pg2dynamo.dynamodb.tables import DescribedTable
from pg2dynamo.mapping.table import TableMapping
from pg2dynamo.migration.estimate import DEFAULT_REGION, EstimateOptions, estimate
from pg2dynamo.plan.estimate import PlanEstimate
from pg2dynamo.plan.model import Plan
from pg2dynamo.plan.ways import TargetState, Via, Way, choose_way


def choose_ways(
    plan: Plan,
    environ: Mapping[str, str],
    mappings: Sequence[TableMapping],
    tables: Mapping[str, DescribedTable | None],
    known: Mapping[str, TableRecord],
    via: Via,
) -> dict[str, Way]:
    """Return the way of each entry by its name, given the tables that are there and the journal's records.

    The estimate goes by the planner's statistics and the prices of us-east-1, whose proportions are those of other
    regions. Writes nothing. Raises PlanError or StageError when an entry is to be imported and cannot be.
    """

    @cache
    def estimated() -> PlanEstimate:
        return estimate(plan, environ, EstimateOptions(region=DEFAULT_REGION))

    ways = {}
    for mapping in mappings:
        table, record = tables[mapping.target], known.get(mapping.name)
        copied = table is not None and record is not None and record.target_id == table.table_id
        state = TargetState(table is not None, copied)
        bucket = plan.target.import_ is not None
        ways[mapping.name] = choose_way(via, mapping, state, bucket=bucket, estimated=estimated)
    return ways
