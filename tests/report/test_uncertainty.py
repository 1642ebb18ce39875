"""Uncertainty from stored predictions, and from scores only where predictions cannot be used."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlx.report.uncertainty import Uncertainty, estimate_uncertainty, uncertainty_sentences
from dlx.run.predictions import write_predictions
from dlx.stats.variance import VarianceComponents, selection_bias, variance_components

RIGHT_CSN = np.random.default_rng(0).random((3, 4, 120)) < np.array([0.6, 0.9, 0.8])[:, None, None]
LABELS_N = np.random.default_rng(1).integers(0, 3, 120)


def write_study(
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


def test_uncertainty_is_estimated_from_stored_predictions(study: Any) -> None:
    write_study(study, RIGHT_CSN)
    ranked_CSN = RIGHT_CSN[[1, 2, 0]].astype(float)
    found = estimate_uncertainty(study.analysis())
    assert found is not None
    assert found.of_best == variance_components(ranked_CSN[0])
    assert found.of_lead == variance_components(ranked_CSN[0] - ranked_CSN[1])
    assert found.selection_bias == selection_bias(ranked_CSN)
    assert (found.settings, found.seeds, found.samples) == (3, 4, 120)


def test_settings_without_all_seeds_of_the_best_are_ignored(study: Any) -> None:
    folders = write_study(study, RIGHT_CSN)
    (folders[2, 3] / "predictions.npz").write_bytes(b"torn")
    found = estimate_uncertainty(study.analysis())
    assert found is not None
    assert (found.settings, found.seeds, found.samples) == (2, 4, 120)


def test_sentences_leave_out_what_would_be_written_as_zero(study: Any) -> None:
    write_study(study, RIGHT_CSN)
    summary = study.analysis().summary
    lead = VarianceComponents(seeds=1e-4, samples=0.02, rest=0.1, sample_count=200)
    some = Uncertainty(None, lead, 0.012, settings=8, seeds=3, samples=200)
    of_lead, of_best = uncertainty_sentences(some, summary)
    assert of_lead == (
        "The tests cover other seeds but the same validation samples. On others its lead varies by 1.0 point "
        "(standard deviation), whatever the seeds."
    )
    assert of_best == (
        "Because it was picked as the best of 8, its score is probably about 1.2 points too high. This is "
        "estimated by picking on random halves of the seeds and validation samples and scoring on the "
        "others."
    )
    none = replace(some, of_lead=replace(lead, samples=0.0), selection_bias=0.0)
    assert uncertainty_sentences(none, summary) == []


def test_with_very_many_settings_only_scores_are_used(study: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlx.report.uncertainty.SETTINGS", 2)
    write_study(study, RIGHT_CSN)
    found = estimate_uncertainty(study.analysis())
    assert found is not None
    assert (found.settings, found.seeds, found.samples) == (3, 4, 1)
    assert found.of_best == variance_components(RIGHT_CSN[1].astype(float))


def test_the_best_of_very_many_single_runs_is_biased_most(
    study: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dlx.report.uncertainty.SETTINGS", 2)
    equal_CSN = np.random.default_rng(3).random((3, 1, 120)) < 0.8
    write_study(study, equal_CSN)
    found = estimate_uncertainty(study.analysis())
    assert found is not None
    assert (found.settings, found.seeds, found.samples) == (3, 1, 120)
    assert found.selection_bias > 0


@pytest.mark.parametrize("why", ["other samples", "no predictions of the best"])
def test_scores_are_used_where_predictions_cannot_be(study: Any, why: str) -> None:
    folders = write_study(study, RIGHT_CSN)
    if why == "other samples":
        outputs = np.eye(3)[LABELS_N]
        write_predictions(
            folders[0, 0], last=outputs, best=outputs, labels=LABELS_N[::-1], last_epoch=1, best_epoch=0
        )
    else:
        for seed in range(4):
            (folders[1, seed] / "predictions.npz").unlink()
    found = estimate_uncertainty(study.analysis())
    assert found is not None
    assert found.of_best is None
    scores_CS1 = RIGHT_CSN[[1, 2, 0]].mean(axis=2)[:, :, None]
    assert found.selection_bias == pytest.approx(selection_bias(scores_CS1), abs=1e-12)


def test_a_single_output_predicts_by_its_sign(study: Any) -> None:
    labels_N = np.arange(50) % 2
    for seed in range(2):
        folder = study.run(f"r{seed}", study.curve(0.5), seed=seed)
        outputs_N1 = np.where(np.arange(50) < 30 + seed, labels_N, 1 - labels_N)[:, None] * 2.0 - 1
        write_predictions(
            folder, last=outputs_N1, best=outputs_N1, labels=labels_N, last_epoch=1, best_epoch=1
        )
    found = estimate_uncertainty(study.analysis())
    assert found is not None
    assert found.of_best is not None
    assert found.of_best.seed_std == pytest.approx(np.std([0.6, 0.62], ddof=1))


def test_one_run_has_no_uncertainty_to_estimate(study: Any) -> None:
    study.run("a", study.curve(0.5))
    assert estimate_uncertainty(study.analysis()) is None
