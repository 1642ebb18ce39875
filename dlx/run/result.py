"""result.json: the outcome of a run. It is written last and atomically, so a run that has it has ended."""

import json
import math
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from dlx.run.identity import Fingerprints
from dlx.run.paths import RESULT, write_atomically

Status = Literal["completed", "diverged", "failed"]


class Result(BaseModel):
    """A run's outcome, and what is needed to understand or repeat it."""

    model_config = ConfigDict(extra="allow")

    status: Status
    identity: str  # SHA-256 of what was computed, see run/identity.py
    fingerprints: Fingerprints | None = None  # of the user's own code and data, if the run read any
    config: dict[str, Any]  # the resolved configuration
    last: dict[str, float | int | None] = {}  # the last epoch's history row
    best: dict[str, float | int | None] = {}  # the row that is best by config["monitor"]
    epochs_run: int = 0
    stopped_early: bool = False
    parameters: int | None = None  # trainable ones
    layers: list[dict[str, Any]] = []  # layer, module, output_shape of one sample, parameters
    data: dict[str, Any] = {}  # sizes of the splits, input shape, classes
    time_seconds: float | None = None
    engine: str | None = None  # loop or stacked
    cohort: int = 1  # how many runs trained as one stack
    device: str | None = None
    threads: int | None = None
    versions: dict[str, str] = {}
    checkpoint_sha256: str | None = None  # of checkpoint.pt, if one was kept
    error: str | None = None  # of a failed run: the exception in one line


def write_result(folder: Path, result: Result) -> None:
    """Write `folder`/result.json, with null for values that are not finite."""
    unused = {"fingerprints"} if result.fingerprints is None else set()
    text = json.dumps(_finite(result.model_dump(exclude=unused)), indent=2, allow_nan=False)
    write_atomically(folder / RESULT, (text + "\n").encode())


def read_result(folder: Path) -> Result | None:
    """Return the run's result, or None if it has not ended. Raises ValueError if the file is not a result."""
    path = folder / RESULT
    if not path.is_file():
        return None
    try:
        return Result.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ValueError(f"{path}: not a result: {where}{': ' if where else ''}{first['msg']}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not a result: {error}") from error


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
