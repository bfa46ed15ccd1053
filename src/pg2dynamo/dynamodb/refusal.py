"""Say what the service refused in words of our own: its messages may quote values of items.

Pure: from an answer's code and message to a reason or an error of our tree.
"""

from __future__ import annotations

import re

from pg2dynamo.errors import (
    TargetDenied,
    TargetError,
    TargetMissing,
    TargetRejected,
    TargetShapeDiffers,
    TargetThrottled,
    TargetUnreachable,
)

_REASONS: tuple[tuple[str, str], ...] = (
    (
        r"Item size has exceeded|Item size to update has exceeded|larger than.*item",
        "the item is larger than 409,600 bytes",
    ),
    (r"Collection size|collection size", "the item collection is larger than 10 GB"),
    (r"empty (string|binary)|empty (String|Binary)", "a key or index key attribute is empty"),
    (r"Type mismatch for Index Key", "an index key attribute has another type than the index"),
    (r"(hashkey|rangekey|Hash key|Range key).*(size|exceeded)|size of (hash|range)key", "a key attribute is too long"),
    (r"[Ss]ize of .*key.*exceed|key.*exceeded the maximum size", "a key attribute is too long"),
    (r"[Aa]ggregated size of all range keys|Aggregated size", "an index key attribute is too long"),
    (r"significant digits|up to 38 digits", "a number has more than 38 significant digits"),
    (r"[Nn]umber (over|under)flow|magnitude", "a number is out of DynamoDB's range"),
    (r"cannot be converted (in)?to a num|numeric value", "a number is not in a form that DynamoDB takes"),
    (r"[Nn]esting [Ll]evels", "values are nested deeper than 32 levels"),
    (r"set\b.*(duplicate|empty)|contains duplicates", "a set is empty or has duplicates"),
    (r"attribute name|AttributeName", "an attribute's name is empty or too long"),
)
_KEY_SHAPE = re.compile(
    r"provided key element does not match|Missing the key|Type mismatch for key|key was not given a value|"
    r"required keys? was not given|number of conditions on the keys is invalid"
)
_CLOCK = re.compile(r"[Ss]ignature (expired|not yet current)|earlier than|later than|[Ss]kew")
_CLOCK_REMEDY = "Set this machine's clock (signatures are good for a few minutes)."

_DENIED: dict[str, tuple[str, str]] = {
    "AccessDeniedException": ("AWS denies the permission.", "See docs/how-to/aws.md for the policy that is needed."),
    "AccessDenied": ("AWS denies the permission.", "See docs/how-to/aws.md for the policy that is needed."),
    "ExpiredTokenException": ("The session token has expired.", "Log in again, and run the command again."),
    "ExpiredToken": ("The session token has expired.", "Log in again, and run the command again."),
    "RequestExpired": ("AWS calls the request too old.", _CLOCK_REMEDY),
    "RequestTimeTooSkewed": ("AWS calls the request's time wrong.", _CLOCK_REMEDY),
    "SignatureDoesNotMatch": ("AWS does not accept the signature.", "Correct AWS_SECRET_ACCESS_KEY and AWS_REGION."),
    "InvalidSignatureException": (
        "AWS does not accept the signature.",
        "Correct AWS_SECRET_ACCESS_KEY and AWS_REGION.",
    ),
    "IncompleteSignature": (
        "AWS calls the signature incomplete.",
        "Look for blanks or line ends in AWS_ACCESS_KEY_ID, and for a proxy that changes headers.",
    ),
    "IncompleteSignatureException": (
        "AWS calls the signature incomplete.",
        "Look for blanks or line ends in AWS_ACCESS_KEY_ID, and for a proxy that changes headers.",
    ),
    "UnrecognizedClientException": ("AWS does not know the access key.", "Correct AWS_ACCESS_KEY_ID or AWS_PROFILE."),
    "InvalidClientTokenId": ("AWS does not know the access key.", "Correct AWS_ACCESS_KEY_ID or AWS_PROFILE."),
    "InvalidAccessKeyId": ("AWS does not know the access key.", "Correct AWS_ACCESS_KEY_ID or AWS_PROFILE."),
    "MissingAuthenticationToken": ("AWS found no signature.", "Look for a proxy that removes headers."),
    "MissingAuthenticationTokenException": ("AWS found no signature.", "Look for a proxy that removes headers."),
    "OptInRequired": ("The account is not enabled for DynamoDB here.", "Enable the region for the account."),
    "NotAuthorized": ("AWS denies the permission.", "See docs/how-to/aws.md for the policy that is needed."),
    "InaccessibleEncryptionCredentialsException": (
        "DynamoDB cannot use the table's KMS key.",
        "Enable the key, and allow it to the role.",
    ),
}


def item_reason(error_code: str, message: str) -> str:
    """Return why a single item was refused, in words that hold no value."""
    for pattern, reason in _REASONS:
        if re.search(pattern, message):
            return reason
    if error_code == "SerializationException":
        return "DynamoDB cannot read the item"
    return f"DynamoDB refuses the item ({error_code or 'too large'})"


def is_shape_problem(message: str) -> bool:
    """Return whether a ValidationException is about the table's key, and so about every item alike."""
    return _KEY_SHAPE.search(message) is not None


def fatal_error(operation: str, table: str, status: int, error_code: str, message: str) -> TargetError:
    """Return the error for an answer that no repeat can better."""
    where = f"{operation} on {table}:"
    if error_code in ("ResourceNotFoundException", "TableNotFoundException"):
        return TargetMissing(f"{where} there is no such table.", remedy="Run `pg2dynamo prepare`.")
    if error_code == "NoConnection":
        return TargetUnreachable(f"{where} {message}.", remedy="Set AWS_CA_BUNDLE, or correct the proxy's settings.")
    if is_shape_problem(message):
        return TargetShapeDiffers(f"{where} the table's key is not the plan's.")
    if _CLOCK.search(message) and error_code in ("InvalidSignatureException", "SignatureDoesNotMatch"):
        error_code = "RequestExpired"
    known = _DENIED.get(error_code)
    if known is not None:
        return TargetDenied(f"{where} {known[0]} ({error_code})", remedy=known[1])
    if status in (401, 403, 407):
        return TargetDenied(
            f"{where} refused with HTTP status {status}.", remedy="Look at what is between here and AWS."
        )
    return TargetRejected(f"{where} DynamoDB rejected the request ({error_code or status}).")


def give_up_error(operation: str, table: str, seconds: float, throttled: bool, why: str) -> TargetError:
    """Return the error for a request that did not succeed for `seconds`; `why` holds no value of an item."""
    where = f"{operation} on {table}:"
    if throttled:
        return TargetThrottled(
            f"{where} throttled for {seconds:.0f} s without success.",
            remedy="Raise the table's limits or slow the copy, and run again.",
        )
    return TargetUnreachable(
        f"{where} no success for {seconds:.0f} s ({why}).",
        remedy="Check the endpoint, the region and the network, and run the command again.",
    )
