"""What AWS charges, by region: the packaged price list, or a file of the same form.

A price list is YAML: region to prices, each under the name of a field of `Prices`, all of them. GB is 2**30 bytes.
Sources of the packaged one, read in 2026: "Amazon DynamoDB pricing" (on-demand, standard table class, import and
export), "AWS Secrets Manager pricing" and "Amazon S3 pricing". Free tiers and taxes are left out.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from pg2dynamo.errors import PlanError

GB = 2**30


@dataclass(frozen=True, slots=True)
class Prices:
    """The prices of one region, in its currency; `currency` is a word to show, e.g. USD."""

    currency: str
    write_units_million: float
    read_units_million: float
    storage_gb_month: float
    import_gb: float
    export_gb: float
    secret_month: float
    secret_calls_10000: float
    s3_puts_1000: float


def load_prices(path: Path | None, region: str) -> Prices:
    """Return the prices of the region, from the file at `path` or the packaged list.

    Raises PlanError when the region is not in it, saying how to give its prices, and when the file is not such a list.
    """
    where = str(path) if path is not None else "the price list that comes with pg2dynamo"
    regions = _parse(_read(path), where)
    if region not in regions:
        raise PlanError(
            f"{where} has no prices of the region {region}; it has {', '.join(sorted(regions))}.",
            remedy="Give a file of them with --prices FILE (docs/how-to/estimate.md shows one), or another --region.",
        )
    return _prices(regions[region], f"{where}: {region}")


def _read(path: Path | None) -> str:
    if path is None:
        return files("pg2dynamo.plan").joinpath("prices.yaml").read_text(encoding="utf-8")
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise PlanError(f"The prices {path} cannot be read: {reason}.") from error


def _parse(text: str, where: str) -> dict[str, Any]:
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError:
        raise PlanError(f"{where}: not YAML.") from None
    if not isinstance(data, dict) or not data:
        raise PlanError(f"{where}: a price list is a mapping of regions to prices.")
    return {str(region): prices for region, prices in data.items()}


def _prices(data: Any, where: str) -> Prices:
    names = {f.name for f in fields(Prices)}
    given = set(data) if isinstance(data, dict) else set()
    if given != names:
        wrong = [f"lacks {name}" for name in sorted(names - given)] + [
            f"has {n}" for n in sorted(map(str, given - names))
        ]
        raise PlanError(f"{where} {', '.join(wrong)}.", remedy=f"Say each of {', '.join(sorted(names))}.")
    for name, value in data.items():
        if name != "currency" and (isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0):
            raise PlanError(f"{where}: {name} is no price: write a number.")
    numbers = {name: float(value) for name, value in data.items() if name != "currency"}
    return Prices(currency=str(data["currency"]), **numbers)
