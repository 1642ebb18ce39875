"""Dead layers and exploding activations, from tables as probes write them."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from dlx.report.diagnosis.diagnose import diagnose
from dlx.report.diagnosis.layers import exploded_layers, silent_layers, still_weights
from dlx.run.formats import TableWriter
from dlx.run.probes import GRADIENT_COLUMNS, GRADIENTS, LAYER_COLUMNS, LAYERS


def table(*last: float) -> pd.DataFrame:
    """Return layers whose mean |output| was 0.5 in the first epoch and is `last` in the last."""
    rows = [
        (epoch, "training", f"linear{place}", "Linear", 0.0, value, value)
        for epoch in (1, 2, 3)
        for place, end in enumerate(last)
        for value in [end if epoch == 3 else 0.5]
    ]
    rows.append((3, "training", "dropout", "Dropout", 0.0, 0.0, 0.0))
    return pd.DataFrame(rows, columns=list(LAYER_COLUMNS))


def test_a_layer_that_puts_out_nothing_is_dead() -> None:
    assert silent_layers(table(0.5, 0.4)) == {}
    assert silent_layers(table(0.5, 0.0)) == {"silent_layers": 1, "layers": 2}


@pytest.mark.parametrize(
    ("last", "fires"), [(12.8, False), (49.0, False), (51.0, True), (float("nan"), True)]
)
def test_a_hundredfold_growth_or_no_number_is_an_explosion(last: float, fires: bool) -> None:
    assert bool(exploded_layers(table(0.6, last))) == fires


def test_a_weight_without_gradient_is_dead_and_a_bias_may_be() -> None:
    rows = [(1, "linear1.weight", 0.1, 1.0), (2, "linear1.weight", 0.0, 1.0), (2, "linear1.bias", 0.0, 1.0)]
    gradients = pd.DataFrame(rows, columns=list(GRADIENT_COLUMNS))
    assert still_weights(gradients) == {"still_weights": 1, "weights": 1}
    assert still_weights(gradients.iloc[[0, 2]]) == {}


def test_files_are_read_and_damage_and_absence_are_said(simulator: Any, tmp_path: Path) -> None:
    made = simulator(0, 60, 500)
    runs = [({"optimizer.lr": place}, made.clean()) for place in range(3)]
    study, layout, summary = made.study(runs)
    study.runs["folder"] = [str(tmp_path / run) for run in study.runs.index]
    for run in study.runs.index[:2]:
        (tmp_path / run).mkdir()
        TableWriter(tmp_path / run / LAYERS, LAYER_COLUMNS).append(table(0.0, 800.0).itertuples(index=False))
    (tmp_path / "run0001" / LAYERS).write_text("broken")
    TableWriter(tmp_path / "run0000" / GRADIENTS, GRADIENT_COLUMNS).append([(1, "linear0.weight", 0.0, 1.0)])
    diagnosis = diagnose(study, layout, summary)
    found = {one.kind: one.sentence for one in diagnosis.findings if one.scope == "run"}
    assert found == {
        "dead units": "Dead units: at the last epoch 1 of 2 layers put out 0 for every sample; "
        "1 of 1 weight tensors have no gradient.",
        "exploding activations": "Activations explode: mean |output| of a layer went from 0.5 to 800 "
        "(1 of 2 layers grew so).",
    }
    reasons = [reason for kind, reason in diagnosis.unchecked if kind == "exploding activations"]
    assert reasons == [
        "layers.csv is damaged (1 of 3 runs)",
        "no layers.csv (probes.layers=true records it) (1 of 3 runs)",
    ]
