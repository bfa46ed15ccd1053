"""Progress: rows, rate and time left per table, as lines where there is no terminal and as bars on one."""

from __future__ import annotations

import io

from pg2dynamo.cli import progress as module
from pg2dynamo.cli.progress import PlainProgress, progress_for


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_table_ends_with_a_line_of_its_rows() -> None:
    stream = io.StringIO()
    with progress_for(stream) as progress:
        progress.start("copy", "public.a", 10)
        progress.advance("copy", "public.a", 4)
        progress.advance("copy", "public.a", 6)
        progress.finish("copy", "public.a")
    assert stream.getvalue().startswith("copy public.a: done, 10 rows in ")


def test_a_long_table_tells_rows_rate_and_time_left_meanwhile() -> None:
    stream = io.StringIO()
    progress = PlainProgress(stream, interval_seconds=0)
    progress.start("copy", "public.a", 1_000_000)
    progress.advance("copy", "public.a", 1_000)
    line = stream.getvalue()
    assert line.startswith("copy public.a: 1,000 of about 1,000,000 rows, ")
    assert " rows/s, " in line
    assert line.endswith(" s left\n")


def test_a_table_of_unknown_size_promises_no_time() -> None:
    stream = io.StringIO()
    progress = PlainProgress(stream, interval_seconds=0)
    progress.start("copy", "public.a", None)
    progress.advance("copy", "public.a", 5)
    assert "left" not in stream.getvalue()


def test_quiet_progress_keeps_messages_only() -> None:
    stream = io.StringIO()
    with progress_for(stream, quiet=True) as progress:
        progress.start("copy", "public.a", 10)
        progress.finish("copy", "public.a")
        progress.say("a word")
    assert stream.getvalue() == "a word\n"


def test_a_terminal_has_a_bar_for_each_table_and_messages_are_no_markup() -> None:
    stream = Terminal()
    with progress_for(stream) as progress:
        progress.start("copy", "public.a", 10)
        progress.advance("copy", "public.a", 10)
        progress.say("[bold]plain[/bold]")
        progress.finish("copy", "public.a")
    assert "copy public.a" in stream.getvalue()
    assert "10 rows" in stream.getvalue()
    assert "[bold]plain[/bold]" in stream.getvalue()


def test_lines_come_every_few_seconds_by_default() -> None:
    assert 1 <= module.PLAIN_INTERVAL_SECONDS <= 10
