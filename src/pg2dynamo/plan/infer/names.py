"""Names of tables, indexes and attributes that DynamoDB allows, each once. Pure and deterministic."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence

from pg2dynamo.mapping.limits import table_name_fault

NAME_CHARACTERS = 255
"""Of a DynamoDB table or index (see `mapping.limits.table_name_fault`)."""


def allowed_name(text: str, default: str) -> str:
    """Return `text` in the characters that DynamoDB and a plan's name allow: words joined by hyphens, no accents."""
    name = allowed_part(text)[:NAME_CHARACTERS] or default
    return name if table_name_fault(name) is None else f"{name}-{default}"


def allowed_part(text: str) -> str:
    """Return what of `text` can stand in a name; may be empty."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return re.sub(r"[^A-Za-z0-9.-]+", "-", plain).strip("-.")


def is_kept_by_mapping(text: str, name: str) -> bool:
    """Return whether a name shows all of `text`: only underscores have become hyphens."""
    return name.endswith(text.replace("_", "-").strip("-"))


def free_name(name: str, taken: set[str]) -> str:
    """Return a name not yet taken, whatever the case of its letters, and take it."""
    number, candidate = 1, name
    while candidate.lower() in taken:
        number += 1
        suffix = f"-{number}"
        candidate = name[: NAME_CHARACTERS - len(suffix)] + suffix
    taken.add(candidate.lower())
    return candidate


def joined_name(columns: Sequence[str], taken: Collection[str]) -> str:
    """Return the name of an attribute made of these columns that no other attribute has."""
    joined = "_".join(columns)
    joined = joined if len(joined.encode()) <= 200 else f"{columns[0]}_and_more"
    candidates = [joined] if len(columns) > 1 else []
    candidates += [f"{joined}_key", *(f"{joined}_key{number}" for number in range(2, len(taken) + 3))]
    return next(name for name in candidates if name not in taken)
