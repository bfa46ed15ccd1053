"""The error tree: every error can travel between processes and says what to do."""

from __future__ import annotations

import pickle
from collections.abc import Iterator

import pytest

from pg2dynamo import errors
from pg2dynamo.errors import Pg2DynamoError, RowRefused, RowSkipped, SourceDenied


def tree(kind: type[Pg2DynamoError] = Pg2DynamoError) -> Iterator[type[Pg2DynamoError]]:
    yield kind
    for branch in kind.__subclasses__():
        if branch.__module__ == errors.__name__:
            yield from tree(branch)


@pytest.mark.parametrize("kind", [k for k in tree() if not issubclass(k, RowRefused)], ids=lambda k: k.__name__)
def test_an_error_without_a_message_says_what_its_docstring_says(kind: type[Pg2DynamoError]) -> None:
    assert str(kind()) == " ".join((kind.__doc__ or "").split())


@pytest.mark.parametrize("kind", [k for k in tree() if not issubclass(k, RowRefused)], ids=lambda k: k.__name__)
def test_an_error_survives_pickling_with_message_and_remedy(kind: type[Pg2DynamoError]) -> None:
    copy = pickle.loads(pickle.dumps(kind("It broke.", remedy="Mend it.")))
    assert type(copy) is kind
    assert (str(copy), copy.args) == ("It broke. Mend it.", ("It broke.",))


def test_a_refused_row_survives_pickling_with_attribute_and_reason() -> None:
    copy = pickle.loads(pickle.dumps(RowRefused("name", "is empty")))
    assert (copy.attribute, copy.reason, str(copy)) == ("name", "is empty", "attribute name: is empty")


def test_a_row_left_out_survives_pickling_with_the_key_of_its_item() -> None:
    copy = pickle.loads(pickle.dumps(RowSkipped("name", "is empty", b"{}")))
    assert (type(copy), copy.attribute, copy.reason, copy.key) == (RowSkipped, "name", "is empty", b"{}")


def test_every_error_is_of_one_root_and_of_a_branch_by_who_must_act() -> None:
    assert isinstance(SourceDenied(), errors.SourceError)
    assert isinstance(SourceDenied(), Pg2DynamoError)
