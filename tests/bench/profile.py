"""Say where the CPU time of a copy goes: reading, encoding, batching, signing, sending, answers.

`scripts/bench profile` copies one segment of each kind of rows in one process, to the null sink, in four ways: as it
is; reading alone; reading and encoding; and under cProfile, which counts the CPU time of each thread. The first three
give what the whole, reading and encoding cost, undisturbed, each the least of some rounds. What is left is split as the
profile splits it; the profile makes small functions look dearer than they are, so its parts are shares and no more.
All of it with each encoder that is there.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import pstats
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Any

from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.mapping.encode import Encoder
from pg2dynamo.mapping.native import VARIABLE
from pg2dynamo.migration.copy_segment import CopyJob, SegmentTask, close_session, copy_segment
from pg2dynamo.migration.source import compile_plan, connect_source, open_source, source_dsn, source_tables
from pg2dynamo.plan.load import parse_plan
from pg2dynamo.postgres.rows import copy_rows
from pg2dynamo.postgres.segments import plan_segments
from pg2dynamo.postgres.snapshot import adopt_snapshot, hold_snapshot
from tests.bench.bulk.front import choose_kind
from tests.bench.bulk.machine import describe_machine
from tests.bench.bulk.measure import NATIVE_MODULE
from tests.bench.bulk.ours import plan_text
from tests.bench.bulk.page import machine_words, markdown_table, plain_table, write_section
from tests.bench.bulk.servers import running_servers

TABLES = {"small": 300_000, "large": 30_000}
WHOLE_TABLE = 1 << 30
PURE = "pure Python"
READING, ENCODING, BATCHING, SIGNING, SENDING, ANSWERS, OTHER = PARTS = (
    "reading",
    "encoding",
    "batching",
    "signing",
    "sending",
    "answers",
    "starting and other",
)
LEFT = (BATCHING, SIGNING, SENDING, ANSWERS, OTHER)
TOP = 3
ROUNDS = 5
ONE_PROFILE_A_PROCESS = (3, 12)
"""From this Python on, cProfile watches one thread only."""

_FILES = {
    "/postgres/": READING,
    "/psycopg": READING,
    "/mapping/": ENCODING,
    "<encoder of a table>": ENCODING,
    "/signing.py": SIGNING,
    "/hmac.py": SIGNING,
    "/connection.py": SENDING,
    "/ssl.py": SENDING,
    "/socket.py": SENDING,
    "/wire.py": SENDING,
    "/attempts.py": ANSWERS,
    "/retry.py": ANSWERS,
    "/refusal.py": ANSWERS,
    "/dynamodb/": BATCHING,
    "/migration/": BATCHING,
    "/threading.py": BATCHING,
    "/queue.py": BATCHING,
}
_FUNCTIONS = {
    "pg2dynamo_native": ENCODING,
    "sha256": SIGNING,
    "hmac": SIGNING,
    "sendall": SENDING,
    "sendmsg": SENDING,
    "'send'": SENDING,
    "'write' of '_ssl": SENDING,
    "recv": ANSWERS,
    "'read' of '_ssl": ANSWERS,
    "poll": ANSWERS,
    "select": ANSWERS,
    "feed": ANSWERS,
    "on_header": ANSWERS,
    "on_body": ANSWERS,
    "on_message": ANSWERS,
    "unprocessed": ANSWERS,
    "crc32": ANSWERS,
    "checksum": ANSWERS,
}

Function = tuple[str, int, str]
Say = Callable[[str], None]


@dataclass
class Found:
    """CPU seconds per million rows of each part, and the dearest functions of each by the profile, as shares of it."""

    table: str
    rows: int
    parts: dict[str, float]
    top: dict[str, list[tuple[str, float]]] = field(default_factory=dict)

    def cells(self) -> list[tuple[str, ...]]:
        """Return a table's lines: part, CPU seconds per million rows, share, functions."""
        whole = sum(self.parts.values())
        return [
            (
                f"{self.table}: {part}",
                f"{seconds:.1f}",
                f"{seconds / whole:.0%}",
                ", ".join(f"{name} {share:.0%}" for name, share in self.top.get(part, ())),
            )
            for part, seconds in self.parts.items()
        ]


HEADS = ("", "CPU s per million rows", "share", "dearest functions, as shares of the part by cProfile")


class ThreadProfiles:
    """One profile for each thread, of its own CPU time."""

    def __init__(self) -> None:
        self._profiles: list[cProfile.Profile] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        """Profile this thread, and every thread that is started meanwhile from its start on."""
        threading.setprofile(self._begin)
        self._begin(None, "", None)
        try:
            yield
        finally:
            threading.setprofile(None)
            sys.setprofile(None)

    def _begin(self, _frame: FrameType | None, _event: str, _argument: Any) -> None:
        profile = cProfile.Profile(time.thread_time)
        self._profiles.append(profile)
        profile.enable()

    def seconds(self) -> dict[Function, Counter[Function]]:
        """Return each function's own seconds by its callers; call it when the threads have ended."""
        found: dict[Function, Counter[Function]] = {}
        for profile in self._profiles:
            stats: Any = pstats.Stats(profile)
            for function, (_, _, own, _, callers) in stats.stats.items():
                by_caller = found.setdefault(function, Counter())
                for caller, (_, _, seconds, _) in callers.items():
                    by_caller[caller] += seconds
                if not callers:
                    by_caller["~", 0, ""] += own
        return found


