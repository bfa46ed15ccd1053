"""What a copy did, in counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pg2dynamo.migration.copy_secrets import SecretsReport
from pg2dynamo.plan.ways import Way


@dataclass(slots=True)
class TableCounts:
    """One table: source rows, items that hold one, rows in quarantine; what this run wrote and deleted.

    `rows == items + quarantined + skipped` always. `accepted` of the rows in quarantine are there with the plan's
    consent, `skipped` rows are left out by the plan, and `nulled` values of the items are NULL by the plan, as DynamoDB
    cannot hold them.
    """

    rows: int = 0
    quarantined: int = 0
    written: int = 0
    deleted: int = 0
    accepted: int = 0
    skipped: int = 0
    nulled: int = 0

    @property
    def items(self) -> int:
        """Rows that are items now."""
        return self.rows - self.quarantined - self.skipped

    def as_json(self) -> dict[str, int]:
        """Return the counts as plain values."""
        return {
            "rows": self.rows,
            "items": self.items,
            "quarantined": self.quarantined,
            "written": self.written,
            "deleted": self.deleted,
            "accepted": self.accepted,
            "skipped": self.skipped,
            "nulled": self.nulled,
        }


@dataclass(frozen=True, slots=True)
class CopyReport:
    """The result of `copy`: the one snapshot that the target now equals, and the counts.

    `refused_expected` is how many credentials the caller knew to be undecryptable. `ways` tells of each table whether
    it was written in batches or imported from S3, and why, where there was a choice.
    """

    migration: str
    snapshot: dict[str, Any]
    resumed: bool
    tables: dict[str, TableCounts] = field(default_factory=dict)
    secrets: SecretsReport = field(default_factory=SecretsReport)
    refused_expected: int = 0
    seconds: float = 0.0
    ways: dict[str, Way] = field(default_factory=dict)

    @property
    def quarantined(self) -> int:
        """Rows in quarantine, over all tables."""
        return sum(counts.quarantined for counts in self.tables.values())

    @property
    def accepted(self) -> int:
        """Those of them that the plan accepts there."""
        return sum(counts.accepted for counts in self.tables.values())

    @property
    def ok(self) -> bool:
        """Whether every row is where the plan wants it, and no more credentials are refused than was expected."""
        return self.quarantined == self.accepted and self.secrets.refused <= self.refused_expected

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain values."""
        return {
            "ok": self.ok,
            "migration": self.migration,
            "seconds": round(self.seconds, 3),
            "snapshot": self.snapshot,
            "resumed": self.resumed,
            "tables": {name: counts.as_json() | self._way(name) for name, counts in self.tables.items()},
            "secrets": self.secrets.as_json(),
            "refusals": [{"table": r.table, "key": r.key, "reason": r.reason} for r in self.secrets.refusals],
        }

    def _way(self, name: str) -> dict[str, str]:
        return self.ways[name].as_json() if name in self.ways else {}
