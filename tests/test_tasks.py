"""Classification, regression and multi-label from the settings to the files: losses, metrics, monitor."""

import json
from pathlib import Path

import pytest
import sklearn.metrics as sk
import torch

from dlx.build import build
from dlx.cli import main
from dlx.compose.request import compose_one
from dlx.data.dataset import handed_over
from dlx.data.source import Arrays, Source
from dlx.engine import loop, stacked
from dlx.errors import RequestError
from dlx.evaluate import choose_runs
from dlx.run.evaluations import read_evaluations
from dlx.run.history import read_history
from dlx.run.identity import identity
from dlx.run.paths import find_runs
from dlx.run.predictions import read_predictions
from dlx.run.result import read_result

DRAWS = torch.Generator().manual_seed(0)
INPUTS = torch.randn(150, 6, generator=DRAWS)
NUMBERS = INPUTS[:, :2] + 0.3 * torch.randn(150, 2, generator=DRAWS)
LABELS = {
    "classes": INPUTS[:, :3].argmax(1),
    "number": NUMBERS[:, 0],
    "numbers": NUMBERS,
    "several": (INPUTS[:, :3] > 0).double(),
}
SMALL = ["data=digits", "data.train_size=101", "data.val_size=29", "data.test_size=20", "model.sizes=[8]"]
SMALL += ["epochs=3", "batch_size=25", "optimizer.lr=0.01"]
# By task: labels, words, and the metrics by scikit-learn's functions of labels and outputs.
TASKS = {
    "classification": (
        "classes",
        ["metrics=[f1_macro,top2]"],
        {
            "f1_macro": lambda y, out: sk.f1_score(y, out.argmax(1), average="macro"),
            "top2": lambda y, out: sk.top_k_accuracy_score(y, out, k=2),
        },
    ),
    "regression": (
        "numbers",
        ["loss=huber", "metrics=[rmse,r2]"],
        {"rmse": sk.root_mean_squared_error, "r2": sk.r2_score},
    ),
    "one number": (
        "number",
        ["loss=mean_absolute_error", "metrics=[mae]"],
        {"mae": lambda y, out: sk.mean_absolute_error(y, out[:, 0])},
    ),
    "multi-label": (
        "several",
        ["loss=binary_cross_entropy", "metrics=[exact_match,hamming]"],
        {
            "exact_match": lambda y, out: sk.accuracy_score(y, out > 0),
            "hamming": lambda y, out: sk.hamming_loss(y, out > 0),
        },
    ),
}


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def given(labels):
    """Let data=digits have these labels."""
    names = tuple("abc") if labels in ("classes", "several") else ()
    source = Source(names, Arrays(INPUTS, LABELS[labels]))
    build.__globals__["_load_cached"].cache_clear()
    return handed_over({json.dumps(["digits", {}, None]): source})


@pytest.mark.parametrize("task", TASKS)
def test_metrics_are_those_of_the_outputs_of_every_epoch(task):
    labels, words, expected = TASKS[task]
    with given(labels):
        run = build(compose_one([*SMALL, *words]))
        for end in loop.train(run):
            for name, function in expected.items():
                found = function(run.data.val.labels.numpy(), end.val_outputs_NK.numpy())
                assert end.extra[f"val_{name}"] == pytest.approx(found, rel=1e-5)
    assert list(end.extra) == [f"{split}_{name}" for split in ("train", "val") for name in expected]
    assert (end.row.val_accuracy is None) == (task != "classification")


@pytest.mark.parametrize("task", TASKS)
def test_metrics_of_training_are_those_of_the_steps_outputs(task):
    labels, words, expected = TASKS[task]
    with given(labels):
        run = build(compose_one([*SMALL, *words, "optimizer=sgd", "optimizer.lr=0"]))  # it stays as it is
        first, end, *_ = loop.train(run)
        outputs = run.model(run.data.train.inputs).detach().numpy()
    for name, function in expected.items():
        assert first.extra[f"train_{name}"] is None
        expected_value = function(run.data.train.labels.numpy(), outputs)
        assert end.extra[f"train_{name}"] == pytest.approx(expected_value, rel=1e-5)


