"""Runs in processes: what is scaled, what counts once, what a failure says."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.images import synthetic, write
from tests.benchmarks.recipe import Recipe
from tests.benchmarks.workers import Job, makespan, train_all

CONTESTANT = """
from tests.benchmarks.recipe import Trained

def train(recipe, images):
    if recipe.seed == 13:
        raise ArithmeticError("a recipe of misfortune")
    return Trained(setup=2.0, epochs=3.0 * recipe.epochs, accuracy=None)
"""


@pytest.fixture
def job(tmp_path, monkeypatch):
    """A contestant that says that it took 2 s and 3 s an epoch; and the smallest of images."""
    (tmp_path / "contestant_of_test_workers.py").write_text(CONTESTANT)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    write(synthetic(8, 4), tmp_path / "images.npz")
    return Job("contestant_of_test_workers", tmp_path / "images.npz")


@pytest.mark.parametrize(
    ("durations", "processes", "end"),
    [([5, 4, 3, 2], 1, 14), ([5, 4, 3, 2], 2, 7), ([1, 1, 1, 9], 2, 10), ([4], 3, 4)],
)
def test_a_job_begins_as_soon_as_a_process_is_free(durations, processes, end):
    assert makespan(durations, processes) == end


@pytest.mark.slow
def test_epochs_are_scaled_and_the_rest_counts_once(job):
    wall = train_all(job, [Recipe(epochs=100)], processes=1, share=0.1)
    assert wall.training == pytest.approx(300.0)
    assert wall.whole == pytest.approx(wall.start_up + 2.0 + 300.0)


@pytest.mark.slow
def test_what_a_contestant_raises_reaches_the_caller(job):
    with pytest.raises(ArithmeticError, match="misfortune"):
        train_all(job, [Recipe(seed=13)], processes=1)


def test_images_come_back_as_they_were(tmp_path):
    from tests.benchmarks.images import load

    images = synthetic(8, 4)
    write(images, tmp_path / "images.npz")
    again = load(Path(tmp_path) / "images.npz")
    assert again.train_NHW.equal(images.train_NHW)
    assert again.val_labels_N.equal(images.val_labels_N)


def test_a_process_that_trains_a_peer_imports_nothing_of_dlx():
    script = "import sys, tests.benchmarks.__main__, tests.benchmarks.workers, tests.benchmarks.plain; "
    script += "print(sorted(name for name in sys.modules if name.partition('.')[0] in ('dlx', 'hydra')))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
