"""Amazon's own DynamoDB Local: the strict second opinion on what DynamoDB accepts.

Its libraries come by Maven, once a user, into a cache; it needs a Java 17 development kit, because the launcher that
binds it to 127.0.0.1 is one source file.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from pg2dynamo.local import process
from pg2dynamo.local.aws import AwsServer, answers
from pg2dynamo.local.process import LocalServerError

VERSION = "3.1.0"
JAVA_VERSION = 17
READY_FOLDER_VARIABLE = "PG2DYNAMO_DYNAMODB_LOCAL"
RESOLVE_SECONDS = 600
PROBE_SECONDS = 30

_LAUNCHER = Path(__file__).with_name("Launcher.java")
_POM = Path(__file__).with_name("dynamodb-local.pom.xml")


def default_cache() -> Path:
    """Return the user's own cache folder of pg2dynamo (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pg2dynamo"


def why_unavailable(cache: Path) -> str | None:
    """Say what this machine lacks to run DynamoDB Local, or None when it has all that is needed."""
    lacking = _java_lacking()
    if lacking is None and _ready(cache) is None and shutil.which("mvn") is None:
        lacking = "Maven (package maven)"
    return f"DynamoDB Local needs {lacking}" if lacking else None


def ensure_dynamodb_local(cache: Path) -> Path | None:
    """Return the folder of DynamoDB Local's libraries, fetched by Maven into `cache` unless they are there.

    The folder that PG2DYNAMO_DYNAMODB_LOCAL names is taken as it is. None when `why_unavailable` has a reason;
    raises LocalServerError when Maven fails. Safe to call from several processes at once.
    """
    if why_unavailable(cache) is not None:
        return None
    return _ready(cache) or _resolve(cache)


def start_dynamodb_local(directory: Path, libraries: Path, *, port: int | None = None, keep: bool = False) -> AwsServer:
    """Start DynamoDB Local in memory, one database for all regions and keys. Raises LocalServerError."""
    port = port or process.free_port()
    folders = [libraries, libraries / "DynamoDBLocal_lib"]
    program = [shutil.which("java") or "java", "-Xmx2g", "-Djava.net.preferIPv4Stack=true"]
    program += ["-Djava.library.path=" + os.pathsep.join(map(str, folders))]
    program += ["-cp", os.pathsep.join(f"{folder}/*" for folder in folders), str(_LAUNCHER)]
    program += ["-inMemory", "-sharedDb", "-disableTelemetry", "-port", str(port)]
    server = process.start_process(
        program,
        directory,
        log=directory / "dynamodb-local.log",
        environ=process.plain_environment(directory),
        keep=keep,
    )
    # A request without a signature is answered with 400, by nothing less than the service itself.
    process.await_ready(server, "DynamoDB Local", lambda: answers(port, "/", expected=400))
    return AwsServer("dynamodb-local", f"http://{process.HOST}:{port}", server)


def _ready(cache: Path) -> Path | None:
    named = os.environ.get(READY_FOLDER_VARIABLE)
    folder = Path(named) if named else _cached(cache)
    return folder.resolve() if any(folder.glob("DynamoDBLocal*.jar")) else None


def _cached(cache: Path) -> Path:
    return cache / f"dynamodb-local-{VERSION}"


def _resolve(cache: Path) -> Path:
    """Fetch into a folder of its own and give it its name when it is whole."""
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="resolving-", dir=cache) as work:
        pom, libraries = Path(work, "pom.xml"), Path(work, "lib")
        shutil.copyfile(_POM, pom)
        _maven(pom, libraries)
        if not any(libraries.glob("DynamoDBLocal*.jar")):
            raise LocalServerError("Maven fetched no DynamoDB Local.")
        try:
            libraries.rename(_cached(cache))
        except OSError:
            if _ready(cache) is None:
                raise
    return _cached(cache).resolve()


def _maven(pom: Path, libraries: Path) -> None:
    program = ["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={libraries}"]
    try:
        done = subprocess.run(
            program,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=RESOLVE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise LocalServerError(f"Maven did not fetch DynamoDB Local in {RESOLVE_SECONDS} s.") from None
    if done.returncode != 0:
        output = done.stdout.decode(errors="replace")[-process.LOG_TAIL_BYTES :]
        raise LocalServerError(f"Maven could not fetch DynamoDB Local: {output}")


def _java_lacking() -> str | None:
    """Ask the Java on the path for its modules, which carry its version and tell whether it has the compiler."""
    java = shutil.which("java")
    if java is None:
        return f"Java {JAVA_VERSION} or later (package openjdk-17-jdk-headless)"
    done = subprocess.run(
        [java, "--list-modules"], stdin=subprocess.DEVNULL, capture_output=True, timeout=PROBE_SECONDS, check=False
    )
    version = re.search(rb"^java\.base@(\d+)", done.stdout, re.MULTILINE)
    if version is None or int(version[1]) < JAVA_VERSION:
        return f"Java {JAVA_VERSION} or later (package openjdk-17-jdk-headless)"
    if not re.search(rb"^jdk\.compiler@", done.stdout, re.MULTILINE):
        return "a Java development kit, not only a runtime (package openjdk-17-jdk-headless)"
    return None
