"""A user's own preset in the forms that people write, and what each trains."""

from pathlib import Path

import pytest

from dlx.compose.request import compose

TWO_BY_TWO = ["lr=0.1 seed=0", "lr=0.1 seed=1", "lr=0.01 seed=0", "lr=0.01 seed=1"]
FORMS = {
    "keys with lists": "optimizer.lr: [0.1, 0.01]\nseed: [0, 1]\n",
    "nested keys": "optimizer:\n  lr: [0.1, 0.01]\nseed: [0, 1]\n",
    "a grid": "grid:\n  optimizer.lr: [0.1, 0.01]\n  seed: [0, 1]\n",
    "a grid with the first line": "# @package _global_\ngrid: {optimizer.lr: [0.1, 0.01], seed: [0, 1]}\n",
    "keys with the first line": "# @package _global_\noptimizer.lr: [0.1, 0.01]\nseed: [0, 1]\n",
    "a grid and a key": "optimizer.lr: [0.1, 0.01]\ngrid: {seed: [0, 1]}\n",
    "as it is typed": "optimizer.lr: 0.1, 0.01\nseed: range(2)\n",
    "nested in a grid": "grid: {optimizer: {lr: [0.1, 0.01]}, seed: '0,1'}\n",
}


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("conf/sweep").mkdir(parents=True)


def runs(text, *words):
    Path("conf/sweep/mine.yaml").write_text(text)
    return compose(["sweep=mine", *words]).runs


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_grid_makes_the_same_runs(form):
    assert [run.label for run in runs(FORMS[form])] == TWO_BY_TWO


@pytest.mark.parametrize(
    "text",
    [
        "model: mlp_bn\nepochs: 3\n",
        "defaults:\n  - model: mlp_bn\nepochs: 3\n",
        "defaults:\n  - override /model: mlp_bn\n  - _self_\nepochs: 3\n",
        "# @package _global_\nmodel: mlp_bn\nepochs: 3\n",
    ],
)
def test_a_choice_and_a_value_hold_for_all_runs(text):
    (run,) = runs(text)
    assert run.choices["model"] == "mlp_bn"
    assert (run.settings.model.arguments["norm"], run.settings.epochs) == ("batch", 3)
    assert run.settings.optimizer.name == "adam"


@pytest.mark.parametrize("text", ["model: [mlp, linear]\n", "model: mlp, linear\n"])
def test_several_choices_make_a_grid(text):
    assert [run.label for run in runs(text)] == ["model=mlp", "model=linear"]


def test_a_list_is_one_value_where_the_key_holds_a_list():
    (run,) = runs("model.sizes: [64, 32]\nprobes.logits: [1, 2]\n")
    assert run.settings.model.arguments["sizes"] == [64, 32]
    assert run.settings.probes.logits == [1, 2]
    two = runs("model.sizes: [[64, 32], [16]]\n")
    assert [run.settings.model.arguments["sizes"] for run in two] == [[64, 32], [16]]


def test_cases_and_own_choices_stay_as_they_are():
    Path("conf/model").mkdir()
    Path("conf/model/narrow.yaml").write_text("defaults: [mlp, _self_]\nwidth: 8\n")
    text = "model: narrow\ncases:\n- {optimizer: sgd, optimizer.lr: 0.1}\n- {optimizer: adam}\nseed: [0, 1]\n"
    found = runs(text)
    assert [run.settings.optimizer.name for run in found] == ["sgd", "sgd", "adam", "adam"]
    assert {run.settings.model.arguments["width"] for run in found} == {8}


def test_the_command_line_overrides_the_preset():
    assert [run.label for run in runs("seed: [0, 1, 2]\nepochs: 9\n", "seed=4,5", "epochs=1")] == [
        "seed=4",
        "seed=5",
    ]
