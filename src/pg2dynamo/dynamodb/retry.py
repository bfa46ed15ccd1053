"""What to do about an answer: pure functions from an answer's code to a verdict, and from attempts to a wait.

The codes are DynamoDB's "Error handling" page and the common errors of AWS's APIs.
"""

from __future__ import annotations

import random
from enum import StrEnum

BACKOFF_BASE_SECONDS = 0.05
BACKOFF_CAP_SECONDS = 5.0


class Verdict(StrEnum):
    """What to do about an answer."""

    DONE = "done"  # the service did what was asked
    AGAIN = "again"  # send it again after a wait
    THROTTLED = "throttled"  # send it again after a wait, and send less
    RENEW = "renew"  # find credentials anew, then send it again
    SPLIT = "split"  # something in the request is refused: find it by halving
    FATAL = "fatal"  # no repeat can succeed


THROTTLING_CODES = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
EXPIRED_CODES = frozenset({"ExpiredToken", "ExpiredTokenException"})
REFUSED_CODES = frozenset(
    {"ItemCollectionSizeLimitExceededException", "SerializationException", "ValidationException"},
)
"""The request is understood as far as it goes, and something in it is not accepted."""
TRANSIENT_CODES = frozenset(
    {
        "IDPCommunicationError",
        "InternalFailure",
        "InternalServerError",
        "ReplicatedWriteConflictException",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
    }
)


def verdict(status: int, error_code: str) -> Verdict:
    """Return what an answer calls for; `status` 0 is no answer.

    An answer without DynamoDB's error code comes from something between here and there, and is no reason to
    give up at once; except for a status that is a plain no.
    """
    if status == 200:
        return Verdict.DONE
    if error_code in THROTTLING_CODES or status == 429:
        return Verdict.THROTTLED
    if error_code in EXPIRED_CODES:
        return Verdict.RENEW
    if error_code in REFUSED_CODES or status == 413:
        return Verdict.SPLIT
    if error_code == "NoConnection":
        return Verdict.FATAL
    if status == 0 or status >= 500 or error_code in TRANSIENT_CODES:
        return Verdict.AGAIN
    if not error_code and status not in (401, 403, 407):
        return Verdict.AGAIN
    return Verdict.FATAL


def backoff(attempt: int, rng: random.Random) -> float:
    """Return how many seconds to wait before the attempt after `attempt` (1 is the first) failed.

    Full jitter over an exponential, capped: AWS Architecture Blog, "Exponential Backoff And Jitter".
    """
    ceiling: float = min(BACKOFF_CAP_SECONDS, BACKOFF_BASE_SECONDS * 2 ** min(attempt - 1, 16))
    return rng.random() * ceiling
