"""The schema of a run: types, ranges and combinations.

Hydra composes the YAML, and refuses keys that no YAML has; this file checks the result. Groups that users
extend (model, optimizer, data, ...) are open here: `registry.py` checks their keys against the signature of
the class that they select, so that a new class needs no line in this file.
"""

import json
import re
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from dlx.errors import RequestError, nearest
from dlx.metrics.catalogue import check_monitor, is_own
from dlx.run.folds import check_folds
from dlx.validation import as_typed, check_finite, describe


def _size(value: object) -> object:
    """Check the size of a split."""
    counts = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if not (value is None or counts or (isinstance(value, float) and 0 <= value <= 1)):
        raise ValueError("must be a count, a fraction from 0 to 1, or null")
    return value


Size = Annotated[int | float | None, BeforeValidator(_size)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]  # what a table's column of integers holds
OWN = "custom"  # the choice whose key `target` names a class or function of the user's
OWN_GROUPS = ("data", "model", "optimizer", "loss")  # and `augment`, whose keys are transforms
MOST_EPOCHS = 10_000_000  # a line of history.csv for each is 1 GB


class Closed(BaseModel):
    """Settings with no other keys than these."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Component(BaseModel):
    """A group whose `name` selects a registered class; its other keys are the arguments of that class."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)
    name: str

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of the selected class."""
        return dict(self.model_extra or {})

    @property
    def is_own(self) -> bool:
        """Whether it is the user's own, which the argument `target` names."""
        return self.name == OWN


class ModelSettings(Component):
    """`init`: how the first weights are drawn; "default" leaves that to the layers (see model/models.py)."""

    init: str = "default"


class ScheduleSettings(Component):
    """`warmup`: epochs, which may be a fraction, in which the learning rate rises linearly to its value."""

    warmup: Annotated[float, Field(ge=0)]


class DataSettings(Component):
    """Where the data is and how it is split: sizes are counts (int), fractions (float) or null.

    `split_seed`: draws the split; null takes the samples in the order of the source.
    `folds`: of cross-validation, `repeats` times; each is a run, whose `repeat` and `fold` count from 1.
    `val_from`: what validation is drawn from; with "test", the source's test set becomes the validation set.
    """

    root: str | None
    train_size: Size
    val_size: Size
    val_from: Literal["train", "test"] = "train"
    test_size: Size
    split_seed: Seed | None
    stratify: bool
    standardise: Literal["none", "unit", "mean_std", "mean_std_by_feature", "mean_image"]
    folds: Annotated[int, Field(ge=2)] | None = None
    repeats: Annotated[int, Field(ge=1)] = 1
    fold: Annotated[int, Field(ge=1)] | None = None
    repeat: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _folds_fit_together(self) -> Self:
        check_folds(self)
        return self


class SeedSettings(Closed):
    """One seed for each source of randomness; each follows `seed` unless it is set."""

    init: Seed
    order: Seed
    augment: Seed
    dropout: Seed


class EarlyStoppingSettings(Closed):
    """Stop after `patience` epochs without an improvement of more than `min_delta`; 0 never stops early."""

    patience: Annotated[int, Field(ge=0)]
    min_delta: Annotated[float, Field(ge=0)]


class EngineSettings(Closed):
    """`loop` trains runs one by one, `stacked` trains runs of equal shapes together, `auto` chooses.

    `width`: of `stacked`, the most runs to train together; None leaves it to the planner.
    """

    name: Literal["auto", "loop", "stacked"]
    width: Annotated[int, Field(ge=1)] | None = None


class CheckpointSettings(Closed):
    """When a run that is training is kept: every so many epochs, or seconds ("30s").

    `auto`: as often as costs below 3% of the time.
    """

    every: Annotated[int, Field(ge=1)] | str = "auto"

    @field_validator("every")
    @classmethod
    def _is_an_interval(cls, value: int | str) -> int | str:
        if isinstance(value, str) and not re.fullmatch(r"auto|none|\d{1,9}(\.\d+)?s", value, re.ASCII):
            raise ValueError("allowed are auto, none, a number of epochs (10) and seconds (30s)")
        return value


class ProbeSettings(Closed):
    """What to record about the inside of the net (see engine/probes.py); no probe changes a number."""

    layers: bool = False
    gradients: bool = False
    steps: bool = False
    classes: bool = False
    logits: list[Annotated[int, Field(ge=1)]] = []
    train_samples: Annotated[int, Field(ge=0)] = 0
    images: Annotated[int, Field(ge=0, le=64)] = 0


