"""Scores by setting and seed: what is a seed, what is lost, what is averaged."""

from typing import Any

import numpy as np

from dlx.report.load import load
from dlx.report.pairing import Scores, score_by_seed
from dlx.report.settings import find_design


def scores(study: Any, by: tuple[str, ...] = ()) -> Scores:
    loaded = load([study.folder])
    return score_by_seed(loaded, find_design(loaded.settings, by), "val_accuracy_last", higher=True)


def test_a_seed_is_a_combination_of_all_seed_keys(study: Any) -> None:
    for lr in (0.1, 0.2):
        for seed in (0, 1):
            for split in (5, 6):
                changes = {"optimizer.lr": lr, "data.split_seed": split}
                study.run(f"{lr}{seed}{split}", study.curve(lr + seed / 10 + split / 100), changes, seed=seed)
    found = scores(study)
    assert found.values_CS.shape == (2, 4)
    np.testing.assert_allclose(found.shared(1, 0), [0.1] * 4)


def test_a_diverged_run_is_lost_and_a_missing_one_is_not_there(study: Any) -> None:
    for seed in range(4):
        study.run(f"a{seed}", study.curve(0.5), {"optimizer.lr": 0.1}, seed=seed)
        status = "diverged" if seed == 2 else "failed" if seed == 1 else "completed"
        if seed:
            study.run(f"b{seed}", study.curve(0.6), {"optimizer.lr": 0.2}, seed=seed, status=status)
    found = scores(study)
    assert found.lost(1, 0) == found.lost(0, 1) == 2
    np.testing.assert_allclose(found.shared(1, 0), [0.1])


def test_several_runs_of_one_seed_are_their_mean_if_all_completed(study: Any) -> None:
    for seed in range(2):
        for width in (4, 8):
            for lr in (0.1, 0.2):
                status = "diverged" if (seed, width, lr) == (1, 8, 0.2) else "completed"
                changes = {"optimizer.lr": lr, "model.width": width}
                study.run(
                    f"{seed}{width}{lr}", study.curve(lr + width / 100), changes, seed=seed, status=status
                )
    found = scores(study, by=("lr",))
    np.testing.assert_allclose(found.values_CS, [[0.16, 0.16], [0.26, np.nan]])
    assert found.lost_CS.tolist() == [[False, False], [False, True]]
