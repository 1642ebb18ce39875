"""The estimate of a step is right within a factor of two for the shipped nets (see estimate.py)."""

from pathlib import Path

import pytest

from dlx.compose.request import compose
from dlx.study.estimate import estimate_seconds
from dlx.study.plan import sketch_runs

MEASURED = {  # milliseconds of a step on digits, in batches of 32
    "model=mlp model.width=64": 0.77,
    "model=mlp model.width=512": 1.96,
    "model=mlp_bn": 1.31,
    "model=convnet": 4.39,
    "model=cnn": 11.2,
    "model=resnet model.width=8": 29.5,
    "model=resnet model.width=32": 86.3,
}


@pytest.mark.parametrize("words", MEASURED)
def test_a_step_takes_about_as_long_as_was_measured(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (sketch,) = sketch_runs(compose(words.split()).runs, [0]).values()
    ratio = 1000 * estimate_seconds([sketch]) / sketch.steps / MEASURED[words]
    assert 0.5 < ratio < 2


def test_runs_that_train_together_share_their_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sketches = sketch_runs(compose(["model=convnet", "seed=0,1"]).runs, [0, 1])
    alone = estimate_seconds([sketches[0]])
    assert alone < estimate_seconds(list(sketches.values())) < 1.95 * alone
