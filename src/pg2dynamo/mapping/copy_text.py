"""The text format of COPY: what stands for NULL, and its escapes ("File Formats" of the documentation of COPY)."""

from __future__ import annotations

import re

NULL_FIELD = "\\N"
_ESCAPE = re.compile(r"\\(.?)", re.DOTALL)
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\"}


def unescape(field: str) -> str:
    """Undo COPY's escapes; raises KeyError for one that COPY TO does not write."""
    if field.count("\\") == 2 * field.count(r"\\"):
        return field.replace(r"\\", "\\")
    return _ESCAPE.sub(lambda match: _ESCAPES[match[1]], field)


def field_text(field: str) -> str | None:
    """Return the text of COPY's field, None for NULL; raises KeyError as `unescape`."""
    return None if field == NULL_FIELD else unescape(field)


def shown_text(field: str) -> str | None:
    """Return the text of COPY's field, None for NULL; an escape that COPY TO does not write stays as it is."""
    return None if field == NULL_FIELD else _ESCAPE.sub(lambda match: _ESCAPES.get(match[1], match[0]), field)
