"""Gradient descent on a surface from the command line: published values, optimizers, files, errors."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from dlx.cli import main
from dlx.compose.composer import config_folder
from dlx.compose.words import quote
from dlx.data.source import sources
from dlx.errors import RequestError
from dlx.loss.losses import losses
from dlx.model.models import models
from dlx.run.result import read_result

# B1: f after ten steps from (3, 2), by step size (Deep Learning course, assignment 1, 2024).
PUBLISHED = {
    0.1: 1.2967615849902097,
    0.2: -1.819240328427473,
    0.3: 1.2427467219182857,
    0.4: 0.16613445522356196,
}
OPTIMIZERS = sorted(
    path.stem for path in (config_folder() / "optimizer").glob("*.yaml") if path.stem != "custom"
)  # the user's own has no default


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def descend(*arguments):
    return main(["train", "data=surface", *arguments])


def folders(study="surface"):
    return sorted(Path("outputs", study).glob("[!.]*/"))  # .study holds the study itself


def history(folder):
    with (folder / "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_ten_steps_end_where_the_course_published():
    assert descend("optimizer.lr=0.1,0.2,0.3,0.4", "epochs=10") == 0
    results = [read_result(folder) for folder in folders()]
    got = {result.config["optimizer"]["lr"]: result.last["val_loss"] for result in results}
    assert got == pytest.approx(PUBLISHED, abs=1e-12, rel=0)


def test_the_preset_of_step_sizes_holds_the_published_values_and_thirty_steps():
    assert main(["train", "sweep=surface_step_size"]) == 0
    results = [read_result(folder) for folder in folders("surface_step_size")]
    ends = {(r.config["optimizer"]["lr"], r.config["epochs"]): r.last["val_loss"] for r in results}
    assert {lr: ends[lr, 10] for lr in PUBLISHED} == pytest.approx(PUBLISHED, abs=1e-12, rel=0)
    assert {epochs for _, epochs in ends} == {10, 30}


def test_a_step_size_that_decays_gets_below_minus_two_in_ten_steps():
    assert main(["train", "sweep=surface_decay", "optimizer.lr=0.2", "schedule.decay=0.9,1.0"]) == 0
    ends = {r.config["schedule"]["decay"]: r for r in map(read_result, folders("surface_decay"))}
    assert ends[0.9].last["val_loss"] < -2
    assert ends[1.0].last["val_loss"] == pytest.approx(PUBLISHED[0.2], abs=1e-12)
    rows = history(next(folder for folder in folders("surface_decay") if read_result(folder) == ends[0.9]))
    assert [float(row["lr"]) for row in rows[1:]] == pytest.approx([0.2 * 0.9**t for t in range(10)])


def test_every_row_of_the_history_is_a_step_by_hand():
    assert descend("optimizer.lr=0.2", "epochs=5") == 0
    rows = history(folders()[0])
    x, y = 3.0, 2.0
    for row in rows:
        assert (float(row["x"]), float(row["y"])) == pytest.approx((x, y), abs=1e-12)
        height = x**2 + y**2 + x * (y + 2) + math.cos(3 * x)
        assert float(row["val_loss"]) == pytest.approx(height, abs=1e-12)
        x, y = x - 0.2 * (2 * x + y + 2 - 3 * math.sin(3 * x)), y - 0.2 * (2 * y + x)
    assert {(row["train_accuracy"], row["val_accuracy"]) for row in rows} == {("", "")}
    assert [row["step"] for row in rows] == ["0", "1", "2", "3", "4", "5"]
    assert rows[1]["train_loss"] == rows[0]["val_loss"]  # before the step


def test_the_point_is_kept_exactly_and_the_best_epoch_is_the_lowest(capsys):
    assert descend("optimizer.lr=0.4", "epochs=10") == 0
    (folder,) = folders()
    rows, result = history(folder), read_result(folder)
    heights = [float(row["val_loss"]) for row in rows]
    assert result.best["epoch"] == heights.index(min(heights)) < 10
    with np.load(folder / "predictions.npz") as predictions:
        assert predictions["last_outputs"].tolist() == [[float(rows[-1]["x"]), float(rows[-1]["y"])]]
    printed = capsys.readouterr().out
    assert "surface, reduction mean, function valley" in printed
    assert f"val loss {heights[-1]:.4f} at epoch 10 (last), {min(heights):.4f} at epoch" in printed
    assert "acc" not in printed


def test_a_grid_ends_with_a_table_of_losses(capsys):
    assert descend("optimizer.lr=0.1,0.2", "epochs=2") == 0
    printed = capsys.readouterr().out
    table = printed[printed.index("\n lr ") - 80 :]
    assert table.count("val loss") == 2  # of the last and of the best epoch
    assert "acc" not in printed


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_descends(name):
    assert descend(f"optimizer={name}", "optimizer.lr=0.05", "epochs=5") == 0
    result = read_result(folders()[0])
    assert result.config["optimizer"]["name"] == name
    assert result.last["val_loss"] < 24.0


def test_explicit_choices_replace_those_that_come_with_the_data():
    assert descend("optimizer=adam", "loss.function=bowl", "dtype=float32", "epochs=2") == 0
    config = read_result(folders()[0]).config
    assert [config[group]["name"] for group in ("model", "optimizer", "loss", "data")] == [
        "point",
        "adam",
        "surface",
        "surface",
    ]
    assert (config["dtype"], config["batch_size"], config["monitor"]) == ("float32", 1, "val_loss")


def test_too_large_a_step_diverges_and_its_history_is_kept():
    assert descend("loss.function=rosenbrock", "epochs=50") == 1
    (folder,) = folders()
    rows = history(folder)
    assert read_result(folder).status == "diverged"
    assert len(rows) < 51
    assert not math.isfinite(float(rows[-1]["val_loss"]))
    assert math.isfinite(float(rows[-2]["val_loss"]))


def test_a_formula_needs_no_quotes_for_hydra_and_can_be_swept(capsys):
    assert descend("loss.function=x**2 + 3*sin(y),bowl,(x - 1)^2", "epochs=1") == 0
    functions = {read_result(folder).config["loss"]["function"] for folder in folders()}
    assert functions == {"x**2 + 3*sin(y)", "bowl", "(x - 1)^2"}
    assert main(["check", "data=surface", "loss.function=x**2 + 3*sin(y)"]) == 0
    assert "no gradient is wrong: 3 entries compared" in capsys.readouterr().out


def test_only_formulas_are_quoted():
    hydras = ["loss.function=choice(bowl,valley)", "loss.function='sin(x)'", "loss.function=${name}"]
    for word in ("loss.function=valley", "model.start=[1,2]", *hydras):
        assert quote(word) == word
    assert quote("loss.function=sin(x), bowl") == 'loss.function="sin(x)",bowl'


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["loss.function=x + sen(y)"], "there is no function 'sen'; did you mean 'sin'?"),
        (["loss.function=9**9**9*x"], "is not a finite real number"),
        (["loss.function=vally"], "did you mean 'valley'?"),
        (["loss.function=sin(x, y)"], "'sin' takes one argument, not 2"),
        (["monitor=val_accuracy"], "loss=surface has no accuracy; use monitor=val_loss"),
        (["model.start=[1]"], "model.start"),
        (
            ["data=digits", "loss=cross_entropy"],
            "data=digits: does not go with model=point",
        ),
    ],
)
def test_a_wrong_request_is_answered_in_one_line_before_a_folder_is_made(words, line, capsys):
    model = ["model=point"] if "data=digits" in words else []
    assert main(["train", *([] if model else ["data=surface"]), *model, *words]) == 2
    error = capsys.readouterr().err
    assert line in error
    assert error.count("\n") == 1
    assert not Path("outputs").exists()


def test_training_and_validation_share_one_sample_of_zero():
    source = sources.build("surface", {}, root=Path("unused"))
    assert source.classes == ("x", "y")
    assert source.train.inputs.tolist() == [[0.0]]
    assert source.train.inputs.dtype == torch.float64
    assert source.validation is source.train
    assert source.test is None


def test_the_outputs_are_the_start_whatever_the_inputs():
    point = models.build("point", {"start": [0.1, -2]}, input_shape=(3, 8, 8), outputs=2).double()
    outputs = point(torch.randn(5, 3, 8, 8, dtype=torch.float64))
    assert outputs.tolist() == [[0.1, -2.0]] * 5
    assert [(name, p.numel()) for name, p in point.named_parameters()] == [("point", 2)]


def test_the_gradient_sums_over_the_batch():
    point = models.build("point", {"start": [3, 2]}, input_shape=(1,), outputs=2).double()
    (point(torch.zeros(4, 1)) * torch.tensor([1.0, 10.0])).sum().backward()
    assert point.point.grad.tolist() == [4.0, 40.0]


@pytest.mark.parametrize("start", [[3], [1, 2, 3], ["a", 2], [float("nan"), 0], None])
def test_a_start_is_two_finite_numbers(start):
    with pytest.raises(RequestError, match=r"model\.start"):
        models.build("point", {"start": start}, input_shape=(1,), outputs=2)


def test_another_number_of_outputs_is_refused():
    with pytest.raises(RequestError, match=r"model.name=point: has 2 outputs, x and y, and 10 are needed"):
        models.build("point", {"start": [3, 2]}, input_shape=(1,), outputs=10)


OUTPUTS = torch.tensor([[3.0, 2.0], [-1.0, 0.5]], dtype=torch.float64)
LABELS = torch.zeros(2, dtype=torch.long)


def built_loss(function):
    return losses.build("surface", {"reduction": "mean", "function": function})


def test_the_loss_of_a_sample_is_the_height_at_its_outputs():
    x, y = OUTPUTS.T
    expected = x**2 + y**2 + x * (y + 2) + torch.cos(3 * x)
    torch.testing.assert_close(built_loss("valley").per_sample(OUTPUTS, LABELS), expected, rtol=1e-14, atol=0)
    assert built_loss("x*y").per_sample(OUTPUTS, LABELS).tolist() == [6.0, -0.5]


def test_it_takes_two_outputs_has_no_accuracy_and_measures_the_point():
    loss = built_loss("bowl")
    assert (loss.outputs(10), loss.classifies) == (2, False)
    assert loss.measures(OUTPUTS[:1], LABELS[:1]) == {"x": 3.0, "y": 2.0}
    assert loss.measures(OUTPUTS, LABELS) == {"x": 1.0, "y": 1.25}


def test_a_loss_of_classes_has_an_accuracy_and_measures_nothing():
    loss = losses.build("mean_squared_error", {"reduction": "mean"})
    assert loss.classifies
    assert loss.measures(OUTPUTS, LABELS) == {}


def test_functions_that_are_not_surfaces_are_refused():
    with pytest.raises(RequestError, match=r"loss.function='x \+ z': there is no symbol 'z'"):
        built_loss("x + z")
    with pytest.raises(RequestError, match=r"loss.function=3: must be text"):
        built_loss(3)
