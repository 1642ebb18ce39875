"""Each section by itself: its bounds are about its contestants, its words are dlx's."""

import importlib
import re
from dataclasses import replace
from pathlib import Path

import pytest

from dlx.compose.request import compose
from dlx.study.estimate import SECONDS_A_MULTIPLY_ADD, SECONDS_A_STEP
from dlx.study.plan import WORTH_A_PROCESS, sketch_runs
from tests.benchmarks import dlx_runs, peers
from tests.benchmarks.command import SECTIONS
from tests.benchmarks.dlx_runs import Command
from tests.benchmarks.images import synthetic, write
from tests.benchmarks.measure import Samples
from tests.benchmarks.opening import opening_rows
from tests.benchmarks.page import markdown
from tests.benchmarks.prepared import Prepared
from tests.benchmarks.section import Setting, median
from tests.benchmarks.sections import gpu, start
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


@pytest.mark.parametrize("name", [name for name in SECTIONS if name != "start"])
def test_bounds_ratios_and_cases_are_about_what_is_measured(name, described, commands):
    section = described(name)
    measured = measure(section.contestants)
    assert section.claims or section.conclude
    assert all(claim.holds(measured) is not None for claim in section.claims)
    assert section.base is None or median(measured, section.base) is not None
    for case in section.cases:
        named = [case.auto, case.loop, *case.peers.values(), *case.usual.values(), case.limit]
        assert all(median(measured, quantity) is not None for quantity in named if quantity)
    assert len(opening_rows(SECTIONS[name], section, measured)) == len(section.cases)
    text = markdown(SECTIONS[name], section, measured, [])
    assert "{" not in text


def test_bounds_on_start_up_are_about_its_commands(described, monkeypatch):
    called = []

    def spy(words, folder, *, code=0):
        called.append((code, words))
        return 0.1

    section = described("start")
    monkeypatch.setattr(start, "call", spy)
    measured = measure(section.contestants)
    assert all(claim.holds(measured) is not None for claim in section.claims)
    assert len(opening_rows("Start-up", section, measured)) == len(section.cases)
    assert sum(code == 2 for code, _ in called) == len(start.WRONG)


def measure(contestants):
    return {
        name: Samples({key: [value] for key, value in each().items()}) for name, each in contestants.items()
    }


@pytest.mark.parametrize(
    ("name", "runs"),
    [
        ("suite", 2 * 37),
        ("loop", 2),
        ("grid", 4 * (2 * 1 + 3 * (4 + 16 + 64)) + 4 * 3 * 64),
        ("kinds", 3 * (16 + 32 + 256)),
        ("sweep", 100),
        ("safety", 2 * (8 + 500)),
        ("gpu", (1 + 8 + 64 + 256) + 2 * (1 + 64) + 1 + 3 * 64 + 2 * 3),
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


@pytest.mark.parametrize("name", ["grid", "kinds"])
def test_requests_cost_so_much_that_dlx_measures_its_engines(name, commands, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(synthetic(1000, 500), tmp_path / "images.npz")
    write(small(synthetic(1000, 397)), tmp_path / "digits.npz")
    words = ("data=npz", f"data.root={tmp_path}", "data.path=images.npz")
    images = Prepared(tmp_path / "images.npz", words, real=False)
    section = importlib.import_module(f"tests.benchmarks.sections.{name}").describe(
        Setting(images, processes=2)
    )
    for contestant in section.contestants.values():
        contestant()
    for command in (each for each in commands if each.runs > 1 and "engine=auto" in each.words):
        if name == "grid" and not {"model.width=16", "model.width=512"} & set(command.words):
            continue  # the extremes will do
        for file, text in command.files.items():
            (tmp_path / file).write_text(text)
        one = [word for word in command.words if not word.startswith("seed=")]  # they cost all the same
        sketch = sketch_runs(compose(one).runs, [0])[0]
        step = SECONDS_A_STEP + SECONDS_A_MULTIPLY_ADD * sketch.multiply_adds
        assert step * sketch.steps * command.runs > WORTH_A_PROCESS


def small(images):
    """The upper left corner, as large as scikit-learn's digits."""
    corners = (images.train_NHW[:, :8, :8], images.val_NHW[:, :8, :8])
    return replace(images, train_NHW=corners[0].contiguous(), val_NHW=corners[1].contiguous())


@pytest.mark.slow
def test_a_preset_takes_the_synthetic_images(tmp_path):
    write(synthetic(1000, 500), tmp_path / "images.npz")
    words = ("sweep=fashion_width", "data=npz", f"data.root={tmp_path}", "data.path=images.npz", "epochs=1")
    assert dlx_runs.train(Command(words, 6)).training > 0


@pytest.mark.parametrize(("size", "epochs"), [(1.0, 150), (0.1, 15), (0.001, 2)])
def test_words_hold_the_epochs_of_the_size(size, epochs):
    words = Setting(IMAGES, size=size).words("model.width=16", epochs=150)
    assert words == (*IMAGES.words, "model.width=16", f"epochs={epochs}")
