"""Copy or verify one table as a single segment, against a sink that keeps nothing, and print the peak memory in MB.

`python -m tests.integration.segment_memory copy|verify TABLE`, with DATABASE_URL and the sink in the environment.
"""

from __future__ import annotations

import os
import resource
import sys

from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.migration.copy_segment import CopyJob, SegmentTask, close_session, copy_segment
from pg2dynamo.migration.source import compile_plan, connect_source, source_dsn
from pg2dynamo.migration.verify_segment import RowPart, VerifyJob, sum_part
from pg2dynamo.plan.load import parse_plan
from pg2dynamo.postgres.segments import plan_segments
from pg2dynamo.postgres.snapshot import adopt_snapshot, hold_snapshot

WHOLE_TABLE = 1 << 30


def main(what: str, table: str) -> None:
    plan = parse_plan(f"name: memory\ntables: [{{from: {table}, to: sink, key: {{hash: id}}}}]\n", os.environ)
    source = plan.tables[0].source
    with hold_snapshot(source_dsn(plan, os.environ), [source]) as owner:
        name = owner.position.name
        with connect_source("env:DATABASE_URL", os.environ) as connection, adopt_snapshot(connection, name):
            [mapping] = compile_plan(connection, plan)
            [segment] = plan_segments(connection, source, WHOLE_TABLE)
        seen = [0]
        settings = TargetSettings()
        if what == "copy":
            job = CopyJob("memory", "control", "env:DATABASE_URL", name, "label", mapping, settings)
            rows = copy_segment(SegmentTask(job, segment), lambda message: None).rows
            close_session()
        else:
            verify = VerifyJob("env:DATABASE_URL", name, mapping, settings)
            sum_part(RowPart(verify, segment), lambda message: seen.append(message[2]))
            rows = sum(seen)
    print(rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
