"""Verifying one part: everything is counted once, whatever happens on the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest

from pg2dynamo.errors import SourceChanged, SourceUnreachable
from pg2dynamo.mapping.digest import Buckets, bucket_of, digest_key, digest_row
from pg2dynamo.migration.spill import Side, SpilledKey
from pg2dynamo.migration.verify_segment import (
    KEYS_PER_MESSAGE,
    SOURCE_ATTEMPTS,
    Digested,
    Digests,
    ListTask,
    list_part,
    sum_part,
)


def entry(number: int) -> Digested:
    return Digested(digest_key([("id", number)]), digest_row([("id", number), ("n", 1)]), number)


@dataclass
class NumberPart:
    """A part that breaks after its first batch as often as told."""

    batches: list[list[int]]
    failures: list[Exception] = field(default_factory=list)
    table: ClassVar[str] = "public.t"
    side: ClassVar[Side] = "rows"

    def read(self) -> Iterator[Digests]:
        for batch in self.batches:
            yield Digests.of_entries([entry(number) for number in batch])
            if self.failures:
                raise self.failures.pop()

    def key_of(self, of: int) -> dict[str, str]:
        return {"id": str(of)}


def differs(found: Buckets, numbers: range) -> bool:
    buckets = Buckets()
    for number in numbers:
        buckets.add(*entry(number)[:2])
    return bool(buckets.differing(found))


def test_a_part_is_summed_whole() -> None:
    reported: list[Any] = []
    result = sum_part(NumberPart([[0, 1, 2], [3, 4]]), reported.append)
    assert result.buckets.rows == 5
    assert not differs(result.buckets, range(5))
    assert reported == [("public.t", "rows", 3), ("public.t", "rows", 2)]


def test_a_part_that_was_cut_off_is_begun_again_and_counts_nothing_twice() -> None:
    part = NumberPart([[0, 1], [2]], [SourceUnreachable() for _ in range(SOURCE_ATTEMPTS - 1)])
    result = sum_part(part, lambda _: None)
    assert result.buckets.rows == 3
    assert not differs(result.buckets, range(3))


def test_a_part_is_not_begun_for_ever() -> None:
    with pytest.raises(SourceUnreachable):
        sum_part(NumberPart([[0]], [SourceUnreachable() for _ in range(SOURCE_ATTEMPTS)]), lambda _: None)


def test_what_cannot_be_mended_by_another_attempt_is_raised_at_once() -> None:
    part = NumberPart([[0]], [SourceChanged(), SourceChanged()])
    with pytest.raises(SourceChanged):
        sum_part(part, lambda _: None)
    assert len(part.failures) == 1


def test_only_keys_of_the_unequal_buckets_are_listed() -> None:
    reported: list[tuple[Side, list[SpilledKey]]] = []
    buckets = frozenset({bucket_of(entry(7).key)})
    assert list_part(ListTask(NumberPart([list(range(20))]), buckets), reported.append) == 1
    assert reported == [("rows", [SpilledKey(entry(7).key, '{"id":"7"}', entry(7).row)])]


@pytest.mark.parametrize("count", [KEYS_PER_MESSAGE - 1, KEYS_PER_MESSAGE, KEYS_PER_MESSAGE + 1])
def test_listed_keys_come_in_messages_of_bounded_size(count: int) -> None:
    reported: list[tuple[Side, list[SpilledKey]]] = []
    batches = [[number] for number in range(count)]
    assert list_part(ListTask(NumberPart(batches), frozenset(range(65_536))), reported.append) == count
    assert sum(len(keys) for _, keys in reported) == count
    assert max(len(keys) for _, keys in reported) <= KEYS_PER_MESSAGE
