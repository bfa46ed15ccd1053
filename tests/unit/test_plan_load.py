"""Plan files: read with variables, and refused with file, line and the word that was meant."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from pg2dynamo.errors import PlanError
from pg2dynamo.plan.load import load_plan, parse_plan, resolve

PLAN = """\
name: x
tables:
  - from: a
    to: ${PREFIX:-app}-a
    key: {hash: id}
"""


def test_a_plan_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN)
    assert load_plan(path, {}).tables[0].to == "app-a"


def test_a_plan_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="cannot be read: No such file"):
        load_plan(tmp_path / "nowhere.yaml", {})


@pytest.mark.parametrize(("environ", "expected"), [({}, "app-a"), ({"PREFIX": "p"}, "p-a"), ({"PREFIX": ""}, "app-a")])
def test_variables_have_defaults(environ: dict[str, str], expected: str) -> None:
    assert parse_plan(PLAN, environ).tables[0].to == expected


def test_a_variable_that_is_not_set_is_named_with_its_line() -> None:
    with pytest.raises(PlanError, match=r"plan:4: tables\.0\.to: the environment variable PREFIX is not set"):
        parse_plan(PLAN.replace(":-app", ""), {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (PLAN.replace("key:", "kye:"), r"plan:5: unknown key tables\.0\.kye; did you mean key"),
        (PLAN + "    indexes:\n      - {nam: i, hash: a}\n", r"plan:7: unknown key .*\.nam; did you mean name"),
        (PLAN + "    attributes: {e: {sqk: x}}\n", r"unknown key .*\.sqk; did you mean sql"),
        ("nmae: x\n", "plan:1: unknown key nmae; did you mean name"),
        (PLAN.replace("    key: {hash: id}\n", ""), r"plan:3: tables\.0\.key: it is required, and not there"),
        (PLAN.replace("hash: id", "hash: [id]"), r"plan:5: tables\.0\.key\.hash"),
        (PLAN + "name: y\n", "plan:6: name: the key stands twice"),
        ("name: [", "plan:.*: not YAML"),
        ("- name", "a plan is a mapping"),
        ("", "a plan is a mapping"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, message: str) -> None:
    with pytest.raises(PlanError, match=message):
        parse_plan(text, {})


WITH_PASSWORD = "name: x\nsource:\n  dsn: postgresql://app:hunter2@db/x\n"
BROKEN_WITH_PASSWORD = "name: x\nsource:\n  dsn: [hunter2\n"


def test_a_password_in_a_plan_is_refused_and_not_repeated() -> None:
    for text, message in (
        (WITH_PASSWORD, "plan:3: source.dsn: a plan must not hold a password"),
        (BROKEN_WITH_PASSWORD, "plan:4: not YAML"),
    ):
        with pytest.raises(PlanError) as caught:
            parse_plan(text, {})
        assert message in str(caught.value)
        assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_references_are_resolved_masked() -> None:
    environ = {"KEY": "hunter2"}
    key = resolve("env:KEY", environ)
    assert key
    assert key.reveal() == "hunter2"
    assert "hunter2" not in f"{key} {key!r}"
    assert resolve("optional-env:OTHER", environ) is None
    with pytest.raises(PlanError, match="OTHER is not set"):
        resolve("env:OTHER", environ)
    plain = resolve("host=db", environ)
    assert plain
    assert plain.reveal() == "host=db"
