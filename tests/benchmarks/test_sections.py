"""Each section by itself: its bounds are about its contestants, its words are dlx's."""

import importlib
import re
from pathlib import Path

import pytest

from dlx.compose.request import compose
from dlx.study.plan import SECONDS_A_MULTIPLY_ADD, SECONDS_A_STEP, WORTH_A_PROCESS, sketch_runs
from tests.benchmarks import dlx_runs, peers
from tests.benchmarks.__main__ import SECTIONS
from tests.benchmarks.dlx_runs import Command
from tests.benchmarks.images import Prepared, synthetic, write
from tests.benchmarks.section import Setting, Worst
from tests.benchmarks.sections import gpu, grid
from tests.benchmarks.workers import Wall

IMAGES = Prepared(Path("images.npz"), ("data=npz", "data.root=.", "data.path=images.npz"), real=False)


@pytest.fixture
def described(monkeypatch):
    """A section by its name, on two cores, as if there were a GPU."""
    monkeypatch.setattr(gpu, "seconds_an_epoch", lambda folder: 1.0)
    monkeypatch.setattr(gpu, "has_cifar10", lambda: False)
    monkeypatch.setattr(gpu, "limit", lambda net, device: 1.0)

    def describe(name):
        return importlib.import_module(f"tests.benchmarks.sections.{name}").describe(
            Setting(IMAGES, processes=2)
        )

    return describe


@pytest.fixture
def commands(monkeypatch):
    """The commands of dlx that contestants would run; peers take no time at all."""
    given = []

    def spy(*arguments):
        given.append(arguments[-1])
        return Wall(2.0, 1.0, 1.0)

    monkeypatch.setattr(dlx_runs, "train", spy)
    monkeypatch.setattr(dlx_runs, "train_in", spy)
    monkeypatch.setattr(dlx_runs, "call", lambda words, folder: 1.0)
    monkeypatch.setattr(peers, "train_all", lambda job, recipes, **how: Wall(2.0, 1.0, 1.0))
    return given


@pytest.mark.parametrize("name", SECTIONS)
def test_bounds_ratios_and_cases_are_about_what_is_measured(name, described, commands):
    section = described(name)
    named = [quantity for claim in section.claims for quantity in _quantities(claim)]
    for case in section.cases:
        named += [case.auto, case.loop, *case.peers.values(), *case.usual.values(), case.limit]
    named = {quantity for quantity in [*named, section.base] if quantity is not None}
    assert {contestant for contestant, _ in named} <= set(section.contestants)
    if name != "start":  # its contestants start processes
        measured = {each: contestant() for each, contestant in section.contestants.items()}
        assert all(quantity in measured[contestant] for contestant, quantity in named)
    assert section.claims or section.conclude
    assert "{" not in section.about


def _quantities(claim):
    if isinstance(claim, Worst):
        return [quantity for part in claim.parts.values() for quantity in _quantities(part)]
    return [claim.over, *claim.under]


@pytest.mark.parametrize(
    ("name", "runs"),
    [
        ("suite", 2 * 37),
        ("loop", 2),
        ("grid", 4 * (2 * 1 + 3 * (4 + 16 + 64)) + 4 * 3 * 64),
        ("kinds", 3 * (16 + 32 + 256)),
        ("sweep", 100),
        ("safety", 2 * (8 + 500)),
        ("gpu", (1 + 8 + 64 + 256) + 3 * (1 + 64) + 4 * 64 + 2 * 3),
    ],
)
def test_dlx_is_asked_for_the_runs_that_are_named(name, runs, described, commands):
    for contestant in described(name).contestants.values():
        contestant()
    assert sum(command.runs for command in commands) == runs


@pytest.mark.parametrize("name", ["suite", "grid", "kinds"])
def test_engines_that_are_compared_have_the_same_processes_and_threads(name, described, commands):
    for contestant, measure in described(name).contestants.items():
        before = len(commands)
        measure()
        for command in commands[before:]:
            layout = re.search(r"(\d+) x (\d+)$", contestant)
            assert f"launcher.processes={layout[1]}" in command.words
            assert f"threads={layout[2]}" in command.words


def test_a_cell_of_the_grid_costs_so_much_that_dlx_measures_its_engines(tmp_path):
    write(synthetic(1000, 500), tmp_path / "images.npz")
    data = ("data=npz", f"data.root={tmp_path}", "data.path=images.npz")
    for cell in grid.cells(Setting(IMAGES, processes=2)):
        words = (*data, f"model.width={cell.width}", f"seed=range({cell.runs})", f"epochs={cell.epochs}")
        sketches = sketch_runs(compose([*words, f"output_root={tmp_path}"]).runs).values()
        assert len(sketches) == cell.runs
        step = max(SECONDS_A_STEP + SECONDS_A_MULTIPLY_ADD * sketch.multiply_adds for sketch in sketches)
        assert WORTH_A_PROCESS < step * sum(sketch.steps for sketch in sketches) < 2 * WORTH_A_PROCESS


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fashion_width", "fashion_batchnorm"])
def test_a_preset_takes_the_synthetic_images(name, tmp_path):
    write(synthetic(1000, 500), tmp_path / "images.npz")
    words = (f"sweep={name}", "data=npz", f"data.root={tmp_path}", "data.path=images.npz", "epochs=1")
    runs = {"fashion_width": 6, "fashion_batchnorm": 2}[name]
    assert dlx_runs.train(Command(words, runs)).training > 0


@pytest.mark.parametrize(("size", "epochs"), [(1.0, 150), (0.1, 15), (0.001, 2)])
def test_words_hold_the_epochs_of_the_size(size, epochs):
    words = Setting(IMAGES, size=size).words("model.width=16", epochs=150)
    assert words == (*IMAGES.words, "model.width=16", f"epochs={epochs}")
