"""`make bench`: measures the sections named, all without any, prints tables and writes docs/benchmarks.md.

Exit code 1 if a contestant failed. A bound that is not kept is a finding, no failure.
"""

import argparse
import importlib
import logging
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.text import Text

from tests.benchmarks import dlx_runs, machine, page
from tests.benchmarks.dlx_runs import REPOSITORY, Command
from tests.benchmarks.images import prepare
from tests.benchmarks.measure import interleave
from tests.benchmarks.opening import opening_rows
from tests.benchmarks.section import Section, Setting

SECTIONS = {
    "suite": "A2 to A6 as one suite",
    "loop": "One run",
    "grid": "Widths by numbers of runs",
    "kinds": "Other nets, and many seeds",
    "start": "Start-up",
    "sweep": "A hundred runs of one epoch",
    "safety": "What checkpoints cost",
    "scaling": "How cost grows",
    "gpu": "On a GPU",
}
INSERTED = {"scaling": "scaling.md"}  # beside the page: the section stands in a text of its own
# Numbers of threads, and Python's compiled files, are to be what users have.
UNUSUAL = ("PYTHONDONTWRITEBYTECODE", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def main(arguments: Sequence[str]) -> int:
    """Measure, print and write; return the exit code."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if wrong := set(given.sections) - set(SECTIONS):
        parser.error(f"there is no section {', '.join(wrong)} (allowed: {', '.join(SECTIONS)})")
    logging.basicConfig(format="%(message)s")
    console = Console(highlight=False)
    console.width = max(console.width, 120)  # a table's cells stay whole in a log and in a narrow terminal
    for name in UNUSUAL:
        os.environ.pop(name, None)
    failed = False
    with TemporaryDirectory() as folder:
        images = prepare(given.data_root, Path(folder))
        share = 1.0 if given.full else given.share
        setting = Setting(images, given.rounds, share, given.size)
        dlx_runs.train(Command(("data=digits", "epochs=2"), 1))  # compiles what is not compiled yet
        for name in given.sections or SECTIONS:
            if name == "gpu" and not _has_gpu():
                console.print("gpu: left out, torch sees no CUDA device here")
                continue
            section: Section = importlib.import_module(f"tests.benchmarks.sections.{name}").describe(setting)
            notes = _notes(given, name, section, setting)
            rounds = setting.rounds * section.rounds
            measured = interleave(section.contestants, rounds, _progress(console, name))
            page.print_section(console, SECTIONS[name], section, measured)
            title = SECTIONS[name]
            text = page.markdown(title, section, measured, notes)
            if name in INSERTED:
                page.insert(given.output.with_name(INSERTED[name]), text, name)
            else:
                rows = opening_rows(title, section, measured)
                page.update(given.output, {title: text}, rows, tuple(SECTIONS.values()))
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
        default=1 / 40,
        metavar="X",
        help="of the epochs that peers train, the rest scaled; default 1/40",
    )
    parser.add_argument("--full", action="store_true", help="everybody trains all epochs of the suite")
    parser.add_argument("--size", type=float, default=1.0, metavar="X", help="of all epochs; to try it out")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "docs" / "benchmarks.md", metavar="FILE")
    return parser


def _notes(given: argparse.Namespace, name: str, section: Section, setting: Setting) -> list[str]:
    """Return what the file says below each section: how, on what and when it was measured."""
    words = ["--full"] if given.full else []
    words += [f"--{key}={value:.3g}" for key, value in _changed(given).items()]
    rounds = given.rounds * section.rounds
    command = shlex.join(["python", "-m", "tests.benchmarks", name, *words])
    notes = [f"`{command}`, {machine.describe()}; rounds: {rounds}."]
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
