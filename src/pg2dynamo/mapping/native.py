"""The encoder in C, where the distribution pg2dynamo-native is installed: the promise of `row_program.FastEncoder`.

The only module that knows of it. Whether it is used is decided each time an encoder is made, and can be asked.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import orjson

from pg2dynamo.mapping.generated import MOST_BYTES
from pg2dynamo.mapping.limits import AttributeValue
from pg2dynamo.mapping.row_program import FastEncoder, RowProgram

if TYPE_CHECKING:
    from pg2dynamo_native import Encoder

Convert = Callable[[str], AttributeValue]

PROTOCOL = 1
"""What is spoken with pg2dynamo_native. A build of another number may write other bytes, and is not used."""
VARIABLE = "PG2DYNAMO_NATIVE"
"""Set to 0, the native encoder is not used, installed or not."""


def native_encoder(program: RowProgram, converters: Sequence[Convert]) -> FastEncoder | None:
    """Return the native encoder of a program, None when it is not used; `in_use` says why.

    `converters` are the reference's own, one for each cell, for what has no form of its own.
    """
    encoder = _found()
    if isinstance(encoder, str):
        return None
    cells = tuple(
        (cell.name, cell.form, cell.nulls, cell.key_limit, _json_writer(convert))
        for cell, convert in zip(program.cells, converters, strict=True)
    )
    return encoder(cells, program.key, program.width, MOST_BYTES)


def in_use() -> str:
    """Say in one line which encoder is used, and when it is not the native one, why."""
    encoder = _found()
    if isinstance(encoder, str):
        return f"Python ({encoder})"
    return f"native (pg2dynamo-native, protocol {PROTOCOL})"


def _found() -> type[Encoder] | str:
    """Return the native encoder, or why it is not used."""
    if os.environ.get(VARIABLE) == "0":
        return f"{VARIABLE} is 0"
    try:
        import pg2dynamo_native
    except ImportError as error:
        lacking = isinstance(error, ModuleNotFoundError) and error.name == "pg2dynamo_native"
        return f"pg2dynamo-native {'is not installed' if lacking else 'cannot be loaded; install it anew'}"
    if pg2dynamo_native.PROTOCOL != PROTOCOL:
        spoken = f"it speaks protocol {pg2dynamo_native.PROTOCOL}, this pg2dynamo {PROTOCOL}"
        return f"pg2dynamo-native is of another version: {spoken}; install it anew"
    return pg2dynamo_native.Encoder


def _json_writer(convert: Convert) -> Callable[[str], bytes | None]:
    def written(text: str) -> bytes | None:
        try:
            return orjson.dumps(convert(text))
        except (ValueError, LookupError, TypeError):
            return None

    return written
