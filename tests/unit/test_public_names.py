"""The library's public names are those that `__all__` says, each with a docstring."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import pg2dynamo


def test_public_names_are_those_of_all_for_type_checkers_too() -> None:
    tree = ast.parse(Path(str(pg2dynamo.__file__)).read_text())
    imported = {
        name.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("pg2dynamo.")
        for name in node.names
    }
    assert imported == set(pg2dynamo.__all__)
    assert set(pg2dynamo.__all__) <= set(dir(pg2dynamo))


def test_every_public_name_is_there_and_says_what_it_promises() -> None:
    assert [name for name in pg2dynamo.__all__ if not (getattr(pg2dynamo, name).__doc__ or "").strip()] == []


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        pg2dynamo.nonsense  # noqa: B018


def test_importing_the_package_loads_no_driver() -> None:
    check = "import sys, pg2dynamo.errors; print(sorted({'boto3', 'psycopg', 'typer'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
