"""What the generated encoder writes of a document is the reference's text, or it refuses; it remembers in bounds."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given

from pg2dynamo.mapping.document_text import DocumentText
from pg2dynamo.mapping.documents import document
from pg2dynamo.mapping.limits import AttributeValue, Unfit
from tests.copy_lines import DOCUMENTS, jsonb_text

WRITER = DocumentText()


@given(DOCUMENTS)
def test_a_document_is_written_as_the_reference_writes_it_or_refused(value: object) -> None:
    text = jsonb_text(value)
    expected = reference_document(text)
    try:
        written = WRITER.write(text)
    except Unfit:
        assert expected is None or '"":' in text
    else:
        assert expected is not None
        assert written == orjson.dumps(expected).decode()


def reference_document(text: str) -> AttributeValue | None:
    try:
        return document(text)
    except Unfit:
        return None


@pytest.mark.parametrize(
    "text",
    ['{"a": 1', '{"a": 1}}', "[1, ]", "[1 2]", "12x", '"a" "b"', '12"a"', '{1: "a"}', '["a": 1]', '{"a", "b"}', "",
     "[" * 33 + "]" * 33, '{"": 1}', "1e130", "NaN", "[[1], ]", "{]", '"a', "1, 2", '{"a": }', "]"],
)  # fmt: skip
def test_what_is_no_jsonb_that_an_item_can_hold_is_refused(text: str) -> None:
    with pytest.raises(Unfit):
        DocumentText().write(text)


def test_what_is_remembered_is_bounded() -> None:
    writer = DocumentText()
    for number in range(12_000):
        text = f'{{"a": {number}, "b": "x"}}'
        assert writer.write(text) == f'{{"M":{{"a":{{"N":"{number}"}},"b":{{"S":"x"}}}}}}'
    long = '{"a": [' + ", ".join(map(str, range(5_000))) + '], "b": "x"}'
    for _ in range(2):
        assert writer.write(long) == orjson.dumps(document(long)).decode()
    assert sum(len(turns) for turns in writer._places.values()) <= 10_000
    assert max(len(between) for turns in writer._places.values() for between in turns) <= 32
