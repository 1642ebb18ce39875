"""`make bench`: measures the sections named, all without any, prints tables and writes docs/benchmarks.md.

Exit code 1 if a contestant failed. A bound that is not kept is a finding, no failure.
"""

import argparse
import importlib
import logging
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.text import Text

from tests.benchmarks import machine, page
from tests.benchmarks.dlx_runs import REPOSITORY
from tests.benchmarks.images import prepare
from tests.benchmarks.measure import interleave
from tests.benchmarks.section import Section, Setting

SECTIONS = {
    "suite": "A2 to A6 as one suite",
    "width": "More seeds",
    "sweep": "A hundred runs of one epoch",
    "loop": "One run",
    "safety": "What checkpoints cost",
    "gpu": "On a GPU",
}


def main(arguments: Sequence[str]) -> int:
    """Measure, print and write; return the exit code."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if wrong := set(given.sections) - set(SECTIONS):
        parser.error(f"there is no section {', '.join(wrong)} (allowed: {', '.join(SECTIONS)})")
    logging.basicConfig(format="%(message)s")
    console = Console(highlight=False)
    console.width = max(console.width, 120)  # a table's cells stay whole in a log and in a narrow terminal
    failed, texts = False, {}
    with TemporaryDirectory() as folder:
        images = prepare(given.data_root, Path(folder))
        share = 1.0 if given.full else given.share
        setting = Setting(images, given.rounds, share, given.size, given.engine)
        for name in given.sections or SECTIONS:
            if name == "gpu" and not _has_gpu():
                console.print("gpu: left out, torch sees no CUDA device here")
                continue
            notes = _notes(given, name, setting)
            section: Section = importlib.import_module(f"tests.benchmarks.sections.{name}").describe(setting)
            measured = interleave(section.contestants, setting.rounds, _progress(console, name))
            page.print_section(console, SECTIONS[name], section, measured)
            texts[SECTIONS[name]] = page.markdown(SECTIONS[name], section, measured, notes)
            page.update(given.output, texts, tuple(SECTIONS.values()))
            failed |= any(samples.error is not None for samples in measured.values())
    console.print(Text(f"written to {given.output}"), soft_wrap=True)
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument(
        "sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)}; all without any"
    )
    parser.add_argument("--data-root", metavar="DIR", help="holds FashionMNIST/raw; else as for dlx train")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="of all contestants; default 3")
    parser.add_argument(
        "--share",
        type=float,
        default=1 / 25,
        metavar="X",
        help="of the suite's epochs that notebook, skorch and Lightning train, the rest scaled; default 1/25",
    )
    parser.add_argument("--full", action="store_true", help="everybody trains all epochs of the suite")
    parser.add_argument(
        "--engine", default="auto", metavar="NAME", help="of dlx, in the bounds; default auto"
    )
    parser.add_argument("--size", type=float, default=1.0, metavar="X", help="of all epochs; to try it out")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "docs" / "benchmarks.md", metavar="FILE")
    return parser


def _notes(given: argparse.Namespace, name: str, setting: Setting) -> list[str]:
    """Return what the file says below each section: how, on what and when it was measured."""
    words = ["--full"] if given.full else []
    words += [f"--{key}={value:.3g}" for key, value in _changed(given).items()]
    words += [] if given.engine == "auto" else [f"--engine={given.engine}"]
    command = shlex.join(["python", "-m", "tests.benchmarks", name, *words])
    notes = [f"`{command}`, {machine.describe()}; rounds: {given.rounds}."]
    if not setting.images.real:
        notes.append(
            "There was no Fashion-MNIST here: the images are synthetic, of the same shape and number."
        )
    if setting.size != 1:
        notes.append(f"Tried out with {setting.size:.3g} of all epochs: these are no results.")
    return notes


def _changed(given: argparse.Namespace) -> dict[str, float]:
    defaults = _parser()
    numbers = ("rounds", "share", "size")
    return {key: getattr(given, key) for key in numbers if getattr(given, key) != defaults.get_default(key)}


def _progress(console: Console, section: str) -> Callable[[str, str], None]:
    return lambda name, what: console.print(Text(f"{section}: {name}: {what}"))


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
