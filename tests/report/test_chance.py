"""Luck from stored predictions: what each run got right, and when scores alone have to serve."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlx.report.aggregate import aggregate
from dlx.report.chance import Chance, weigh
from dlx.report.load import load
from dlx.report.settings import find_design
from dlx.run.predictions import write_predictions
from dlx.statistics.noise import split_noise
from dlx.statistics.selection import flattery

RIGHT_CSN = np.random.default_rng(0).random((3, 4, 120)) < np.array([0.6, 0.9, 0.8])[:, None, None]
LABELS_N = np.random.default_rng(1).integers(0, 3, 120)


def study_of(
    study: Any, right_CSN: np.ndarray, labels_N: np.ndarray = LABELS_N
) -> dict[tuple[int, int], Path]:
    folders = {}
    for (setting, seed), _ in np.ndenumerate(right_CSN[:, :, 0]):
        right_N = right_CSN[setting, seed]
        changes = {"optimizer.lr": float(setting + 1)}
        folder = study.run(f"{setting}{seed}", study.curve(float(right_N.mean())), changes, seed=seed)
        outputs_NK = np.eye(3)[np.where(right_N, labels_N, (labels_N + 1) % 3)]
        write_predictions(
            folder,
            last=outputs_NK,
            best=np.roll(outputs_NK, 1, 1),
            labels=labels_N,
            last_epoch=1,
            best_epoch=0,
        )
        folders[setting, seed] = folder
    return folders


def weighed(study: Any) -> Chance | None:
    loaded = load([study.folder])
    layout = find_design(loaded.settings)
    return weigh(loaded, layout, aggregate(loaded, layout))


def test_it_is_estimated_from_what_each_run_got_right_best_setting_first(study: Any) -> None:
    study_of(study, RIGHT_CSN)
    ranked_CSN = RIGHT_CSN[[1, 2, 0]].astype(float)
    chance = weighed(study)
    assert chance is not None
    assert chance.noise == split_noise(ranked_CSN[0])
    assert chance.apart == split_noise(ranked_CSN[0] - ranked_CSN[1])
    assert chance.flattery == flattery(ranked_CSN)
    assert (chance.settings, chance.seeds, chance.samples) == (3, 4, 120)


def test_settings_without_all_seeds_of_the_best_take_no_part(study: Any) -> None:
    folders = study_of(study, RIGHT_CSN)
    (folders[2, 3] / "predictions.npz").write_bytes(b"torn")
    chance = weighed(study)
    assert chance is not None
    assert (chance.settings, chance.seeds, chance.samples) == (2, 4, 120)


def test_a_choice_among_very_many_is_weighed_by_scores_alone(
    study: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dlx.report.chance.SETTINGS", 2)
    study_of(study, RIGHT_CSN)
    chance = weighed(study)
    assert chance is not None
    assert (chance.settings, chance.seeds, chance.samples) == (3, 4, 1)
    assert chance.noise == split_noise(RIGHT_CSN[1].astype(float))


@pytest.mark.parametrize("why", ["other samples", "no predictions of the best"])
def test_scores_alone_serve_where_predictions_cannot(study: Any, why: str) -> None:
    folders = study_of(study, RIGHT_CSN)
    if why == "other samples":
        outputs = np.eye(3)[LABELS_N]
        write_predictions(
            folders[0, 0], last=outputs, best=outputs, labels=LABELS_N[::-1], last_epoch=1, best_epoch=0
        )
    else:
        for seed in range(4):
            (folders[1, seed] / "predictions.npz").unlink()
    chance = weighed(study)
    assert chance is not None
    assert chance.noise is None
    scores_CS1 = RIGHT_CSN[[1, 2, 0]].mean(axis=2)[:, :, None]
    assert chance.flattery == pytest.approx(flattery(scores_CS1), abs=1e-12)


def test_one_output_is_right_by_its_sign(study: Any) -> None:
    labels_N = np.arange(50) % 2
    for seed in range(2):
        folder = study.run(f"r{seed}", study.curve(0.5), seed=seed)
        outputs_N1 = np.where(np.arange(50) < 30 + seed, labels_N, 1 - labels_N)[:, None] * 2.0 - 1
        write_predictions(
            folder, last=outputs_N1, best=outputs_N1, labels=labels_N, last_epoch=1, best_epoch=1
        )
    chance = weighed(study)
    assert chance is not None
    assert chance.noise is not None
    assert chance.noise.seed_std == pytest.approx(np.std([0.6, 0.62], ddof=1))


def test_one_run_has_no_luck_to_weigh(study: Any) -> None:
    study.run("a", study.curve(0.5))
    assert weighed(study) is None
