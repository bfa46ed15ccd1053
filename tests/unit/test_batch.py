"""What an answer to BatchWriteItem leaves undone, and which answers are none."""

from __future__ import annotations

import json

import pytest

from pg2dynamo.dynamodb.batch import Operation, body_of, consumed_units, unprocessed
from pg2dynamo.errors import TargetRejected


def put(number: str) -> Operation:
    return b'{"n":{"N":"%s"}}' % number.encode(), b'{"n":{"N":"%s"},"v":{"S":"x"}}' % number.encode()


def delete(number: str) -> Operation:
    return b'{"n":{"N":"%s"}}' % number.encode(), None


def answer(*requests: object, table: str = "t") -> bytes:
    return json.dumps({"UnprocessedItems": {table: list(requests)}}).encode()


def named(number: str) -> object:
    return {"PutRequest": {"Item": {"v": {"S": "x"}, "n": {"N": number}}}}


def test_a_body_is_the_request_of_its_operations() -> None:
    body = body_of('a"b', [put("1"), delete("2")])

    assert json.loads(body) == {
        "RequestItems": {
            'a"b': [
                {"PutRequest": {"Item": {"n": {"N": "1"}, "v": {"S": "x"}}}},
                {"DeleteRequest": {"Key": {"n": {"N": "2"}}}},
            ]
        }
    }


def test_puts_alone_make_the_same_request_as_among_deletes() -> None:
    puts = [put("1"), put("2"), put("3")]

    mixed = json.loads(body_of("t", [*puts, delete("4")]))["RequestItems"]["t"]

    assert json.loads(body_of("t", puts)) == {"RequestItems": {"t": mixed[:3]}}


def test_write_units_are_asked_for_and_read_over_all_tables_and_indexes() -> None:
    body = json.loads(body_of("t", [put("1")], count_consumed=True))
    answer = b'{"UnprocessedItems":{},"ConsumedCapacity":[{"TableName":"t","CapacityUnits":7.0}]}'

    assert body["ReturnConsumedCapacity"] == "TOTAL"
    assert consumed_units(answer) == 7.0


@pytest.mark.parametrize("body", [b"", b"{}", b"null", b'{"ConsumedCapacity":[{}]}', b'{"ConsumedCapacity":7}'])
def test_an_answer_that_tells_no_write_units_tells_none(body: bytes) -> None:
    assert consumed_units(body) is None


@pytest.mark.parametrize("body", [b'{"UnprocessedItems":{}}', b'{"UnprocessedItems": {"t": []}, "More": 1}'])
def test_nothing_is_left_when_the_answer_leaves_nothing(body: bytes) -> None:
    assert unprocessed(body, "t", [put("1")]) == []


def test_what_is_left_is_given_back_as_it_was_sent() -> None:
    sent = [put("1"), put("2"), delete("3")]

    left = unprocessed(answer({"DeleteRequest": {"Key": {"n": {"N": "3"}}}}, named("1")), "t", sent)

    assert left == [sent[2], sent[0]]


def test_a_number_key_is_known_by_its_value_in_whatever_form_it_comes_back() -> None:
    sent = [put("1E+2"), put("0.50")]

    assert unprocessed(answer(named("100"), named("0.5")), "t", sent) == sent


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"null",
        b"[]",
        b"{}",
        b'{"UnprocessedItems":[]}',
        b'{"UnprocessedItems":null}',
        b'{"UnprocessedItems":{"t":[{}]}}',
        b'{"UnprocessedItems":{"t":[{"PutRequest":{}}]}}',
        b'{"UnprocessedItems":{"t":[{"PutRequest":{"Item":{"n":{"N":"x"}}}}]}}',
        b'{"UnprocessedItems":{"t":[{"PutRequest":{"Item":{"n":{"N":["1"]}}}}]}}',
        b'{"UnprocessedItems":{"t":["1"]}}',
    ],
)
def test_an_answer_that_is_not_one_is_no_success(body: bytes) -> None:
    assert unprocessed(body, "t", [put("1")]) is None


@pytest.mark.parametrize(
    "body",
    [
        answer(named("9")),
        answer(named("1"), named("1")),
        answer(named("1"), table="other"),
        answer({"DeleteRequest": {"Key": {"n": {"N": "1"}}}}),
    ],
    ids=["another key", "one key twice", "another table", "a delete that was a put"],
)
def test_an_answer_that_leaves_what_was_not_sent_ends_the_run(body: bytes) -> None:
    with pytest.raises(TargetRejected, match="not sent"):
        unprocessed(body, "t", [put("1")])
