"""Cohorts in processes of their own: the same files, and nothing that outlives the request."""

import errno
import json
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
from dlx.study.launch import launch
from dlx.study.launch.pool import Pool, visible_gpus
from tests.study.waiting import until

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
def test_each_process_sees_a_gpu_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(launch, "Pool", lambda places, _: Pool(places, ["3", "GPU-5e"]))
    Path("mine.py").write_text(
        "import os, pathlib, time, torch\n"
        "class Net(torch.nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.layer = torch.nn.Linear(64, 10)\n"
        "        pathlib.Path(f'sees-{os.environ.get(\"CUDA_VISIBLE_DEVICES\")}').touch()\n"
        "    def forward(self, x):\n"
        "        return self.layer(x.flatten(1))\n"
    )
    words = ["model=custom", "model.target=mine:Net", "engine=loop", "launcher.processes=2", "device=cpu"]
    trained("gpus", *words, "epochs=20")
    assert {path.name for path in tmp_path.glob("sees-*")} >= {"sees-3", "sees-GPU-5e"}


def test_gpus_are_named_as_the_environment_names_them(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,GPU-5e")
    assert visible_gpus() == ["2", "GPU-5e"]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 3)
    assert visible_gpus() == ["0", "1", "2"]


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
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGKILL, -9)])
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


def request(*words):
    """Start `dlx train` as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "dlx", "train", *words],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.slow
def test_three_requests_in_three_orders_train_each_run_once_and_leave_no_lock():
    words = [*QUICK[:2], "epochs=30", "engine=stacked", "engine.width=2", "name=shared"]
    orders = ("seed=0,1,2,3,4,5,6,7", "seed=7,6,5,4,3,2,1,0", "seed=3,4,0,7,1,5,2,6")
    requests = [request(*words, "launcher.processes=1", order) for order in orders]
    assert [each.wait(120) for each in requests] == [0, 0, 0], [each.stdout.read() for each in requests]
    logs = [(run / "train.log").read_text() for run in find_runs(Path("outputs/shared"))]
    assert [log.count("training on") for log in logs] == [1] * 8
    own = Path("outputs/shared/.study")
    assert not [path.name for path in (*own.glob("held/*"), own / "lock") if path.exists()]
    for each in requests:
        each.stdout.close()


def holders(study):
    """The process that trains each cohort, by the cohort's key."""
    notes = Path("outputs", study, ".study", "held").glob("*.json")
    return {path.stem: json.loads(path.read_text() or '{"pid": 0}')["pid"] for path in notes}


@pytest.mark.slow
def test_a_killed_worker_takes_no_other_with_it_and_an_interrupt_says_what_is_kept():
    words = [*QUICK[:2], "epochs=1000000", "seed=0,1,2,3", "engine=stacked", "engine.width=2"]
    long = request(*words, "launcher.processes=2", "name=killed")
    try:
        both = until(lambda: held if len(held := holders("killed")) == 2 and all(held.values()) else None)
        victim, other = both
        os.kill(both[victim], signal.SIGKILL)
        again = until(
            lambda: held if (held := holders("killed")).get(victim, both[victim]) != both[victim] else None
        )
        assert again[other] == both[other]
        long.send_signal(signal.SIGINT)
        said = long.communicate(timeout=60)[0]
    finally:
        long.kill()
    assert long.returncode == 130
    assert "a training process died (killed by SIGKILL): outputs/killed/" in said
    assert said.splitlines()[-1].endswith("interrupted; 0 of 4 runs have ended; the same command goes on")
    assert not holders("killed")


@pytest.mark.slow
def test_a_study_whose_folder_is_taken_away_ends_its_request_with_one_line():
    words = [*QUICK[:2], "epochs=1000000", "seed=0,1,2,3", "engine=stacked", "engine.width=2"]
    long = request(*words, "launcher.processes=2", "name=gone")
    try:
        until(lambda: len(list(Path("outputs/gone").glob("*/history.csv"))) == 4)
        Path("outputs/gone").rename("outputs/elsewhere")
        said = long.communicate(timeout=60)[0]
    finally:
        long.kill()
    assert long.returncode == 4
    assert "No such file or directory" in said
    assert "outputs/gone" in said
    assert [line for line in said.splitlines() if not line.startswith("data.val_size")] == said.splitlines()[
        -1:
    ]
    assert not Path("outputs/gone").exists()


def test_a_file_system_without_locks_is_named_and_training_goes_on(monkeypatch, capsys):
    def unsupported(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", unsupported)
    trained("lockless", "launcher.processes=1")
    out = capsys.readouterr().out
    assert out.count("outputs/lockless: this file system has no locks; train the study from one process") == 1


def test_a_full_disk_is_named_by_the_folder_that_it_is_full_for(monkeypatch, capsys):
    from dlx.run.history import HistoryWriter

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(HistoryWriter, "append", full)
    trained("full", "launcher.processes=1", code=4)
    assert "No space left on device: outputs/full" in capsys.readouterr().err
