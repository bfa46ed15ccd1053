"""What is done about each answer, how long is waited, how many requests may be under way."""

from __future__ import annotations

import random

import pytest

from pg2dynamo.dynamodb.refusal import fatal_error, give_up_error, item_reason
from pg2dynamo.dynamodb.retry import BACKOFF_BASE_SECONDS, BACKOFF_CAP_SECONDS, Verdict, backoff, verdict
from pg2dynamo.dynamodb.window import Limit
from pg2dynamo.errors import (
    TargetDenied,
    TargetError,
    TargetMissing,
    TargetRejected,
    TargetShapeDiffers,
    TargetThrottled,
    TargetUnreachable,
)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (200, "", Verdict.DONE),
        (0, "NoAnswer", Verdict.AGAIN),
        (500, "InternalServerError", Verdict.AGAIN),
        (503, "", Verdict.AGAIN),
        (404, "", Verdict.AGAIN),
        (400, "ReplicatedWriteConflictException", Verdict.AGAIN),
        (400, "ProvisionedThroughputExceededException", Verdict.THROTTLED),
        (400, "ThrottlingException", Verdict.THROTTLED),
        (400, "RequestLimitExceeded", Verdict.THROTTLED),
        (503, "SlowDown", Verdict.THROTTLED),
        (429, "", Verdict.THROTTLED),
        (400, "ExpiredTokenException", Verdict.RENEW),
        (400, "ValidationException", Verdict.SPLIT),
        (400, "SerializationException", Verdict.SPLIT),
        (400, "ItemCollectionSizeLimitExceededException", Verdict.SPLIT),
        (413, "", Verdict.SPLIT),
        (400, "AccessDeniedException", Verdict.FATAL),
        (400, "ResourceNotFoundException", Verdict.FATAL),
        (400, "UnrecognizedClientException", Verdict.FATAL),
        (400, "InvalidSignatureException", Verdict.FATAL),
        (400, "SomethingNewException", Verdict.FATAL),
        (403, "", Verdict.FATAL),
        (0, "NoConnection", Verdict.FATAL),
    ],
)
def test_an_answer_calls_for(status: int, code: str, expected: Verdict) -> None:
    assert verdict(status, code) is expected


def test_the_wait_grows_to_its_cap_and_no_further() -> None:
    class Highest(random.Random):
        def random(self) -> float:
            return 1.0

    waits = [backoff(attempt, Highest()) for attempt in range(1, 2000)]

    assert waits[:3] == [BACKOFF_BASE_SECONDS, 2 * BACKOFF_BASE_SECONDS, 4 * BACKOFF_BASE_SECONDS]
    assert max(waits) == waits[-1] == BACKOFF_CAP_SECONDS


def test_the_wait_is_jittered_over_its_whole_length() -> None:
    waits = [backoff(5, random.Random(seed)) for seed in range(200)]

    assert min(waits) < 0.1 * 16 * BACKOFF_BASE_SECONDS
    assert max(waits) > 0.9 * 16 * BACKOFF_BASE_SECONDS


def test_throttling_halves_the_window_once_for_all_requests_sent_before_it() -> None:
    limit = Limit(16)
    generation = limit.generation

    for _ in range(16):
        limit.throttled(generation)

    assert limit.requests == 8


def test_the_window_never_closes_and_opens_again_to_its_size() -> None:
    limit = Limit(16)
    for _ in range(100):
        limit.throttled(limit.generation)
    assert limit.requests == 1

    for _ in range(1000):
        limit.succeeded()

    assert limit.requests == 16


def test_a_window_of_successes_allows_one_more() -> None:
    limit = Limit(16)
    limit.throttled(limit.generation)

    for _ in range(9):
        limit.succeeded()

    assert limit.requests == 9


@pytest.mark.parametrize(
    ("code", "message", "kind", "words"),
    [
        ("AccessDeniedException", "User: arn:… is not authorized", TargetDenied, "policy"),
        ("ResourceNotFoundException", "Requested resource not found", TargetMissing, "pg2dynamo prepare"),
        ("ExpiredTokenException", "", TargetDenied, "Log in again"),
        ("RequestExpired", "", TargetDenied, "clock"),
        ("RequestTimeTooSkewed", "", TargetDenied, "clock"),
        ("InvalidSignatureException", "Signature expired: 20240102T… is now earlier than …", TargetDenied, "clock"),
        ("InvalidSignatureException", "Signature not yet current: …", TargetDenied, "clock"),
        ("InvalidSignatureException", "does not match the signature you provided", TargetDenied, "SECRET_ACCESS_KEY"),
        ("SignatureDoesNotMatch", "", TargetDenied, "AWS_SECRET_ACCESS_KEY"),
        ("IncompleteSignature", "'x' not a valid key=value pair", TargetDenied, "AWS_ACCESS_KEY_ID"),
        ("IncompleteSignatureException", "", TargetDenied, "AWS_ACCESS_KEY_ID"),
        ("UnrecognizedClientException", "", TargetDenied, "AWS_ACCESS_KEY_ID"),
        ("MissingAuthenticationTokenException", "", TargetDenied, "proxy"),
        ("ValidationException", "The provided key element does not match the schema", TargetShapeDiffers, "key"),
        ("SomethingNewException", "", TargetRejected, "SomethingNewException"),
    ],
)
def test_an_error_that_no_repeat_can_better_says_what_to_do(
    code: str, message: str, kind: type[TargetError], words: str
) -> None:
    found = fatal_error("BatchWriteItem", "accounts", 400, code, message)

    assert type(found) is kind
    assert words in str(found)
    assert "accounts" in str(found)


def test_giving_up_tells_throttling_from_silence() -> None:
    assert isinstance(give_up_error("Scan", "t", 120, True, ""), TargetThrottled)
    assert isinstance(give_up_error("Scan", "t", 120, False, "no answer in time"), TargetUnreachable)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("Item size has exceeded the maximum allowed size", "the item is larger than 409,600 bytes"),
        (
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an "
            "empty string value. Key: id",
            "a key or index key attribute is empty",
        ),
        (
            "One or more parameter values were invalid: Type mismatch for Index Key status Expected: S Actual: N "
            "IndexName: by-status",
            "an index key attribute has another type than the index",
        ),
        (
            "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 "
            "bytes",
            "a key attribute is too long",
        ),
        (
            "Attempting to store more than 38 significant digits in a Number",
            "a number has more than 38 significant digits",
        ),
        (
            "Number overflow. Attempting to store a number with magnitude larger than supported range",
            "a number is out of DynamoDB's range",
        ),
        (
            "A value provided cannot be converted into a number: 4711-secret",
            "a number is not in a form that DynamoDB takes",
        ),
        ("Nesting Levels have exceeded supported limits", "values are nested deeper than 32 levels"),
    ],
)
def test_a_refused_item_gets_a_reason_in_our_words(message: str, reason: str) -> None:
    assert item_reason("ValidationException", message) == reason


@pytest.mark.parametrize("code", ["ValidationException", "SerializationException", ""])
def test_an_unknown_message_is_never_passed_on(code: str) -> None:
    assert "4711" not in item_reason(code, "what is this: 4711")
    assert "4711" not in str(fatal_error("Scan", "t", 400, code, "what is this: 4711"))
