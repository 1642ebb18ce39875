"""Effects of a grid's keys: values, verdicts, sentences, and studies that have none."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from dlx.report.analysis import Analysis
from dlx.report.crossing import NotCrossed
from dlx.report.effects import Effects

Score = Callable[..., float]
KEYS = {"model.norm": ["none", "batch"], "optimizer.lr": [0.1, 0.001], "model.width": [64, 32, 128]}

TWO = {key: KEYS[key] for key in ("model.norm", "optimizer.lr")}


def write_grid(study: Any, score: Score, keys: dict[str, Sequence[Any]], seeds: int = 3) -> None:
    """Write a run for each combination and seed; `score` gets the values and adds the planted effects."""
    rng = np.random.default_rng(0)
    for number, values in enumerate(itertools.product(*keys.values())):
        for seed in range(seeds):
            final = 0.7 + score(*values) + 0.004 * rng.normal()
            changes = dict(zip(keys, values, strict=True))
            study.run(f"r{number}_{seed}", study.curve(round(final, 4)), changes, seed=seed)


def effects_of(analysis: Analysis) -> Effects:
    assert isinstance(analysis.effects, Effects)
    return analysis.effects


def norm_helps(norm: str, lr: float = 0.1, width: int = 64) -> float:
    return 0.03 * (norm == "batch")


def norm_helps_with_large_steps(norm: str, lr: float) -> float:
    return 0.05 * (norm == "batch") * (lr == 0.1)


@pytest.fixture(scope="module")
def helped(builder: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a study of 12 settings and 3 seeds in which batch norm helps by 3 points, always."""
    study = builder(tmp_path_factory.mktemp("helped"))
    write_grid(study, norm_helps, KEYS)
    return study


@pytest.fixture(scope="module")
def grid(helped: Any) -> Effects:
    return effects_of(helped.analysis())


def test_the_planted_effect_is_first_with_its_size_and_matched_pairs(grid: Effects) -> None:
    norm = grid.main[0]
    assert (norm.key, norm.value, norm.other) == ("model.norm", "batch", "none")
    assert norm.difference == pytest.approx(0.03, abs=0.004)
    assert norm.low < 0.03 < norm.high
    assert norm.verdict == "better"
    assert (norm.pairs, norm.higher, norm.lower) == (18, 18, 0)
    assert [each.verdict for each in grid.main[1:]] == ["undecided"] * 4
    assert (grid.settings, grid.units, grid.missing) == (12, 3, 0)
    assert (
        grid.tests == 5 + 1 + 3 + 3
    )  # pairs of values, and of these for norm by lr, norm by width, lr by width


def test_values_are_in_their_natural_order(grid: Effects) -> None:
    pairs = {(each.value, each.other) for each in grid.main}
    assert pairs == {("batch", "none"), ("0.1", "0.001"), ("64", "32"), ("128", "32"), ("128", "64")}


def test_the_headline_says_which_value_is_better(grid: Effects) -> None:
    assert grid.headline.startswith("norm batch is better than norm none: +")
    assert grid.headline.endswith("higher in 18 of 18 matched pairs.")
    assert " points (95% interval " in grid.headline
    assert sum(each.startswith("No effect of") for each in grid.sentences) == 2
    assert grid.sentences[-1].startswith(
        "No pair of keys is shown to interact, but effects may differ by up to"
    )
    assert 0 < grid.undecided_up_to < 0.05
    assert "3 seeds" in " ".join(grid.method)


def test_an_interaction_is_named_before_the_average(study: Any) -> None:
    write_grid(study, norm_helps_with_large_steps, TWO)
    found = effects_of(study.analysis())
    (both,) = found.interactions
    assert (both.key, both.by) == ("model.norm", "optimizer.lr")
    assert both.at["0.1"].difference == pytest.approx(0.05, abs=0.005)
    assert both.at["0.001"].difference == pytest.approx(0, abs=0.005)
    assert both.means["batch", "0.1"] == pytest.approx(0.75, abs=0.005)
    assert found.headline.startswith("What norm does depends on lr: batch instead of none gives +")
    assert "points with lr 0.1 (95% interval" in found.sentences[0]
    assert found.headline == (
        "What norm does depends on lr: batch instead of none gives +5.1 points with lr 0.1 and no clear "
        "difference with lr 0.001."
    )
    assert "no clear difference with lr 0.001 (" in found.sentences[0]
    assert any(each.startswith("On average over this grid, norm batch is better") for each in found.sentences)


def test_a_lower_loss_is_better(helped: Any) -> None:
    found = effects_of(helped.analysis(metric="val_loss"))
    assert found.main[0].verdict == "better"
    assert found.headline.startswith("norm batch is better than norm none: -0.0")
    assert found.headline.endswith("lower in 18 of 18 matched pairs.")


