"""The names of secrets: a template over columns, and whether a name fits that template."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b, sha256
from typing import Protocol, TypeVar

LABEL_PREFIX = "pg2dynamo-"
"""What every staging label of ours begins with."""


class _Named(Protocol):
    @property
    def name(self) -> str: ...


Grouped = TypeVar("Grouped", bound=_Named)

_COLUMN = re.compile(r"\{([^{}]+)\}")


def render_name(template: str, columns: Mapping[str, str]) -> str:
    """Return the template with each `{column}` replaced by that column's text."""
    return _COLUMN.sub(lambda match: columns[match.group(1)], template)


class NameShape:
    """Tells which names a template can give.

    A column stands for one or more characters other than `/`: `app/account/{account_id}` gives `app/account/7`, and
    `app/account/7/other` is taken for somebody else's.
    """

    def __init__(self, template: str) -> None:
        parts = _COLUMN.split(template)
        literals = parts[::2]
        self._pattern = re.compile("([^/]+)".join(re.escape(literal) for literal in literals))
        self.prefix = literals[0]

    def fits(self, name: str) -> bool:
        """Tell whether the template can give this name."""
        return self._pattern.fullmatch(name) is not None


class NamesSeen:
    """Which names a run has seen, as digests: 500,000, which is all that a region holds, take about 50 MB."""

    def __init__(self) -> None:
        self._digests: set[bytes] = set()

    def add(self, name: str) -> None:
        """Remember a name."""
        self._digests.add(self._digest(name))

    def noting(self, groups: Iterable[Grouped]) -> Iterator[Grouped]:
        """Pass groups on, remembering the name of each."""
        for group in groups:
            self.add(group.name)
            yield group

    def __contains__(self, name: str) -> bool:
        return self._digest(name) in self._digests

    @staticmethod
    def _digest(name: str) -> bytes:
        return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def canonical_key(key: Mapping[str, str]) -> str:
    """Return the text of a credential's primary key, the same however its columns are ordered."""
    return json.dumps(dict(sorted(key.items())), separators=(",", ":"), ensure_ascii=True)


def version_label(key: str) -> str:
    """Return the staging label of the credential with this canonical key: no value, 34 characters."""
    return LABEL_PREFIX + sha256(key.encode()).hexdigest()[:24]
