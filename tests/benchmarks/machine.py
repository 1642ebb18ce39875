"""What was measured on, with which versions, when."""

import os
import platform
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("torch", "torchvision", "lightning", "skorch", "hydra-core", "numpy")


def describe() -> str:
    """Return one line: date, processor, cores, other load at the start, versions."""
    import torch

    now = datetime.now().astimezone()
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    return (
        f"{now:%Y-%m-%d}; {_processor()}, {os.cpu_count()} cores ({torch.backends.cpu.get_cpu_capability()})"
        f"{gpu}; load at the start {load}; Python {platform.python_version()}, {_versions()}"
    )


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _versions() -> str:
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} not installed")
    return ", ".join(found)
