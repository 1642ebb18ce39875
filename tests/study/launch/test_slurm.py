"""Cohorts as jobs of Slurm: an array, a job that is taken away, one whose machine died, what is left."""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from dlx.cli import main
from dlx.launchers import SlurmSettings
from dlx.study import plan
from dlx.study.launch import slurm
from dlx.study.launch.launcher import Attempt
from dlx.study.plan import Plan
from dlx.study.study import Cohort
from tests.study.contents import files
from tests.study.waiting import epochs, until

GRID = ["seed=range(4)", "model=mlp_bn", "model.width=16", "model.dropout=0.2", "data.train_size=200"]
GRID += [
    "data.val_size=50",
    "epochs=120",
    "checkpoint.every=5",
    "keep=last",
    "engine=stacked",
    "engine.width=2",
]


def settings(**changes):
    given = {"partition": None, "timeout_min": 60, "max_num_timeout": 10, "cpus_per_task": 1, "mem_gb": 1}
    given |= {"name": "slurm", "gpus_per_node": 0, "array_parallelism": 2, "memory": 0.5}
    return SlurmSettings.model_validate_json(json.dumps(given | {"executor": "local"} | changes))


@pytest.fixture
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    pytest.importorskip("submitit")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DLX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(plan, "WORTH_A_PROCESS", 0.1)


@pytest.fixture
def jobs(tmp_path, monkeypatch):
    """A Slurm whose jobs are processes of this machine; the folder of what was submitted."""
    commands, folder = tmp_path / "bin", tmp_path / "jobs"
    commands.mkdir()
    folder.mkdir()
    source = (Path(__file__).parent / "fake_slurm.py").read_text()
    for name in ("sbatch", "srun", "sacct", "scontrol", "scancel"):
        (commands / name).write_text(f"#!{sys.executable}\n{source}")
        (commands / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_SLURM", str(folder))
    monkeypatch.setattr(slurm, "ASK", 0.5)
    monkeypatch.setattr(slurm, "VISIBLE", {"slurm": 0.5, "local": 0.0})
    return folder


def test_a_parameter_that_submitit_does_not_know_is_refused():
    pytest.importorskip("submitit")
    slurm.check_parameters(settings(parameters={"account": "us", "constraint": "a100"}))
    with pytest.raises(slurm.RequestError) as refused:
        slurm.check_parameters(settings(parameters={"account": "us", "constrain": "a100"}))
    assert str(refused.value) == (
        "launcher.parameters.constrain: submitit has no such parameter; did you mean 'constraint'?"
    )


@pytest.mark.usefixtures("_in_a_folder_of_its_own", "jobs")
def test_what_slurm_says_against_the_jobs_is_passed_on():
    launcher = slurm.Slurm(Plan([], 1), settings(executor="slurm", partition="none"))
    for runs in (("a",), ("b", "c")):
        launcher.submit((Path("study"), Cohort(runs, 1)))
    attempts = launcher.returned(0.0)
    assert [(attempt.how, str(attempt.error)) for attempt in attempts] == [
        (
            "failed",
            "launcher=slurm: the jobs were not accepted: sbatch: error: invalid partition specified: none",
        )
    ] * 2
    launcher.close()
    assert not list(Path("study/.study").iterdir())


class FakeJob(SimpleNamespace):
    """A job as submitit shows it."""

    __hash__ = object.__hash__

    def done(self, *, force_check=False):
        self.asked = self.asked or force_check
        return self.over


@pytest.fixture
def launcher(monkeypatch):
    """A launcher with one job out, and that job."""
    monkeypatch.setattr(slurm, "LOOK", {"slurm": 0.0, "local": 0.0})
    monkeypatch.setattr(slurm, "VISIBLE", {"slurm": 0.1, "local": 0.0})
    task = (Path("study"), Cohort(("a", "b"), 1))
    launcher = slurm.Slurm(Plan([task], 1), settings(executor="slurm"))
    missing = SimpleNamespace(result_pickle=Path("nowhere"))
    job = FakeJob(job_id="7_0", state="NODE_FAIL", paths=missing, over=False, asked=False)
    launcher._out = {job: task}
    return launcher, job, task


def test_a_job_that_ended_without_a_result_is_lost_once_the_result_had_time_to_arrive(launcher):
    launcher, job, task = launcher
    assert launcher.returned(0.0) == []
    job.over = True
    assert launcher.returned(0.0) == []
    time.sleep(0.11)
    assert launcher.returned(0.0) == [Attempt(task, "lost", "job 7_0: NODE_FAIL")]


def test_slurm_is_asked_now_and_then_for_jobs_that_cannot_tell_that_they_ended(launcher, monkeypatch):
    launcher, job, _ = launcher
    launcher.returned(0.0)
    assert not job.asked
    monkeypatch.setattr(slurm, "ASK", 0.0)
    launcher.returned(0.0)
    assert job.asked


@pytest.mark.slow
@pytest.mark.usefixtures("_in_a_folder_of_its_own")
def test_a_job_that_slurm_takes_away_is_queued_again_and_a_lost_one_is_submitted_again(jobs, capsys):
    words = ["train", *GRID]
    held = Path("outputs/there/.study/held")

    def disturb() -> None:
        until(lambda: len(done := epochs(Path("outputs/there"))) == 4 and min(done) > 6)
        first, second = (json.loads(note.read_text())["pid"] for note in sorted(held.glob("*.json")))
        os.kill(first, signal.SIGUSR2)
        os.kill(second, signal.SIGKILL)

    disturber = threading.Thread(target=disturb)
    disturber.start()
    slurm_words = ["launcher.array_parallelism=2", "launcher.partition=short", "+launcher.parameters.qos=low"]
    assert main([*words, "name=there", "launcher=slurm", *slurm_words]) == 0
    disturber.join()
    script = (jobs / "1000.sh").read_text()
    assert "#SBATCH --array=0-1%2\n" in script
    assert "#SBATCH --partition=short\n" in script
    assert "#SBATCH --qos=low\n" in script
    assert "#SBATCH --cpus-per-task=1\n" in script
    assert "NODE_FAIL): outputs/there" in capsys.readouterr().out
    assert main([*words, "name=here", "launcher.processes=2"]) == 0
    assert files(Path("outputs/there")) == files(Path("outputs/here"))
    logs = [path.read_text() for path in Path("outputs/there").glob("*/train.log")]
    assert [log.count("going on after epoch") for log in logs] == [1] * 4


@pytest.mark.slow
@pytest.mark.usefixtures("_in_a_folder_of_its_own")
def test_without_slurm_the_jobs_are_processes_here_and_nothing_is_left_of_them():
    words = ["train", *GRID, "epochs=3", "checkpoint.every=none"]
    local = ["launcher=slurm", "launcher.executor=local", "launcher.array_parallelism=2"]
    assert main([*words, "name=there", *local]) == 0
    assert main([*words, "name=here", "launcher.processes=2"]) == 0
    assert files(Path("outputs/there")) == files(Path("outputs/here"))
    assert not Path("outputs/there/.study/slurm").exists()
