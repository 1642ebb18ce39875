"""`dlx check`: finite differences against autograd, in float64, for the composed model and loss."""

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import hydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from dlx import config
from dlx.arguments import Parser
from dlx.complaint import complaint
from dlx.compose import PRIMARY, config_folder, quote_formulas, register
from dlx.errors import RequestError, unknown

if TYPE_CHECKING:
    from rich.table import Table

    from dlx.engine.gradient_check import TensorCheck
    from dlx.engine.run import Run

SAMPLES, ENTRIES, TOLERANCE = 4, 10, 1e-6
FLAGS = ("--samples", "--entries", "--tolerance", "--help")

EPILOG = """examples:
  dlx check model=cnn loss=mean_squared_error data=digits model.dropout=0.3
  dlx check model=custom model.target=mynet:Net --entries 0

The words are those of `dlx train`, one run's; the check itself is always in
float64 on the CPU and in training mode: BatchNorm by the batch's statistics,
dropout with its draws fixed, no augmentation. An entry at a kink of the loss
(ReLU, max pooling) has no derivative: it is counted, and not compared.

exit codes: 0 no gradient is wrong; 1 one is; 2 the request,
configuration or data was wrong."""


def main(arguments: Sequence[str]) -> int:
    """Run `dlx check` with these arguments: 0 no gradient is wrong, 1 one is, 130 interrupted.

    Raises RequestError for what is wrong with the request.
    """
    given, unknown_flags = _parser().parse_known_intermixed_args(arguments)
    if unknown_flags:
        raise unknown("flags", unknown_flags[0], FLAGS)
    settings = _compose(given.overrides)
    from dlx.build import BATCH_NORMS, build  # imports torch
    from dlx.engine import gradient_check

    run = build(settings)
    given.samples = given.samples or min(SAMPLES, len(run.data.train))
    if given.samples > len(run.data.train):
        raise RequestError(
            f"--samples {given.samples}: the training split has {len(run.data.train)} (data.train_size)"
        )
    if given.samples == 1 and any(isinstance(module, BATCH_NORMS) for module in run.model.modules()):
        raise RequestError("--samples 1: BatchNorm cannot normalise a batch of one; use 2 or more")
    options = gradient_check.GradientCheckOptions(given.samples, given.entries, given.tolerance)
    try:
        results = gradient_check.check_gradients(run, options)
    except KeyboardInterrupt:
        print("dlx check: interrupted", file=sys.stderr)
        return 130
    _show(results, _title(run, settings, given.samples), given.tolerance)
    return 0 if all(result.passed(given.tolerance) for result in results) else 1


def _parser() -> Parser:
    parser = Parser(
        "dlx check",
        str(__doc__),
        EPILOG,
        usage="dlx check [KEY=VALUE ...] [--samples N] [--entries N] [--tolerance X]",
    )
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="as for dlx train")
    parser.add_argument(
        "--samples", type=_from(1), metavar="N", help=f"in the batch; {SAMPLES} if not given and there"
    )
    parser.add_argument(
        "--entries",
        type=_from(0),
        default=ENTRIES,
        metavar="N",
        help=f"of each parameter and of the input; {ENTRIES} if not given, 0: all",
    )
    parser.add_argument(
        "--tolerance",
        type=_positive,
        default=TOLERANCE,
        metavar="X",
        help=f"the largest relative error; {TOLERANCE:g} if not given",
    )
    return parser


def _from(least: int) -> "argparse._ActionType":
    def whole_number(written: str) -> int:
        try:
            number = int(written)
        except ValueError:
            number = least - 1
        if number < least:
            raise argparse.ArgumentTypeError(f"{written!r} is not a whole number of {least} or more")
        return number

    return whole_number


def _positive(written: str) -> float:
    try:
        number = float(written)
    except ValueError:
        number = 0.0
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"{written!r} is not a number between 0 and 1, such as 1e-6")
    return number


def _compose(overrides: Sequence[str]) -> config.Settings:
    """Return the settings of one run, in float64 on the CPU; raises RequestError for anything else."""
    register()
    overrides = quote_formulas(overrides)
    try:
        for override in OverridesParser.create().parse_overrides(overrides):
            if override.is_sweep_override() or override.key_or_group == "sweep":
                raise RequestError(f"'{override.input_line}' is several runs; a check is of one")
        with hydra.initialize_config_dir(str(config_folder()), version_base="1.3"):
            settings = config.check(hydra.compose(PRIMARY, overrides))
    except (HydraException, OmegaConfBaseException) as error:
        raise RequestError(complaint(error, overrides)) from error
    # One thread, if none are asked for: of four samples there is nothing to share.
    forced = {"dtype": "float64", "device": "cpu", "threads": settings.threads or 1}
    return settings.model_copy(update=forced)


def _title(run: "Run", settings: config.Settings, samples: int) -> str:
    return (
        f"{settings.model.name}, {run.parameter_count:,} parameters, {settings.loss.name}; "
        f"{samples} {'sample' if samples == 1 else 'samples'} of {settings.data.name}"
    )


def _show(results: "Sequence[TensorCheck]", title: str, tolerance: float) -> None:
    """Print the table, the wrong gradients one by one, and the verdict."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    console.print(Text(title))
    console.print(_table(results, tolerance))
    for line in _wrong(results, tolerance):
        console.print(Text(line, style="red"))
    kinks = sum(entry.kink for result in results for entry in result.entries)
    if kinks:
        what = (
            "1 entry is at a kink of the loss and was"
            if kinks == 1
            else f"{kinks} entries are at a kink of the loss and were"
        )
        console.print(Text(f"{what} not compared"))
    compared = sum(len(result.compared) for result in results)
    wrong = sum(not result.passed(tolerance) for result in results)
    largest = max((result.worst.error for result in results if result.worst), default=0.0)
    wrong_of = f"{wrong} of {len(results)} gradients {'is' if wrong == 1 else 'are'} wrong"
    console.print(Text(f"{wrong_of if wrong else 'no gradient is wrong'}: {compared:,} entries compared,"))
    console.print(Text(f"the largest relative error is {largest:.1e}, the tolerance {tolerance:g}"))


def _table(results: "Sequence[TensorCheck]", tolerance: float) -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("\nparameter", overflow="fold")
    table.add_column("\nshape", overflow="fold")
    for heading in ("\nentries", "at a\nkink", "largest\ngradient", "relative\nerror"):
        table.add_column(heading, justify="right", no_wrap=True)
    for result in results:
        worst = result.worst
        cells = [
            result.name,
            "x".join(map(str, result.shape)) or "1",
            str(len(result.compared)),
            str(len(result.entries) - len(result.compared) or ""),
            f"{result.gradient:.1e}",
            f"{worst.error:.1e}" if worst else "-",
        ]
        style = "" if result.passed(tolerance) else "red"
        table.add_row(*(Text(cell, style=style) for cell in cells))
    return table


def _wrong(results: "Sequence[TensorCheck]", tolerance: float) -> list[str]:
    """Return a line for each wrong gradient: where it is worst, and both values there."""
    lines = []
    for result in results:
        entry = result.worst
        if entry is not None and not result.passed(tolerance):
            place = ", ".join(map(str, entry.index))
            lines.append(
                f"wrong: {result.name}[{place}]: autograd {entry.autograd:.6g},"
                f" finite differences {entry.difference:.6g}"
            )
    return lines
