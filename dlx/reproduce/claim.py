"""A claim file: a published experiment, its settings and its figures, read and checked."""

import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from yaml import YAMLError

from dlx.errors import RequestError, nearest
from dlx.registry import describe

SEEDS = 5  # the fewest whose permutation test can reach 0.05

Value = bool | int | float | str | list[Any] | None
Where = dict[str, Value]
End = Annotated[float, Field(allow_inf_nan=False)]
Moment = Literal["last", "best", "test"] | Annotated[int, Field(ge=0)]


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Figure(_Closed):
    """A published number: `metric` of the runs that match `where`, `at` a moment of training.

    `value`, or `range` [lowest, highest] where it was published as one; a null end makes it a bound.
    `tolerance`: the figure is deterministic, and every run has to be this near. `rounding`: half a unit of
    the last published digit. `width`: how wide an interval of ours still says something.
    """

    metric: str
    where: Where = {}
    at: Moment = "last"
    value: End | None = None
    range: tuple[End | None, End | None] | None = None
    tolerance: Annotated[float, Field(ge=0)] | None = None
    rounding: Annotated[float, Field(ge=0)] | None = None
    width: Annotated[float, Field(gt=0)] | None = None
    pick: Literal["best"] | None = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if (self.value is None) == (self.range is None):
            raise ValueError("a figure has either value or range")
        if self.range is not None:
            low, high = self.range
            if low is None and high is None:
                raise ValueError("range needs at least one end: [0.7, null]")
            if low is not None and high is not None and low > high:
                raise ValueError(f"range runs from the lower to the higher end, not {low:g} to {high:g}")
        if not self.useful_width:
            raise ValueError("a published 0 needs a width: how wide an interval of ours still says something")
        return self

    @property
    def ends(self) -> tuple[float, float]:
        """The published range; of a value, the value twice; -inf or inf for an open end."""
        low, high = self.range or (self.value, self.value)
        return (-float("inf") if low is None else low, float("inf") if high is None else high)

    @property
    def useful_width(self) -> float:
        """How wide an interval may be: 0.1 for accuracies, else a fifth of the published value."""
        size = max(abs(end) for end in (self.value, *(self.range or ())) if end is not None)
        return self.width or (0.1 if self.metric.endswith("accuracy") else 0.2 * size)


class Order(_Closed):
    """A published order: the runs of `better` above those of `worse` in `metric`, or both of `equal` alike.

    Above means lower for a loss or a time. `margin`: the largest difference that still counts as none.
    """

    metric: str
    better: Where | None = None
    worse: Where | None = None
    equal: tuple[Where, Where] | None = None
    margin: Annotated[float, Field(gt=0)] | None = None
    at: Moment = "last"

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        ordered = self.better is not None and self.worse is not None
        if ordered == (self.equal is not None) or (self.better is None) != (self.worse is None):
            raise ValueError("an order has either better and worse, or equal")
        if (self.equal is None) != (self.margin is None):
            raise ValueError(
                "equal needs a margin, and nothing else has one: equal: [{...}, {...}], margin: 0.01"
            )
        return self

    @property
    def sides(self) -> tuple[Where, Where]:
        """What is compared with what."""
        if self.equal is not None:
            return self.equal
        assert self.better is not None
        assert self.worse is not None
        return self.better, self.worse

    @property
    def lower_is_better(self) -> bool:
        """Whether the metric is one to keep low."""
        return self.metric.endswith(("loss", "time"))


class Claim(_Closed):
    """A published experiment: what `dlx train` is asked for, once a seed, and what is to come of it.

    `commands` run the experiment by itself, where `dlx train` with the claim's preset would not, or not all.
    `seeds`: 1 says that nothing of it is drawn at random.
    """

    claim: str
    source: str
    id: Annotated[str, Field(pattern=r"^[A-Z]\d+$")] | None = None
    title: str = ""
    commands: list[str] = []
    overrides: list[str] = []
    grid: dict[str, Annotated[list[Value], Field(min_length=1)]] = {}
    seeds: Annotated[int, Field(ge=1)] = SEEDS
    rounding: Annotated[float, Field(ge=0)] = 0.0
    figures: list[Figure] = []
    orders: list[Order] = []
    deviations: str | list[str] = "none"

    @field_validator("claim")
    @classmethod
    def _is_a_folder_name(cls, value: str) -> str:
        if not re.fullmatch(r"\w[\w.-]*", value) or len(value) > 100:
            raise ValueError("a claim's name is a folder's: letters, digits and . _ -, at most 100")
        return value

    @field_validator("overrides")
    @classmethod
    def _are_settings(cls, value: list[str]) -> list[str]:
        for word in value:
            key, equals, _ = word.partition("=")
            if not equals and not word.startswith("~"):
                raise ValueError(f"'{word}' is not of the form KEY=VALUE")
            if key in ("seed", "name"):
                raise ValueError(f"'{word}': seeds says how many, and the claim's name is the study's")
        return value

    @property
    def label(self) -> str:
        """Its id if it has one, else its name."""
        return self.id or self.claim

    @property
    def deviation_text(self) -> str:
        """Where dlx differs from what was published, in one line; "" for nowhere."""
        given = [self.deviations] if isinstance(self.deviations, str) else self.deviations
        return "; ".join(each for each in given if each != "none")


def read_claim(path: Path) -> Claim:
    """Read and check a claim file; raises RequestError with the file, the key, the value, what is allowed."""
    try:
        content = OmegaConf.to_container(OmegaConf.create(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"{path}: cannot be read: {error}") from error
    except (YAMLError, OmegaConfBaseException, AssertionError) as error:
        said = " ".join(str(error).split())
        raise RequestError(f"{path}: not a claim: {said}") from error
    if not isinstance(content, dict):
        raise RequestError(f"{path}: not a claim: keys are needed, such as claim, source, overrides")
    try:
        return Claim.model_validate_json(json.dumps(content))
    except ValidationError as error:
        raise RequestError(f"{path}: {_describe(error)}") from error


def _describe(error: ValidationError) -> str:
    """Say the first mistake, a key that does not exist before all: the one it stands for is missing then."""
    errors = error.errors(include_url=False)
    first = next((each for each in errors if each["type"] == "extra_forbidden"), None)
    if first is None:
        return describe(error)
    parts = [str(part) for part in first["loc"]]
    models: dict[str, type[_Closed]] = {"figures": Figure, "orders": Order}
    model = models.get(parts[0], Claim)
    key, allowed = parts[-1], sorted(model.model_fields)
    near = nearest(key, allowed)
    return f"{'.'.join(parts)}={first['input']!r}: there is no such key{near} (allowed: {', '.join(allowed)})"
