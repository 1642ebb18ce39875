"""`dlx train` as a user runs it: files, repeats, sweeps, failures, and what a wrong request leaves behind."""

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import dlx.build
from dlx.cli import main
from dlx.compose.request import compose
from dlx.run.checkpoint import read_checkpoint
from dlx.run.history import COLUMNS, read_history
from dlx.run.paths import find_runs
from dlx.run.result import read_result
from dlx.study.state import run_states
from dlx.study.study import Study
from dlx.study.training import train_request

QUICK = ["data.train_size=100", "data.val_size=50", "model.width=8", "batch_size=25", "epochs=2"]


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def dlx_train(*arguments):
    return main(["train", *QUICK, *arguments])


def runs(study="digits"):
    return find_runs(Path("outputs", study))


def only_run(study="digits"):
    (folder,) = runs(study)
    return folder


def test_a_run_leaves_its_files(capsys):
    assert dlx_train() == 0
    folder = only_run()
    names = {"checkpoint.pt", "history.csv", "predictions.npz", "result.json", "train.log", ".hydra"}
    assert {path.name for path in folder.iterdir()} == names
    assert {p.name for p in (folder / ".hydra").iterdir()} == {"config.yaml", "overrides.yaml"}
    history = read_history(folder / "history.csv")
    assert tuple(history.columns) == COLUMNS
    assert history["epoch"].tolist() == [0, 1, 2]
    result = read_result(folder)
    assert result.status == "completed"
    assert result.last["val_accuracy"] == history["val_accuracy"].iloc[-1]
    assert result.parameters == 64 * 8 + 8 + 8 * 4 + 4 + 4 * 10 + 10
    assert "completed" in (folder / "train.log").read_text()
    printed = capsys.readouterr().out
    assert str(folder) in printed
    assert f"val acc {result.last['val_accuracy']:.4f} at epoch 2 (last)" in printed
    assert printed.count("epoch ") >= 3  # a line an epoch where there is no terminal


def test_a_finished_run_is_not_trained_twice(capsys):
    assert dlx_train() == 0
    before = (only_run() / "history.csv").stat()
    capsys.readouterr()
    assert dlx_train() == 0
    assert "not trained again" in capsys.readouterr().out
    after = (only_run() / "history.csv").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_rerun_trains_a_finished_run_again():
    assert dlx_train() == 0
    before = (only_run() / "history.csv").stat().st_mtime_ns
    assert dlx_train("rerun=true") == 0
    assert (only_run() / "history.csv").stat().st_mtime_ns > before


def test_a_run_without_a_result_is_trained_from_its_start():
    assert dlx_train() == 0
    folder = only_run()
    expected = read_history(folder / "history.csv")
    (folder / "result.json").unlink()
    with (folder / "history.csv").open("a") as file:
        file.write("3,12,0.1")  # cut short by a kill
    assert dlx_train() == 0
    got = read_history(folder / "history.csv")
    pd.testing.assert_frame_equal(got.drop(columns="time"), expected.drop(columns="time"))


def test_two_fresh_runs_have_bit_identical_histories_but_for_time():
    for study in ("a", "b"):
        arguments = ["model=mlp_bn", "model.dropout=0.3", "augment=shift_flip", f"name={study}"]
        assert dlx_train(*arguments) == 0
    first, second = ((only_run(study) / "history.csv").read_text().splitlines() for study in ("a", "b"))
    strip = [[cell for i, cell in enumerate(line.split(",")) if i != 2] for line in first]
    assert strip == [[cell for i, cell in enumerate(line.split(",")) if i != 2] for line in second]
    assert len(first) == 4


def test_a_grid_trains_every_combination_without_a_flag_and_ends_with_a_table(capsys):
    assert dlx_train("optimizer=sgd,adam", "seed=0,1") == 0
    assert len(runs()) == 4
    printed = capsys.readouterr().out
    assert "optimizer=sgd seed=1" in printed
    assert printed.rstrip().endswith("compare them: dlx report outputs/digits")


def test_a_preset_is_a_grid_and_the_command_line_overrides_its_values():
    assert dlx_train("sweep=learning_rate", "optimizer.lr=0.1,0.01") == 0
    configs = [read_result(run).config["optimizer"] for run in runs("learning_rate-digits")]
    assert {(c["name"], c["lr"]) for c in configs} == {(o, lr) for o in ("sgd", "adam") for lr in (0.1, 0.01)}


