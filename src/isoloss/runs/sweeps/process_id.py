"""Who works on a task: a process, named so that others can tell whether it is still there."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

#: A start that the system does not tell.
_UNTOLD = ""
#: Seconds that `ps` may take.
_PATIENCE = 10.0


@dataclass(frozen=True)
class Owner:
    """A process: its machine, its number there, and when it started (numbers are used again)."""

    host: str
    pid: int
    start: str

    @classmethod
    def here(cls) -> Owner:
        """This process."""
        return _here(os.getpid())

    @classmethod
    def of(cls, pid: int) -> Owner:
        """A process of this machine; one that has ended is gone."""
        start = _start(pid)
        return cls(_host(), pid, "ended" if start is None else start)

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
        """Whether the process is known to have ended: only on this machine, and only where the
        system tells.
        """
        if self.host != _host() or not self.start:
            return False
        found = _start(self.pid)
        return found not in (self.start, _UNTOLD) and not _hidden(self.pid)


def _start(pid: int) -> str | None:
    """When a process started, as its system writes it; None where it is not there, or dead and not
    yet buried; _UNTOLD where the system does not say.
    """
    if sys.platform == "win32":
        return _started_on_windows(pid)
    return _started_by_proc(pid) if Path("/proc/self/stat").exists() else _started_by_ps(pid)


def _started_by_proc(pid: int) -> str | None:
    """In clock ticks since boot, which no clock that is set anew changes."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The name of the program stands in parentheses and may hold anything.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[19]


def _started_by_ps(pid: int) -> str | None:
    """As `ps` tells it on macOS and the BSDs; in one language and zone, whoever asks."""
    words = ["ps", "-o", "state=,lstart=", "-p", str(pid)]
    plain = os.environ | {"LC_ALL": "C", "TZ": "UTC"}
    try:
        told = subprocess.run(words, env=plain, capture_output=True, text=True, timeout=_PATIENCE)
    except (OSError, subprocess.SubprocessError):
        return _UNTOLD
    state, _, start = told.stdout.strip().partition(" ")
    # It stands between colons in the text of an owner.
    return "-".join(start.replace(":", ".").split()) if state and state[0] not in "ZX" else None


def _started_on_windows(pid: int) -> str | None:
    """In the ticks of 100 ns that the kernel keeps."""
    if sys.platform != "win32":
        raise AssertionError("asked under another system")
    import ctypes
    from ctypes import wintypes

    query, still_active = 0x1000, 259  # PROCESS_QUERY_LIMITED_INFORMATION, STILL_ACTIVE
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel.OpenProcess.restype = wintypes.HANDLE
    handle = kernel.OpenProcess(query, False, pid)
    if not handle:
        refused = 5  # ERROR_ACCESS_DENIED: it is there, and somebody else's
        return _UNTOLD if ctypes.get_last_error() == refused else None
    try:
        times, code = (wintypes.FILETIME * 4)(), wintypes.DWORD()
        where = [ctypes.byref(times, k * ctypes.sizeof(wintypes.FILETIME)) for k in range(4)]
        process = wintypes.HANDLE(handle)
        asked = kernel.GetProcessTimes(process, *where)
        alive = kernel.GetExitCodeProcess(process, ctypes.byref(code)) and code.value
        if not asked:
            return _UNTOLD
        if alive != still_active:
            return None
        return str((times[0].dwHighDateTime << 32) | times[0].dwLowDateTime)
    finally:
        kernel.CloseHandle(wintypes.HANDLE(handle))


def _hidden(pid: int) -> bool:
    """Whether a process lives of which the system does not tell, as where /proc is mounted with
    hidepid.
    """
    if sys.platform == "win32" or Path(f"/proc/{pid}").exists():
        return False
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    # Where nothing but `ps` tells, a child that is not buried yet can be signalled.
    return Path("/proc/self/stat").exists()


@cache
def _host() -> str:
    """This machine since it was booted, and the space of its process numbers: a container has its
    own.

    Off Linux the starts of processes are dates, which tell those before a boot from those after.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")[:8]
        return f"{socket.gethostname()}/{boot}/{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return socket.gethostname()


@cache
def _here(pid: int) -> Owner:
    """The owner that this process is; pid: so that a fork is another one."""
    return Owner(_host(), pid, _start(pid) or _UNTOLD)
