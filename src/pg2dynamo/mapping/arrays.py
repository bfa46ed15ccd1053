"""PostgreSQL's array literals into nested lists of element texts."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from pg2dynamo.mapping.limits import Malformed

Elements: TypeAlias = "list[Elements | str | None]"

_BOUNDS = re.compile(r"((?:\[-?[0-9]+:-?[0-9]+\])+)=")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_MALFORMED = "not an array in the form that PostgreSQL writes"


class ArrayLiteral(NamedTuple):
    """A parsed array: `bounds` is empty when every lower bound is 1, else e.g. `[0:2]`; elements are texts."""

    bounds: str
    dimensions: int
    elements: Elements


def parse_array(text: str, delimiter: str = ",") -> ArrayLiteral:
    """Parse what the output function of an array type writes; NULL elements are None. Raises Malformed."""
    bounds = ""
    if text.startswith("["):
        match = _BOUNDS.match(text)
        if match is None:
            raise Malformed(_MALFORMED)
        bounds, text = match[1], text[match.end() :]
    if text == "{}":
        return ArrayLiteral(bounds, 1, [])
    if '"' in text or text.startswith("{{"):
        dimensions, elements = _parse_nested(text, delimiter)
    else:
        if text[:1] != "{" or text[-1:] != "}":
            raise Malformed(_MALFORMED)
        dimensions, elements = 1, [None if part == "NULL" else part for part in text[1:-1].split(delimiter)]
    return ArrayLiteral(bounds, dimensions, elements)


@lru_cache
def _token(delimiter: str) -> re.Pattern[str]:
    mark = re.escape(delimiter)
    return re.compile(
        rf"(?P<open>\{{)|(?P<close>\}})|(?P<next>{mark})"
        rf'|"(?P<quoted>[^"\\]*(?:\\.[^"\\]*)*)"|(?P<bare>[^{{}}"\\{mark}]+)',
        re.DOTALL,
    )


def _parse_nested(text: str, delimiter: str) -> tuple[int, Elements]:
    match_token = _token(delimiter).match
    outer: list[Elements] = []
    root: Elements = []
    here, position, dimensions = root, 0, 0
    while position < len(text):
        token = match_token(text, position)
        if token is None or (position and not outer):
            raise Malformed(_MALFORMED)
        position = token.end()
        kind = token.lastgroup
        if kind == "open":
            inner: Elements = []
            here.append(inner)
            outer.append(here)
            here, dimensions = inner, max(dimensions, len(outer))
        elif kind == "close":
            here = outer.pop()
        elif kind == "quoted":
            here.append(_unescape(token["quoted"]))
        elif kind == "bare":
            here.append(None if token["bare"] == "NULL" else token["bare"])
    if outer or len(root) != 1 or not isinstance(root[0], list):
        raise Malformed(_MALFORMED)
    return dimensions, root[0]


def _unescape(text: str) -> str:
    return _ESCAPED.sub(r"\1", text) if "\\" in text else text
