"""What a study's runs left in their files, but for times, so that two studies can be compared."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dlx.run.paths import HISTORY
from dlx.run.result import read_result


def files(study: Path) -> dict[str, Any]:
    """Return the content of every file that a study's runs left, without times."""
    return dict(_contents(study))


def _contents(study: Path) -> Iterator[tuple[str, Any]]:
    for path in sorted(study.rglob("*")):
        name = str(path.relative_to(study))
        if path.name in ("train.log", "lock") or name.startswith(".study/") or path.is_dir():
            continue
        if path.name == HISTORY:
            rows = csv.DictReader(path.read_text().splitlines())
            yield name, [{key: cell for key, cell in row.items() if key != "time"} for row in rows]
        elif path.suffix == ".npz":
            with np.load(path) as arrays:
                yield name, {key: value.tobytes() for key, value in arrays.items()}
        elif path.suffix == ".pt":
            checkpoint = torch.load(path, weights_only=True)
            yield name, {key: value.numpy().tobytes() for key, value in checkpoint["model"].items()}
        elif path.name == "result.json":
            result = read_result(path.parent)
            assert result is not None
            ignored = {"time_seconds", "checkpoint_sha256", "config", "last", "best"}
            yield name, result.model_dump(exclude=ignored)
        elif ".hydra" not in name:
            yield name, path.read_bytes()
