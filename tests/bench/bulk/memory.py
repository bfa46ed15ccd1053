"""The peak memory of a copy of a million rows and of ten: `scripts/bench --memory`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tests.bench.bulk.lines import NATIVE_SMALL, PURE_SMALL, Line
from tests.bench.bulk.machine import describe_machine
from tests.bench.bulk.measure import Sample
from tests.bench.bulk.page import machine_words, markdown_table
from tests.bench.bulk.run import Bench, lacking
from tests.bench.bulk.servers import running_servers

FEW, MANY = "small_1m", "small_10m"
TIMES = 10
HEADS = ("", "rows", "rows/s", "peak MB")


@dataclass(frozen=True, slots=True)
class MemoryFound:
    """What each copy took, and the machine in words. A line that could not be measured has no sample, but a reason."""

    machine: str
    samples: Sequence[tuple[Line, Sample | None, str]]

    def as_json(self) -> list[dict[str, str | float | None]]:
        """Return the peaks as plain values."""
        return [
            {"name": line.name, "rows": sample.rows if sample else None, "peak_rss_mb": _peak(sample)}
            for line, sample, _ in self.samples
        ]

    def cells(self) -> list[tuple[str, ...]]:
        """Return the table's lines."""
        return [
            (line.name, f"{s.rows:,}", f"{s.rows / s.seconds:,.0f}", f"{s.peak_rss_mb:.1f}")
            if s
            else (line.name, f"not measured: {reason}", "", "")
            for line, s, reason in self.samples
        ]

    def section(self) -> str:
        """Return the table as Markdown."""
        return "\n".join([f"{self.machine} One copy each.", "", *markdown_table(HEADS, self.cells())])


def measure_memory(kind: str, rows: int, say: Callable[[str], None]) -> MemoryFound:
    """Copy `rows` small rows and ten times as many, by one process. Raises LineFailed, LocalServerError."""
    lines = [replace(line, table=table) for line in (PURE_SMALL, NATIVE_SMALL) for table in (FEW, MANY)]
    with running_servers(kind, {FEW: rows, MANY: rows * TIMES}, say) as servers:
        _, reasons = lacking(lines, servers, say)
        bench, samples = Bench(servers), list[tuple[Line, Sample | None, str]]()
        for line in lines:
            reason = reasons.get(line.name, "")
            sample = None if reason else bench.sample(line, rows)
            samples.append((line, sample, reason))
            say(f"{line.name}, {servers.rows[line.table]:,} rows: {reason or f'{_peak(sample)} MB'}")
        return MemoryFound(machine_words(describe_machine(servers)), samples)


def _peak(sample: Sample | None) -> float | None:
    return round(sample.peak_rss_mb, 1) if sample else None
