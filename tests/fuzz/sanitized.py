"""Build the native encoder with AddressSanitizer and UndefinedBehaviorSanitizer, and run the fuzzer on it.

`python -m tests.fuzz.sanitized [--seconds N] [--rounds N] [--seed N]`. The build is in a folder of its own, which goes
with the run; the fuzzer runs in a child process, as the sanitizer's library must be loaded before Python. Exit code 0
when nothing was found.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "native" / "src"
FLAGS = ("-shared", "-fPIC", "-g", "-O1", "-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Werror")
SANITIZERS = (
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
    "-fno-omit-frame-pointer",
    "-DBUFFER_EXACT=1",
)


def why_unavailable() -> str | None:
    """Say what this machine lacks; None when the fuzzer can run."""
    if shutil.which("gcc") is None:
        return "the fuzzer needs gcc"
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        return "the fuzzer needs Python's headers"
    return None if _runtime().is_absolute() else "the fuzzer needs gcc's libasan"


def run(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """Build, and run the fuzzer with these arguments; its output is passed on when it ends."""
    with tempfile.TemporaryDirectory(prefix="pg2dynamo-fuzz-") as folder:
        build(Path(folder))
        return subprocess.run(
            [sys.executable, "-m", "tests.fuzz.encoder", *arguments],
            cwd=ROOT,
            env=os.environ | _environment(Path(folder)),
            capture_output=True,
            text=True,
            check=False,
        )


def build(folder: Path) -> None:
    """Make the package in the folder. Raises CalledProcessError for any warning of the compiler."""
    package = folder / "pg2dynamo_native"
    package.mkdir()
    shutil.copy(SOURCES / "pg2dynamo_native" / "__init__.py", package)
    library = package / f"_encoder{sysconfig.get_config_var('EXT_SUFFIX')}"
    include = f"-I{sysconfig.get_path('include')}"
    sources = sorted(map(str, (SOURCES / "encoder").glob("*.c")))
    subprocess.run(["gcc", *FLAGS, *SANITIZERS, include, *sources, "-o", str(library)], check=True)


def _environment(folder: Path) -> dict[str, str]:
    return {
        "PYTHONPATH": f"{folder}{os.pathsep}{ROOT / 'src'}",
        "LD_PRELOAD": str(_runtime()),
        # Every object has an end that the sanitizer watches. Python itself leaves memory behind.
        "PYTHONMALLOC": "malloc",
        "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",
        "PG2DYNAMO_NATIVE": "1",
    }


def _runtime() -> Path:
    """Return the sanitizer's library, a bare name where there is none."""
    asked = ["gcc", "-print-file-name=libasan.so"]
    return Path(subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip())


def main() -> int:
    """Run, and pass on what the fuzzer says."""
    lacking = why_unavailable()
    if lacking:
        print(lacking, file=sys.stderr)
        return 2
    done = run(sys.argv[1:])
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
