"""Cohorts in processes of their own: the same files, and nothing that outlives the request."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dlx.cli import main
from dlx.run.history import read_history
from dlx.run.paths import find_runs
from dlx.run.result import read_result
from dlx.study import plan

QUICK = ["data.train_size=60", "data.val_size=30", "epochs=2", "seed=0,1,2"]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plan, "WORTH_A_PROCESS", 0.0)
    monkeypatch.setenv("DLX_CACHE", str(tmp_path / "cache"))


def trained(name, *words, code=0):
    assert main(["train", *QUICK, f"name={name}", *words]) == code
    return {folder.name: folder for folder in find_runs(Path("outputs") / name)}


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["local", "joblib"])
def test_runs_trained_side_by_side_have_the_files_and_numbers_of_runs_trained_here(launcher, capsys):
    words = ["engine=stacked", "engine.width=2"]
    here = trained("here", *words, "launcher.processes=1")
    assert capsys.readouterr().out.count("val acc") >= 3
    there = trained("there", *words, "launcher.processes=2", f"launcher={launcher}")
    shown = capsys.readouterr().out
    assert all(f"[{place}/3] seed={place - 1}: val acc" in shown for place in (1, 2, 3))
    assert sorted(here) == sorted(there)
    for name, folder in there.items():
        assert {path.name for path in folder.iterdir()} == {path.name for path in here[name].iterdir()}
        mine, own = (read_history(run / "history.csv").drop(columns="time") for run in (folder, here[name]))
        assert mine["train_loss"].tolist()[1:] == pytest.approx(own["train_loss"].tolist()[1:], rel=1e-4)
        assert read_result(folder).threads == 1
        assert "completed after epoch 2" in (folder / "train.log").read_text()
    assert not multiprocessing.active_children() or launcher == "joblib"


@pytest.mark.slow
def test_a_run_that_fails_elsewhere_is_told_here(capsys):
    Path("broken.py").write_text(
        "import torch\n"
        "class Net(torch.nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.layer, self.calls = torch.nn.Linear(64, 10), 0\n"
        "    def forward(self, x):\n"
        "        self.calls += self.training\n"
        "        if self.calls > 2: raise RuntimeError('no further')\n"
        "        return self.layer(x.flatten(1))\n"
    )
    runs = trained("broken", "model=custom", "model.target=broken:Net", "launcher.processes=2", code=1)
    assert {read_result(folder).status for folder in runs.values()} == {"failed"}
    captured = capsys.readouterr()
    assert "failed: RuntimeError: no further" in captured.out
    assert "3 of 3 runs did not complete" in captured.err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_whatever_ends_the_request_ends_the_processes_it_started(number, code):
    words = [*QUICK, "epochs=100000", "launcher.processes=2", "name=long"]
    request = subprocess.Popen(
        [sys.executable, "-m", "dlx", "train", *words],
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        histories = until(lambda: list(Path("outputs/long").glob("*/history.csv")))
        request.send_signal(number)
        assert request.wait(60) == code
    finally:
        request.kill()

    def still():
        sizes = [path.stat().st_size for path in histories]
        time.sleep(0.5)
        return sizes == [path.stat().st_size for path in histories]

    assert until(still)


def until(what, seconds=60):
    """Return what `what` returns once it is true."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "waited for long enough"
        time.sleep(0.1)
    return found


@pytest.mark.slow
def test_two_requests_in_opposite_orders_share_the_runs_and_wait_for_no_lock_while_holding_one():
    words = [*QUICK[:2], "epochs=5", "engine=loop", "name=shared", "launcher.processes=1"]
    orders = ("seed=0,1,2,3,4,5", "seed=5,4,3,2,1,0")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    requests = [
        subprocess.Popen([sys.executable, "-m", "dlx", "train", *words, order], env=environment)
        for order in orders
    ]
    assert [request.wait(120) for request in requests] == [0, 0]
    logs = [(run / "train.log").read_text() for run in find_runs(Path("outputs/shared"))]
    assert len(logs) == 6
    assert [log.count("training on") for log in logs] == [1] * 6
