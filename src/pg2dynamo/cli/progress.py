"""Draw the progress of a use case: bars with rows/s and time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from pg2dynamo.migration.progress import Progress as ProgressListener

PLAIN_INTERVAL_SECONDS = 5.0


@contextmanager
def progress_for(stream: TextIO, *, quiet: bool = False) -> Iterator[ProgressListener]:
    """Give a progress listener that writes to `stream`, fit for what it is; `quiet` keeps only messages."""
    if quiet or not stream.isatty():
        yield PlainProgress(stream, quiet=quiet)
        return
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.completed:,.0f} rows"),
        _Rate(),
        TimeRemainingColumn(compact=True),
        console=Console(file=stream),
        transient=False,
    )
    with bars:
        yield TerminalProgress(bars)


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} rows/s" if speed else "")


class TerminalProgress:
    """A bar for each phase and table."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[tuple[str, str], TaskID] = {}

    def start(self, phase: str, table: str, rows: int | None) -> None:
        self._tasks[phase, table] = self._bars.add_task(f"{phase} {table}", total=rows)

    def advance(self, phase: str, table: str, rows: int) -> None:
        self._bars.advance(self._tasks[phase, table], rows)

    def finish(self, phase: str, table: str) -> None:
        task = self._tasks[phase, table]
        done = next(t.completed for t in self._bars.tasks if t.id == task)
        self._bars.update(task, total=done or 1, completed=done or 1)

    def say(self, message: str) -> None:
        self._bars.console.print(message, markup=False, highlight=False)


@dataclass
class _Line:
    rows: int | None
    began: float = field(default_factory=time.monotonic)
    said: float = field(default_factory=time.monotonic)
    done: int = 0

    def describe(self) -> str:
        rate = self.done / max(time.monotonic() - self.began, 1e-9)
        of = f" of about {self.rows:,}" if self.rows else ""
        left = (self.rows or 0) - self.done
        remaining = f", {left / rate:.0f} s left" if rate and left > 0 else ""
        return f"{self.done:,}{of} rows, {rate:,.0f} rows/s{remaining}"


class PlainProgress:
    """A line when a table is done, and every few seconds while it is not."""

    def __init__(
        self, stream: TextIO, *, quiet: bool = False, interval_seconds: float = PLAIN_INTERVAL_SECONDS
    ) -> None:
        self._stream = stream
        self._quiet = quiet
        self._interval = interval_seconds
        self._lines: dict[tuple[str, str], _Line] = {}

    def start(self, phase: str, table: str, rows: int | None) -> None:
        self._lines[phase, table] = _Line(rows)

    def advance(self, phase: str, table: str, rows: int) -> None:
        line = self._lines[phase, table]
        line.done += rows
        if time.monotonic() - line.said >= self._interval:
            line.said = time.monotonic()
            self._write(f"{phase} {table}: {line.describe()}")

    def finish(self, phase: str, table: str) -> None:
        line = self._lines.pop((phase, table))
        seconds = time.monotonic() - line.began
        self._write(f"{phase} {table}: done, {line.done:,} rows in {seconds:.1f} s")

    def say(self, message: str) -> None:
        print(message, file=self._stream, flush=True)

    def _write(self, text: str) -> None:
        if not self._quiet:
            self.say(text)