class Settings(Closed):
    """A whole run, resolved and checked."""

    name: str
    output_root: Annotated[str, Field(min_length=1)]
    slug: str | None
    rerun: bool
    baseline: str | None = None
    model: ModelSettings
    optimizer: Component
    schedule: ScheduleSettings
    data: DataSettings
    augment: dict[str, Any]
    loss: Component
    engine: EngineSettings
    epochs: Annotated[int, Field(ge=1, le=MOST_EPOCHS)]
    batch_size: Annotated[int, Field(ge=1)]
    shuffle: bool
    drop_last: bool
    sampler: Literal["balanced"] | None = None
    gradient_clip: Annotated[float, Field(gt=0)] | None = None
    label_noise: Annotated[float, Field(ge=0, le=1)] = 0.0
    seed: Seed
    seeds: SeedSettings
    metrics: list[str] = []
    monitor: str
    keep: Literal["auto", "none", "best", "last"]
    early_stopping: EarlyStoppingSettings
    checkpoint: CheckpointSettings = CheckpointSettings()
    probes: ProbeSettings = ProbeSettings()
    hooks: list[str] = []
    device: str
    threads: Annotated[int, Field(ge=1, le=1024)] | None  # far above, OpenMP crashes
    dtype: Literal["float32", "float64"]
    precision: Literal["float32", "float64", "tf32", "bfloat16"]
    deterministic: bool = False
    compile: bool = False
    cuda_graphs: bool = True

    @property
    def targets(self) -> dict[str, str]:
        """The user's own code that the run executes, by key: {"model.target": "mynet:Net"}."""
        parts = {group: getattr(self, group) for group in OWN_GROUPS}
        found = {
            f"{group}.target": each.arguments.get("target") for group, each in parts.items() if each.is_own
        }
        found["augment.target"] = self.augment.get("target")
        found |= {f"metrics=[{metric}]": metric for metric in self.metrics if is_own(metric)}
        found |= {f"hooks.{index}": target for index, target in enumerate(self.hooks)}
        return {key: target for key, target in found.items() if isinstance(target, str)}

    @model_validator(mode="before")
    @classmethod
    def _precision_follows_dtype(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Fill in what configurations of before there was the key do not have."""
        return {"precision": values.get("dtype"), **values}

    @field_validator("name")
    @classmethod
    def _is_a_folder_name(cls, value: str) -> str:
        # Hydra would write outside output_root for name=../../x.
        if not re.fullmatch(r"[\w][\w.+=-]*", value) or len(value.encode()) > 100:
            raise ValueError("a study's name is one folder: letters, digits and . _ - + =, at most 100")
        return value

    @field_validator("metrics", mode="before")
    @classmethod
    def _is_a_list(cls, value: object) -> object:
        if isinstance(value, str):
            raise ValueError(f"must be a list: metrics=[{value}]")  # noqa: TRY004 - pydantic reports it
        return value

    @field_validator("device")
    @classmethod
    def _is_a_device_name(cls, value: str) -> str:
        if not re.fullmatch(r"auto|cpu|mps|cuda(:\d{1,3})?", value):
            raise ValueError("allowed are auto, cpu, cuda, cuda:N and mps")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.schedule.warmup >= self.epochs:
            raise RequestError(
                f"schedule.warmup={self.schedule.warmup:g}: the warm-up must end before epochs={self.epochs}"
            )
        if self.engine.width is not None and self.engine.name != "stacked":
            raise RequestError(f"engine.width={self.engine.width}: only a stack has a width: engine=stacked")
        check_monitor(self.monitor, self.metrics)
        self._check_surface()
        self._check_execution()
        if self.sampler is not None and not self.shuffle:
            raise RequestError(f"sampler={self.sampler}: draws the order of samples; it needs shuffle=true")
        for key, value in self.augment.items():
            if "target" not in self.augment and not isinstance(value, bool | int | float):
                raise RequestError(f"augment.{key}={as_typed(value)}: must be a number, true or false")
        late = [epoch for epoch in self.probes.logits if epoch > self.epochs]
        if late:
            raise RequestError(
                f"probes.logits={self.probes.logits}: epoch {late[0]} is after epochs={self.epochs}"
            )
        return self

    def _check_execution(self) -> None:
        """Refuse a precision that the dtype cannot have, and a compiled net whose layers are watched."""
        if self.precision != self.dtype and (self.dtype == "float64" or self.precision == "float64"):
            raise RequestError(
                f"precision={self.precision}: does not go with dtype={self.dtype} "
                "(allowed: the dtype, and tf32 or bfloat16 with dtype=float32)"
            )
        if self.precision == "tf32" and self.device in ("cpu", "mps"):
            raise RequestError(
                f"precision=tf32: only NVIDIA GPUs have it, and this run is on device={self.device}"
            )
        if self.compile and self.probes.layers:
            raise RequestError(
                "compile=True: a compiled net has no separate layers to record; set probes.layers=false"
            )

    def _check_surface(self) -> None:
        """Refuse a surface f(x, y) without its own model and loss, and these without it."""
        own = {"data": "surface", "model": "point", "loss": "surface"}
        chosen = {"data": self.data.name, "model": self.model.name, "loss": self.loss.name}
        is_own = [chosen[group] == name for group, name in own.items()]
        if any(is_own) and not all(is_own) and not (self.model.is_own and is_own[0] == is_own[2]):
            there = next(group for group in own if chosen[group] == own[group])
            other = next(group for group in own if chosen[group] != own[group])
            raise RequestError(
                f"{other}={chosen[other]}: does not go with {there}={own[there]}; a surface is descended by "
                "data=surface model=point loss=surface, which data=surface chooses by itself"
            )


def check_values(values: dict[str, Any]) -> Settings:
    """Check a resolved configuration.

    Raises RequestError with one line that names the key, the value and what is allowed.
    """
    for key in values:  # a YAML file of the user's may bring any
        if key not in Settings.model_fields:
            raise RequestError(f"{key}: there is no such key{nearest(key, Settings.model_fields)}")
    check_finite(values)
    try:
        return Settings.model_validate_json(json.dumps(values))
    except ValidationError as error:
        raise RequestError(describe(error)) from error
