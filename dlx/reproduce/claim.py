"""Claims: published experiments, their settings and figures, read from YAML and found by id, name or file."""

import functools
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from yaml import YAMLError

from dlx.errors import RequestError, nearest
from dlx.run.documents import check_yaml, shorten
from dlx.run.files import YAML_LIMIT, read_text
from dlx.validation import describe

FOLDER = Path(__file__).resolve().parent.parent / "claims"
ALL = "all"
SEEDS = 5  # by default

SET_BY_KEY = {"seed": "seeds", "name": "claim"}

Value = bool | int | float | str | list[Any] | None
Where = dict[str, Value]
End = Annotated[float, Field(allow_inf_nan=False)]
Moment = Literal["last", "best", "test"] | Annotated[int, Field(ge=0)]


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Figure(_Closed):
    """A published number: `metric` of the runs that match `where`, `at` a moment of training."""

    metric: str
    where: Where = {}
    at: Moment = "last"
    value: End | None = None
    range: tuple[End | None, End | None] | None = None  # lowest, highest; a null end makes it a bound
    tolerance: Annotated[float, Field(ge=0)] | None = None  # of a deterministic figure, for every run
    rounding: Annotated[float, Field(ge=0)] | None = None  # half a unit of the last published digit
    width: Annotated[float, Field(gt=0)] | None = None  # the widest interval that is still informative
    pick: Literal["best"] | None = None  # the best of the matching runs of each seed

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
            raise ValueError("a published 0 needs a width: the widest interval that is still informative")
        return self

    @property
    def ends(self) -> tuple[float, float]:
        """The published range, or the value twice; -inf or inf for an open end."""
        low, high = self.range or (self.value, self.value)
        return (-float("inf") if low is None else low, float("inf") if high is None else high)

    @property
    def useful_width(self) -> float:
        """The widest informative interval; by default 0.1 for accuracies, else a fifth of the value."""
        size = max(abs(end) for end in (self.value, *(self.range or ())) if end is not None)
        return self.width or (0.1 if self.metric.endswith("accuracy") else 0.2 * size)


class Order(_Closed):
    """A published order: `better` beats `worse` in `metric`, or the two settings of `equal` are alike."""

    metric: str
    better: Where | None = None
    worse: Where | None = None
    equal: tuple[Where, Where] | None = None
    margin: Annotated[float, Field(gt=0)] | None = None  # the largest difference that does not matter
    at: Moment = "last"

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        ordered = self.better is not None and self.worse is not None
        if ordered == (self.equal is not None) or (self.better is None) != (self.worse is None):
            raise ValueError("an order has either better and worse, or equal")
        if (self.equal is None) != (self.margin is None):
            raise ValueError(
                "equal needs a margin, and only equal has one: equal: [{...}, {...}], margin: 0.01"
            )
        return self

    @property
    def sides(self) -> tuple[Where, Where]:
        """The two settings that are compared."""
        return self.equal or (self.better or {}, self.worse or {})

    @property
    def lower_is_better(self) -> bool:
        """Whether lower values of the metric are better."""
        return self.metric.endswith(("loss", "time"))


class Claim(_Closed):
    """A published experiment: the words for `dlx train`, and what was published."""

    claim: str  # its name, and that of its preset if it has one
    source: str
    id: Annotated[str, Field(pattern=r"^[A-Z]\d+$")] | None = None
    title: str = ""
    commands: list[str] = []  # run the experiment itself, if its preset does not or not completely
    overrides: list[str] = []
    grid: dict[str, Annotated[list[Value], Field(min_length=1)]] = {}
    seeds: Annotated[int, Field(ge=1, le=1000)] = SEEDS  # 1: nothing in it is random; the most as for --seeds
    rounding: Annotated[float, Field(ge=0)] = 0.0
    figures: list[Figure] = []
    orders: list[Order] = []
    deviations: str | list[str] = "none"

    @field_validator("claim")
    @classmethod
    def _is_a_folder_name(cls, value: str) -> str:
        if not re.fullmatch(r"\w[\w.-]*", value) or len(value) > 100:
            raise ValueError("a claim's name becomes a folder's: use letters, digits and . _ -, at most 100")
        return value

    @field_validator("overrides")
    @classmethod
    def _are_settings(cls, value: list[str]) -> list[str]:
        for word in value:
            key, equals, _ = word.partition("=")
            if not equals and not word.startswith("~"):
                raise ValueError(f"'{word}' is not of the form KEY=VALUE")
            if key in SET_BY_KEY:
                raise ValueError(f"'{word}': set it by the claim's own key '{SET_BY_KEY[key]}'")
        return value

    @property
    def label(self) -> str:
        """The id if there is one, else the name."""
        return self.id or self.claim

    @property
    def has_figures(self) -> bool:
        """Whether anything was published that can be checked."""
        return bool(self.figures or self.orders)

    @property
    def train_commands(self) -> list[str]:
        """The commands that run the experiment itself."""
        presets = [f"dlx train {word}" for word in self.overrides if word.startswith("sweep=")]
        return self.commands or presets or [f"dlx reproduce {self.label}"]

    @property
    def deviation_text(self) -> str:
        """How dlx differs from what was published, in one line; "" if it does not."""
        given = [self.deviations] if isinstance(self.deviations, str) else self.deviations
        return "; ".join(each for each in given if each != "none")


