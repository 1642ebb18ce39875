import csv
import json
import math
import sys
from pathlib import Path

import pytest

from dlx.cli import main
from dlx.compose.fingerprints import look_again
from dlx.compose.request import compose
from dlx.run.identity import identity
from dlx.run.paths import find_runs
from dlx.run.result import read_result

HOOKS = """
import json

def log(run):
    with open(run.folder / "log.jsonl", "a") as file:
        weights = sum(float(p.detach().abs().sum()) for p in run.model.parameters())
        settings = [run.config["seed"], run.optimizers[0].param_groups[0]["lr"]]
        file.write(json.dumps([run.epoch, run.epochs, run.metrics["val_loss"], weights, *settings]) + "\\n")

class Counts:
    def __init__(self):
        self.count = 0
    def on_epoch_end(self, run):
        self.count += 1
        (run.folder / "count").write_text(str(self.count))

class Zeroes:
    def on_epoch_end(self, run):
        for parameter in run.model.parameters():
            parameter.data.zero_()

class Nothing:
    pass

def late(run):
    assert run.epoch < 2, "enough"

def two(run, more):
    pass
"""
WORDS = ["data=blobs", "data.samples=100", "model.sizes=[5]", "epochs=3", "seed=0,1", "name=s"]


@pytest.fixture(autouse=True)
def _hooks(tmp_path, monkeypatch):
    (tmp_path / "myhooks.py").write_text(HOOKS)
    monkeypatch.chdir(tmp_path)
    look_again()
    yield
    sys.modules.pop("myhooks", None)
    look_again()


def trained(*words, code=0):
    assert main(["train", *WORDS, *words]) == code
    return {read_result(folder).config["seed"]: folder for folder in find_runs(Path("outputs/s"))}


@pytest.mark.parametrize("engine", ["loop", "stacked"])
def test_hooks_see_each_run_after_each_epoch(engine):
    for seed, folder in trained(f"engine={engine}", "hooks=[myhooks:log,myhooks:Counts]").items():
        seen = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
        with (folder / "history.csv").open() as file:
            losses = [float(row["val_loss"]) for row in csv.DictReader(file)]
        assert [each[:2] for each in seen] == [[1, 3], [2, 3], [3, 3]]
        assert [each[2] for each in seen] == pytest.approx(losses[1:])
        assert len({each[3] for each in seen}) == 3, "the weights are those of the epoch"
        assert [each[4:] for each in seen] == [[seed, 0.001]] * 3
        assert (folder / "count").read_text() == "3"


@pytest.mark.parametrize("engine", ["loop", "stacked"])
def test_a_hook_may_change_the_weights(engine):
    for folder in trained(f"engine={engine}", "hooks=[myhooks:Zeroes]", "optimizer.lr=0").values():
        last = read_result(folder).last
        assert last["val_loss"] == pytest.approx(last["train_loss"])
        assert last["val_loss"] == pytest.approx(math.log(4)), "there are four classes"


def test_a_hook_that_fails_ends_the_run_and_names_its_line():
    for folder in trained("hooks=[myhooks:late]", code=1).values():
        line = 1 + HOOKS[: HOOKS.index("assert run.epoch")].count("\n")
        assert read_result(folder).error == f"AssertionError: enough (myhooks.py, line {line})"


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("myhooks:Nothing", "hooks=[myhooks:Nothing]: has no method on_epoch_end(run)"),
        ("myhooks:two", "hooks=[myhooks:two]: takes 2 arguments; a hook takes one, the run"),
        ("myhooks:lag", "has no 'lag'; did you mean 'log'?"),
        ("myhooks", "hooks=[myhooks]: write it as package.module:Name"),
    ],
)
def test_what_is_not_a_hook_is_one_line(target, said, capsys):
    assert main(["train", *WORDS, f"hooks=[{target}]"]) == 2
    assert said in capsys.readouterr().err
    assert not Path("outputs").exists()


def test_a_run_with_a_hook_is_another_run_and_without_one_it_is_what_it_was():
    plain, hooked = (compose([*WORDS[:-2], *more]).runs[0] for more in ([], ["hooks=[myhooks:log]"]))
    before = {key: value for key, value in plain.config.items() if key != "hooks"}
    assert identity(before) == identity(plain.config) != identity(hooked.config)
    assert set(hooked.fingerprints.code) == {"myhooks.py"}
