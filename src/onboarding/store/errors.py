"""How a store refuses. Every implementation raises these and nothing else; messages hold no value of a record.

When several apply to a creation, the first of this order is raised: Invalid, AlreadyExists, NotFound, Conflict.
"""

from __future__ import annotations


class StoreError(Exception):
    """The root: something that a store was asked to do was not done, wholly."""


class Invalid(StoreError):
    """A field has a value that the store does not take. `field` names it, `reason` says what it must be."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field} {reason}.")
        self.field, self.reason = field, reason


class NotFound(StoreError):
    """There is nothing of this kind under this id, or it is another tenant's: which of the two is not told."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"There is no {kind.replace('_', ' ')} with this id.")
        self.kind = kind


class AlreadyExists(StoreError):
    """This id is taken, or the receipt of the same request is there: the thing was created before."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"This {kind.replace('_', ' ')} was created before.")
        self.kind = kind


class Conflict(StoreError):
    """Something else stands against it: a unique value is taken, an execution has ended, a run is another's."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


class Changed(StoreError):
    """The record is no longer what the caller had seen: read it again and decide anew."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"The {kind.replace('_', ' ')} has changed since it was read: read it again.")
        self.kind = kind


class Unreadable(StoreError):
    """What is kept under this id is there and cannot be read, by any key in use: store it again."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"The {kind.replace('_', ' ')} that is kept cannot be read: store it again.")
        self.kind = kind


class Unavailable(StoreError):
    """The store does not answer, or asks to be spared; the same call may succeed in a moment."""

    def __init__(self, store: str, reason: str = "does not answer") -> None:
        super().__init__(f"{store} {reason}: try again in a moment.")
        self.store = store
