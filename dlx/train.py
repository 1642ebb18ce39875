"""The one entrypoint of training: Hydra composes the configuration, `train` trains one run of it."""

import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from dlx.complaint import complaint, is_complaint
from dlx.compose import PRIMARY, config_folder, quote_formulas, register
from dlx.config import check_values, resolved
from dlx.errors import RequestError, unknown
from dlx.progress import Display
from dlx.run.paths import discard_unstarted
from dlx.run.result import Result
from dlx.sweep.finished import finished_result, lock
from dlx.sweep.summary import Outcome, RunsFailedError

if TYPE_CHECKING:
    from dlx.sweep.job import Job

log = logging.getLogger(__name__)

# Hydra's flags; those of the first kind are followed by a value of their own.
VALUE_FLAGS = {"--cfg", "-c", "--package", "-p", "--config-path", "-cp", "--config-name", "-cn"}
VALUE_FLAGS |= {"--config-dir", "-cd", "--experimental-rerun"}
PLAIN_FLAGS = {"--multirun", "-m", "--run", "-r", "--resolve", "--info", "-i", "--shell-completion", "-sc"}
PLAIN_FLAGS |= {"--help", "-h", "--hydra-help", "--version"}


def main(arguments: Sequence[str]) -> int:
    """Run `dlx train` with these arguments and return its exit code.

    0 done; 1 a run failed or diverged; 2 the request was wrong; 130 interrupted. Raises OSError where
    nothing can be written.
    """
    verbose = os.environ.get("HYDRA_FULL_ERROR") == "1"
    try:
        train_grid(arguments)
    except RunsFailedError as error:
        print(f"dlx train: {error}", file=sys.stderr)
        return 1
    except Exception as error:
        if verbose or not is_complaint(error):
            raise
        print(f"dlx train: error: {complaint(error, arguments)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("dlx train: interrupted; finished runs are kept, the same command goes on", file=sys.stderr)
        return 130
    return 0


@dataclass
class Task:
    """What Hydra calls with each composed run of one grid, and what launcher and caller tell each other.

    The launcher calls `plan` with all runs, composed and checked, before anything is written (a RequestError
    from it ends the request), and appends to `outcomes` as runs end.
    """

    plan: "Callable[[Sequence[Job]], None] | None" = None
    outcomes: list[Outcome] = field(default_factory=list)

    def __call__(self, config: DictConfig) -> Result:
        """Train one run, for a launcher that is not ours."""
        return train(config)


def train_grid(
    arguments: Sequence[str], plan: "Callable[[Sequence[Job]], None] | None" = None
) -> list[Outcome]:
    """Train the runs that these words of `dlx train` ask for; return what became of each, in order.

    Raises RequestError and Hydra's exceptions (see `complaint`) for a wrong request, RunsFailedError, which
    has the outcomes, when all have ended and one did not complete, OSError where nothing can be written.
    """
    # Read as torch loads. Threads that spin at each barrier, the default, made a run up to 60 times slower
    # when another process wanted the cores too; threads that sleep did not.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    task = Task(plan)
    _call_hydra(arguments, task)
    return task.outcomes


def _call_hydra(arguments: Sequence[str], task: Task) -> None:
    """Call Hydra as if it were the program, and put back what that takes of the process's state."""
    register()
    entrypoint = hydra.main(version_base="1.3", config_path=str(config_folder()), config_name=PRIMARY)(task)
    argv, environment = sys.argv, os.environ.copy()
    handler = signal.signal(signal.SIGTERM, _terminate)
    sys.argv = ["dlx train", *_said_to_be_many(quote_formulas(flags_first(arguments)))]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises, where it would print and exit with 1
    try:
        entrypoint()
    finally:
        sys.argv = argv
        os.environ.clear()
        os.environ.update(environment)
        signal.signal(signal.SIGTERM, handler)


def train(config: DictConfig) -> Result:
    """Train one composed run in Hydra's output folder; a finished one is returned, not trained again.

    Raises RequestError, leaving no folder, for what is wrong with the request.
    """
    folder = Path(os.path.relpath(HydraConfig.get().runtime.output_dir))
    try:
        values = resolved(config)
        settings = check_values(values)
        with Display([("", settings.epochs)]) as whole, lock(folder, display := whole.of(0)):
            finished = finished_result(folder, values, settings)
            if finished is not None:
                display.skip(folder, finished)
                return finished
            from dlx.build import build  # imports torch
            from dlx.engine.trainer import Recorder, execute

            run = build(settings)
            display.start(run, settings, folder)
            result = execute(Recorder(run, settings, values, folder, display.epoch, log))
            display.end(folder, result)
            return result
    except RequestError:
        discard_unstarted(folder)
        raise


def flags_first(arguments: Sequence[str]) -> list[str]:
    """Move Hydra's flags before the overrides: argparse refuses `seed=1 -m lr=...`, people type it.

    Raises RequestError for a flag that Hydra does not have.
    """
    flags: list[str] = []
    overrides: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if not argument.startswith("-"):
            overrides.append(argument)
            continue
        if argument.split("=")[0] not in VALUE_FLAGS | PLAIN_FLAGS:
            raise unknown("flags", argument, sorted(VALUE_FLAGS | PLAIN_FLAGS))
        flags.append(argument)
        if argument in VALUE_FLAGS:
            flags.extend(value for value in [next(rest, None)] if value is not None)
    return [*flags, *overrides]


def _said_to_be_many(words: list[str]) -> list[str]:
    """Add --multirun where nothing else is asked of Hydra.

    It is what conf/train.yaml says anyway; but of a grid with a wrong key, Hydra complains about the grid
    if it could not read that far.
    """
    other = any(word.startswith(("-", "hydra.mode=")) for word in words)
    return words if other else ["--multirun", *words]


def _terminate(number: int, _: FrameType | None) -> Any:
    raise SystemExit(128 + number)
