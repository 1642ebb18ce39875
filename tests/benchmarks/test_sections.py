"""Each section by itself: its bounds are about its contestants, its words are dlx's."""

import importlib
from pathlib import Path

import pytest

from tests.benchmarks import dlx_runs
from tests.benchmarks.__main__ import SECTIONS
from tests.benchmarks.dlx_runs import Command
from tests.benchmarks.images import Prepared
from tests.benchmarks.section import Setting
from tests.benchmarks.sections import gpu
from tests.benchmarks.workers import Wall

IMAGES = Prepared(Path("images.npz"), ("data=npz", "data.root=.", "data.path=images.npz"), real=False)


@pytest.fixture
def described(monkeypatch):
    """A section by its name, as if dlx knew every key of a GPU."""
    monkeypatch.setattr(gpu, "knows", lambda words: True)

    def describe(name, **setting):
        return importlib.import_module(f"tests.benchmarks.sections.{name}").describe(
            Setting(IMAGES, **setting)
        )

    return describe


@pytest.mark.parametrize("name", SECTIONS)
def test_bounds_and_ratios_are_about_contestants(name, described):
    section = described(name)
    named = [quantity for claim in section.claims for quantity in (claim.over, claim.under)] + [section.base]
    assert {quantity[0] for quantity in named if quantity} <= set(section.contestants)
    assert section.claims
    assert "{" not in section.about


@pytest.mark.parametrize(
    ("name", "ours", "asked"),
    [
        ("suite", ["dlx engine=loop"], 37),
        ("width", ["width 16, 1 seed", "width 16, 64 seeds", "width 128, 8 seeds"], 1 + 64 + 8),
        ("sweep", ["100 runs"], 100),
        ("loop", ["dlx engine=loop"], 1),
        ("safety", ["A2's 8 runs, auto", "1,000 runs of one epoch, none"], 8 + 1000),
        ("gpu", ["1 run, defaults", "64 runs, defaults"], 1 + 64),
    ],
)
def test_dlx_is_asked_for_the_runs_that_are_named(name, ours, asked, described, monkeypatch):
    commands = []

    def spy(given, *, at_once=1):
        commands.extend(given)
        return Wall(2.0, 1.0, 1.0)

    monkeypatch.setattr(dlx_runs, "train", spy)
    contestants = described(name).contestants
    for contestant in ours:
        assert contestants[contestant]()["wall"] == 2.0
    assert sum(command.runs for command in commands) == asked


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fashion_width", "fashion_batchnorm"])
def test_a_preset_takes_the_synthetic_images(name, tmp_path):
    from tests.benchmarks.images import synthetic, write

    write(synthetic(1000, 500), tmp_path / "images.npz")
    words = (f"sweep={name}", "data=npz", f"data.root={tmp_path}", "data.path=images.npz", "epochs=1")
    runs = {"fashion_width": 6, "fashion_batchnorm": 2}[name]
    assert dlx_runs.train([Command(words, runs)]).training > 0


@pytest.mark.parametrize(("size", "epochs"), [(1.0, 150), (0.1, 15), (0.001, 2)])
def test_words_hold_the_epochs_of_the_size(size, epochs):
    words = Setting(IMAGES, size=size).words("model.width=16", epochs=150)
    assert words == (*IMAGES.words, "model.width=16", f"epochs={epochs}")
