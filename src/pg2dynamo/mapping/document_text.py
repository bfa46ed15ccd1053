"""jsonb's text straight into the text of DynamoDB JSON, with no object made of a value.

PostgreSQL writes jsonb in one way only, and escapes strings as JSON writers do, so strings are passed through. What
stands between two strings (`": 1, "`) comes again and again: it is read once, and remembered; where it has numbers,
with 0 in place of each as well.
"""

from __future__ import annotations

import re
from typing import TypeAlias

from pg2dynamo.mapping.limits import ATTRIBUTE_NAME_BYTES, NESTING_LEVELS, Malformed, Unfit
from pg2dynamo.mapping.numbers import number

_MOST_REMEMBERED = 10_000
_LONGEST_REMEMBERED = 32
"""What is longer holds many numbers, and hardly comes again."""
_BACKSLASH, _QUOTE = "\0", "\1"
"""What stands for the escape of each while strings are told apart: jsonb has these characters as escapes only."""
_NUMBER = re.compile(r"(?<![-+.0-9A-Za-z])(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?)(?![-+.0-9A-Za-z])")
_MARK = re.compile(r"[{}\[\]]|, |: |[-+.0-9A-Za-z]+")
_ZERO, _ANY_NUMBER = '{"N":"0"}', '{"N":"%s"}'
_SCALARS = {"true": '{"BOOL":true}', "false": '{"BOOL":false}', "null": '{"NULL":true}', "0": _ZERO}

_Turns: TypeAlias = "dict[str, tuple[str, _Turns]]"
"""What may stand between two strings at one place of a document: what to write for it, and the place after it."""


class DocumentText:
    """Writes documents; remembers what it has read, up to a bound of some megabytes."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, str], _Turns] = {}
        self._where: dict[int, tuple[str, str]] = {}
        self._remembered = 0
        self._start = self._place("", "value")
        self._done = self._place("", "done")

    def write(self, text: str) -> str:
        """Return the attribute value of a document of type jsonb.

        Raises Unfit for whatever it is not sure of: `documents.document` tells then whether it can be an item.
        """
        if len(text) > ATTRIBUTE_NAME_BYTES or '"":' in text:
            raise Unfit("a name that may be empty or too long")
        if "\\" not in text:
            return self._written(text)
        if _BACKSLASH in text or _QUOTE in text:
            raise Malformed("not jsonb")
        hidden = text.replace(r"\\", _BACKSLASH).replace(r"\"", _QUOTE)
        return self._written(hidden).replace(_QUOTE, r"\"").replace(_BACKSLASH, r"\\")

    def _written(self, text: str) -> str:
        parts = text.split('"')
        turns = self._start
        written = []
        for between in parts[::2]:
            turn = turns.get(between)
            if turn is None:
                turn = self._turn(turns, between)
            written.append(turn[0])
            turns = turn[1]
        if turns is not self._done:
            raise Malformed("not JSON")
        parts[::2] = written
        return "".join(parts)

    def _place(self, stack: str, expected: str) -> _Turns:
        """Return the turns after a place: within these containers, the last innermost, where this is expected."""
        place = (stack, expected)
        if place not in self._places:
            turns: _Turns = {}
            self._places[place] = turns
            self._where[id(turns)] = place
        return self._places[place]

    def _turn(self, turns: _Turns, between: str) -> tuple[str, _Turns]:
        pieces = _NUMBER.split(between)
        shape = "0".join(pieces[::2])
        turn = turns.get(shape)
        if turn is None:
            stack, expected = self._where[id(turns)]
            written, stack, expected = _translated(shape, stack, expected)
            turn = written, self._place(stack, expected)
            self._remember(turns, shape, turn, _MOST_REMEMBERED)
        if shape != between:
            turn = turn[0].replace(_ZERO, _ANY_NUMBER) % tuple(map(number, pieces[1::2])), turn[1]
            self._remember(turns, between, turn, _MOST_REMEMBERED // 2)
        return turn

    def _remember(self, turns: _Turns, between: str, turn: tuple[str, _Turns], most: int) -> None:
        if self._remembered < most and len(between) <= _LONGEST_REMEMBERED:
            self._remembered += 1
            turns[between] = turn


def _translated(between: str, stack: str, expected: str) -> tuple[str, str, str]:
    """Return what stands for the text between two strings, the containers after it, and what the next string ends.

    `expected` at the beginning is what may come after the string before: a colon after a name, the end of a value
    after a value; `value` at the beginning of a document.
    """
    written = {":": '"', "end": '"}'}.get(expected, "")
    position = 0
    while position < len(between):
        mark = _MARK.match(between, position)
        if mark is None:
            raise Malformed("not JSON")
        position = mark.end()
        text, stack, expected = _mark(mark[0], stack, expected)
        written += text
    if expected in ("value", "first value"):
        return written + '{"S":"', stack, "end"
    if expected in ("name", "first name"):
        return written + '"', stack, ":"
    if stack or expected != "end":
        raise Malformed("not JSON")
    return written, "", "done"


def _mark(mark: str, stack: str, expected: str) -> tuple[str, str, str]:
    """Return what stands for a mark, the containers after it, and what may come next."""
    container = stack[-1:]
    if mark == ": " and expected == ":":
        return ":", stack, "value"
    if mark == ", " and expected == "end" and stack:
        return ",", stack, "name" if container == "{" else "value"
    if (mark == "}" and container == "{" and expected in ("end", "first name")) or (
        mark == "]" and container == "[" and expected in ("end", "first value")
    ):
        return mark + "}", stack[:-1], "end"
    if expected not in ("value", "first value") or mark in (": ", ", ", "}", "]"):
        raise Malformed("not JSON")
    if mark in ("{", "["):
        if len(stack) == NESTING_LEVELS:
            raise Unfit("more levels than DynamoDB has")
        return ('{"M":{', stack + mark, "first name") if mark == "{" else ('{"L":[', stack + mark, "first value")
    if mark not in _SCALARS:
        raise Malformed("not jsonb, or a number with an exponent")
    return _SCALARS[mark], stack, "end"
