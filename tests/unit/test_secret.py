"""A secret never shows itself."""

from __future__ import annotations

import logging
import pickle

import pytest

from pg2dynamo.secret import Secret


def test_a_secret_gives_its_value_only_when_asked_by_name() -> None:
    assert Secret("hunter2").reveal() == "hunter2"
    assert Secret(b"hunter2").reveal() == b"hunter2"


def test_printing_formatting_and_logging_mask_it(caplog: pytest.LogCaptureFixture) -> None:
    secret = Secret("hunter2")
    logging.getLogger("any").warning("%s %r", secret, secret)
    shown = [str(secret), repr(secret), f"{secret}", f"{secret:>20}", str([secret]), caplog.text]
    assert not [text for text in shown if "hunter2" in text]


def test_a_secret_is_not_pickled_so_it_reaches_no_file_or_pipe() -> None:
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(Secret("hunter2"))


def test_a_secret_has_no_attributes_to_dump() -> None:
    with pytest.raises(TypeError):
        vars(Secret("hunter2"))


def test_an_empty_secret_is_false() -> None:
    assert not Secret("")
    assert Secret("x")