def test_a_value_that_is_worse_is_named_second(study: Any) -> None:
    write_grid(study, lambda norm, lr: -0.03 * (norm == "batch"), TWO)
    found = effects_of(study.analysis())
    assert found.main[0].verdict == "worse"
    assert found.headline.startswith("norm none is better than norm batch: +")


def test_many_values_are_compared_with_the_others(study: Any) -> None:
    keys = {"optimizer.lr": [0.1, 0.2, 0.3, 0.4, 0.5], "model.norm": ["none", "batch"]}
    write_grid(study, lambda lr, norm: 0.1 * (lr == 0.5), keys)
    found = effects_of(study.analysis())
    assert (found.main[0].value, found.main[0].other) == ("0.5", "")
    assert found.headline.startswith("lr 0.5 is better than the other values: +")


def test_missing_runs_are_counted_and_their_pairs_left_out(study: Any) -> None:
    write_grid(study, norm_helps, TWO)
    changes = {"model.norm": "batch", "optimizer.lr": 0.1}
    study.run("diverged", study.curve(0.1), changes, seed=3, status="diverged")
    for number, (norm, lr) in enumerate(itertools.product(*TWO.values())):
        if (norm, lr) != ("batch", 0.1):
            changes = {"model.norm": norm, "optimizer.lr": lr}
            study.run(f"more{number}", study.curve(0.7 + 0.03 * (norm == "batch")), changes, seed=3)
    found = effects_of(study.analysis())
    assert (found.units, found.missing) == (4, 1)
    assert next(each for each in found.main if each.key == "model.norm").pairs == 7
    assert found.method[-1].startswith("1 of the grid's 16 scores")


def test_a_value_that_never_completed_is_left_out(study: Any) -> None:
    write_grid(study, norm_helps, TWO)
    for number, norm in enumerate(["none", "batch"]):
        changes = {"model.norm": norm, "optimizer.lr": 10.0}
        study.run(f"diverged{number}", study.curve(0.1), changes, status="diverged")
    found = effects_of(study.analysis())
    assert (found.settings, found.missing) == (4, 0)
    assert found.method[-1] == "Left out, because no run completed: lr 10."


def test_of_three_values_the_best_is_told_against_the_others(study: Any) -> None:
    keys = {"model.width": [32, 64, 128], "model.norm": ["none", "batch"]}
    write_grid(study, lambda width, norm: width / 1000, keys)
    said = effects_of(study.analysis()).sentences
    assert [each.partition(":")[0] for each in said[:2]] == [
        "width 128 is better than width 32",
        "width 128 is better than width 64",
    ]
    assert not any("64 is better than width 32" in each for each in said)


def test_where_nothing_is_found_the_headline_says_so(study: Any) -> None:
    write_grid(study, lambda norm, lr: 0.0, TWO)
    found = effects_of(study.analysis())
    assert found.headline == "None of the 2 keys is shown to make a difference."
    assert len(found.sentences) == 1 + 2 + 1


def test_with_a_single_seed_nothing_is_tested(study: Any) -> None:
    write_grid(study, norm_helps, TWO, seeds=1)
    found = effects_of(study.analysis())
    assert not found.answers
    assert {each.verdict for each in found.main} == {"undecided"}
    assert found.headline.endswith("With a single seed, this may be chance.")


def test_effects_answer_for_many_settings_and_for_two_seeds(study: Any, grid: Effects) -> None:
    assert grid.answers
    write_grid(study, norm_helps, TWO, seeds=2)
    assert effects_of(study.analysis()).answers


def test_up_to_eight_settings_with_three_seeds_are_read_one_by_one(study: Any) -> None:
    write_grid(study, lambda *_: 0.0, {**TWO, "model.width": [32, 64]})
    assert not effects_of(study.analysis()).answers


def test_studies_that_are_no_grid_have_no_effects(study: Any) -> None:
    write_grid(study, norm_helps, {"model.norm": ["none", "batch"]}, seeds=1)
    assert study.analysis().effects == NotCrossed("fewer than two keys vary")
    for number in range(6):
        study.run(f"s{number}", study.curve(0.7), {"optimizer.lr": 0.1 + number, "model.width": number})
    effects = study.analysis().effects
    assert isinstance(effects, NotCrossed)
    assert "combinations of values were trained" in effects.reason


def test_averages_over_other_keys_have_no_effects(helped: Any) -> None:
    effects = helped.analysis(by=("norm", "lr")).effects
    assert effects == NotCrossed("runs of one setting differ in more than seeds")


def test_settings_without_a_common_seed_have_no_effects(study: Any) -> None:
    for number, (norm, lr) in enumerate(itertools.product(*TWO.values())):
        study.run(f"r{number}", study.curve(0.7), {"model.norm": norm, "optimizer.lr": lr}, seed=number)
    assert isinstance(study.analysis().effects, NotCrossed)
