"""Random generators derived from (seed, purpose, epoch), so that no generator state needs saving.

A run therefore has the same split, initial weights, batch order, augmentation and dropout draws in either
engine and in any cohort.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def derive_seed(seed: int, purpose: str, epoch: int = 0) -> int:
    """Return 63 bits of a SHA-256 of the three arguments, so that close seeds give unrelated streams."""
    digest = hashlib.sha256(f"{seed}/{purpose}/{epoch}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(seed: int, purpose: str, epoch: int = 0, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a new generator on `device` for this purpose ("split", "init", "order", ...) and epoch."""
    return torch.Generator(device=device).manual_seed(derive_seed(seed, purpose, epoch))


def reseed(generator: torch.Generator, seed: int, purpose: str, epoch: int) -> None:
    """Let a generator go on as a new one for this purpose and epoch would; a CUDA graph knows this object."""
    generator.manual_seed(derive_seed(seed, purpose, epoch))


@contextmanager
def global_state(
    seed: int, purpose: str, epoch: int = 0, device: torch.device | str = "cpu"
) -> Iterator[None]:
    """Seed torch's global generators (CPU, and `device` if CUDA) in this context, then restore their state.

    For torch's own `reset_parameters` and for users' modules; dlx's code takes a generator as an argument.
    """
    device = torch.device(device)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        derived = derive_seed(seed, purpose, epoch)
        torch.default_generator.manual_seed(derived)
        if device.type == "cuda":
            torch.cuda.manual_seed(derived)
        yield
