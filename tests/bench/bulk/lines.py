"""The lines of the table, the ratios between them, and the goals: values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from tests.bench.bulk.measure import Sample

SINK, SINK_TLS, SCANNED, STAND_IN, DYNAMODB_LOCAL, NOWHERE = "sink", "sink, TLS", "scanned", "stand-in", "local", ""
FRESH_TARGET = "copy_and_count"


@dataclass(frozen=True, slots=True)
class Line:
    """One line: which call it makes, on what table, and where the requests go.

    `workers` is for our use cases: 0 does all in the one process, None is for what is not ours, as is `native`.
    `share` of the rows that are asked for are done by calls that take rows from a table's start; others do all of it.
    """

    name: str
    module: str
    call: str
    table: str
    to: str = NOWHERE
    workers: int | None = None
    native: bool | None = None
    share: float | None = None
    wrangler: bool = False


def _ours(name: str, call: str, table: str, to: str, workers: int = 0, *, native: bool = False) -> Line:
    return Line(name, "ours", call, table, to, workers, native)


def _other(name: str, call: str, table: str, share: float, *, wrangler: bool = False) -> Line:
    return Line(name, "others", call, table, SINK, share=share, wrangler=wrangler)


COPY_SMALL = Line("small: bare COPY text", "others", "copy_text", "small_long")
COPY_LARGE = Line("large: bare COPY text", "others", "copy_text", "large_long")
BOTO3_SMALL = _other("small: boto3 batch_writer", "batch_writer", "small", 0.02)
BOTO3_LARGE = _other("large: boto3 batch_writer", "batch_writer", "large", 0.005)
PURE_SMALL = _ours("small: copy, pure Python, 1 process", "copy", "small", SINK)
PURE_SMALL_TLS = _ours("small: copy, pure Python, 1 process, TLS", "copy", "small", SINK_TLS)
PURE_SMALL_ONE = _ours("small: copy, pure Python, 1 worker process", "copy", "small", SINK, 1)
PURE_SMALL_TWO = _ours("small: copy, pure Python, 2 worker processes", "copy", "small", SINK, 2)
PURE_LARGE = _ours("large: copy, pure Python, 1 process", "copy", "large", SINK)
NATIVE_SMALL = _ours("small: copy, native, 1 process", "copy", "small_long", SINK, native=True)
NATIVE_SMALL_TLS = _ours("small: copy, native, 1 process, TLS", "copy", "small", SINK_TLS, native=True)
NATIVE_SMALL_TWO = _ours("small: copy, native, 2 worker processes", "copy", "small_long", SINK, 2, native=True)
NATIVE_LARGE = _ours("large: copy, native, 1 process", "copy", "large_long", SINK, native=True)
VERIFY_SMALL = _ours("small: verify, pure Python, 1 process", "verify", "small_short", SCANNED)

LINES = (
    COPY_SMALL,
    BOTO3_SMALL,
    _other("small: awswrangler put_items", "wrangler_items", "small", 0.02, wrangler=True),
    _other("small: awswrangler put_df", "wrangler_frame", "small", 0.008, wrangler=True),
    PURE_SMALL,
    PURE_SMALL_TLS,
    PURE_SMALL_ONE,
    PURE_SMALL_TWO,
    NATIVE_SMALL,
    NATIVE_SMALL_TLS,
    NATIVE_SMALL_TWO,
    VERIFY_SMALL,
    _ours("small: export, pure Python, 1 process", "export", "small_short", NOWHERE),
    COPY_LARGE,
    BOTO3_LARGE,
    _other("large: awswrangler put_items", "wrangler_items", "large", 0.005, wrangler=True),
    PURE_LARGE,
    NATIVE_LARGE,
    _ours("sanity: copy to the stand-in (ministack)", FRESH_TARGET, "small_few", STAND_IN),
    _ours("sanity: copy to DynamoDB Local", FRESH_TARGET, "small_few", DYNAMODB_LOCAL),
)
"""In the order of the table. A number of worker processes is as in `pg2dynamo copy --processes`."""

RATES = {
    "small_vs_batch_writer": (PURE_SMALL, BOTO3_SMALL),
    "small_vs_bare_copy": (PURE_SMALL, COPY_SMALL),
    "large_vs_batch_writer": (PURE_LARGE, BOTO3_LARGE),
    "two_vs_one": (PURE_SMALL_TWO, PURE_SMALL_ONE),
    "native_small_vs_bare_copy": (NATIVE_SMALL, COPY_SMALL),
    "native_large_vs_batch_writer": (NATIVE_LARGE, BOTO3_LARGE),
    "verify_vs_copy": (VERIFY_SMALL, PURE_SMALL),
}
"""Ratios of rows/s: the first line's to the second's."""

RATIOS = (
    "small_vs_batch_writer",
    "small_vs_bare_copy",
    "large_vs_batch_writer",
    "two_vs_one",
    "source_cpu_vs_copy",
    "native_small_vs_bare_copy",
    "native_large_vs_batch_writer",
    "verify_vs_copy",
)


@dataclass(frozen=True, slots=True)
class Result:
    """The medians of one line; None where it was not measured, and why. `rows` is how many one call does."""

    line: Line
    rows: int
    rows_per_s: float | None = None
    client_cpu_s_per_million: float | None = None
    server_cpu_s_per_million: float | None = None
    peak_rss_mb: float | None = None
    lowest: float | None = None
    highest: float | None = None
    lacking: str = ""

    def as_json(self) -> dict[str, str | float | None]:
        """Return the numbers as they are published."""
        return {
            "name": self.line.name,
            "rows_per_s": _rounded(self.rows_per_s, 0),
            "client_cpu_s_per_million": _rounded(self.client_cpu_s_per_million, 2),
            "server_cpu_s_per_million": _rounded(self.server_cpu_s_per_million, 2),
            "peak_rss_mb": _rounded(self.peak_rss_mb, 1),
        }


def result_of(line: Line, samples: list[Sample]) -> Result:
    """Return the medians of the samples of one line, of which there is one or more."""
    rates = [sample.rows / sample.seconds for sample in samples]
    return Result(
        line,
        samples[0].rows,
        median(rates),
        median(sample.client_cpu_s / sample.rows * 1e6 for sample in samples),
        median(sample.server_cpu_s / sample.rows * 1e6 for sample in samples),
        max(sample.peak_rss_mb for sample in samples),
        min(rates),
        max(rates),
    )


def ratios(results: Mapping[str, Result]) -> dict[str, float | None]:
    """Return the ratios by name, None where a line is missing."""
    found: dict[str, float | None] = {}
    for name, (above, below) in RATES.items():
        found[name] = _divided(_rate(results, above), _rate(results, below))
    found["source_cpu_vs_copy"] = _divided(_server(results, PURE_SMALL), _server(results, COPY_SMALL))
    return {name: found[name] for name in RATIOS}


def _rate(results: Mapping[str, Result], line: Line) -> float | None:
    return results[line.name].rows_per_s if line.name in results else None


def _server(results: Mapping[str, Result], line: Line) -> float | None:
    return results[line.name].server_cpu_s_per_million if line.name in results else None


def _divided(above: float | None, below: float | None) -> float | None:
    return round(above / below, 3) if above is not None and below else None


def _rounded(number: float | None, digits: int) -> float | None:
    return None if number is None else round(number, digits)


@dataclass(frozen=True, slots=True)
class Goal:
    """What is wanted, what was found, and whether that is enough; None where it was not measured."""

    wanted: str
    found: float | None
    least: float | None = None
    most: float | None = None

    @property
    def reached(self) -> bool | None:
        """Whether the number is within its bound."""
        if self.found is None:
            return None
        return (self.least is None or self.found >= self.least) and (self.most is None or self.found <= self.most)


def goals(results: Mapping[str, Result], found: Mapping[str, float | None]) -> list[Goal]:
    """Return the goals with what was found."""
    tls = [rate for line in (PURE_SMALL_TLS, NATIVE_SMALL_TLS) if (rate := _rate(results, line)) is not None]
    peaks = [r.peak_rss_mb for r in results.values() if r.line.call == "copy" and r.peak_rss_mb is not None]
    return [
        Goal("pure Python, small rows: at least 30 × batch_writer", found["small_vs_batch_writer"], least=30),
        Goal("pure Python, large rows: at least 20 × batch_writer", found["large_vs_batch_writer"], least=20),
        Goal("CPU of the source: at most 1.3 × bare COPY", found["source_cpu_vs_copy"], most=1.3),
        Goal("two processes: at least 1.6 × one", found["two_vs_one"], least=1.6),
        Goal("native, small rows: at least 0.7 × bare COPY", found["native_small_vs_bare_copy"], least=0.7),
        Goal("native, large rows: at least 50 × batch_writer", found["native_large_vs_batch_writer"], least=50),
        Goal("verify: at least 0.5 × copy", found["verify_vs_copy"], least=0.5),
        Goal("more than 40,000 small items/s over TLS, one process", max(tls, default=None), least=40_000),
        Goal("copy: at most 100 MB a process", max(peaks, default=None), most=100),
    ]
