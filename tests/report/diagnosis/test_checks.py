"""Each check of runs by itself: what fires, with which numbers, and what is not checked."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dlx.report.diagnosis.diagnose import diagnose
from dlx.report.diagnosis.finding import Diagnosis, Finding


@pytest.fixture
def quiet(simulator: Any) -> Any:
    """Return a simulator without noise of losses."""
    made = simulator(0, 100, 500)
    made.noise = 1e-4
    return made


def one_run(quiet: Any, curves: Any) -> Diagnosis:
    return diagnose(*quiet.study([({}, curves)]))


def of_run(diagnosis: Diagnosis) -> dict[str, Finding]:
    return {one.kind: one for one in diagnosis.findings if one.scope == "run"}


def test_a_clean_run_has_no_finding(quiet: Any) -> None:
    assert one_run(quiet, quiet.clean()).findings == []


def test_overfitting_says_from_where_to_where(quiet: Any) -> None:
    curves = quiet.clean(speed=1 / 40)
    curves.val_loss = 0.5 + 1.8 * np.exp(-quiet.e / 2.5) + 0.01 * np.maximum(0, quiet.e - 40)
    curves.train_loss = 2.3 * np.exp(-quiet.e / 30)
    found = of_run(one_run(quiet, curves))["overfitting"]
    assert found.numbers["epoch"] == pytest.approx(40, abs=1)
    assert found.numbers["lowest"] == pytest.approx(0.5, abs=0.01)
    assert found.numbers["end"] == pytest.approx(0.5 + 0.01 * 55.5, abs=0.01)
    assert found.severity == "problem"
    assert "Overfits from epoch 4" in found.sentence
    assert "from 0.5 to 1.05" in found.sentence


def test_validation_loss_that_rises_with_training_loss_is_no_overfitting(quiet: Any) -> None:
    curves = quiet.clean(speed=1 / 40)
    rise = 0.01 * np.maximum(0, quiet.e - 40)
    curves.val_loss, curves.train_loss = curves.val_loss + rise, curves.train_loss + rise
    assert "overfitting" not in of_run(one_run(quiet, curves))


def test_over_confidence_without_predictions_needs_accuracy_that_stays(quiet: Any) -> None:
    curves = quiet.clean(accuracy=0.8, speed=1 / 40)
    curves.val_loss = curves.val_loss * (1 + 0.01 * np.maximum(0, quiet.e - 40))
    curves.train_loss = curves.train_loss * np.exp(-quiet.e / 100)
    found = of_run(one_run(quiet, curves))
    assert "while accuracy does not fall" in found["over-confident"].sentence
    curves.val_accuracy = curves.val_accuracy - 0.003 * np.maximum(0, quiet.e - 40)
    assert "over-confident" not in of_run(one_run(quiet, curves))


def test_not_converged_gives_the_fall_over_the_last_fifth(quiet: Any) -> None:
    curves = quiet.clean(speed=1 / 40)
    curves.val_loss = 2.3 - 0.01 * quiet.e
    found = of_run(one_run(quiet, curves))["not converged"]
    assert found.numbers["window"] == 20
    assert found.numbers["fall"] == pytest.approx(0.19, abs=2e-3)
    assert "over the last 20 epochs validation loss fell by 0.19 (14%)" in found.sentence


def test_coming_back_from_a_bad_time_is_not_progress(quiet: Any) -> None:
    curves = quiet.clean(speed=1 / 60)
    curves.val_loss[70:] += 0.5 * (1 - (quiet.e[70:] - 70) / 40)
    assert "not converged" not in of_run(one_run(quiet, curves))


def test_chance_is_the_largest_class_and_luck_the_size_of_the_split(quiet: Any, simulator: Any) -> None:
    assert of_run(one_run(quiet, quiet.never_learned()))["never learned"].numbers["bound"] == pytest.approx(
        0.1 + 3 * np.sqrt(0.09 / 500)
    )
    learned = quiet.never_learned()
    learned.val_accuracy = np.full(101, 0.2)
    assert "never learned" not in of_run(one_run(quiet, learned))


def test_without_an_accuracy_the_loss_before_training_is_what_to_beat(quiet: Any) -> None:
    stuck, learned = quiet.never_learned(), quiet.clean()
    stuck.val_loss = stuck.val_loss + 0.01 * (quiet.e > 0)
    runs = [({"loss.name": "mean_squared_error"}, stuck), ({"loss.name": "mean_squared_error"}, learned)]
    study, layout, summary = quiet.study(runs)
    study.histories[["val_accuracy", "train_accuracy"]] = np.nan
    (found,) = (one for one in diagnose(study, layout, summary).findings if one.scope == "run")
    assert (found.kind, found.subject) == ("never learned", "run0000")
    assert found.sentence.startswith("Never learned: validation loss was never below 2.31, and 2.3 before")


def test_a_spike_is_named_with_its_epoch_and_height(quiet: Any) -> None:
    curves = quiet.clean(speed=1 / 60)
    curves.val_loss[60] += 3.0
    found = of_run(one_run(quiet, curves))["unstable"]
    assert found.numbers["val_spike_epoch"] == 60
    assert found.numbers["val_spike"] == pytest.approx(3.0, abs=0.01)
    assert "train_spike" not in found.numbers


def test_a_step_and_a_descent_are_no_spikes(quiet: Any) -> None:
    curves = quiet.clean(speed=1 / 60)
    curves.val_loss[50:] += 3.0
    curves.train_loss[50:] += 3.0
    assert "unstable" not in of_run(one_run(quiet, curves))


def test_a_net_that_forgets_is_unstable_and_does_not_underfit(quiet: Any) -> None:
    found = of_run(one_run(quiet, quiet.forgetful()))
    assert found["unstable"].numbers["train_accuracy"] == pytest.approx(0.1, abs=0.02)
    assert "underfitting" not in found


def test_underfitting_is_low_beside_the_best_run_in_training_and_validation(quiet: Any) -> None:
    weak, regularised, best = quiet.clean(0.7), quiet.clean(0.8), quiet.clean(0.8)
    weak.train_accuracy, regularised.train_accuracy = weak.val_accuracy, regularised.val_accuracy
    best.train_accuracy = best.train_accuracy * 0.99 / best.train_accuracy[-1]
    runs = [({"optimizer.lr": rate}, run) for rate, run in ((1, weak), (2, regularised), (3, best))]
    findings = diagnose(*quiet.study(runs)).findings
    named = {(one.subject, one.kind) for one in findings if one.scope == "run"}
    assert named == {("run0000", "underfitting")}
    for place, (changes, _) in enumerate(runs):
        changes["data.train_size"] = place  # not the same data: nothing to be behind
    assert [one.kind for one in diagnose(*quiet.study(runs)).findings if one.scope == "run"] == []


def test_divergence_is_dated_and_needs_no_history(quiet: Any) -> None:
    curves = quiet.diverged()
    study, layout, summary = quiet.study([({}, curves)])
    (found,) = (one for one in diagnose(study, layout, summary).findings if one.scope == "run")
    assert found.numbers["epoch"] == curves.truth["epoch"]
    without = replace(study, histories=study.histories.iloc[:0])
    (found,) = (one for one in diagnose(without, layout, summary).findings if one.scope == "run")
    assert found.sentence == "Diverged: the loss was no longer a finite number."


def test_divergence_without_validation_is_dated_by_training_loss(quiet: Any) -> None:
    curves = quiet.diverged()
    study, layout, summary = quiet.study([({}, curves)])
    study.histories[["val_loss", "val_accuracy"]] = np.nan
    (found,) = (one for one in diagnose(study, layout, summary).findings if one.scope == "run")
    assert found.numbers["epoch"] == curves.truth["epoch"]


def test_short_runs_are_unchecked_and_not_called_fine(simulator: Any) -> None:
    made = simulator(0, 6, 500)
    reasons = one_run(made, made.clean()).unchecked
    for kind in ("overfitting", "not converged", "unstable", "underfitting"):
        assert (kind, "fewer than 10 epochs (1 of 1 run)") in reasons


@pytest.mark.parametrize("missing", [["val_loss"], ["val_accuracy"], ["train_loss", "train_accuracy"], "all"])
def test_missing_curves_are_unchecked_without_a_warning(quiet: Any, missing: Any) -> None:
    study, layout, summary = quiet.study([({}, quiet.overfitting()), ({"optimizer.lr": 1}, quiet.clean())])
    names = ["train_loss", "train_accuracy", "val_loss", "val_accuracy"] if missing == "all" else missing
    study.histories[names] = np.nan
    study.runs[[f"{name}_last" for name in names]] = np.nan
    found = diagnose(study, layout, summary)
    assert ("overfitting" in {one.kind for one in found.findings}) == (missing == ["val_accuracy"])
    assert any("accuracy" in reason or "loss" in reason for _, reason in found.unchecked)


def test_losses_at_the_end_of_floats_raise_nothing(quiet: Any) -> None:
    study, layout, summary = quiet.study([({}, quiet.clean()), ({"optimizer.lr": 1}, quiet.clean())])
    study.histories.loc[study.histories["run"] == "run0000", ["val_loss", "train_loss"]] *= 1e300
    assert diagnose(study, layout, summary).findings is not None


def test_a_path_over_a_surface_has_no_sample_to_diagnose(quiet: Any) -> None:
    study, layout, summary = quiet.study([({}, quiet.overfitting()), ({"optimizer.lr": 1}, quiet.diverged())])
    found = diagnose(study, layout, replace(summary, exact=True))
    assert {one.kind for one in found.findings if one.scope == "run"} == {"diverged"}
    assert ("overfitting", "a path over a surface draws no sample") in found.unchecked


def test_runs_of_different_lengths_are_checked_each(simulator: Any) -> None:
    long, short = simulator(0, 100, 500), simulator(0, 40, 500)
    runs = [({}, long.overfitting()), ({"optimizer.lr": 1}, short.overfitting())]
    found = diagnose(*long.study(runs))
    assert {one.subject for one in found.findings if one.kind == "overfitting" and one.scope == "run"} == {
        "run0000",
        "run0001",
    }
    assert ("ranking not settled", "runs have different numbers of epochs") in found.unchecked
