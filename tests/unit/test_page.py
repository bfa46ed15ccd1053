"""A page's items are what parsing it at once gives, wherever they seem to begin and end; damage is noticed."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pg2dynamo.dynamodb import page as pages
from pg2dynamo.dynamodb.page import Garbled, Page

names = st.sampled_from(["id", "M", "S", "Items", "Count", "LastEvaluatedKey", '"', "\\", "}},{", 'a":{"S":"', "é"])
texts = st.text(max_size=3) | st.sampled_from(
    ['}},{"a":{"S":"b"}}', "}]", '"Items":[', '"}},{"', "\\", '\\"}},{"x":{"S":', '}}],"Count":1'],
)
values: st.SearchStrategy[Any] = st.recursive(
    texts.map(lambda text: {"S": text}) | st.just({"NULL": True}),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda entries: {"L": entries})
        | st.dictionaries(names, inner, max_size=3).map(lambda entries: {"M": entries})
    ),
    max_leaves=5,
)
items = st.dictionaries(names, values, max_size=3)
found = st.lists(items, max_size=4)


def body(items: list[Any], **others: Any) -> bytes:
    return orjson.dumps({"Count": len(items), "Items": items, **others})


@given(found, st.none() | items, st.booleans())
def test_a_page_has_the_items_of_its_text(items: list[Any], last: Any, first: bool) -> None:
    answer = {"Items": items, "Count": len(items), "LastEvaluatedKey": last, "ScannedCount": 9}
    if first:
        answer = dict(reversed(answer.items()))
    page = Page(orjson.dumps(answer))
    assert len(page) == len(items)
    assert list(page) == items == [page[n] for n in range(len(items))]
    assert page.last == (last or None)


@given(found, st.integers(-2, 2))
def test_a_page_that_says_another_count_has_its_items_or_is_garbled(items: list[Any], more: int) -> None:
    try:
        assert list(Page(orjson.dumps({"Items": items, "Count": len(items) + more}))) == items
    except Garbled:
        assert more


@given(found)
def test_spaces_between_what_stands_in_a_page_change_nothing(items: list[Any]) -> None:
    assert list(Page(orjson.dumps({"Count": len(items), "Items": items}, option=orjson.OPT_INDENT_2))) == items


@given(found.filter(len), st.data())
def test_a_page_cut_short_or_with_a_byte_changed_is_garbled_or_what_its_text_says(
    items: list[Any], data: st.DataObject
) -> None:
    text = body(items)
    place = data.draw(st.integers(0, len(text) - 1))
    damaged = (
        text[:place] + data.draw(st.sampled_from([b"", b'"', b"}", b"{", b",", b"\xff", b"x"])) + text[place + 1 :]
    )
    for spoilt in (text[:place], damaged):
        try:
            expected = orjson.loads(spoilt)["Items"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            with pytest.raises(Garbled):
                list(Page(spoilt))
        else:
            assert list(Page(spoilt)) == expected


@pytest.mark.parametrize(
    "answer", [{"Items": 3}, {"Items": [3]}, {}, [], None, {"Items": [], "LastEvaluatedKey": "x"}, {"Items": {"a": []}}]
)
def test_what_is_no_page_is_garbled(answer: Any) -> None:
    with pytest.raises(Garbled):
        list(Page(orjson.dumps(answer)))


def test_items_that_stand_elsewhere_are_not_the_pages() -> None:
    assert list(Page(b'{"Other":{"Items":[{"a":{"S":"b"}}]},"Items":[],"Count":1}')) == []


def test_a_usual_page_is_parsed_item_by_item(monkeypatch: pytest.MonkeyPatch) -> None:
    nested = {"L": [{"M": {"at": {"S": "x"}, "by": {"M": {}}}}, {"M": {"at": {"S": "y"}}}]}
    items = [{"id": {"S": f"{n}"}, "n": {"N": "1"}, "list": nested, "map": {"M": {"a": {"M": {}}}}} for n in range(5)]
    text = body(items, LastEvaluatedKey={"id": {"S": "5"}}, ScannedCount=9)
    parsed: list[bytes] = []
    parse = pages._object

    def parse_and_note(part: bytes) -> dict[str, Any]:
        parsed.append(part)
        return parse(part)

    monkeypatch.setattr(pages, "_object", parse_and_note)
    page = Page(text)
    assert list(page) == items
    assert max(map(len, parsed)) < len(text) // 4
