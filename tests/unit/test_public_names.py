"""The library's public names are those that `__all__` says, each with a docstring."""

from __future__ import annotations

import types

import pg2dynamo


def test_public_names_are_those_of_all() -> None:
    public = {
        name
        for name, value in vars(pg2dynamo).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    assert public == set(pg2dynamo.__all__)


def test_every_public_name_says_what_it_promises() -> None:
    assert [name for name in pg2dynamo.__all__ if not (getattr(pg2dynamo, name).__doc__ or "").strip()] == []
