"""What a process listens on, by the kernel's own account."""

from __future__ import annotations

from pathlib import Path

LISTENING = "0A"


def listening_addresses(pid: int) -> set[str]:
    """Return the addresses that the process listens on, as /proc/net shows them (hexadecimal, without ports)."""
    descriptors = (link.readlink().name for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink())
    sockets = {name[len("socket:[") : -1] for name in descriptors if name.startswith("socket:[")}
    rows = [
        line.split()
        for family in ("tcp", "tcp6", "udp", "udp6")
        for line in Path(f"/proc/{pid}/net/{family}").read_text().splitlines()[1:]
    ]
    return {row[1].rpartition(":")[0] for row in rows if row[9] in sockets and row[3] == LISTENING}


LOOPBACK = {"0100007F"}
