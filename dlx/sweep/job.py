"""One run of a grid, composed and checked."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from dlx.config import Settings


@dataclass(frozen=True)
class Job:
    """What a launcher needs of a run before it is built."""

    label: str  # the overrides in which it differs from the others, "optimizer.lr=0.1 seed=2"
    config: DictConfig  # with Hydra's node
    values: dict[str, Any]  # of the configuration, resolved, without Hydra's node
    settings: Settings
    folder: Path
