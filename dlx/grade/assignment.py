"""An assignment: its settings, its reference runs and the figures that it asks for, read from a YAML file."""

import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from dlx.errors import RequestError
from dlx.importers.foreign_run import Columns
from dlx.metrics.catalogue import is_share
from dlx.reproduce.claim import Moment, Where, describe_document
from dlx.reproduce.measure import PARAMETERS, write_moment
from dlx.reproduce.where import write_where
from dlx.run.documents import read_yaml, shorten
from dlx.run.files import YAML_LIMIT

SET_BY_FILE = {"seed": "seeds", "name": "runs", "output_root": "runs"}
Points = Annotated[float, Field(gt=0, le=1000)]


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class AskedFigure(_Closed):
    """A figure that is asked for: `metric` of the runs that match `where`, `at` a moment of training."""

    metric: str
    at: Moment = "last"
    where: Where = {}
    name: str = ""  # in tables; by default the metric, the moment and the setting
    fails: Literal["outside", "below", "above"] = "outside"  # on which side of the interval
    scale: Literal["auto", "linear", "log", "arcsine"] = "auto"  # on which scores are about normal
    points: Points = 1.0

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.scale == "arcsine" and not is_share(self.metric):
            raise ValueError(f"scale: arcsine is for shares between 0 and 1, but {self.metric} is not one")
        return self

    @property
    def label(self) -> str:
        """What tables call it."""
        if self.name:
            return self.name
        words = [self.metric.replace("_", " ")]
        if self.at not in ("last", "test") and self.metric != PARAMETERS:
            words.append(f"{write_moment(self.at)} epoch" if self.at == "best" else write_moment(self.at))
        return ", ".join([*words, *([write_where(self.where)] if self.where else [])])


class TableColumns(_Closed):
    """How a student's CSV table is read, where dlx should not guess: its columns by what they hold."""

    setting: list[str] = []
    seed: list[str] = []
    run: str = ""
    epoch: str = ""


class Assignment(_Closed):
    """What students were asked to do, and how their work is judged.

    `luck` is the probability that a right solution fails, over all figures together.
    """

    assignment: str
    settings: list[str] = []  # words of dlx train, for --make-reference
    seeds: Annotated[int, Field(ge=2, le=1000)] = 10  # of the reference
    runs: str = "reference"  # the reference's runs, relative to the file
    luck: Annotated[float, Field(gt=0, le=0.2)] = 0.01
    figures: Annotated[list[AskedFigure], Field(min_length=1)]
    free: list[str] = []  # keys, or groups of keys, that students choose
    check: list[str] = []  # words of dlx check for the students' own module, for --check-module
    table: TableColumns = TableColumns()

    @field_validator("assignment")
    @classmethod
    def _is_a_name(cls, value: str) -> str:
        if not re.fullmatch(r"\w[\w. -]*", value) or len(value) > 100:
            raise ValueError("use letters, digits, spaces and . _ -, at most 100")
        return value

    @field_validator("settings", "check")
    @classmethod
    def _are_settings(cls, value: list[str]) -> list[str]:
        for word in value:
            key, equals, _ = word.partition("=")
            if not equals and not word.startswith("~"):
                raise ValueError(f"'{word}' is not of the form KEY=VALUE")
            if key in SET_BY_FILE:
                raise ValueError(f"'{word}': use the file's own key '{SET_BY_FILE[key]}'")
        return value

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        labels = [figure.label for figure in self.figures]
        if twice := next((label for label in labels if labels.count(label) > 1), None):
            raise ValueError(f"two figures are called '{twice}'; give one of them another name")
        return self

    @property
    def level(self) -> float:
        """The probability that a right solution fails one figure (Bonferroni)."""
        return self.luck / len(self.figures)

    @property
    def columns(self) -> Columns:
        """What is known of the columns of a CSV table; the first figure is its score."""
        table = self.table
        return Columns(
            tuple(table.setting), tuple(table.seed), self.figures[0].metric, table.run, table.epoch
        )


def read_assignment(path: Path) -> Assignment:
    """Read and check the file. A RequestError names the file, the key, the value and what is allowed."""
    try:
        content: Any = read_yaml(path.resolve(), YAML_LIMIT)  # the user's own file may be a link
        written = json.dumps(content)
    except FileNotFoundError:
        raise RequestError(f"there is no file '{path}'") from None
    except (OSError, ValueError, TypeError) as error:
        said = getattr(error, "strerror", None) or str(error).removeprefix(f"{path.resolve()}: ")
        raise RequestError(f"{path}: cannot be read: {shorten(said)}") from error
    if not isinstance(content, dict):
        raise RequestError(f"{path}: not a reference: it needs the keys assignment and figures")
    try:
        return Assignment.model_validate_json(written)
    except ValidationError as error:
        raise RequestError(
            f"{path}: {describe_document(error, Assignment, {'figures': AskedFigure, 'table': TableColumns})}"
        ) from error
