"""Find the installed project: in this Python, or in the checkout's own environment."""

import importlib.util
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def ensure_installed() -> None:
    """Return when pg2dynamo can be imported; else start this script again with the checkout's `.venv`, or exit."""
    if importlib.util.find_spec("pg2dynamo") and importlib.util.find_spec("onboarding"):
        return
    python = ROOT / ".venv" / "bin" / "python"
    if not python.exists() or Path(sys.prefix) == python.parent.parent:
        sys.exit(f"pg2dynamo is not installed. Run {ROOT / 'scripts' / '_environment'} local, then this again.")
    os.execv(python, [str(python), *sys.argv])  # noqa: S606
