"""The machine that was measured on."""

from __future__ import annotations

import os
import platform
import re
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.bulk.servers import Servers


def describe_machine(servers: Servers) -> dict[str, str | int | float]:
    """Return what the numbers depend on, as plain values."""
    model = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    major, minor = servers.postgres.version
    return {
        "cpu": model[1] if model else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": f"{platform.freedesktop_os_release().get('PRETTY_NAME', 'Linux')}, Linux {platform.release()}",
        "python": platform.python_version(),
        "postgresql": f"{major}.{minor}",
        "sink": servers.front.label,
        "date": datetime.now(UTC).date().isoformat(),
    }