def test_cases_are_points_that_are_no_grid_and_the_command_line_wins():
    Path("conf/sweep").mkdir(parents=True)
    Path("conf/sweep/pairs.yaml").write_text(
        "# @package _global_\nname: pairs\ngrid: {seed: '0,1'}\ncases:\n"
        "  - {optimizer: sgd, optimizer.lr: 0.1}\n  - {optimizer: adam, optimizer.lr: 0.001}\n"
    )
    assert dlx_train("sweep=pairs") == 0
    configs = [read_result(run).config for run in runs("pairs")]
    pairs = sorted((c["optimizer"]["name"], c["optimizer"]["lr"], c["seed"]) for c in configs)
    assert pairs == [("adam", 0.001, 0), ("adam", 0.001, 1), ("sgd", 0.1, 0), ("sgd", 0.1, 1)]
    assert dlx_train("sweep=pairs", "optimizer=sgd", "optimizer.lr=0.3", "seed=2", "name=one") == 0
    assert len(runs("one")) == 1


def test_a_diverged_run_keeps_its_history_and_the_exit_code_says_so(capsys):
    assert dlx_train("optimizer=sgd", "optimizer.lr=1e30", "seed=0,1", "epochs=5") == 1
    for run in runs():
        result = read_result(run)
        assert result.status == "diverged"
        assert len(read_history(run / "history.csv")) == result.epochs_run + 1 < 6
        assert "NaN" not in (run / "result.json").read_text()
    assert "2 of 2 runs did not complete" in capsys.readouterr().err


BREAKS = """
import torch
class Net(torch.nn.Module):
    def __init__(self, input_shape, outputs, fail: bool = False):
        super().__init__()
        self.fail, self.steps = fail, 0
        self.layers = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.LazyLinear(outputs))
        self.layers(torch.zeros(1, *input_shape))
    def forward(self, x):
        self.steps += self.training
        if self.fail and self.steps > 5:  # not in the steps that are tried before training
            raise RuntimeError("planted")
        return self.layers(x)
"""


def test_who_trains_a_request_gets_the_outcomes_in_its_order():
    request = compose([*QUICK, "seed=0,1"])
    assert not Path("outputs").exists()
    first = train_request(compose([*QUICK, "seed=1"]))
    shutil.move("outputs", "before")
    outcomes = train_request(request)
    assert [(o.result.config["seed"], o.folder) for o in outcomes] == [
        (i, request.runs[i].folder) for i in (0, 1)
    ]
    assert outcomes[1].result.last["val_accuracy"] == first[0].result.last["val_accuracy"]
    again = train_request(compose([*QUICK, "seed=1,0"]))  # finished: not trained, and still outcomes
    assert [outcome.folder for outcome in again] == [outcomes[1].folder, outcomes[0].folder]


def test_a_study_knows_its_requests_and_a_grid_over_names_has_a_study_each():
    assert dlx_train("seed=0,1", "name=s") == 0
    assert dlx_train("seed=1,2", "name=s") == 0
    study = Study(Path("outputs/s"))
    assert [request["words"][-2:] for request in study.requests] == [
        ["seed=0,1", "name=s"],
        ["seed=1,2", "name=s"],
    ]
    assert {state.state for state in run_states(study)} == {"completed"}
    assert sorted(study.runs) == [run.name for run in runs("s")]
    assert {run for cohort in study.cohorts for run in cohort.runs} == set(study.runs)
    assert dlx_train("name=a,b") == 0
    assert [len(Study(Path("outputs", name)).runs) for name in ("a", "b")] == [1, 1]


def test_hundreds_of_runs_may_be_one_cohort():
    words = ["data.train_size=20", "data.val_size=10", "model.sizes=[2]", "batch_size=10", "epochs=1"]
    count = 300  # more than Python's stack, or a process's open files, would let through one inside another
    stacked = ["engine=stacked", f"engine.width={count}", f"seed=range({count})"]
    assert main(["train", *words, *stacked]) == 0
    assert {read_result(run).cohort for run in runs()} == {count}


def test_one_failing_run_does_not_stop_the_others(capsys, in_an_empty_folder):
    Path("breaks.py").write_text(BREAKS)
    quick = [word for word in QUICK if not word.startswith("model.")]
    grid = ["model=custom", "model.target=breaks:Net", "+model.fail=false,true", "seed=0,1", "name=s"]
    assert main(["train", *quick, *grid]) == 1
    statuses = {(r.config["model"]["fail"], r.config["seed"]): r for r in map(read_result, runs("s"))}
    assert {key: r.status for key, r in statuses.items()} == {
        (False, 0): "completed",
        (False, 1): "completed",
        (True, 0): "failed",
        (True, 1): "failed",
    }
    assert statuses[True, 0].error == "RuntimeError: planted (breaks.py, line 12)"
    assert 'raise RuntimeError("planted")' in "".join(
        p.read_text() for p in Path("outputs").rglob("train.log")
    )
    assert "2 of 4 runs did not complete" in capsys.readouterr().err
    capsys.readouterr()
    assert main(["train", *quick, *grid]) == 1  # a failed run is tried again, a completed one is not
    assert capsys.readouterr().out.count("completed before") == 2


