"""What copying a plan comes to: items, bytes, write units, time and money. Pure arithmetic.

| what | how, and where AWS says so |
|---|---|
| write units | of an item, its bytes / 1,024 rounded up, and as many again for each index that it is in ("Read and write operations": capacity units; "Using global secondary indexes": all attributes are projected) |
| storage | of an item and of an index entry, its bytes and 100 ("DynamoDB item sizes and formats": storage overhead) |
| import | the uncompressed bytes of the files, putting them into S3, and one read of all items to check them; indexes cost nothing more, and none may be local ("Amazon DynamoDB pricing": import from S3; "Import format quotas and validation") |
| seconds | write units / write units a second: 4,000 is what a new on-demand table takes, 40,000 the default quota of one ("Quotas in Amazon DynamoDB") |

From statistics, an item's units are 1 and, for each further KB, the chance that it is longer, of a normal
distribution: an average of 900 bytes is not one unit for every item.
"""  # noqa: E501

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

from pg2dynamo.mapping.limits import ITEM_BYTES, WRITE_UNIT_BYTES
from pg2dynamo.mapping.table import TableMapping
from pg2dynamo.plan.prices import GB, Prices
from pg2dynamo.plan.sizes import ItemSize, Known, Size, item_size
from pg2dynamo.plan.statistics import TableStatistics

STORAGE_OVERHEAD_BYTES = 100
NEW_TABLE_UNITS_PER_SECOND = 4_000
QUOTA_UNITS_PER_SECOND = 40_000
IMPORT_LEAST_SECONDS = 60
"""An import takes minutes, however little there is: what can be written in less than a minute is better written."""
IMPORT_OBJECT_BYTES = 64 * 2**20
"""About what one object of an import holds, before compression."""
READ_UNIT_BYTES = 4096
CALLS_PER_SECRET = 4
"""Describing, creating and listing its versions, by copy and again by verify."""
CALLS_PER_VERSION = 4
"""Putting, describing, labelling and reading it."""

_NEAR_BYTES = ITEM_BYTES // 4
_MANY_UNITS = 64
Way: TypeAlias = Literal["writes", "import"]


@dataclass(frozen=True, slots=True)
class Amounts:
    """What there is to write. `rows` is of the source, `refused` those of them that cannot be items."""

    rows: int = 0
    items: int = 0
    refused: int = 0
    item_bytes: int = 0
    index_entries: int = 0
    write_units: int = 0
    storage_bytes: int = 0
    import_bytes: int = 0

    def __add__(self, other: Amounts) -> Amounts:
        mine, theirs = asdict(self), asdict(other)
        return Amounts(**{name: mine[name] + theirs[name] for name in mine})

    @property
    def average_item_bytes(self) -> float:
        """The size of an average item, 0 when there is none."""
        return self.item_bytes / self.items if self.items else 0.0


@dataclass(frozen=True, slots=True)
class Cost:
    """Money, in the currency of the prices: once for writing every item, or for importing it, and each month."""

    writes: float
    import_: float
    storage_month: float


@dataclass(frozen=True, slots=True)
class EntryEstimate:
    """What one entry of the plan comes to. `importable`: ImportTable could fill its table. `notes` are for a person.

    `largest_item_bytes` is known only when every row was read. `trusted` is false when the statistics are missing.
    """

    name: str
    source: str
    target: str
    amounts: Amounts
    importable: bool
    trusted: bool = True
    largest_item_bytes: int | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SecretsEstimate:
    """How many secrets there will be, and how many values they hold over time: one for each credential."""

    secrets: int = 0
    versions: int = 0

    def __add__(self, other: SecretsEstimate) -> SecretsEstimate:
        return SecretsEstimate(self.secrets + other.secrets, self.versions + other.versions)

    @property
    def calls(self) -> int:
        """About how many calls copying and verifying them takes."""
        return CALLS_PER_SECRET * self.secrets + CALLS_PER_VERSION * self.versions


