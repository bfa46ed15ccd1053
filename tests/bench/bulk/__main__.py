"""Measure what bulk copying costs and how fast it is, beside what others do: `scripts/bench`.

One run makes its data, starts PostgreSQL, stand-ins and a null sink on this machine, measures every line in interleaved
rounds, prints one table with the ratios between its lines, and writes it to docs/benchmarks.md. It takes under ten
minutes on two cores. A line that this machine cannot measure says why; one that fails ends the run with status 1.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence

from pg2dynamo.local.process import LocalServerError
from tests.bench.bulk import memory
from tests.bench.bulk.front import CHECKING, NGINX, OWN, choose_kind
from tests.bench.bulk.lines import DYNAMODB_LOCAL, LINES, RATIOS, SCANNED, Line, Result, goals, ratios
from tests.bench.bulk.machine import describe_machine
from tests.bench.bulk.page import (
    HEADS,
    PAGE,
    PLOT,
    cells,
    goal_number,
    goal_word,
    main_section,
    plain_table,
    write_section,
)
from tests.bench.bulk.plot import bar_chart
from tests.bench.bulk.rows import table_rows
from tests.bench.bulk.run import LineFailed, measure_lines
from tests.bench.bulk.servers import running_servers

ROWS, MEMORY_ROWS, RUNS = 400_000, 1_000_000, 5
FEWEST_RUNS = 5
"""A median of fewer is not published."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments say; return 0 done, 1 failed, 2 usage."""
    options = _parser().parse_args(arguments)
    lines = [line for line in LINES if options.only is None or any(text in line.name for text in options.only)]
    if options.lines:
        print("\n".join(line.name for line in lines))
        return 0
    if not lines:
        _say("No line has such a name: see --lines.")
        return 2
    try:
        if options.memory:
            _measure_memory(options)
        else:
            _measure(lines, options)
    except (LineFailed, LocalServerError) as error:
        _say(f"The benchmark failed. {error}")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object instead of the table, and write nothing"
    )
    parser.add_argument("--no-write", action="store_true", help="leave docs/benchmarks.md as it is")
    parser.add_argument("--rows", type=int, help=f"rows of the table of small rows, which all others follow ({ROWS:,})")
    parser.add_argument(
        "--runs", type=int, default=RUNS, help=f"rounds ({RUNS}); with fewer than {FEWEST_RUNS} nothing is written"
    )
    parser.add_argument(
        "--only",
        action="append",
        metavar="TEXT",
        help="only lines with this in their names (repeatable); writes nothing",
    )
    parser.add_argument("--lines", action="store_true", help="print the names of the lines, and end")
    parser.add_argument(
        "--sink",
        choices=(NGINX, OWN, CHECKING),
        help="the null sink: nginx if it is there; `checking` reads each key",
    )
    parser.add_argument(
        "--memory",
        action="store_true",
        help=f"only the peak memory at {MEMORY_ROWS:,} and at ten times as many rows",
    )
    return parser


def _measure(lines: Sequence[Line], options: argparse.Namespace) -> None:
    began = time.monotonic()
    asked, every = options.rows or ROWS, table_rows(options.rows or ROWS)
    with running_servers(
        choose_kind(options.sink),
        {name: every[name] for name in every if any(line.table == name for line in lines)},
        _say,
        scanned=any(line.to == SCANNED for line in lines),
        dynamodb_local=any(line.to == DYNAMODB_LOCAL for line in lines),
    ) as servers:
        results = measure_lines(lines, asked, options.runs, servers, _say)
        machine = describe_machine(servers)
    found, seconds = ratios(results), time.monotonic() - began
    if options.json:
        shown = [result.as_json() for result in results.values()]
        print(json.dumps({"machine": machine, "runs": options.runs, "lines": shown, "ratios": found}))
    else:
        _print(results, found)
    _say(f"All of it took {seconds / 60:.1f} minutes.")
    if _writes(options) and options.only is None and options.runs >= FEWEST_RUNS:
        shown_goals = goals(results, found)
        write_section("scripts/bench", main_section(machine, options.runs, [*results.values()], shown_goals, seconds))
        PLOT.write_text(bar_chart([*results.values()]))
        _say(f"Written: docs/{PAGE.name}, docs/{PLOT.name}.")


def _writes(options: argparse.Namespace) -> bool:
    return not (options.no_write or options.json or options.rows)


def _print(results: Mapping[str, Result], found: Mapping[str, float | None]) -> None:
    print(plain_table(HEADS, [cells(result) for result in results.values()]), end="\n\n")
    shown = [(name, "not measured" if found[name] is None else f"{found[name]}") for name in RATIOS]
    print(plain_table(("ratio", ""), shown), end="\n\n")
    reached = [(goal.wanted, goal_number(goal), goal_word(goal)) for goal in goals(results, found)]
    print(plain_table(("goal", "found", ""), reached))


def _measure_memory(options: argparse.Namespace) -> None:
    found = memory.measure_memory(choose_kind(options.sink), options.rows or MEMORY_ROWS, _say)
    print(json.dumps(found.as_json()) if options.json else plain_table(memory.HEADS, found.cells()))
    if _writes(options):
        write_section("scripts/bench --memory", found.section())
        _say(f"Written: docs/{PAGE.name}.")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