def test_a_model_with_too_few_outputs_is_refused(capsys):
    Path("few.py").write_text(
        "import torch\n"
        "def Net(input_shape): return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3))\n"
    )
    quick = [word for word in QUICK if not word.startswith("model.")]
    assert main(["train", *quick, "model=custom", "model.target=few:Net"]) == 2
    assert "10 classes under cross_entropy need outputs of shape (batch, 10)" in capsys.readouterr().err
    assert not Path("outputs").exists()


def test_batch_norm_takes_a_last_batch_of_one_away_with_drop_last():
    assert dlx_train("model=mlp_bn", "batch_size=33", "drop_last=true") == 0


@pytest.mark.parametrize("keep", ["best", "last"])
def test_a_checkpoint_holds_the_weights_of_its_epoch(keep):
    from dlx.build import build
    from dlx.config import Settings
    from dlx.engine.evaluation import evaluate

    assert dlx_train(f"keep={keep}", "epochs=6", "optimizer.lr=0.3") == 0
    folder = only_run()
    result = read_result(folder)
    loaded = read_checkpoint(folder, result.checkpoint_sha256)
    run = build(Settings.model_validate_json(json.dumps(result.config)))
    run.model.load_state_dict(loaded["model"])
    expected = result.best if keep == "best" else result.last
    assert loaded["epoch"] == expected["epoch"]
    assert evaluate(run, run.data.val, 0)[1].accuracy == expected["val_accuracy"]
    damaged = bytearray((folder / "checkpoint.pt").read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (folder / "checkpoint.pt").write_bytes(damaged)
    with pytest.raises(ValueError, match="damaged"):
        read_checkpoint(folder, result.checkpoint_sha256)


def test_seeds_added_after_the_report_was_read_are_announced_before_they_train(capsys):
    words = ["optimizer.lr=0.1,0.2", "epochs=1", "name=s"]
    assert dlx_train(*words, "seed=0,1") == 0
    assert dlx_train(*words, "seed=0,1,2") == 0
    assert "was read" not in capsys.readouterr().out
    assert main(["report", "outputs/s"]) == 0
    capsys.readouterr()
    assert dlx_train(*words, "seed=0,1,2,3,4") == 0
    before, _, after = capsys.readouterr().out.partition("The report of this study was read at 3 seeds.")
    assert before == ""
    assert after.count("completed before") == 6
    assert dlx_train(*words, "seed=0,1,2,3,4") == 0
    assert "was read" not in capsys.readouterr().out


def test_early_stopping_ends_a_run_that_no_longer_improves():
    assert dlx_train("epochs=50", "early_stopping.patience=2", "optimizer.lr=0") == 0
    result = read_result(only_run())
    assert (result.epochs_run, result.stopped_early, result.status) == (2, True, "completed")


def test_a_users_conf_overrides_and_extends_the_packaged_one():
    Path("conf/model").mkdir(parents=True)
    Path("conf/model/mine.yaml").write_text("defaults: [mlp, _self_]\nwidth: 5\ndepth: 1\n")
    Path("conf/optimizer").mkdir()
    Path("conf/optimizer/adam.yaml").write_text(
        "name: adam\nlr: 0.05\nbetas: [0.9, 0.999]\neps: 1.0e-8\nweight_decay: 0.0\n"
    )
    quick = [word for word in QUICK if not word.startswith("model.")]
    assert main(["train", *quick, "model=mine"]) == 0
    config = read_result(only_run()).config
    assert (config["model"]["width"], config["optimizer"]["lr"]) == (5, 0.05)


def test_an_interrupt_keeps_finished_runs_and_exits_with_130(monkeypatch, capsys):
    from dlx.engine import trainer

    execute, calls = trainer.execute, []

    def interrupted(*arguments: object):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return execute(*arguments)

    monkeypatch.setattr(trainer, "execute", interrupted)
    assert dlx_train("seed=0,1,2", "engine=loop") == 130
    assert [read_result(run) is not None for run in runs()] == [True, False]
    monkeypatch.setattr(trainer, "execute", execute)
    capsys.readouterr()
    assert dlx_train("seed=0,1,2", "engine=loop") == 0
    assert capsys.readouterr().out.count("completed before") == 1
    assert len(runs()) == 3


HOLDS_THE_COHORT = """
import sys, time
from pathlib import Path
from dlx.study.study import Study
study = Study(Path(sys.argv[1]))
(cohort,) = study.cohorts
with study.claim(cohort) as mine:
    assert mine
    print("held", flush=True)
    time.sleep(2)  # long after the other process has begun to wait
    folder = study.folder / cohort.runs[0]
    (folder / "away.json").rename(folder / "result.json")
"""


def test_a_run_that_another_process_trains_is_waited_for_and_not_trained_twice(capsys):
    assert dlx_train() == 0
    folder = only_run()
    (folder / "result.json").rename(folder / "away.json")
    before = (folder / "history.csv").stat().st_mtime_ns
    command = [sys.executable, "-c", HOLDS_THE_COHORT, str(folder.parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        assert dlx_train() == 0
    printed = capsys.readouterr().out
    assert f"another process is training {folder}; waiting for it" in printed
    assert "completed in" in printed
    assert (folder / "history.csv").stat().st_mtime_ns == before


def test_torchs_threads_sleep_at_barriers_unless_the_user_says_otherwise(monkeypatch):
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    assert dlx_train("epochs=0") == 2
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    assert dlx_train("epochs=0") == 2
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"


def test_where_nothing_can_be_written_the_exit_code_is_4(capsys, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device", "outputs")

    monkeypatch.setattr(Path, "mkdir", full)
    assert dlx_train() == 4
    assert "No space left on device" in capsys.readouterr().err


def test_a_file_where_the_study_should_be_is_a_wrong_request(capsys):
    Path("outputs").write_text("a file where the folder should be")
    assert dlx_train() == 2
    assert "is a file, not a folder" in capsys.readouterr().err


def test_a_digits_run_never_imports_torchvision():
    code = (
        "import sys\nfrom dlx.cli import main\n"
        f"code = main(['train', *{QUICK!r}])\n"
        "print('end:', code, 'torchvision' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("end: 0 False")


def as_alone(*arguments):
    """The numbers of seed 1, but for time: after seed 0 in one sweep, and by itself."""
    assert main(["train", *arguments, "seed=0,1", "name=both"]) == 0
    assert main(["train", *arguments, "seed=1", "name=alone"]) == 0
    histories = [read_history(runs(study)[-1] / "history.csv") for study in ("both", "alone")]
    return [history.drop(columns="time") for history in histories]


WRITES_AND_DRAWS = """
import torch
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(64, 10)
    def forward(self, x):
        x = x.flatten(1)
        x -= 1
        return self.layer(torch.nn.functional.dropout(x, 0.5))
"""


def test_a_module_that_writes_into_its_input_and_draws_in_evaluation_trains_as_it_would_alone():
    Path("writes.py").write_text(WRITES_AND_DRAWS)
    quick = [word for word in QUICK if not word.startswith("model.")]
    both, alone = as_alone(*quick, "model=custom", "model.target=writes:Net")
    pd.testing.assert_frame_equal(both, alone, check_exact=True)


def test_the_threads_of_one_run_are_not_the_next_ones():
    import torch

    from dlx.build import CORES

    assert dlx_train(f"threads={CORES + 1},null") == 0
    assert sorted(read_result(run).threads for run in runs()) == [1, CORES + 1]
    assert torch.get_num_threads() == 1


def test_a_net_with_much_to_do_in_a_step_takes_every_core():
    from dlx.build import CORES

    large = ["model.sizes=[4000]", "data.train_size=300", "batch_size=300", "epochs=1", "name=large"]
    assert main(["train", *large]) == 0
    assert [read_result(run).threads for run in runs("large")] == [CORES]


def test_predictions_give_the_accuracy_of_the_result():
    import numpy as np

    assert dlx_train("optimizer.lr=0", "model.init=normal:1e-6") == 0  # outputs that float16 would merge
    result, stored = read_result(only_run()), np.load(only_run() / "predictions.npz")
    accuracy = (stored["last_outputs"].argmax(1) == stored["labels"]).mean()
    assert accuracy == result.last["val_accuracy"]
    assert stored["last_outputs"].dtype == np.float32


OWN_NET = ["model.target=ownnet:Net"]


@pytest.mark.parametrize(("model", "built"), [(["model.width=8"], 2), (["model=custom", *OWN_NET], 6)])
def test_runs_that_differ_in_seeds_alone_are_tried_once_but_for_a_users_own_model(model, built, monkeypatch):
    Path("ownnet.py").write_text(
        "import torch\ndef Net(): return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))\n"
    )
    calls = []
    build = dlx.build.build

    def spy(settings, *others, **named):
        calls.append((settings.optimizer.arguments["lr"], settings.seed))
        return build(settings, *others, **named)

    monkeypatch.setattr(dlx.build, "build", spy)
    words = ["seed=0,1,2", "optimizer.lr=0.1,0.01", "data.train_size=50", "epochs=1", "name=s"]
    assert main(["train", *words, *model]) == 0
    tried, trained = calls[:built], calls[built:]
    assert {lr for lr, _ in tried} == {0.1, 0.01}
    assert len(trained) == len(set(trained)) == 6
    assert main(["train", *words, *model]) == 0  # finished runs are not built
    assert len(calls) == built + 6
