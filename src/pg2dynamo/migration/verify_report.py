"""What a verification found, in counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pg2dynamo.migration.difference import Difference


@dataclass(slots=True)
class Comparison:
    """The comparison of one table, or of the secrets.

    `compared` rows of the source (or secrets) were compared; of these `missing` have no item and `different`
    have another. `extra` items have no row. `skipped` could not be compared: they are never taken for equal.
    `quarantined` rows of a table, or `refused` credentials, are known not to be in the target; such rows are
    among the missing ones. `left_out` rows are to have no item, by the plan, and were not compared.
    """

    compared: int = 0
    missing: int = 0
    different: int = 0
    extra: int = 0
    skipped: int = 0
    quarantined: int = 0
    refused: int = 0
    left_out: int = 0

    @property
    def equal(self) -> bool:
        """Whether everything was compared and nothing differs."""
        return not (self.missing or self.different or self.extra or self.skipped)

    def count(self, difference: Difference) -> None:
        """Count one difference."""
        setattr(self, difference.kind, getattr(self, difference.kind) + 1)

    def as_json(self) -> dict[str, Any]:
        """Return the counts as plain values."""
        return {
            "equal": self.equal,
            "compared": self.compared,
            "missing": self.missing,
            "different": self.different,
            "extra": self.extra,
            "skipped": self.skipped,
        }


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """The result of `verify`: counts for each entry of the plan and for the secrets, and where the differences are.

    `secrets` is None when only some tables were asked for.
    """

    migration: str
    snapshot: str
    report: Path
    tables: dict[str, Comparison] = field(default_factory=dict)
    secrets: Comparison | None = None
    seconds: float = 0.0

    @property
    def total(self) -> Comparison:
        """All tables and the secrets together."""
        return _sum([*self.tables.values(), *([self.secrets] if self.secrets else [])])

    @property
    def equal(self) -> bool:
        """Whether target and source are equal, every row, item and secret compared."""
        return self.total.equal

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain values."""
        secrets = {**self.secrets.as_json(), "refused": self.secrets.refused} if self.secrets else None
        tables = {
            name: {**table.as_json(), "quarantined": table.quarantined, "left_out": table.left_out}
            for name, table in self.tables.items()
        }
        return {
            **self.total.as_json(),
            "migration": self.migration,
            "seconds": round(self.seconds, 3),
            "snapshot": self.snapshot,
            "tables": tables,
            "secrets": secrets,
            "report": str(self.report),
        }


def _sum(comparisons: Iterable[Comparison]) -> Comparison:
    total = Comparison()
    for comparison in comparisons:
        for name in Comparison.__slots__:
            setattr(total, name, getattr(total, name) + getattr(comparison, name))
    return total
