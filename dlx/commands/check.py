"""`dlx check`: compares autograd's gradients of one model and loss with finite differences."""

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dlx.commands.parser import Parser, any_path, number, whole_number
from dlx.errors import RequestError
from dlx.working import working

if TYPE_CHECKING:
    from argparse import Namespace

    from rich.table import Table

    from dlx.engine.gradient_check import TensorCheck

SAMPLES, ENTRIES, TOLERANCE = 4, 10, 1e-6

SUMMARY = "Compare autograd's gradients of one model and loss with finite differences."

EXAMPLES = """
dlx check model=mlp_bn model.dropout=0.3
dlx check model=cnn loss=mean_squared_error --samples 8
dlx check model=linear --entries 0
dlx check model.target=mynet:Net --json gradients.json
"""

NOTES = """
The settings are those of `dlx train`, for one run. The check always runs in
float64 on the CPU and in training mode: BatchNorm uses the batch's statistics,
dropout's draws are fixed, and nothing is augmented. At a kink of the loss
(ReLU, max pooling) there is no derivative; entries there are counted but not
compared.
"""

EXIT_CODES = (
    "0 no gradient is wrong; 1 a gradient is wrong; 2 the request, configuration or data was "
    "wrong; 130 interrupted."
)


def main(arguments: Sequence[str]) -> int:
    """Run `dlx check` with these arguments; return 0 if no gradient is wrong, 1 if one is."""
    given = _parser().parse(arguments)
    with working("reading the request") as say:
        title, results = _check(given, say)
    _show(results, title, given.tolerance)
    if given.json:
        _write(results, given.tolerance, given.json)
    return 0 if all(result.passed(given.tolerance) for result in results) else 1


def _check(given: "Namespace", say: "Callable[[str], None]") -> "tuple[str, list[TensorCheck]]":
    """Return what was checked, in a line, and how each gradient compares."""
    from dlx.components import check_components
    from dlx.compose.request import compose_one

    settings = compose_one(given.overrides)
    check_components(settings)
    # Four samples keep only one thread busy.
    forced = {
        "dtype": "float64",
        "precision": "float64",
        "compile": False,
        "device": "cpu",
        "threads": settings.threads or 1,
    }
    settings = settings.model_copy(update=forced)
    from dlx.build import BATCH_NORMS, build  # imports torch
    from dlx.engine import gradient_check
    from dlx.report.text import write_count

    run = build(settings)
    samples = given.samples or min(SAMPLES, len(run.data.train))
    if samples > len(run.data.train):
        raise RequestError(
            f"--samples {samples}: the training split has only {len(run.data.train)} (data.train_size)"
        )
    if samples == 1 and any(isinstance(module, BATCH_NORMS) for module in run.model.modules()):
        raise RequestError("--samples 1: BatchNorm cannot normalise a batch of one; use 2 or more")
    say("comparing gradients with finite differences")
    results = gradient_check.check_gradients(
        run, samples=samples, entries=given.entries, tolerance=given.tolerance
    )
    title = (
        f"{settings.model.name}, {run.parameter_count:,} parameters, {settings.loss.name}; "
        f"{write_count(samples, 'sample')} of {settings.data.name}"
    )
    return title, results


def _parser() -> Parser:
    parser = Parser("dlx check", SUMMARY, examples=EXAMPLES, notes=NOTES, exit_codes=EXIT_CODES)
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="set a key, as for dlx train")
    parser.add_argument(
        "--samples",
        type=whole_number(1),
        metavar="N",
        help=f"samples in the batch (default: {SAMPLES}, or fewer if the data set is smaller)",
    )
    parser.add_argument(
        "--entries",
        type=whole_number(0),
        default=ENTRIES,
        metavar="N",
        help="entries to compare in each parameter and in the input; 0 for all (default: %(default)s)",
    )
    parser.add_argument(
        "--tolerance",
        type=number(0, below=1),
        default=TOLERANCE,
        metavar="X",
        help="largest relative error that passes (default: %(default)g)",
    )
    parser.add_argument("--json", type=any_path, metavar="FILE", help="also write the result to FILE")
    return parser


def _write(results: "Sequence[TensorCheck]", tolerance: float, path: Path) -> None:
    """Write each gradient: whether it passed, and its largest entry; null if that is not finite."""
    from dlx.engine.gradient_check import INPUT
    from dlx.run.paths import write_atomically

    tensors = [
        {
            "name": result.name,
            "passed": result.passed(tolerance),
            "largest": result.gradient if math.isfinite(result.gradient) else None,
        }
        for result in results
    ]
    write_atomically(path, json.dumps({"input": INPUT, "tensors": tensors}).encode())


def _show(results: "Sequence[TensorCheck]", title: str, tolerance: float) -> None:
    """Print the table, a line for each wrong gradient, and the verdict."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    console.print(Text(title))
    console.print(_table(results, tolerance))
    wrong = [result for result in results if not result.passed(tolerance)]
    for result in wrong:
        if (entry := result.worst) is not None:
            where = f"{result.name}[{', '.join(map(str, entry.index))}]"
            values = f"autograd {entry.autograd:.6g}, finite differences {entry.difference:.6g}"
            console.print(Text(f"wrong: {where}: {values}", style="red"))
    kinks = sum(entry.kink for result in results for entry in result.entries)
    if kinks:
        what = "1 entry is" if kinks == 1 else f"{kinks} entries are"
        console.print(Text(f"{what} at a kink of the loss and not compared"))
    compared = sum(len(result.compared) for result in results)
    largest = max((result.worst.error for result in results if result.worst), default=0.0)
    verdict = f"{len(wrong)} of {len(results)} gradients {'is' if len(wrong) == 1 else 'are'} wrong"
    console.print(Text(f"{verdict if wrong else 'no gradient is wrong'}: {compared:,} entries compared,"))
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
