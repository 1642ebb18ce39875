"""result.json: the outcome of a run. It is written last and atomically, so a run that has it has ended."""

import json
import math
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dlx import __version__
from dlx.metrics.catalogue import facts, is_share
from dlx.run.documents import read_json, shorten
from dlx.run.files import RESULT_LIMIT
from dlx.run.format_version import FORMAT, refuse_newer
from dlx.run.identity import Fingerprints, is_identity
from dlx.run.paths import RESULT, write_atomically

KEYS = 10_000  # of a configuration; dlx's own have 70
KEY_LETTERS = 200
VALUE_LETTERS = 10_000  # of text, or of a list as JSON
ERROR_LETTERS = 1000

Status = Literal["completed", "diverged", "failed"]
STATUSES: tuple[Status, ...] = ("completed", "diverged", "failed")  # the best first
Count = Annotated[int, Field(ge=0)]
Text = Annotated[str, Field(max_length=VALUE_LETTERS)]
Row = dict[str, float | int | None]


class MetricRecord(BaseModel):
    """What a reader needs to know of a metric, which may be a function of the user's."""

    model_config = ConfigDict(extra="allow")

    higher_is_better: bool | None = None  # None: unknown


class Result(BaseModel):
    """A run's outcome, and what is needed to understand or repeat it."""

    model_config = ConfigDict(extra="allow")

    format: Count = FORMAT  # see format_version.py
    status: Status
    identity: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]  # SHA-256 of what was computed, see identity.py
    fingerprints: Fingerprints | None = None  # of the user's own code and data, if the run read any
    config: dict[str, Any]  # the resolved configuration
    choices: dict[str, Text] = {}  # from groups, as typed: optimizer: slow_sgd, whose config has the name sgd
    last: Row = {}  # the last epoch's history row
    best: Row = {}  # the row that is best by `monitored`
    monitor: Annotated[str, Field(pattern=r"^val_\w{1,100}$")] | None = None  # if not config["monitor"]
    metrics: dict[Text, MetricRecord] = {}  # of config["metrics"], by name
    epochs_run: Count = 0
    stopped_early: bool = False
    parameters: Count | None = None  # trainable ones
    layers: list[dict[str, Any]] = []  # layer, module, output_shape of one sample, parameters
    data: dict[str, Any] = {}  # sizes of the splits, input shape, classes
    time_seconds: Annotated[float, Field(ge=0)] | None = None
    engine: Text | None = None  # loop or stacked
    cohort: Count = 1  # how many runs trained as one stack
    device: Text | None = None
    threads: Count | None = None
    versions: dict[str, Text] = {}
    checkpoint_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = (
        None  # of checkpoint.pt, if kept
    )
    error: Text | None = None  # of a failed run: the exception in one line

    @property
    def monitored(self) -> str:
        """The column that the best epoch was picked by."""
        return self.monitor or str(self.config.get("monitor", "val_accuracy"))

    def higher_is_better(self, column: str) -> bool | None:
        """Return whether higher values of a column of the history are better; None if that is unknown."""
        known = facts(column).higher_is_better
        record = self.metrics.get(re.sub("^(train|val)_", "", column))
        return record.higher_is_better if known is None and record else known


class _Part(BaseModel):
    """A group of a configuration, whose `name` selects a class."""

    model_config = ConfigDict(extra="allow", strict=True)
    name: str = ""


class _Configuration(BaseModel):
    """What all readers rely on in a configuration, whichever version of dlx wrote it."""

    model_config = ConfigDict(extra="allow", strict=True)
    name: str = ""
    seed: Count = 0
    seeds: dict[str, Count] = {}
    epochs: Count = 0
    batch_size: Count = 0
    monitor: Annotated[str, Field(pattern=r"^val_\w{1,100}$")] = "val_accuracy"
    keep: Literal["auto", "none", "best", "last"] = "none"
    baseline: str | None = None
    model: _Part = _Part()
    optimizer: _Part = _Part()
    schedule: _Part = _Part()
    data: _Part = _Part()
    loss: _Part = _Part()


