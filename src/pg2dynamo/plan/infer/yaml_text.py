"""Text of a plan: scalars that are read back as the very same string, and comments that stay comments. Pure."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping

from pg2dynamo.mapping.table import TableName
from pg2dynamo.plan.table import parse_table_name

WIDTH = 120

_PLAIN_SCALAR = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_YAML_WORDS = {"null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf", ".nan", ".inf"}


def scalar(text: str) -> str:
    """Return `text` as a YAML value; `${` does not become a variable of the plan."""
    return key(text.replace("${", "${DOLLAR:-$}{"))


def key(text: str) -> str:
    """Return `text` as the key of a YAML mapping, in which a plan replaces no variables."""
    if _PLAIN_SCALAR.fullmatch(text) and text.lower() not in _YAML_WORDS:
        return text
    if text.isprintable() and '"' in text:
        return "'" + text.replace("'", "''") + "'"
    return f'"{_escaped(text)}"'


def flow_list(texts: Iterable[str]) -> str:
    """Return a YAML list on one line."""
    return f"[{', '.join(map(scalar, texts))}]"


def flow_map(entries: Mapping[str, str]) -> str:
    """Return a YAML mapping of strings on one line."""
    return "{" + ", ".join(f"{key(name)}: {scalar(value)}" for name, value in entries.items()) + "}"


def source(name: TableName) -> str:
    """Return a table's name as `from` needs it: quoted only where it must be."""
    plain = str(name)
    if re.search(r'["\s]', plain) is None and _parses(plain, name):
        return scalar(plain)
    return scalar(name.quoted)


def _parses(text: str, name: TableName) -> bool:
    try:
        return parse_table_name(text) == name
    except ValueError:
        return False


def comment(text: str, indent: str = "") -> list[str]:
    """Return `text` as comment lines of the page's width: a name cannot end its comment and go on as YAML."""
    return textwrap.wrap(
        one_line(text),
        WIDTH,
        initial_indent=f"{indent}# ",
        subsequent_indent=f"{indent}# ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def commented(lines: Iterable[str], indent: str = "") -> list[str]:
    """Return lines as comments, each as it is: to be uncommented, or copied."""
    return [f"{indent}# {one_line(line)}" for line in lines]


def one_line(text: str) -> str:
    """Return `text` with a question mark for each sign that could end a line or is not to be seen."""
    return "".join(c if c.isprintable() else "?" for c in text)


def _escaped(text: str) -> str:
    return "".join(_escape(character) for character in text)


def _escape(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    return character if character.isprintable() else f"\\U{ord(character):08x}"
