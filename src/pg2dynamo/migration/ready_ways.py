"""Choose how the entries of a copy get into DynamoDB, say it, and see that they can: bucket and tables are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pg2dynamo.dynamodb.bucket import require_private, s3_client
from pg2dynamo.dynamodb.journal import Journal
from pg2dynamo.dynamodb.tables import describe_table
from pg2dynamo.mapping.table import TableMapping
from pg2dynamo.migration.choose_ways import choose_ways
from pg2dynamo.migration.prepare import prepare_tables
from pg2dynamo.migration.progress import Progress
from pg2dynamo.migration.target import target_settings
from pg2dynamo.plan.model import Plan
from pg2dynamo.plan.ways import Via, Way


def ready_ways(
    plan: Plan,
    environ: Mapping[str, str],
    mappings: Sequence[TableMapping],
    journal: Journal,
    via: Via,
    progress: Progress,
) -> dict[str, Way]:
    """Choose the ways of a copy, say them, and make sure that they can be gone.

    A bucket that is to be used must be there and not be public. A table that `prepare` left to the import, and that is
    written after all, is made as `prepare` does. Raises as `choose_ways`, before anything is made.
    """
    tables = {mapping.target: describe_table(journal.client, mapping.target) for mapping in mappings}
    ways = choose_ways(plan, environ, mappings, tables, journal.tables(), via)
    if any(way.via == "import" for way in ways.values()):
        _require_bucket(plan, environ, progress)
    if plan.target.import_ is not None or via is not Via.AUTO:
        for name, way in ways.items():
            how = "imported from S3" if way.via == "import" else "written in batches"
            progress.say(f"{name}: {how}: {way.why}.")
    if plan.target.import_ is not None and via is Via.AUTO:
        left = [m for m in mappings if ways[m.name].via == "batch" and tables[m.target] is None]
        if left:
            prepare_tables(left, plan, environ, progress=progress)
    return ways


def _require_bucket(plan: Plan, environ: Mapping[str, str], progress: Progress) -> None:
    """Refuse a bucket that is not there, or that everybody can read; say so when that cannot be told."""
    if plan.target.import_ is None:
        return
    bucket = plan.target.import_.bucket
    if not require_private(s3_client(target_settings(plan, environ)), bucket):
        progress.say(f"Whether the bucket {bucket} is public could not be told, for want of permission: make sure.")
