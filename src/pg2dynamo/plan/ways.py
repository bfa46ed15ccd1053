"""How each entry of a plan gets into DynamoDB at first: written in batches, or imported from S3. Pure.

ImportTable makes its table itself, so that it serves only for what was never copied, and for one entry a table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias

from pg2dynamo.errors import PlanError, StageError
from pg2dynamo.mapping.table import TableMapping
from pg2dynamo.plan.estimate import IMPORT_LEAST_SECONDS, NEW_TABLE_UNITS_PER_SECOND, PlanEstimate, cost, importable

Taken: TypeAlias = Literal["batch", "import"]


class Via(StrEnum):
    """What the caller wants: the cheaper way, or one of the two."""

    AUTO = "auto"
    BATCH = "batch"
    IMPORT = "import"


@dataclass(frozen=True, slots=True)
class Way:
    """The way that an entry takes, and why, in words."""

    via: Taken
    why: str

    def as_json(self) -> dict[str, str]:
        """Return the way as JSON values."""
        return {"via": self.via, "why": self.why}


@dataclass(frozen=True, slots=True)
class TargetState:
    """What is there of an entry: its DynamoDB table, and whether this migration has copied into that very table."""

    exists: bool
    copied: bool = False


def hindrances(mapping: TableMapping, *, bucket: bool) -> list[str]:
    """Return what in the plan keeps an entry from being imported, in words; empty when nothing does."""
    found = []
    if not bucket:
        found.append("the plan names no bucket, as target: {import: {bucket: …}}")
    if not importable(mapping):
        found.append("ImportTable makes no table with local indexes")
    if mapping.others:
        found.append("other entries share its table")
    return found


def choose_way(
    via: Via, mapping: TableMapping, state: TargetState, *, bucket: bool, estimated: Callable[[], PlanEstimate]
) -> Way:
    """Return how an entry is copied. `estimated` is called only when both ways are possible and either is welcome.

    Raises PlanError or StageError when it must be imported and cannot be; an entry that was copied before needs no
    import, whatever is wanted.
    """
    if via is Via.BATCH:
        return Way("batch", "as asked for")
    if state.copied:
        return Way("batch", "it was copied before: only what is newer is written")
    found = hindrances(mapping, bucket=bucket)
    if via is Via.IMPORT:
        _require_importable(mapping, found, state)
        return Way("import", "as asked for")
    if state.exists:
        found.append("its table is there already")
    if found:
        return Way("batch", found[0])
    return cheaper_way(mapping, estimated())


def _require_importable(mapping: TableMapping, found: list[str], state: TargetState) -> None:
    if found:
        raise PlanError(
            f"{mapping.name} cannot be imported: {'; '.join(found)}.", remedy="Correct the plan, or use --via batch."
        )
    if state.exists:
        raise StageError(
            f"{mapping.name} cannot be imported: the table {mapping.target} is there already, and ImportTable makes "
            "its own.",
            remedy="Use --via batch, or delete the table if it is empty and run again.",
        )


def cheaper_way(mapping: TableMapping, estimate: PlanEstimate) -> Way:
    """Return the cheaper way by the estimate; what is written in less than a minute is not worth an import."""
    entry = next(each for each in estimate.entries if each.name == mapping.name)
    if not entry.trusted:
        return Way("batch", "there are no statistics to tell by; run ANALYZE, or choose with --via")
    costs = cost(entry.amounts, estimate.prices)
    money = f"writing costs about {_money(costs.writes)} {estimate.prices.currency}, importing {_money(costs.import_)}"
    if entry.amounts.write_units < IMPORT_LEAST_SECONDS * NEW_TABLE_UNITS_PER_SECOND:
        return Way("batch", f"it is too little for an import, which takes minutes; {money}")
    return Way("import" if estimate.cheaper(entry) == "import" else "batch", money)


def _money(amount: float) -> str:
    return f"{amount:,.2f}" if amount >= 0.01 else "less than 0.01"
