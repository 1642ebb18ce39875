"""checkpoint.pt: only tensors and plain values, so that it loads with `weights_only=True`."""

import hashlib
import io
from pathlib import Path
from typing import Any

import torch

from dlx.run.files import CHECKPOINT_LIMIT, read_bytes
from dlx.run.paths import CHECKPOINT, write_atomically


def write_checkpoint(folder: Path, model: dict[str, torch.Tensor], epoch: int, identity: str) -> str:
    """Write the model's state after `epoch` to `folder`/checkpoint.pt; return the file's SHA-256 (hex).

    Serialised in memory first, because torch.save leaves a partial file on a full disk.
    """
    buffer = io.BytesIO()
    torch.save({"model": model, "epoch": epoch, "identity": identity}, buffer)
    write_atomically(folder / CHECKPOINT, buffer.getvalue())
    return hashlib.sha256(buffer.getvalue()).hexdigest()


def read_checkpoint(folder: Path, sha256: str) -> dict[str, Any]:
    """Read `folder`/checkpoint.pt, with keys `model`, `epoch` and `identity` and its tensors on the CPU.

    Raises ValueError if the file's SHA-256 differs; torch itself does not notice most flipped bits.
    """
    content = read_bytes(folder / CHECKPOINT, CHECKPOINT_LIMIT)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError(f"{folder / CHECKPOINT}: damaged (its SHA-256 differs from the one in result.json)")
    loaded: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return loaded
