"""A verification's report on disk: differences as JSON lines, beside them a summary for machines and one to read.

Keys and names of attributes only, never a value. The files are for their owner alone (mode 0600), and each
appears whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from itertools import islice
from pathlib import Path
from tempfile import NamedTemporaryFile
from types import TracebackType
from typing import Any

from pg2dynamo.errors import StageError
from pg2dynamo.migration.difference import Difference

HTML_ROWS = 1_000
"""How many differences the summary to read shows; the JSON lines hold all."""

_FIELDS = {"table": str, "key": dict, "kind": str, "attributes": list}


def default_report(plan_name: str) -> Path:
    """Return where the report is written unless the caller says otherwise: in the working directory."""
    return Path(f"pg2dynamo-verify-{plan_name}.jsonl")


@dataclass(frozen=True, slots=True)
class ReportSummary:
    """What `repair` must know of a report: whose it is, when the comparison began, and that it is whole."""

    migration: str
    snapshot: str
    started_at: str
    digest: str
    report: dict[str, Any]


@dataclass(slots=True)
class ReportFile:
    """Write differences as they are found; a context manager that leaves nothing behind when it fails.

    Nothing is at `path` until `finish`.
    """

    path: Path
    written: int = 0
    _digest: Any = field(default_factory=hashlib.sha256)
    _file: Any = None

    def __enter__(self) -> ReportFile:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = NamedTemporaryFile(dir=self.path.parent, prefix=f".{self.path.name}-", delete=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        Path(self._file.name).unlink(missing_ok=True)

    def add(self, difference: Difference) -> None:
        """Append one line."""
        line = json.dumps(difference.as_json(), ensure_ascii=True).encode() + b"\n"
        self._file.write(line)
        self._digest.update(line)
        self.written += 1

    def finish(self, migration: str, snapshot: str, started_at: str, report: dict[str, Any]) -> None:
        """Put the three files in place: lines, the summary to read, and last the one that vouches for them."""
        summary = ReportSummary(migration, snapshot, started_at, self._digest.hexdigest(), report)
        self._file.flush()
        os.fsync(self._file.fileno())
        Path(self._file.name).replace(self.path)
        _write(self.path.with_suffix(".html"), _page(summary, islice(read_differences(self.path), HTML_ROWS)))
        content = {name: getattr(summary, name) for name in ReportSummary.__slots__}
        _write(self.path.with_suffix(".json"), json.dumps(content, indent=1) + "\n")


def _write(path: Path, text: str) -> None:
    with NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}-", delete=False) as file:
        try:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def read_summary(path: Path) -> ReportSummary:
    """Return the summary that belongs to the report at `path`, after proof that the report is whole.

    Raises StageError when either is absent, damaged, or the two do not belong together.
    """
    beside = path.with_suffix(".json")
    try:
        content = json.loads(beside.read_text(encoding="utf-8"))
        summary = ReportSummary(**content)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise StageError(f"There is no report at {path}: {error.strerror}.", remedy=_VERIFY) from None
    except (ValueError, TypeError):
        raise StageError(f"The summary {beside} of the report is damaged.", remedy=_VERIFY) from None
    if digest != summary.digest:
        raise StageError(f"The report {path} was altered, or is not the one of {beside}.", remedy=_VERIFY)
    return summary


_VERIFY = "Run `pg2dynamo verify` first."


def read_differences(path: Path) -> Iterator[Difference]:
    """Yield the differences of a report, one line at a time.

    Raises StageError naming the line that is none.
    """
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            yield _difference(line, f"{path}:{number}")


def _difference(line: str, where: str) -> Difference:
    try:
        content = json.loads(line)
        if any(not isinstance(content[name], kind) for name, kind in _FIELDS.items()):
            raise TypeError
        return Difference(content["table"], content["key"], content["kind"], tuple(content["attributes"]))
    except (ValueError, TypeError, KeyError):
        raise StageError(f"{where} is no difference.", remedy=_VERIFY) from None


_STYLE = """
 body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #1a1a1a }
 table { border-collapse: collapse; margin: 1rem 0 2rem }
 th, td { border: 1px solid #ccc; padding: .3rem .7rem; text-align: left; vertical-align: top }
 td.n { text-align: right; font-variant-numeric: tabular-nums } code { overflow-wrap: anywhere }
 .equal { color: #176b2c } .unequal { color: #a11 }
"""
_COUNTS = ("compared", "missing", "different", "extra", "skipped")


def _page(summary: ReportSummary, differences: Iterator[Difference]) -> str:
    report = summary.report
    verdict = "equal" if report["equal"] else "unequal"
    parts = {**report["tables"], "secrets": report["secrets"]} if report["secrets"] else report["tables"]
    counts = "".join(_counts_row(name, counts) for name, counts in {**parts, "all": report}.items())
    lines = "".join(map(_difference_row, differences))
    found = sum(report[name] for name in ("missing", "different", "extra"))
    shown = f"<p>The first {HTML_ROWS:,} of {found:,}; all are in the JSON lines.</p>" if found > HTML_ROWS else ""
    listed = f"<h2>Differences</h2>{shown}<table>{_head('table', 'key', 'kind', 'attributes')}{lines}</table>"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Verification of {escape(summary.migration)}'
        f"</title><style>{_STYLE}</style><h1>Verification of {escape(summary.migration)}: "
        f'<span class="{verdict}">{"equal" if report["equal"] else "not equal"}</span></h1>'
        f"<p>Begun {escape(summary.started_at)}, snapshot <code>{escape(summary.snapshot)}</code>. "
        f"Keys and names of attributes only; no values.</p>"
        f"<table>{_head('', *_COUNTS)}{counts}</table>{listed if lines else ''}</html>\n"
    )


def _head(*names: str) -> str:
    return "<tr>" + "".join(f"<th>{name}</th>" for name in names) + "</tr>"


def _counts_row(name: str, counts: dict[str, Any]) -> str:
    cells = "".join(f'<td class="n">{counts[count]:,}</td>' for count in _COUNTS)
    return f"<tr><td>{escape(name)}</td>{cells}</tr>"


def _difference_row(difference: Difference) -> str:
    key = ", ".join(f"{name} = {text}" for name, text in difference.key.items())
    attributes = ", ".join(difference.attributes)
    return (
        f"<tr><td>{escape(difference.table)}</td><td><code>{escape(key)}</code></td>"
        f"<td>{escape(difference.kind)}</td><td>{escape(attributes)}</td></tr>"
    )
