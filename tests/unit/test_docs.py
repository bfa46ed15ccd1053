"""The documentation keeps true: examples load, keys and commands that it names are there, links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from typer.main import get_command

from pg2dynamo.cli.app import app
from pg2dynamo.plan.load import parse_plan
from pg2dynamo.plan.model import Plan
from pg2dynamo.plan.reference import reference_page

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_plans_in_the_documentation_load(page: Path) -> None:
    for block in blocks(page, "yaml"):
        parse_plan(block, {}, where=str(page))


def test_the_plan_reference_is_the_one_that_the_model_gives() -> None:
    page = ROOT / "docs" / "reference" / "plan.md"
    write_anew = f"python -m pg2dynamo.plan.reference > {page.relative_to(ROOT)}"
    assert page.read_text() == reference_page(), f"the model has changed; run: {write_anew}"


def test_the_plan_reference_names_every_key_of_the_model_and_says_what_it_is_for() -> None:
    rows = re.findall(r"^\| `(\w+)` \|.*\| ([^|]+) \|$", reference_page(), re.MULTILINE)
    keys = {f.alias or name for m in models_of(Plan) for name, f in m.model_fields.items()}
    assert {key for key, what in rows if len(what) > 10} == keys


def models_of(model: type[BaseModel]) -> set[type[BaseModel]]:
    found = {model}
    waiting: list[Any] = [f.annotation for f in model.model_fields.values()]
    while waiting:
        annotation = waiting.pop()
        waiting += get_args(annotation)
        if isinstance(annotation, type) and issubclass(annotation, BaseModel) and annotation not in found:
            found.add(annotation)
            waiting += [f.annotation for f in annotation.model_fields.values()]
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_commands_in_the_documentation_exist_with_their_options(page: Path) -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    mentioned = r"(?:^|`)pg2dynamo ([a-z]+)\b((?: +--?[a-z-]+(?: [^-\s`]\S*)?)*)"
    for name, rest in re.findall(mentioned, page.read_text(), re.MULTILINE):
        assert name in commands, f"{page}: pg2dynamo {name}"
        options = {option for parameter in commands[name].params for option in parameter.opts} | {"--help"}
        assert set(re.findall(r"--[a-z-]+", rest)) <= options, f"{page}: pg2dynamo {name}{rest}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in link:
            assert (page.parent / link).exists(), f"{page}: {link}"


def test_every_test_that_the_hazards_name_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "design" / "hazards.md").read_text()))
    there = {
        name for path in (ROOT / "tests").rglob("test_*.py") for name in re.findall(r"def (test_\w+)", path.read_text())
    }
    assert named - there == set()
