"""The recipes of A2 to A6 are the runs of dlx's presets."""

from dataclasses import replace

import pytest

from dlx.compose.request import compose
from tests.benchmarks.recipe import Recipe, shortened
from tests.benchmarks.suite import RECIPES, SUITE, preset_of_all


def planned(preset, monkeypatch, folder):
    """The recipes that `dlx train sweep=preset` would train."""
    monkeypatch.chdir(folder)
    recipes = []
    for settings in (run.settings for run in compose([f"sweep={preset}"]).runs):
        model, augment = settings.model.arguments, settings.augment
        recipes.append(
            Recipe(
                hidden=(model["width"], int(model["width"] * model["taper"])),
                norm=model["norm"],
                optimizer=settings.optimizer.name,
                lr=settings.optimizer.arguments["lr"],
                batch_size=settings.batch_size,
                epochs=settings.epochs,
                seed=settings.seed,
                noise=augment["noise"],
                shift=augment["shift"],
                flip=augment["flip"],
            )
        )
    return recipes


@pytest.mark.parametrize("preset", SUITE)
def test_a_presets_runs_are_its_recipes(preset, monkeypatch, tmp_path):
    assert planned(preset, monkeypatch, tmp_path) == SUITE[preset]


def test_the_preset_of_all_has_every_run_once_with_its_experiments_seed(monkeypatch, tmp_path):
    (tmp_path / "conf" / "sweep").mkdir(parents=True)
    (tmp_path / "conf" / "sweep" / "suite.yaml").write_text(preset_of_all(1.0))
    expected = [
        replace(recipe, seed=seed) for seed, recipes in enumerate(SUITE.values()) for recipe in recipes
    ]
    assert planned("suite", monkeypatch, tmp_path) == expected
    assert len(set(expected)) == 37


def test_the_suite_has_37_runs():
    assert len(RECIPES) == 37


@pytest.mark.parametrize(
    ("epochs", "share", "kept"), [(150, 1 / 25, 6), (250, 1 / 25, 10), (20, 1 / 25, 2), (1, 0.5, 1)]
)
def test_a_share_of_the_epochs_is_two_at_least_and_never_more_than_all(epochs, share, kept):
    assert shortened(Recipe(epochs=epochs), share).epochs == kept


def test_steps_count_the_smaller_last_batch():
    assert Recipe(batch_size=32, epochs=2).steps == 2 * 32  # 31 full ones and one of 8
