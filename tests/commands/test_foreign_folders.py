"""A folder from somebody else: no verb runs code that it names, and none writes through its links."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dlx.cli import main
from dlx.run.identity import identity
from dlx.run.paths import find_runs

QUICK = ["data.train_size=40", "data.val_size=40", "model.width=4", "epochs=1", "launcher.processes=1"]
NET = """
import pathlib, torch
pathlib.Path({mark!r}).touch()
def Net(): return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a module of its own that leaves a mark when it is imported."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "ownnet.py").write_text(NET.format(mark=str(folder / "own-ran")))
    yield folder
    for name in [name for name in sys.modules if "foreignnet" in name or name == "ownnet"]:
        del sys.modules[name]


def own(name: str) -> Path:
    """Train a run of the project's own module; return its folder."""
    words = ["data.train_size=40", "data.val_size=40", "epochs=1", "model=custom", "model.target=ownnet:Net"]
    assert main(["train", *words, "keep=last", f"name={name}"]) == 0
    return find_runs(Path("outputs", name))[0]


def aim(run: Path, target: str) -> None:
    """Let a run's result name another target, with an identity to match."""
    values = json.loads((run / "result.json").read_text())
    values["config"]["model"]["target"] = target
    del values["fingerprints"]
    values["identity"] = identity(values["config"])
    (run / "result.json").write_text(json.dumps(values))


def foreign(folder: Path) -> Path:
    """Write a module that marks when it is imported; return the mark."""
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / "foreign-ran"
    (folder / "foreignnet.py").write_text(NET.format(mark=str(mark)))
    return mark


TARGETS = {
    "of Python": "subprocess:getoutput",
    "installed": "torchvision.models:resnet18",
    "in the study": "outputs.own.foreignnet:Net",
    "in another study": "outputs.other.foreignnet:Net",
    "missing": "nowhere:Net",
    "no target": "x y z",
}


