"""What each launcher is set by, and what it refuses before anything is written."""

from importlib import util
from pathlib import Path

import pytest
import yaml

from dlx.cli import main
from dlx.compose.composer import config_folder
from dlx.compose.request import compose
from dlx.errors import RequestError
from dlx.launchers import LAUNCHERS, SlurmSettings, check_launcher
from dlx.study.launch import slurm
from dlx.study.launch.workers import find_workers
from dlx.study.plan import Workers, cores

QUICK = ["data.train_size=60", "data.val_size=30", "epochs=2", "seed=0,1,2"]


def defaults(name):
    return yaml.safe_load((config_folder() / "launcher" / f"{name}.yaml").read_text())


@pytest.mark.parametrize("name", LAUNCHERS)
def test_a_launchers_yaml_has_every_setting_and_explains_each(name):
    text = (config_folder() / "launcher" / f"{name}.yaml").read_text()
    assert set(defaults(name)) == set(LAUNCHERS[name].model_fields)
    assert all("#" in line for line in text.splitlines() if not line.startswith("name:"))
    assert isinstance(check_launcher(defaults(name)), LAUNCHERS[name])
    assert compose([f"launcher={name}"]).launcher.name == name


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("launcher=ray launcher.cpu=2", "launcher.cpu: there is no such key; did you mean 'cpus'?"),
        ("launcher=ray +launcher.cpu=2", "launcher.cpu: there is no such key; did you mean 'cpus'?"),
        ("launcher=ray launcher.gpus=-1", "launcher.gpus=-1: must be 0 or more"),
        ("launcher=ray launcher.cpus=0.5", "launcher.cpus=0.5"),
        ("launcher=ray launcher.address=", "launcher.address=''"),
        (
            "launcher=slurm launcher.timeout=9",
            "launcher.timeout: there is no such key; did you mean 'timeout_min'?",
        ),
        ("launcher=slurm launcher.executor=loca", "did you mean 'local'?"),
        ("launcher=slurm launcher.mem_gb=0", "launcher.mem_gb=0: must be more than 0"),
        ("launcher=slurm launcher.processes=2", "launcher.processes: there is no such key"),
        ("launcher.name=slrm", "launcher.name: there is no 'slrm'; did you mean 'slurm'?"),
        ("launcher.name=ray", "launcher"),
    ],
)
def test_a_wrong_setting_is_refused_in_one_line(words, says, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["train", *QUICK, *words.split()]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "package"), [("ray", "ray"), ("slurm", "submitit")])
def test_a_launcher_that_is_not_installed_says_what_to_install(name, package, capsys, tmp_path, monkeypatch):
    found = util.find_spec
    monkeypatch.setattr(
        "dlx.study.launch.workers.find_spec", lambda asked: None if asked == package else found(asked)
    )
    monkeypatch.chdir(tmp_path)
    assert main(["train", *QUICK, f"launcher={name}"]) == 2
    assert capsys.readouterr().err == (
        f"dlx train: error: launcher={name}: {package} is not installed; pip install 'dlx[{name}]'\n"
    )
    assert not list(tmp_path.iterdir())


def test_a_machine_without_slurm_is_told_how_to_try_it(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(
        RequestError, match=r"no sbatch; launcher\.executor=local runs the jobs without Slurm"
    ):
        slurm.check_parameters(check_launcher(defaults("slurm")))


def test_a_jobs_limits_are_what_its_cohort_is_planned_with(monkeypatch):
    monkeypatch.setattr(slurm, "check_parameters", lambda _: None)
    changes = {"cpus_per_task": 3, "mem_gb": 1.5, "array_parallelism": 40}
    settings = check_launcher(defaults("slurm") | changes)
    assert isinstance(settings, SlurmSettings)
    assert find_workers(settings) == Workers(40, threads=3, memory=1.5 * 2**30)
    assert find_workers(check_launcher(defaults("local"))) == Workers(cores(), spread=True)
    assert find_workers(check_launcher(defaults("joblib") | {"processes": 3})) == Workers(3)


def test_the_extras_name_the_packages_of_the_launchers():
    import tomllib

    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    assert project["optional-dependencies"]["ray"][0].startswith("ray>=")
    assert project["optional-dependencies"]["slurm"][0].startswith("submitit>=")
