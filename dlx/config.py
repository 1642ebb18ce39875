"""What a run's configuration may hold: types, ranges, combinations, and the identity that names its folder.

Hydra composes the YAML (and refuses keys that no YAML has); this file checks the result. Groups that
users extend (model, optimizer, data, ...) are open here: their keys are checked against the signature
of the class they select (`registry.py`), so that a new class needs no line in this file.
"""

import hashlib
import json
import re
from typing import Annotated, Any, Literal, Self

from omegaconf import DictConfig, OmegaConf
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from dlx.errors import RequestError
from dlx.registry import describe

# What decides where results go or how they are shown, not what is computed.
NOT_IDENTITY = ("name", "output_root", "slug", "rerun")

Size = Annotated[int, Field(ge=0)] | Annotated[float, Field(ge=0, le=1)] | None
Seed = Annotated[int, Field(ge=0)]


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Component(BaseModel):
    """A group whose `name` selects a registered class; the remaining keys are that class's arguments."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)
    name: str

    @property
    def arguments(self) -> dict[str, Any]:
        """Return the keys that belong to the selected class."""
        return dict(self.model_extra or {})


class ModelSettings(Component):
    """`init`: how weights are drawn; "default" leaves it to the layers (see model/init.py)."""

    init: str


class ScheduleSettings(Component):
    """`warmup`: epochs (fractions too) over which the learning rate first climbs linearly to its value."""

    warmup: Annotated[float, Field(ge=0)]


class DataSettings(Component):
    """Where the data is and how it is split: sizes are counts (int), fractions (float) or null."""

    root: str | None
    train_size: Size
    val_size: Size
    test_size: Size
    split_seed: Seed
    stratify: bool
    standardise: Literal["none", "unit", "mean_std", "mean_image"]


class SeedSettings(_Closed):
    """One seed for each source of chance; each follows `seed` unless set by itself."""

    init: Seed
    order: Seed
    augment: Seed
    dropout: Seed


class EarlyStoppingSettings(_Closed):
    """Stop after `patience` epochs without an improvement above `min_delta`; 0 never stops early."""

    patience: Annotated[int, Field(ge=0)]
    min_delta: Annotated[float, Field(ge=0)]


class Settings(_Closed):
    """A whole run, resolved and checked."""

    name: str
    output_root: str
    slug: str | None
    rerun: bool
    model: ModelSettings
    optimizer: Component
    schedule: ScheduleSettings
    data: DataSettings
    augment: dict[str, bool | int | float]
    loss: Component
    engine: Component
    epochs: Annotated[int, Field(ge=1)]
    batch_size: Annotated[int, Field(ge=1)]
    shuffle: bool
    drop_last: bool
    seed: Seed
    seeds: SeedSettings
    monitor: Literal["val_accuracy", "val_loss"]
    keep: Literal["none", "best", "last"]
    early_stopping: EarlyStoppingSettings
    device: str
    threads: Annotated[int, Field(ge=1)] | None
    dtype: Literal["float32", "float64"]

    @field_validator("name")
    @classmethod
    def _is_a_folder_name(cls, value: str) -> str:
        # Hydra would write outside output_root for name=../../x.
        if not re.fullmatch(r"[\w][\w.+=-]{0,99}", value):
            raise ValueError("a study's name is one folder: letters, digits and . _ - + =, at most 100")
        return value

    @field_validator("device")
    @classmethod
    def _is_a_device_name(cls, value: str) -> str:
        if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", value):
            raise ValueError("allowed are auto, cpu, cuda, cuda:N and mps")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.schedule.warmup >= self.epochs:
            raise RequestError(
                f"schedule.warmup={self.schedule.warmup:g}: the warm-up must end before epochs={self.epochs}"
            )
        return self


def check(config: DictConfig) -> Settings:
    """Resolve a composed configuration (without Hydra's own node) and check it.

    Raises RequestError with one line naming the key, the value and what is allowed.
    """
    try:
        return Settings.model_validate_json(json.dumps(resolved(config)))
    except ValidationError as error:
        raise RequestError(describe(error)) from error


def resolved(config: DictConfig) -> dict[str, Any]:
    """Return the configuration as plain values with every interpolation resolved and no `hydra` node."""
    container = OmegaConf.to_container(
        OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"]), resolve=True
    )
    assert isinstance(container, dict)
    return {str(key): value for key, value in container.items()}


def identity(config: dict[str, Any]) -> str:
    """Return the SHA-256 (hex) of what a resolved configuration asks to be computed.

    Output keys are left out, and so is `data.root` for sources whose content is known (a source that
    reads the user's own files has a `path` key, and its root counts).
    """
    kept = {key: value for key, value in config.items() if key not in NOT_IDENTITY}
    if "path" not in kept["data"]:
        kept["data"] = {key: value for key, value in kept["data"].items() if key != "root"}
    return hashlib.sha256(json.dumps(_canonical(kept), sort_keys=True).encode()).hexdigest()


def _canonical(value: Any) -> Any:
    """Write 1.0 as 1, so that dropout=0 and dropout=0.0 are one request; but a size of 1.0 is no count."""
    if isinstance(value, dict):
        return {key: item if key.endswith("_size") else _canonical(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def folder_name(config: dict[str, Any]) -> str:
    """Return `<slug>-<hash>`, a run's folder: the same request is the same folder."""
    slug = re.sub(r"[^\w.=+-]+", "-", str(config["slug"] or _slug(config))).strip("-.")[:100]
    return f"{slug}-{identity(config)[:10]}"


def _slug(config: dict[str, Any]) -> str:
    norm = config["model"].get("norm")
    lr = config["optimizer"].get("lr")
    parts = [config["model"]["name"], None if norm == "none" else norm, config["optimizer"]["name"]]
    parts += [f"lr{lr:g}" if isinstance(lr, int | float) else None]
    parts += [f"b{config['batch_size']}", f"s{config['seed']}"]
    return "-".join(part for part in parts if part)