def write_result(folder: Path, result: Result) -> None:
    """Write `folder`/result.json, with null for values that are not finite; a long error is cut short."""
    absent = {name for name in ("fingerprints", "monitor", "metrics") if not getattr(result, name)}
    values = result.model_dump(exclude=absent)
    values["error"] = result.error and result.error[:ERROR_LETTERS]
    write_atomically(
        folder / RESULT, (json.dumps(_finite(values), indent=2, allow_nan=False) + "\n").encode()
    )


def read_result(folder: Path) -> Result | None:
    """Return the run's result, or None if it has not ended.

    Raises ValueError, with the file's name, if the file is not a result, or a value is not what it should be,
    and NewerFormatError if a newer dlx wrote it.
    """
    path = folder / RESULT
    try:
        document = read_json(path, RESULT_LIMIT)
    except FileNotFoundError:
        return None
    if isinstance(document, dict):
        refuse_newer(path, document.setdefault("format", 1))
    try:
        result = Result.model_validate_json(json.dumps(document), strict=True)
        _check_rows(result)
        _check_configuration(result)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join([*(["config"] if error.title == "_Configuration" else []), *map(str, first["loc"])])
        wrong = (
            "should be a group of keys" if where and first["type"] == "model_type" else shorten(first["msg"])
        )
        said = f"{shorten(where)}{': ' if where else ''}{wrong}"
        raise ValueError(f"{path}: not a result: {said}") from error
    except ValueError as error:
        raise ValueError(f"{path}: not a result: {error}") from error
    return result


def what_was_different(one: Result, other: Result, here: str = "then", there: str = "now") -> str:
    """Name what may have changed the last bits of a run's numbers between two trainings of it; "" if nothing.

    `here`, `there`: what to call the first training and the second one.
    """
    facts = {
        "torch": (one.versions.get("torch"), other.versions.get("torch")),
        "device": (one.device, other.device),
        "threads": (one.threads, other.threads),
        "runs in its stack": (one.cohort, other.cohort),
    }
    return "; ".join(
        f"{name}: {first} {here}, {second} {there}"
        for name, (first, second) in facts.items()
        if first != second
    )


def _check_rows(result: Result) -> None:
    for which, row in (("last", result.last), ("best", result.best)):
        for name, value in row.items():
            if is_share(name) and value is not None and not 0 <= value <= 1:
                raise ValueError(f"{which}.{shorten(name)}: {value:g} is not between 0 and 1")


def _check_configuration(result: Result) -> None:
    """Raise ValueError if a report could not use the configuration, or if it is not the one that was trained.

    That is known where this version of dlx wrote it: others may identify runs in another way.
    """
    _Configuration.model_validate(result.config)
    waiting, keys = [result.config], 0
    while waiting:
        group = waiting.pop()
        keys += len(group)
        for key, value in group.items():
            if not key or "." in key or len(key) > KEY_LETTERS:
                raise ValueError(f"config: '{shorten(key)}' is not a key: it is empty, long or has a dot")
            if isinstance(value, dict):
                waiting.append(value)
            elif isinstance(value, str | list) and len(json.dumps(value)) > VALUE_LETTERS:
                raise ValueError(
                    f"config: the value of '{shorten(key)}' has more than {VALUE_LETTERS:,} letters"
                )
    if keys > KEYS:
        raise ValueError(f"config: more than {KEYS:,} keys")
    own = result.fingerprints
    groups = [group for group in result.config.values() if isinstance(group, dict)]
    lists = [result.config.get(key) or [] for key in ("hooks", "metrics")]
    names_code = ":" in str(lists) or any("target" in group for group in groups)
    if own and own.code and not names_code:
        raise ValueError("fingerprints: of a user's own code, but the run has none")
    ours = result.versions.get("dlx") == __version__
    if ours and not is_identity(result.identity, result.config, own):
        raise ValueError("identity: the configuration is not the one that was trained")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