def find_claims(names: Sequence[str]) -> list[Claim]:
    """Return the claims with these ids, names and files, each once; `all` is every one with figures.

    Raises RequestError for an unknown name, a file that is not a claim, and a claim without figures.
    """
    found: dict[str, Claim] = {}
    for name in names:
        for claim in _find(name):
            if found.setdefault(claim.claim, claim) != claim:
                raise RequestError(f"{name}: this request has two claims called '{claim.claim}'")
    return list(found.values())


@functools.cache  # takes 0.25 s, and is needed for each name of a request
def packaged_claims() -> tuple[Claim, ...]:
    """Return every packaged claim, sorted by id: A2 before A10."""
    claims = map(read_claim, sorted(FOLDER.glob("*.yaml")))
    return tuple(
        sorted(claims, key=lambda claim: ((claim.id or "~")[0], len(claim.id or ""), claim.id or ""))
    )


def _find(name: str) -> list[Claim]:
    claims = packaged_claims()
    if name == ALL:
        return [claim for claim in claims if claim.has_figures]
    if name.endswith((".yaml", ".yml")):
        claim = read_claim(Path(name))
    else:
        by_name = {key: claim for claim in claims for key in (claim.id, claim.claim) if key}
        if name not in by_name:
            near = nearest(name, [ALL, *by_name])
            raise RequestError(f"there is no claim '{name}'{near} (`dlx reproduce --list` shows all)")
        claim = by_name[name]
    if not claim.has_figures:
        commands = " and ".join(claim.train_commands)
        raise RequestError(
            f"{name}: no figure was published to check; to run the experiment itself: {commands}"
        )
    return [claim]


def read_claim(path: Path) -> Claim:
    """Read and check a claim file. A RequestError names file, key, value and what is allowed."""
    try:
        text = read_text(path.resolve(), YAML_LIMIT)  # the user's own file may be a link
    except (OSError, ValueError) as error:
        raise RequestError(f"{path}: cannot be read: {shorten(error)}") from error
    try:
        check_yaml(text)
        content = OmegaConf.to_container(OmegaConf.create(text))
        written = json.dumps(content)
    except (
        YAMLError,
        OmegaConfBaseException,
        AssertionError,
        ValueError,
        TypeError,
        RecursionError,
    ) as error:
        raise RequestError(f"{path}: not a claim: {shorten(error)}") from error
    if not isinstance(content, dict):
        raise RequestError(f"{path}: not a claim: it needs keys such as claim, source and overrides")
    try:
        return Claim.model_validate_json(written)
    except ValidationError as error:
        raise RequestError(
            f"{path}: {describe_document(error, Claim, {'figures': Figure, 'orders': Order})}"
        ) from error


def describe_document(
    error: ValidationError, model: type[BaseModel], parts: Mapping[str, type[BaseModel]]
) -> str:
    """Describe an unknown key, else the first mistake: a misspelt key also makes the right one missing.

    `parts`: the models of the groups of keys in `model`, by their names.
    """
    unknown = [each for each in error.errors(include_url=False) if each["type"] == "extra_forbidden"]
    if not unknown:
        return describe(error)
    place = [str(part) for part in unknown[0]["loc"]]
    allowed = sorted(parts.get(place[0], model).model_fields)
    given = f"{shorten('.'.join(place))}={shorten(repr(unknown[0]['input']))}"
    near = nearest(place[-1], allowed)
    return f"{given}: there is no such key{near} (allowed: {', '.join(allowed)})"
