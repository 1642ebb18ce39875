"""How much memory is left, to refuse what would not fit before the machine starts to swap or kill."""

import os
from pathlib import Path

MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")


def available_bytes() -> int | None:
    """Return the bytes that a process may still take, or None where the system does not tell.

    On Linux what the kernel says is available, or what a container's limit leaves if that is less;
    elsewhere half of what is built in.
    """
    known = [left for left in (_meminfo(), _cgroup()) if left is not None]
    if known:
        return min(known)
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, ValueError, OSError):
        return None  # Windows has no sysconf


def _meminfo() -> int | None:
    try:
        lines = MEMINFO.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    sizes = dict(line.split(":", 1) for line in lines if ":" in line)
    return int(sizes["MemAvailable"].split()[0]) * 1024 if "MemAvailable" in sizes else None


def _cgroup() -> int | None:
    try:
        limit = (CGROUP / "memory.max").read_text(encoding="ascii").strip()
        used = int((CGROUP / "memory.current").read_text(encoding="ascii"))
        stat = (CGROUP / "memory.stat").read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return None
    # Files the kernel keeps in memory count as used there, and it drops them when memory is asked for.
    cached = next((int(line.split()[1]) for line in stat if line.startswith("inactive_file ")), 0)
    return None if limit == "max" else max(int(limit) - used + cached, 0)
