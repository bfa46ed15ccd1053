"""An environment of its own for awswrangler, which brings pandas and pyarrow: nothing that pg2dynamo should install."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.bench.bulk.front import ROOT

ENVIRONMENT = ROOT / ".venv-bench"
REQUIREMENTS = ("awswrangler>=3.17,<4", "psycopg[binary]>=3.2")
INSTALL_SECONDS = 900


def wrangler_python(say: Callable[[str], None]) -> tuple[Path | None, str]:
    """Return the interpreter that has awswrangler, made on first use; or None, and why there is none."""
    python, stamp = ENVIRONMENT / "bin" / "python", ENVIRONMENT / ".installed"
    wanted = f"{sys.version}\n{REQUIREMENTS}\n"
    if stamp.is_file() and stamp.read_text() == wanted and python.exists():
        return python, ""
    say(f"Preparing {ENVIRONMENT.name} with awswrangler: a minute or two, once.")
    commands = (
        [sys.executable, "-m", "venv", "--clear", "--without-pip", str(ENVIRONMENT)],
        [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-input", *REQUIREMENTS],
    )
    try:
        for command in commands:
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr, timeout=INSTALL_SECONDS)
    except (subprocess.SubprocessError, OSError) as error:
        return None, f"awswrangler cannot be installed ({type(error).__name__})"
    stamp.write_text(wanted)
    return python, ""