@pytest.mark.parametrize("task", TASKS)
def test_a_stack_measures_each_run_as_it_is_alone(task):
    labels, words, _ = TASKS[task]
    with given(labels):
        requests = [compose_one([*SMALL, *words, f"seed={seed}"]) for seed in range(2)]
        requests.append(compose_one([*SMALL, *words[:-1], "seed=2"]))  # without metrics
        alone = [list(loop.train(build(each))) for each in requests]
        together = list(stacked.train([build(each) for each in requests], {0, 1, 2}))
    assert len(alone[0][0].extra) > 0
    assert not alone[2][0].extra
    for epoch, ends in enumerate(together):
        for index, end in ends.items():
            expected = alone[index][epoch]
            assert list(end.extra) == list(expected.extra)
            found, values = ({**vars(each.row), **each.extra, "time": None} for each in (end, expected))
            for name, value in values.items():
                assert found[name] == (value if value is None else pytest.approx(value, rel=1e-4)), name


def test_losses_of_numbers_train_side_by_side_in_one_stack():
    names = ("mean_squared_error", "mean_absolute_error", "huber")
    with given("numbers"):
        requests = [compose_one([*SMALL, f"loss={name}"]) for name in names]
        alone = [list(loop.train(build(each)))[-1].row.val_loss for each in requests]
        *_, last = stacked.train([build(each) for each in requests], {0, 1, 2})
    assert [last[index].row.val_loss for index in range(3)] == pytest.approx(alone, rel=1e-5)


def test_without_an_accuracy_the_loss_is_monitored_and_the_files_say_so(capsys):
    with given("number"):
        words = ["loss=mean_squared_error", "metrics=[r2]", "keep=best", "name=numbers"]
        assert main(["train", *SMALL, *words]) == 0
        (folder,) = find_runs(Path("outputs/numbers"))
        result, history = read_result(folder), read_history(folder / "history.csv")
        assert main(["evaluate", str(folder)]) == 0
    assert result.config["monitor"] == "val_accuracy"
    assert result.monitored == "val_loss"
    assert result.best["val_loss"] == history["val_loss"].min()
    assert history["val_accuracy"].isna().all()
    assert list(history.columns[-2:]) == ["train_r2", "val_r2"]
    assert result.higher_is_better("val_r2")
    predictions = read_predictions(folder)
    assert predictions.labels.dtype.kind == "f"
    (look,) = read_evaluations(folder)
    assert (look.accuracy, list(look.metrics)) == (None, ["r2"])
    printed = capsys.readouterr().out
    assert "acc" not in printed.replace(str(folder), "")
    assert "1 number" in printed


def test_a_metric_can_be_the_monitor_in_its_own_direction():
    with given("several"):
        words = ["loss=binary_cross_entropy", "metrics=[hamming]", "monitor=val_hamming", "name=several"]
        assert main(["train", *SMALL, *words]) == 0
    (folder,) = find_runs(Path("outputs/several"))
    result, history = read_result(folder), read_history(folder / "history.csv")
    assert result.best["val_hamming"] == history["val_hamming"].min()
    assert result.best["epoch"] == history["val_hamming"].idxmin()


def test_the_best_of_runs_with_different_losses_is_not_picked_by_loss():
    with given("number"):
        for loss in ("huber", "mean_squared_error"):
            assert main(["train", *SMALL, f"loss={loss}", "keep=last", "name=both"]) == 0
    with pytest.raises(RequestError, match="different losses, whose values cannot be compared"):
        choose_runs(Path("outputs/both"), every=False)


@pytest.mark.parametrize(
    ("labels", "words", "said"),
    [
        ("number", [], "loss=cross_entropy: needs classes, but the labels of data=digits are numbers"),
        ("number", ["loss=binary_cross_entropy"], "needs labels that are 0 or 1, but"),
        ("number", ["loss=huber", "data.stratify=true"], "data=digits has no classes to keep the shares of"),
        ("number", ["loss=huber", "probes.classes=true"], "loss.name=huber has no classes"),
        ("several", ["loss=huber", "metrics=[f1_macro]"], "this run's loss and labels make it regression"),
        ("number", ["loss=huber", "sampler=balanced"], "loss=huber has no classes"),
    ],
)
def test_labels_that_do_not_fit_are_refused_in_one_line(labels, words, said):
    with given(labels), pytest.raises(RequestError, match=said):
        build(compose_one([*SMALL, *words]))


def test_runs_without_metrics_keep_their_identity():
    config = {"model": {"name": "mlp"}, "dtype": "float32", "seed": 0}
    assert identity(config | {"metrics": []}) == identity(config)
    assert identity(config | {"metrics": ["f1_macro"]}) != identity(config)
