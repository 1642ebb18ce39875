"""The machine: the device of a run, the time on it, and how much memory is left."""

import os
import time
from pathlib import Path

import torch

from dlx.errors import RequestError

MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")


def select_device(name: str) -> torch.device:
    """Return the device for `auto` (CUDA, then MPS, then CPU), `cpu`, `cuda`, `cuda:N` or `mps`.

    Raises RequestError if this machine does not have it.
    """
    if name == "auto":
        has_mps = torch.backends.mps.is_available()
        name = "cuda" if torch.cuda.is_available() else "mps" if has_mps else "cpu"
    device = torch.device(name)
    if device.type == "cuda":
        count = torch.cuda.device_count()
        if count == 0:
            raise RequestError(f"device={name}: torch finds no CUDA device here (allowed: auto, cpu)")
        if (device.index or 0) >= count:
            raise RequestError(
                f"device={name}: torch finds {count} CUDA device(s), cuda:0 to cuda:{count - 1}"
            )
        # Without these, convolutions on an H100 gave other bits each time, in either engine.
        torch.backends.cudnn.deterministic = True
        # cuBLAS reads it once, at its first product; without it, deterministic=true would be refused.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise RequestError("device=mps: torch finds no Apple GPU here (allowed: auto, cpu)")
    return device


def describe_device(device: torch.device) -> str:
    """Return the device's name for people, e.g. "cpu" or "cuda:0 (NVIDIA H200)"."""
    if device.type == "cuda":
        index = device.index or 0
        return f"cuda:{index} ({torch.cuda.get_device_name(index)})"
    return device.type


def accumulator(device: torch.device) -> torch.dtype:
    """Return the type to sum losses in: float64, or float32 on MPS, which has no float64."""
    return torch.float32 if device.type == "mps" else torch.float64


class Timer:
    """Measures the seconds since it was created, after waiting for the device to finish its work.

    `before`: the seconds that an interrupted training took, which count.
    """

    def __init__(self, device: torch.device, before: float = 0.0) -> None:
        self._device = device
        self._start = self._now() - before

    def seconds(self) -> float:
        """Return the seconds so far."""
        return self._now() - self._start

    def _now(self) -> float:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        elif self._device.type == "mps":
            torch.mps.synchronize()
        return time.perf_counter()


SAFE_SHARE = 0.8  # of the free memory; the rest is for other programs


def check_memory(what: str, needed: int, advice: str = "", free: int | None = None) -> None:
    """Raise RequestError if more bytes are needed than a safe share of `free`, by default main memory.

    `what` begins the message and ends with its verb: "60 images of 8x8 need".
    """
    free = available_bytes() if free is None else free
    if free is not None and needed > SAFE_SHARE * free:
        more = f"; {advice}" if advice else ""
        raise RequestError(
            f"{what} about {_gigabytes(needed)} of memory, but dlx uses at most {SAFE_SHARE:.0%} of the free "
            f"{_gigabytes(free)}{more}"
        )


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:,.0f} GB" if count >= 1e11 else f"{count / 1e9:.3g} GB"


def available_bytes() -> int | None:
    """Return the bytes of main memory that a process may still take; None if unknown.

    On Linux, what the kernel reports as available, or less if a container's limit leaves less. Elsewhere,
    half of the machine's memory.
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
    # Cached files count as used there, but the kernel drops them when memory is needed.
    cached = next((int(line.split()[1]) for line in stat if line.startswith("inactive_file ")), 0)
    return None if limit == "max" else max(int(limit) - used + cached, 0)
