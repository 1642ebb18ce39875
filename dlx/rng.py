"""Random numbers are derived, never restored: (seed, purpose, epoch) names a generator's whole stream.

A run therefore has the same split, initial weights, batch order, augmentation and dropout draws in any
engine, in any cohort and after any resume, and no generator state is ever saved.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def derive_seed(seed: int, purpose: str, epoch: int = 0) -> int:
    """Return 63 bits of SHA-256 over the three arguments: close seeds give unrelated streams."""
    digest = hashlib.sha256(f"{seed}/{purpose}/{epoch}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(seed: int, purpose: str, epoch: int = 0, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a fresh generator on `device` for this purpose ("split", "init", "order", ...) and epoch."""
    return torch.Generator(device=device).manual_seed(derive_seed(seed, purpose, epoch))


@contextmanager
def global_state(
    seed: int, purpose: str, epoch: int = 0, device: torch.device | str = "cpu"
) -> Iterator[None]:
    """Lend torch's global generators (CPU, and `device` if CUDA) seeded, and put their state back.

    For torch's own `reset_parameters` and for a user's modules; everything of ours takes a generator.
    """
    device = torch.device(device)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        derived = derive_seed(seed, purpose, epoch)
        torch.default_generator.manual_seed(derived)
        if device.type == "cuda":
            torch.cuda.manual_seed(derived)
        yield
