"""What a use case tells of its progress; the command line draws it, a library user may ignore it."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives the progress of one run; methods are called from one thread and must return quickly."""

    def start(self, phase: str, table: str, rows: int | None) -> None:
        """`phase` (copy, verify, …) begins on `table`, of about `rows` rows (None: unknown)."""

    def advance(self, phase: str, table: str, rows: int) -> None:
        """`rows` more rows are done."""

    def finish(self, phase: str, table: str) -> None:
        """The table is done."""

    def say(self, message: str) -> None:
        """Tell one line, e.g. that a lost connection is being tried again."""


class Silent:
    """Progress that nobody watches."""

    def start(self, phase: str, table: str, rows: int | None) -> None: ...

    def advance(self, phase: str, table: str, rows: int) -> None: ...

    def finish(self, phase: str, table: str) -> None: ...

    def say(self, message: str) -> None: ...
