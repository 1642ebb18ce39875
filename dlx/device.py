"""Chooses the device of a run, and measures time on it."""

import time

import torch

from dlx.errors import RequestError


def select_device(name: str) -> torch.device:
    """Return the device for `auto` (CUDA, then MPS, then CPU), `cpu`, `cuda`, `cuda:N` or `mps`.

    Raises RequestError if this machine does not have it.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if _has_mps() else "cpu"
    device = torch.device(name)
    if device.type == "cuda":
        count = torch.cuda.device_count()
        if count == 0:
            raise RequestError(f"device={name}: torch finds no CUDA device here (allowed: auto, cpu)")
        if (device.index or 0) >= count:
            raise RequestError(
                f"device={name}: torch finds {count} CUDA device(s), cuda:0 to cuda:{count - 1}"
            )
    if device.type == "mps" and not _has_mps():
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
    """Measures seconds since it was created, each time after the device has finished its work."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._start = self._now()

    def seconds(self) -> float:
        """Return the seconds so far."""
        return self._now() - self._start

    def _now(self) -> float:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        elif self._device.type == "mps":
            torch.mps.synchronize()
        return time.perf_counter()


def _has_mps() -> bool:
    return torch.backends.mps.is_available()