@pytest.mark.parametrize("what", TARGETS)
def test_evaluate_does_not_import_what_a_result_names(
    capsys: pytest.CaptureFixture[str], what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = own("own")
    marks = [foreign(Path("outputs/own")), foreign(Path("outputs/other"))]
    aim(run, TARGETS[what])
    before = set(sys.modules)
    capsys.readouterr()
    assert main(["evaluate", str(run)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert f"would run {TARGETS[what]}, which is not in the current project" in printed.err
    assert not any(mark.exists() for mark in marks)
    assert not {"foreignnet", "torchvision", "nowhere"} & (set(sys.modules) - before)
    assert not (run / "evaluations.csv").exists()


def test_evaluate_runs_the_project_s_own_module_and_what_is_named(
    capsys: pytest.CaptureFixture[str], project: Path
) -> None:
    run = own("own")
    (project / "own-ran").unlink()
    sys.modules.pop("ownnet")
    capsys.readouterr()
    assert main(["evaluate", str(run)]) == 0
    assert f"running ownnet:Net ({project / 'ownnet.py'})" in capsys.readouterr().out.replace("\n", "")
    assert (project / "own-ran").exists()
    mark = foreign(Path("outputs/own"))
    aim(run, "outputs.own.foreignnet:Net")
    assert main(["evaluate", str(run), "--target", "outputs.own.foreignnet:Net"]) == 0
    assert mark.exists()


def test_in_the_study_s_own_folder_nothing_is_the_project(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = own("own").absolute()
    mark = foreign(run.parent)
    aim(run, "foreignnet:Net")
    for folder in (run.parent, run):
        monkeypatch.chdir(folder)
        assert main(["evaluate", "."]) == 2
        assert "not in the current project" in capsys.readouterr().err
    assert not mark.exists()


def edit(path: Path, change: Callable[[Any], object]) -> None:
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


def test_train_does_not_run_what_a_study_s_record_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", *QUICK, "name=own"]) == 0
    run, mark = find_runs(Path("outputs/own"))[0], foreign(Path("outputs/own"))
    (run / "result.json").unlink()
    request = Path("outputs/own/.study/requests/0001.json")
    model = {"name": "custom", "target": "outputs.own.foreignnet:Net", "init": "default"}
    edit(request, lambda values: values["runs"][0]["config"].update(model=model))
    capsys.readouterr()
    assert main(["train", *QUICK, "name=own"]) == 2
    assert f"records another configuration as {run.name}" in capsys.readouterr().err
    assert not mark.exists()


def test_train_does_not_train_along_what_a_study_s_cohort_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", *QUICK, "engine=stacked", "seed=0,1", "name=own"]) == 0
    first, second = find_runs(Path("outputs/own"))
    mark = foreign(Path("outputs/own"))
    (first / "result.json").unlink()
    request = Path("outputs/own/.study/requests/0001.json")
    model = {"name": "custom", "target": "outputs.own.foreignnet:Net", "init": "default"}
    number = [entry["name"] for entry in json.loads(request.read_text())["runs"]].index(second.name)
    edit(request, lambda values: values["runs"][number]["config"].update(model=model))
    seed = json.loads((second / "result.json").read_text())["config"]["seed"]
    capsys.readouterr()
    assert main(["train", *QUICK, "engine=stacked", f"seed={1 - seed}", "name=own"]) == 2
    assert "would run model.target=outputs.own.foreignnet:Net" in capsys.readouterr().err
    assert not mark.exists()


@pytest.mark.parametrize(
    "what", ["train.log", "history.csv", ".hydra", ".hydra/config.yaml", "predictions.npz", "."]
)
def test_train_writes_through_no_link_of_a_run(
    capsys: pytest.CaptureFixture[str], project: Path, what: str
) -> None:
    assert main(["train", *QUICK, "name=own"]) == 0
    run = find_runs(Path("outputs/own"))[0]
    place = run if what == "." else run / what
    away = project / "away"
    place.rename(away)
    place.symlink_to(away)
    before = {path: path.read_bytes() for path in sorted(project.rglob("away*/**/*")) if path.is_file()}
    before |= {away: away.read_bytes()} if away.is_file() else {}
    capsys.readouterr()
    assert main(["train", *QUICK, "name=own", "rerun=true"]) == 2
    assert f"{place if what != '.' else run} is a symbolic link" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("what", [".study", ".study/requests", ".study/held", ".study/cohorts.json"])
def test_train_writes_through_no_link_of_a_study(
    capsys: pytest.CaptureFixture[str], project: Path, what: str
) -> None:
    assert main(["train", *QUICK, "name=own"]) == 0
    place, away = Path("outputs/own", what), project / "away"
    if place.exists():
        place.rename(away)
    else:
        away.mkdir()
    (away / "mine.json").write_text("{}") if away.is_dir() else None
    place.symlink_to(away)
    before = sorted(away.rglob("*"))
    assert main(["train", *QUICK, "seed=1", "name=own"]) == 2
    assert "is a symbolic link" in capsys.readouterr().err
    assert sorted(away.rglob("*")) == before


def test_report_writes_through_no_link(capsys: pytest.CaptureFixture[str], project: Path) -> None:
    assert main(["train", *QUICK, "name=own"]) == 0
    (project / "away").mkdir()
    Path("outputs/own/report").symlink_to(project / "away")
    assert main(["report", "outputs/own"]) == 2
    assert "is a symbolic link; name the folder to write into with --output" in capsys.readouterr().err
    assert list((project / "away").iterdir()) == []


def test_evaluate_writes_through_no_link(capsys: pytest.CaptureFixture[str], project: Path) -> None:
    run = own("own")
    (project / "mine").write_text("mine")
    (run / "evaluations.csv").symlink_to(project / "mine")
    assert main(["evaluate", str(run)]) == 2
    assert "evaluations.csv: a symbolic link" in capsys.readouterr().err
    assert (project / "mine").read_text() == "mine"


def test_a_link_to_a_study_or_a_run_that_the_user_names_is_followed(project: Path) -> None:
    run = own("own")
    Path("study").symlink_to(run.parent)
    Path("run").symlink_to(run)
    for name in ("study", "run"):
        assert main(["evaluate", name, "--split", "val"]) == 0
    assert (run / "evaluations.csv").read_text().count("\n") == 3


def test_a_claim_needs_trust_for_its_own_code(capsys: pytest.CaptureFixture[str], project: Path) -> None:
    claim = (
        "claim: theirs\nsource: there\nseeds: 2\nfigures:\n  - {metric: val_loss, range: [0, 9]}\n"
        "overrides: [data.train_size=40, data.val_size=40, epochs=1, model=custom, model.target=ownnet:Net]\n"
    )
    Path("theirs.yaml").write_text(claim)
    assert main(["reproduce", "theirs.yaml"]) == 2
    assert "runs the code model.target=ownnet:Net; add --trust" in capsys.readouterr().err
    assert not (project / "own-ran").exists()
    assert not Path("outputs").exists()
    Path("places.yaml").write_text(
        claim.replace("model=custom, ", "").replace("model.target=ownnet:Net", "output_root=/x")
    )
    assert main(["reproduce", "places.yaml"]) == 2
    assert "the claim sets 'output_root=/x'; add --trust" in capsys.readouterr().err
    assert main(["reproduce", "theirs.yaml", "--trust"]) == 0
    assert (project / "own-ran").exists()


YAML = {
    "aliases": "claim: &a [x]\nsource: *a\n",
    "itself": "&a {claim: *a}\n",
    "a tag": "claim: !!python/object/apply:os.system ['touch ran']\n",
    "depth": "claim: " + "[" * 100_000,
    "a date": "claim: 2021-13-45\nsource: x\n",
    "digits": f"claim: x\nseeds: {'9' * 5000}\n",
    "a number": "3\n",
    "bytes": "claim: !!binary aGk=\n",
}


@pytest.mark.parametrize("what", YAML)
def test_an_odd_claim_is_one_line(capsys: pytest.CaptureFixture[str], what: str) -> None:
    Path("odd.yaml").write_text(YAML[what])
    assert main(["reproduce", "odd.yaml"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "odd.yaml" in error
    assert len(error) < 500
