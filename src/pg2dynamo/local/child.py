"""Become a server: give up root, tie the life to the parent's, and execute the program.

Run as a script of its own (`python child.py WISH PROGRAM ARGUMENT...`), so that nothing has to run between fork and
exec in a process that has threads. WISH is a JSON object: `user` and `group` (ids to change to, or null), `dies_by`
(signal received when the thread that started this process ends, or 0), `parent` (its process id), `report` (a file
descriptor that receives the process id of a detached server, or null).
"""

import ctypes
import json
import os
import sys

PR_SET_PDEATHSIG = 1


def _detach(report: int) -> None:
    """Leave the parent: go on as a child of process 1, and report the process id."""
    pid = os.fork()
    if pid:
        os.write(report, str(pid).encode())
        os._exit(0)
    os.close(report)


def _die_with(parent: int, signal_number: int) -> None:
    """Ask the kernel for a signal at the parent's end. Must follow the change of user, which clears the request."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != parent:
        os._exit(1)


def main() -> None:
    """Do what the first argument asks and execute the rest."""
    wish = json.loads(sys.argv[1])
    program = sys.argv[2:]
    if wish["report"] is not None:
        _detach(wish["report"])
    if wish["user"] is not None:
        os.setgroups([])
        os.setgid(wish["group"])
        os.setuid(wish["user"])
    if wish["dies_by"]:
        _die_with(wish["parent"], wish["dies_by"])
    os.execv(program[0], program)  # noqa: S606 - the program is the server itself, named by its path


if __name__ == "__main__":
    main()
