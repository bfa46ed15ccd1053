"""What the README shows works as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.conftest import Migration

pytestmark = pytest.mark.acceptance

README = (Path(__file__).parents[2] / "README.md").read_text()


def test_the_library_example_migrates_and_compares_everything(migration: Migration) -> None:
    [example] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", example],
        cwd=migration.folder,
        env=migration.environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("0 True ")


def test_the_commands_of_the_readme_go_through_one_after_the_other(migration: Migration) -> None:
    commands = re.findall(r"^pg2dynamo (\w+) --plan plan\.yaml", README, re.MULTILINE)
    assert commands == ["plan", "estimate", "check", "prepare", "copy", "verify", "repair", "status"]
    expected = {"copy": ["--expect-refused", str(migration.onboarding.seeded.secrets.refused)]}
    for command in commands:
        code, out, narration = migration.run(command, *expected.get(command, []))
        assert code == 0, f"{command}: {out}{narration}"


def test_every_command_has_help_with_an_example() -> None:
    for command in (
        *("init", "plan", "estimate", "check", "prepare", "copy"),
        *("verify", "repair", "status", "export", "import"),
    ):
        out = subprocess.run(
            [sys.executable, "-m", "pg2dynamo", command, "--help"], capture_output=True, text=True, check=True
        ).stdout
        assert f"Example: pg2dynamo {command}" in out
        assert "--json" in out


@pytest.mark.parametrize("arguments", [("copy", "--nonsense"), ("nonsense",), ("copy", "--plan", "not-there.yaml")])
def test_wrong_usage_ends_with_exit_code_2(arguments: tuple[str, ...]) -> None:
    done = subprocess.run([sys.executable, "-m", "pg2dynamo", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_an_error_is_one_json_object_when_json_is_asked_for(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pg2dynamo", "status", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout.startswith('{"ok":false,"error":{"kind":"PlanError"')


def test_differences_end_verify_with_exit_code_3_and_repair_mends_them(migration: Migration) -> None:
    migration.finish_and_compare()
    migration.onboarding.execute(
        "UPDATE accounts SET account_name = account_name || ' ' "
        "WHERE account_id = (SELECT account_id FROM accounts ORDER BY account_id LIMIT 1)"
    )
    code, found, _ = migration.json("verify")
    assert (code, found["different"], found["missing"], found["extra"]) == (3, 1, 0, 0)
    [line] = (migration.folder / found["report"]).read_text().splitlines()
    assert '"kind":"different"' in line.replace(" ", "")
    assert "account_name" in line
    assert migration.json("repair")[0] == 0
    assert migration.json("verify")[0] == 0