@dataclass(frozen=True, slots=True)
class PlanEstimate:
    """The whole estimate. `exact`: every row was read; else it follows from the planner's statistics."""

    migration: str
    region: str
    prices: Prices
    exact: bool
    units_per_second: int
    entries: tuple[EntryEstimate, ...]
    secrets: SecretsEstimate = SecretsEstimate()
    notes: tuple[str, ...] = field(default=())

    @property
    def total(self) -> Amounts:
        """The amounts of all entries."""
        return _sum(entry.amounts for entry in self.entries)

    def cheaper(self, entry: EntryEstimate) -> Way:
        """Return the cheaper way to fill the entry's DynamoDB table, with those of all entries that share it."""
        sharing = [other for other in self.entries if other.target == entry.target]
        costs = cost(_sum(other.amounts for other in sharing), self.prices)
        possible = all(other.importable for other in sharing)
        return "import" if possible and costs.import_ < costs.writes else "writes"

    def seconds(self, amounts: Amounts, units_per_second: int | None = None) -> float:
        """Return how long writing takes at that rate, by default the estimate's own."""
        return amounts.write_units / (units_per_second or self.units_per_second)

    @property
    def secrets_month(self) -> float:
        """What keeping the secrets costs each month."""
        return self.secrets.secrets * self.prices.secret_month

    @property
    def secret_calls(self) -> float:
        """What the calls cost that copy and verify them."""
        return self.secrets.calls * self.prices.secret_calls_10000 / 10_000

    def as_json(self) -> dict[str, Any]:
        """Return the estimate as a JSON object; `import` is null where the table cannot be imported."""
        return {
            "migration": self.migration,
            "exact": self.exact,
            "region": self.region,
            "currency": self.prices.currency,
            "prices": asdict(self.prices),
            "write_units_per_second": self.units_per_second,
            "tables": {entry.name: self._entry_json(entry) for entry in self.entries},
            "secrets": asdict(self.secrets) | {"calls": self.secrets.calls},
            "total": self._amounts_json(self.total, all(entry.importable for entry in self.entries))
            | {"secrets_month": _money(self.secrets_month), "secret_calls": _money(self.secret_calls)},
            "notes": list(self.notes),
        }

    def _entry_json(self, entry: EntryEstimate) -> dict[str, Any]:
        about = {"source": entry.source, "to": entry.target, "trusted": entry.trusted, "notes": list(entry.notes)}
        cheaper = {"largest_item_bytes": entry.largest_item_bytes, "cheaper": self.cheaper(entry)}
        return about | self._amounts_json(entry.amounts, entry.importable) | cheaper

    def _amounts_json(self, amounts: Amounts, importable: bool) -> dict[str, Any]:
        costs = cost(amounts, self.prices)
        return asdict(amounts) | {
            "average_item_bytes": round(amounts.average_item_bytes, 1),
            "seconds": round(self.seconds(amounts), 1),
            "seconds_at_quota": round(self.seconds(amounts, QUOTA_UNITS_PER_SECOND), 1),
            "cost": {
                "writes": _money(costs.writes),
                "import": _money(costs.import_) if importable else None,
                "storage_month": _money(costs.storage_month),
            },
        }


def _money(amount: float) -> float:
    return round(amount, 6)


def _sum(amounts: Iterable[Amounts]) -> Amounts:
    total = Amounts()
    for each in amounts:
        total += each
    return total


def cost(amounts: Amounts, prices: Prices) -> Cost:
    """Return what the amounts cost."""
    return Cost(
        writes=amounts.write_units * prices.write_units_million / 1_000_000,
        import_=_import_cost(amounts, prices),
        storage_month=amounts.storage_bytes / GB * prices.storage_gb_month,
    )


