"""What executes a request's runs: the settings of each launcher, with their types and ranges."""

import json
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from dlx.config import Closed
from dlx.errors import RequestError, nearest, unknown
from dlx.validation import check_finite, describe


class LauncherSettings(Closed):
    """Who trains a request's cohorts; each launcher has its own settings, and its YAML explains them.

    `memory`: the share of a worker's memory that a cohort may take.
    """

    name: str
    memory: Annotated[float, Field(gt=0, le=1)]


class LocalSettings(LauncherSettings):
    """Processes of this machine: `processes` side by side; None: one a core."""

    name: Literal["local"]
    processes: Annotated[int, Field(ge=1)] | None


class JoblibSettings(LauncherSettings):
    """`parallel`: further arguments of joblib.Parallel."""

    name: Literal["joblib"]
    processes: Annotated[int, Field(ge=1)] | None
    parallel: dict[str, Any] = Field(default_factory=dict)


class RaySettings(LauncherSettings):
    """Tasks of a Ray cluster, which take `cpus` and `gpus` each; `init`: further arguments of ray.init."""

    name: Literal["ray"]
    address: Annotated[str, Field(min_length=1)]
    processes: Annotated[int, Field(ge=1)] | None
    cpus: Annotated[int, Field(ge=1, le=1024)]  # also the threads of a cohort
    gpus: Annotated[float, Field(ge=0)]
    init: dict[str, Any] = Field(default_factory=dict)


class SlurmSettings(LauncherSettings):
    """Jobs of a Slurm cluster, by the names that submitit gives to what a job is given."""

    name: Literal["slurm"]
    executor: Literal["slurm", "local"]
    partition: str | None
    timeout_min: Annotated[int, Field(ge=1)]
    max_num_timeout: Annotated[int, Field(ge=0)]
    cpus_per_task: Annotated[int, Field(ge=1, le=1024)]  # also the threads of a cohort
    gpus_per_node: Annotated[int, Field(ge=0)]
    mem_gb: Annotated[float, Field(gt=0)]
    array_parallelism: Annotated[int, Field(ge=1)]
    parameters: dict[str, Any] = Field(default_factory=dict)


LAUNCHERS: dict[str, type[LauncherSettings]] = {
    "local": LocalSettings,
    "joblib": JoblibSettings,
    "ray": RaySettings,
    "slurm": SlurmSettings,
}


def check_launcher(values: dict[str, Any]) -> LauncherSettings:
    """Check how a request is to be executed; raises RequestError with one line."""
    name = values.get("name")
    if not isinstance(name, str) or name not in LAUNCHERS:
        raise unknown("launcher.name", str(name), LAUNCHERS)
    settings = LAUNCHERS[name]
    for key in values:
        if key not in settings.model_fields:
            near = nearest(key, settings.model_fields)
            allowed = ", ".join(sorted(settings.model_fields))
            raise RequestError(
                f"launcher.{key}: there is no such key{near} (allowed with launcher={name}: {allowed})"
            )
    check_finite({"launcher": values})
    try:
        return settings.model_validate_json(json.dumps(values))
    except ValidationError as error:
        raise RequestError(describe(error, "launcher")) from error
