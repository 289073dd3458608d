"""Who works on a task: a process, named so that others can tell whether it is still there."""

from __future__ import annotations

import os
import re
import socket
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Owner:
    """A process: its machine, its number there, and when it started (numbers are used again)."""

    host: str
    pid: int
    start: str

    @classmethod
    def here(cls) -> Owner:
        """This process."""
        return cls(_host(), os.getpid(), _start(os.getpid()) or "")

    @classmethod
    def parse(cls, text: str) -> Owner:
        """The owner that str() wrote."""
        host, pid, start = text.rsplit(":", 2)
        return cls(host, int(pid), start)

    @classmethod
    def can_read(cls, text: str) -> bool:
        """Whether the text is that of an owner."""
        return re.fullmatch(r".*:[0-9]{1,9}:[^:]*", text, re.DOTALL) is not None

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}:{self.start}"

    @property
    def machine(self) -> str:
        """The name of its machine."""
        return self.host.partition("/")[0]

    @property
    def gone(self) -> bool:
        """Whether the process is known to have ended: only on this machine, and only where /proc
        tells.
        """
        if self.host != _host() or not self.start:
            return False
        return _start(self.pid) != self.start and not _hidden(self.pid)


def _start(pid: int) -> str | None:
    """When a process started, in clock ticks since boot; None where it is not there, or dead and
    not yet buried.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The name of the program stands in parentheses and may hold anything.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[19]


def _hidden(pid: int) -> bool:
    """Whether a process lives of which /proc does not tell (mounted with hidepid)."""
    if Path(f"/proc/{pid}").exists():
        return False
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    return True


@cache
def _host() -> str:
    """This machine since it was booted, and the space of its process numbers: a container has its
    own.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")[:8]
        return f"{socket.gethostname()}/{boot}/{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return socket.gethostname()