def part_of(function: Function, caller: Function) -> str:
    """Return the part that a function belongs to: by its name, by its file, or by that of its caller."""
    file, _, name = function
    for words, part in _FUNCTIONS.items():
        if words in name:
            return part
    for place in (file, caller[0]):
        for words, part in _FILES.items():
            if words in place:
                return part
    return OTHER


def split(seconds: Mapping[Function, Counter[Function]]) -> dict[str, Counter[str]]:
    """Return for each part the seconds of its functions, by their names."""
    found: dict[str, Counter[str]] = {part: Counter() for part in PARTS}
    for function, callers in seconds.items():
        for caller, own in callers.items():
            found[part_of(function, caller)][_shown(function)] += own
    return found


def _shown(function: Function) -> str:
    file, _, name = function
    name = name.replace("<built-in method ", "").replace("<method ", "").rstrip(">").partition(" at 0x")[0]
    return name if file == "~" else f"{Path(file).name}:{name}"


@dataclass(frozen=True)
class Segment:
    """One segment of a table under a held snapshot, to be read, encoded or copied again and again."""

    task: SegmentTask
    environ: Mapping[str, str]

    def read(self, *, encode: bool) -> int:
        """Read the rows, and encode them when asked; return how many."""
        job, rows = self.task.job, 0
        encoder = Encoder(job.mapping)
        with connect_source(job.dsn, self.environ) as connection, adopt_snapshot(connection, job.snapshot):
            for lines in copy_rows(connection, job.mapping, self.task.segment):
                rows += len(lines)
                if encode:
                    _, _, left = encoder.encode_many(lines)
                    for number in left:
                        encoder.encode(lines[number])
        return rows

    def copy(self) -> int:
        """Copy the segment, as a worker does; return how many rows."""
        try:
            return copy_segment(self.task, lambda message: None).rows
        finally:
            close_session()


@contextmanager
def held_segment(table: str, environ: Mapping[str, str]) -> Iterator[Segment]:
    """Give all of a table as one segment."""
    plan = parse_plan(plan_text("profile", table), environ)
    with hold_snapshot(source_dsn(plan, environ), source_tables(plan)) as owner:
        name = owner.position.name
        with open_source(plan, environ) as connection, adopt_snapshot(connection, name):
            [mapping] = compile_plan(connection, plan)
            [segment] = plan_segments(connection, mapping.source, WHOLE_TABLE)
        control = plan.target.control_table
        job = CopyJob(plan.name, control, plan.source.dsn, name, "profile", mapping, TargetSettings())
        yield Segment(SegmentTask(job, segment), environ)


def profile_table(table: str, encoder: str, environ: Mapping[str, str]) -> Found:
    """Measure and profile the copy of one table with the encoder of that name."""
    os.environ[VARIABLE] = "0" if encoder == PURE else "1"
    with held_segment(table, environ) as segment:
        rows = segment.copy()
        calls = (segment.copy, lambda: segment.read(encode=False), lambda: segment.read(encode=True))
        # In turn, and the least of each: what else runs on the machine only adds.
        times = [[_cpu_seconds(call) for call in calls] for _ in range(ROUNDS)]
        whole, reading, encoded = (min(column) for column in zip(*times, strict=True))
        profiles = ThreadProfiles()
        with profiles.running():
            segment.copy()
    functions = split(profiles.seconds())
    profiled = {part: functions[part].total() for part in PARTS}
    left_profiled = sum(profiled[part] for part in LEFT)
    parts = {READING: reading, ENCODING: encoded - reading}
    parts |= {part: (whole - encoded) * profiled[part] / left_profiled for part in LEFT}
    return Found(
        f"{table}, {encoder}",
        rows,
        {part: seconds / rows * 1e6 for part, seconds in parts.items()},
        {part: _top(functions[part]) for part in PARTS},
    )


def _cpu_seconds(call: Callable[[], int]) -> float:
    began = time.process_time()
    call()
    return time.process_time() - began


def _top(functions: Counter[str]) -> list[tuple[str, float]]:
    total = functions.total() or 1.0
    return [(name, seconds / total) for name, seconds in functions.most_common(TOP)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and write the section of docs/benchmarks.md."""
    parser = argparse.ArgumentParser(prog="scripts/bench profile", description=__doc__)
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object instead of the table, and write nothing"
    )
    parser.add_argument("--no-write", action="store_true", help="leave docs/benchmarks.md as it is")
    parser.add_argument("--pure", action="store_true", help="without the native encoder, where it is there")
    options = parser.parse_args(arguments)
    if sys.version_info[:2] >= ONE_PROFILE_A_PROCESS:
        print("The profile needs Python 3.11: a later cProfile watches one thread only.", file=sys.stderr)
        return 2
    with running_servers(choose_kind(None), TABLES, lambda text: print(text, file=sys.stderr)) as servers:
        environ = servers.environ(**servers.front.environ())
        os.environ.clear()
        os.environ.update(environ)
        encoders = [PURE] if options.pure or find_spec(NATIVE_MODULE) is None else [PURE, "native"]
        found = [profile_table(table, encoder, environ) for table in TABLES for encoder in encoders]
        machine = describe_machine(servers)
    lines = [cells for table in found for cells in table.cells()]
    if options.json:
        print(json.dumps([{"table": f.table, "rows": f.rows, "cpu_s_per_million": f.parts} for f in found]))
    else:
        print(plain_table(HEADS, lines))
    if not (options.no_write or options.json):
        write_section("scripts/bench profile", "\n".join([machine_words(machine), "", *markdown_table(HEADS, lines)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
