"""Each check of runs: when it fires, with which numbers, and when it cannot be made."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dlx.report.analysis import Analysis
from dlx.report.diagnosis.diagnose import diagnose
from dlx.report.diagnosis.finding import Diagnosis, Finding
from dlx.report.diagnosis.layer_statistics import exploded_layers, silent_layers, still_weights
from dlx.run.formats import TableWriter
from dlx.run.probes import GRADIENTS, LAYERS, TABLES


@pytest.fixture
def quiet(simulator: Any) -> Any:
    """Return a simulator whose losses have almost no noise."""
    made = simulator(0, 100, 500)
    made.noise = 1e-4
    return made


def one_run(quiet: Any, curves: Any) -> Diagnosis:
    return diagnose(quiet.study([({}, curves)]))


def of_run(diagnosis: Diagnosis) -> dict[str, Finding]:
    return {one.kind: one for one in diagnosis.findings if one.scope == "run"}


def only_finding(analysis: Analysis) -> Finding:
    """Return the only finding of a run."""
    (found,) = (one for one in diagnose(analysis).findings if one.scope == "run")
    return found


def test_a_clean_run_has_no_finding(quiet: Any) -> None:
    assert one_run(quiet, quiet.clean()).findings == []


def test_overfitting_is_reported_with_its_epoch_and_losses(quiet: Any) -> None:
    curves = quiet.clean(speed=1 / 40)
    curves.val_loss = 0.5 + 1.8 * np.exp(-quiet.e / 2.5) + 0.01 * np.maximum(0, quiet.e - 40)
    curves.train_loss = 2.3 * np.exp(-quiet.e / 30)
    found = of_run(one_run(quiet, curves))["overfitting"]
    assert found.numbers["epoch"] == pytest.approx(40, abs=1)
    assert found.numbers["lowest"] == pytest.approx(0.5, abs=0.01)
    assert found.numbers["end"] == pytest.approx(0.5 + 0.01 * 55.5, abs=0.01)
    assert found.severity == "trade-off"  # accuracy does not fall
    assert "Overfits from epoch 4" in found.sentence
    assert "from 0.5 to 1.05 (by 111%; median of the last 10 epochs)" in found.sentence


def test_validation_loss_that_rises_with_training_loss_is_not_overfitting(quiet: Any) -> None:
    curves = quiet.clean(speed=1 / 40)
    rise = 0.01 * np.maximum(0, quiet.e - 40)
    curves.val_loss, curves.train_loss = curves.val_loss + rise, curves.train_loss + rise
    assert "overfitting" not in of_run(one_run(quiet, curves))


@pytest.mark.parametrize(("change", "severity"), [(0.02, "trade-off"), (-0.05, "problem")])
def test_overfitting_is_a_trade_off_unless_accuracy_falls(quiet: Any, change: float, severity: str) -> None:
    curves = quiet.clean(accuracy=0.8, speed=1 / 40)
    curves.val_loss = curves.val_loss * (1 + 0.01 * np.maximum(0, quiet.e - 40))
    curves.train_loss = curves.train_loss * np.exp(-quiet.e / 100)
    curves.val_accuracy = curves.val_accuracy + change * np.maximum(0, quiet.e - 40) / 60
    found = of_run(one_run(quiet, curves))["overfitting"]
    assert found.severity == severity
    assert ("Stop earlier, or regularise more." in found.sentence) == (severity == "problem")


def test_not_converged_gives_the_fall_over_the_last_fifth(quiet: Any) -> None:
    curves = quiet.clean(speed=1 / 40)
    curves.val_loss = 2.3 - 0.01 * quiet.e
    found = of_run(one_run(quiet, curves))["not converged"]
    assert found.numbers["window"] == 20
    assert found.numbers["fall"] == pytest.approx(0.19, abs=2e-3)
    assert "at the end: validation loss fell by 0.19 (14%) over the last 20 epochs. Train" in found.sentence


def test_recovering_from_a_setback_is_not_progress(quiet: Any) -> None:
    curves = quiet.clean(speed=1 / 60)
    curves.val_loss[70:] += 0.5 * (1 - (quiet.e[70:] - 70) / 40)
    assert "not converged" not in of_run(one_run(quiet, curves))


def test_never_learned_means_within_three_deviations_of_guessing(quiet: Any, simulator: Any) -> None:
    assert of_run(one_run(quiet, quiet.never_learned()))["never learned"].numbers["bound"] == pytest.approx(
        0.1 + 3 * np.sqrt(0.09 / 500)
    )
    learned = quiet.never_learned()
    learned.val_accuracy = np.full(101, 0.2)
    assert "never learned" not in of_run(one_run(quiet, learned))


def test_without_accuracies_a_run_must_beat_the_loss_before_training(quiet: Any) -> None:
    stuck, learned = quiet.never_learned(), quiet.clean()
    stuck.val_loss = stuck.val_loss + 0.01 * (quiet.e > 0)
    runs = [({"loss.name": "mean_squared_error"}, stuck), ({"loss.name": "mean_squared_error"}, learned)]
    analysis = quiet.study(runs)
    analysis.data.histories[["val_accuracy", "train_accuracy"]] = np.nan
    found = only_finding(analysis)
    assert (found.kind, found.subject) == ("never learned", "run0000")
    assert found.sentence.startswith(
        "Never learned: validation loss never fell below 2.31; before training it was 2.3"
    )


def test_a_spike_is_reported_with_its_epoch_and_height(quiet: Any) -> None:
    curves = quiet.clean(speed=1 / 60)
    curves.val_loss[60] += 3.0
    found = of_run(one_run(quiet, curves))["unstable"]
    assert found.numbers["val_spike_epoch"] == 60
    assert found.numbers["val_spike"] == pytest.approx(3.0, abs=0.01)
    assert "train_spike" not in found.numbers


def test_a_step_and_a_descent_are_not_spikes(quiet: Any) -> None:
    curves = quiet.clean(speed=1 / 60)
    curves.val_loss[50:] += 3.0
    curves.train_loss[50:] += 3.0
    assert "unstable" not in of_run(one_run(quiet, curves))


def test_a_network_that_forgets_is_unstable_and_does_not_underfit(quiet: Any) -> None:
    found = of_run(one_run(quiet, quiet.forgetful()))
    assert found["unstable"].numbers["train_accuracy"] == pytest.approx(0.1, abs=0.02)
    assert "underfitting" not in found


def test_underfitting_is_behind_the_best_run_in_training_and_validation(quiet: Any) -> None:
    weak, regularised, best = quiet.clean(0.7), quiet.clean(0.8), quiet.clean(0.8)
    weak.train_accuracy, regularised.train_accuracy = weak.val_accuracy, regularised.val_accuracy
    best.train_accuracy = best.train_accuracy * 0.99 / best.train_accuracy[-1]
    runs = [({"optimizer.lr": rate}, run) for rate, run in ((1, weak), (2, regularised), (3, best))]
    findings = diagnose(quiet.study(runs)).findings
    named = {(one.subject, one.kind) for one in findings if one.scope == "run"}
    assert named == {("run0000", "underfitting")}
    for size, (changes, _) in enumerate(runs):
        changes["data.train_size"] = size  # not the same data, so there is nothing to be behind
    assert [one.kind for one in diagnose(quiet.study(runs)).findings if one.scope == "run"] == []


def test_divergence_has_an_epoch_if_there_is_a_history(quiet: Any) -> None:
    curves = quiet.diverged()
    analysis = quiet.study([({}, curves)])
    assert only_finding(analysis).numbers["epoch"] == curves.truth["epoch"]
    without = replace(analysis, data=replace(analysis.data, histories=analysis.data.histories.iloc[:0]))
    assert (
        only_finding(without).sentence
        == "Diverged: the loss was no longer a finite number. Try a lower learning rate."
    )


def test_divergence_without_validation_takes_its_epoch_from_training_loss(quiet: Any) -> None:
    curves = quiet.diverged()
    analysis = quiet.study([({}, curves)])
    analysis.data.histories[["val_loss", "val_accuracy"]] = np.nan
    assert only_finding(analysis).numbers["epoch"] == curves.truth["epoch"]


def test_short_runs_are_reported_as_not_checked(simulator: Any) -> None:
    made = simulator(0, 6, 500)
    reasons = one_run(made, made.clean()).unchecked
    for kind in ("overfitting", "not converged", "unstable", "underfitting"):
        assert (kind, "fewer than 10 epochs (1 of 1 run)") in reasons


@pytest.mark.parametrize("missing", [["val_loss"], ["val_accuracy"], ["train_loss", "train_accuracy"], "all"])
def test_missing_curves_are_reported_as_not_checked(quiet: Any, missing: Any) -> None:
    analysis = quiet.study([({}, quiet.overfitting()), ({"optimizer.lr": 1}, quiet.clean())])
    names = ["train_loss", "train_accuracy", "val_loss", "val_accuracy"] if missing == "all" else missing
    analysis.data.histories[names] = np.nan
    analysis.data.runs[[f"{name}_last" for name in names]] = np.nan
    found = diagnose(analysis)
    assert ("overfitting" in {one.kind for one in found.findings}) == (missing == ["val_accuracy"])
    assert any("accuracy" in reason or "loss" in reason for _, reason in found.unchecked)


def test_losses_near_the_largest_float_raise_nothing(quiet: Any) -> None:
    analysis = quiet.study([({}, quiet.clean()), ({"optimizer.lr": 1}, quiet.clean())])
    analysis.data.histories.loc[analysis.data.histories["run"] == "run0000", ["val_loss", "train_loss"]] *= (
        1e300
    )
    assert diagnose(analysis).findings is not None


def test_runs_on_a_surface_are_only_checked_for_divergence(quiet: Any) -> None:
    analysis = quiet.study([({}, quiet.overfitting()), ({"optimizer.lr": 1}, quiet.diverged())])
    found = diagnose(replace(analysis, summary=replace(analysis.summary, exact=True)))
    assert {one.kind for one in found.findings if one.scope == "run"} == {"diverged"}
    assert ("overfitting", "runs on a surface use no data") in found.unchecked


def test_runs_of_different_lengths_are_all_checked(simulator: Any) -> None:
    long, short = simulator(0, 100, 500), simulator(0, 40, 500)
    runs = [({}, long.overfitting()), ({"optimizer.lr": 1}, short.overfitting())]
    found = diagnose(long.study(runs))
    assert {one.subject for one in found.findings if one.kind == "overfitting" and one.scope == "run"} == {
        "run0000",
        "run0001",
    }
    assert ("ranking not settled", "runs have different numbers of epochs") in found.unchecked


def table(*last: float) -> pd.DataFrame:
    """Return layers whose mean |output| was 0.5 in the first epoch and is `last` in the last."""
    rows = [
        (epoch, "training", f"linear{layer}", "Linear", 0.0, value, value)
        for epoch in (1, 2, 3)
        for layer, end in enumerate(last)
        for value in [end if epoch == 3 else 0.5]
    ]
    rows.append((3, "training", "dropout", "Dropout", 0.0, 0.0, 0.0))
    return pd.DataFrame(rows, columns=list(TABLES[LAYERS]))


def test_a_layer_whose_outputs_are_all_zero_is_dead() -> None:
    assert silent_layers(table(0.5, 0.4)) == {}
    assert silent_layers(table(0.5, 0.0)) == {"silent_layers": 1, "layers": 2}


@pytest.mark.parametrize(
    ("last", "fires"), [(12.8, False), (49.0, False), (51.0, True), (float("nan"), True)]
)
def test_hundredfold_growth_and_nan_are_explosions(last: float, fires: bool) -> None:
    assert bool(exploded_layers(table(0.6, last))) == fires


def test_a_layer_that_was_infinite_from_the_first_epoch_on_has_not_grown() -> None:
    assert exploded_layers(table(0.6, 51.0).assign(abs_mean=float("inf"))) == {}


def test_a_weight_without_gradient_is_dead_but_a_bias_is_not() -> None:
    rows = [(1, "linear1.weight", 0.1, 1.0), (2, "linear1.weight", 0.0, 1.0), (2, "linear1.bias", 0.0, 1.0)]
    gradients = pd.DataFrame(rows, columns=list(TABLES[GRADIENTS]))
    assert still_weights(gradients) == {"still_weights": 1, "weights": 1}
    assert still_weights(gradients.iloc[[0, 2]]) == {}


def test_a_fall_is_described_as_the_median_that_it_is(quiet: Any) -> None:
    curves = quiet.clean(accuracy=0.9, speed=1 / 40)
    curves.train_accuracy[60:] -= 0.2
    curves.train_accuracy[-1] = 0.1
    found = of_run(one_run(quiet, curves))["unstable"]
    assert found.numbers["train_accuracy"] == pytest.approx(curves.train_accuracy[-2], abs=0.03)
    assert f"to {found.numbers['train_accuracy']:.3f}, the median of the last 10 epochs" in found.sentence


def test_the_collapse_at_the_end_gives_the_last_epochs_number(quiet: Any) -> None:
    curves = quiet.clean(accuracy=0.8, speed=1 / 40)
    curves.val_accuracy[-2:] = [0.3, 0.47]
    analysis = quiet.study([({}, curves)])
    found = only_finding(analysis)
    last = analysis.data.runs["val_accuracy_last"].iloc[0]
    assert found.kind == "collapse at the end"
    assert (found.numbers["accuracy"], found.numbers["epochs"]) == (last, 2)
    assert f"Collapses in the last 2 epochs: validation accuracy is {last:.4f} at the last" in found.sentence


def test_lost_epochs_are_counted_and_do_not_hide_other_findings(quiet: Any) -> None:
    analysis = quiet.study([({}, quiet.overfitting())])
    rows = analysis.data.histories["epoch"].isin([20, 21])
    analysis.data.histories.loc[rows, "train_loss"] = np.inf
    found = of_run(diagnose(analysis))
    assert found["lost epochs"].numbers == {"lost": 2, "epoch": 20}
    assert found["lost epochs"].sentence.startswith(
        "NaN or infinite metrics: from epoch 20, 2 epochs have no finite value. Lower the learning rate"
    )
    assert "overfitting" in found


def test_a_rate_that_is_too_small_is_named(quiet: Any) -> None:
    curves = quiet.clean(accuracy=0.8, speed=5)
    analysis = quiet.study([({}, curves)])
    analysis.data.histories["lr"] = 1e-6
    found = only_finding(analysis)
    assert found.kind == "too slow"
    assert "The learning rate, 1e-06, is probably far too small" in found.sentence


def test_the_schedule_is_named_where_the_rate_decayed(quiet: Any) -> None:
    curves = quiet.clean(accuracy=0.8, speed=0.4)
    analysis = quiet.study([({}, curves)])
    steady = of_run(diagnose(analysis))["not converged"]
    assert steady.sentence.endswith("Train for more epochs.")
    analysis.data.histories["lr"] = 0.1 * (1 - quiet.e / 100)
    found = of_run(diagnose(analysis))["not converged"]
    half = 30  # 0.1 (e - e^2 / 200) is half of its end, 5, at epoch 29.3
    assert found.numbers["half_epoch"] == pytest.approx(half, abs=1)
    begin, middle, end = (curves.val_loss[at] for at in (0, half, -1))
    assert found.numbers["left"] == pytest.approx((middle - end) / (begin - end), abs=0.05)
    assert (
        f"{100 * found.numbers['left']:.0f}% of the fall of validation loss came in the second half of the "
        in (found.sentence)
    )
    assert found.sentence.endswith(
        "has decayed from 0.099 to 0: a longer schedule helps more than epochs at the last rate."
    )


def test_damaged_and_missing_probe_files_are_reported(simulator: Any, tmp_path: Path) -> None:
    made = simulator(0, 60, 500)
    runs = [({"optimizer.lr": rate}, made.clean()) for rate in range(3)]
    analysis = made.study(runs)
    analysis.data.runs["folder"] = [str(tmp_path / run) for run in analysis.data.runs.index]
    for run in analysis.data.runs.index[:2]:
        (tmp_path / run).mkdir()
        TableWriter(tmp_path / run / LAYERS, TABLES[LAYERS]).append(table(0.0, 800.0).itertuples(index=False))
    (tmp_path / "run0001" / LAYERS).write_text("broken")
    TableWriter(tmp_path / "run0000" / GRADIENTS, TABLES[GRADIENTS]).append([(1, "linear0.weight", 0.0, 1.0)])
    diagnosis = diagnose(analysis)
    found = {one.kind: one.sentence for one in diagnosis.findings if one.scope == "run"}
    assert found == {
        "dead units": "Dead units: at the last epoch, 1 of 2 layers output 0 for every sample; "
        "1 of 1 weight tensors have gradient 0.",
        "exploding activations": "Activations explode: mean |output| of one layer grew from 0.5 to 800 "
        "(1 of 2 layers affected).",
        "damaged file": "layers.csv: the last line is cut short.",
    }
    reasons = [reason for kind, reason in diagnosis.unchecked if kind == "exploding activations"]
    assert reasons == [
        "layers.csv is damaged (1 of 3 runs)",
        "no layers.csv (probes.layers=true records it) (1 of 3 runs)",
    ]