def _import_cost(amounts: Amounts, prices: Prices) -> float:
    """Return what importing costs, with putting the objects into S3 and reading the table once to check it."""
    objects = math.ceil(amounts.import_bytes / IMPORT_OBJECT_BYTES)
    reads = amounts.item_bytes / READ_UNIT_BYTES
    return (
        amounts.import_bytes / GB * prices.import_gb
        + objects * prices.s3_puts_1000 / 1_000
        + reads * prices.read_units_million / 1_000_000
    )


def expected_units(size: Size) -> float:
    """Return the write units of an average item of that size and spread, without indexes."""
    units = size.mean / WRITE_UNIT_BYTES
    if units > _MANY_UNITS:
        return units + 0.5
    spread = math.sqrt(size.variance)
    last = math.ceil((size.mean + 6 * spread) / WRITE_UNIT_BYTES)
    return 1 + sum(_share_above(kilobytes * WRITE_UNIT_BYTES, size.mean, spread) for kilobytes in range(1, last))


def _share_above(limit: float, mean: float, spread: float) -> float:
    if spread == 0:
        return float(mean > limit)
    return 0.5 * math.erfc((limit - mean) / (spread * math.sqrt(2)))


def index_share(mapping: TableMapping, present: dict[str, float]) -> float:
    """Return how many indexes an average item is in: one that lacks a key attribute of an index is not."""
    return sum(
        math.prod(present.get(name, 0.0) for name in {index.hash, index.range} - {None} if name is not None)
        for index in mapping.indexes
    )


def estimate_entry(
    mapping: TableMapping, statistics: TableStatistics, known: Known, *, rows: int | None = None
) -> EntryEstimate:
    """Return what an entry comes to by the statistics of its table; `rows` is how many of them are its own."""
    count = max(statistics.rows if rows is None else rows, 0)
    item = item_size(mapping, statistics, known)
    in_indexes = index_share(mapping, dict(item.present))
    amounts = Amounts(
        rows=count,
        items=count,
        item_bytes=round(count * item.size.mean),
        index_entries=round(count * in_indexes),
        write_units=round(count * expected_units(item.size) * (1 + in_indexes)),
        storage_bytes=round(count * (1 + in_indexes) * (item.size.mean + STORAGE_OVERHEAD_BYTES)),
        import_bytes=round(count * item.size.json),
    )
    return EntryEstimate(
        name=mapping.name,
        source=str(mapping.source),
        target=mapping.target,
        amounts=amounts,
        importable=importable(mapping),
        trusted=statistics.analysed,
        notes=tuple(_notes(item, statistics, count)),
    )


def importable(mapping: TableMapping) -> bool:
    """Tell whether ImportTable can make the mapping's table: it makes none with local indexes."""
    return not any(index.local for index in mapping.indexes)


def _notes(item: ItemSize, statistics: TableStatistics, rows: int) -> Iterable[str]:
    if not statistics.analysed:
        yield (
            "no statistics: rows and sizes are guesses. Run ANALYZE on the table, or estimate with --exact."
            if statistics.rows >= 0
            else "no statistics, and none to be had: rows and sizes are guesses. Estimate with --exact."
        )
    elif item.assumed and rows:
        yield f"no statistics of {_listed(item.assumed)}: taken by type. Estimate with --exact to be sure."
    if rows and statistics.toast_bytes > statistics.heap_bytes:
        yield "most bytes are in TOAST, perhaps compressed: items may be larger. Estimate with --exact to be sure."
    if rows:
        yield from size_notes(item.size)


def size_notes(size: Size) -> Iterable[str]:
    """Yield what is to be said of items near the limit of 400 KB."""
    over = _share_above(ITEM_BYTES, size.mean, math.sqrt(size.variance))
    if over >= 0.001:
        yield f"about {over:.1%} of the items would be over 400 KB, which DynamoDB refuses."
    elif size.mean > _NEAR_BYTES:
        yield "the average item is over 100 KB: some may be over 400 KB, which DynamoDB refuses."


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
