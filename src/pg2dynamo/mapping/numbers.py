"""PostgreSQL's numbers, as text, into DynamoDB's: one text for one value, so that equal keys are equal bytes."""

from __future__ import annotations

import re

from pg2dynamo.mapping.limits import NUMBER_DIGITS, Malformed, Unfit, number_fault

_NUMBER = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?")
_NOT_FINITE = {
    "NaN": "NaN, which DynamoDB has no number for",
    "Infinity": "Infinity, which DynamoDB has no number for",
    "-Infinity": "-Infinity, which DynamoDB has no number for",
}
_PLAIN_CHARACTERS = 40
"""The longest number that is written without an exponent: 38 digits, a sign and a point."""
_EXPONENT_CHARACTERS = 12
"""An exponent that is longer is out of every range; Python would refuse to read one of 4,300 digits."""
_OUT_OF_RANGE = 10**12


def number(text: str) -> str:
    """Return the text of a number (no exponent below 41 characters, no useless zeros, no -0).

    Raises Unfit when it is not finite, has more than 38 significant digits or is out of DynamoDB's range.
    """
    # Hazard: this path must give for every value the same text as canonical(). 38 characters hold at most 38
    # digits, always in range, and PostgreSQL writes no leading zeros.
    if len(text) > NUMBER_DIGITS or "e" in text or text[-1] > "9":
        return canonical(text)
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def canonical(text: str) -> str:
    """Return the text of any decimal number, as `number` does, of any length and with any exponent."""
    if text in _NOT_FINITE:
        raise Unfit(_NOT_FINITE[text])
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise Malformed("not a number")
    sign, whole, fraction, exponent_text = match.groups(default="")
    digits = (whole + fraction).lstrip("0")
    significant = digits.rstrip("0")
    if not significant:
        return "0"
    exponent = _exponent(exponent_text) - len(fraction) + len(digits) - len(significant)
    fault = number_fault(len(significant), exponent + len(significant) - 1)
    if fault:
        raise Unfit(fault)
    plain = sign + _plain(significant, exponent)
    return plain if len(plain) <= _PLAIN_CHARACTERS else sign + _scientific(significant, exponent)


def _exponent(text: str) -> int:
    if len(text) > _EXPONENT_CHARACTERS:
        return -_OUT_OF_RANGE if text.startswith("-") else _OUT_OF_RANGE
    return int(text or "0")


def _plain(digits: str, exponent: int) -> str:
    if exponent >= 0:
        return digits + "0" * exponent
    point = len(digits) + exponent
    return f"{digits[:point]}.{digits[point:]}" if point > 0 else f"0.{'0' * -point}{digits}"


def _scientific(digits: str, exponent: int) -> str:
    mantissa = f"{digits[0]}.{digits[1:]}" if len(digits) > 1 else digits
    return f"{mantissa}E{exponent + len(digits) - 1:+d}"
