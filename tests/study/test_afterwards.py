"""A checkpoint or a probe that is asked for after a run has ended is added to the run that is there."""

import json
import shutil
from pathlib import Path

import pytest

from dlx.cli import main
from dlx.run.checkpoint import read_checkpoint
from dlx.run.paths import HISTORY, RESULT
from dlx.run.result import read_result
from dlx.study.cohort import train_cohort
from dlx.study.study import Study
from tests.study.contents import files
from tests.study.test_resume import Killed, kill_at

WORDS = (
    "epochs=3",
    "data.train_size=40",
    "data.val_size=20",
    "batch_size=10",
    "model.width=4",
    "optimizer.lr=0.1",
    "launcher.processes=1",
    "name=study",
)
SEEDS = (*WORDS, "seed=0,1,2", "keep=none")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return the folder of a study whose three runs kept no weights."""
    root = tmp_path_factory.mktemp("trained")
    assert main(["train", *SEEDS, f"output_root={root}"]) == 0
    return root / "study"


@pytest.fixture
def study(trained, tmp_path, monkeypatch):
    """Return a copy of that study, below the current folder's outputs/."""
    shutil.copytree(trained, tmp_path / "outputs" / "study")
    monkeypatch.chdir(tmp_path)
    return Study(Path("outputs/study"))


def numbers(study):
    """What runs left, but for their checkpoints and probes."""
    return {name: value for name, value in files(study.folder).items() if name.endswith((HISTORY, ".npz"))}


def runs_of(study):
    return sorted(path.name for path in study.folder.iterdir() if path.name != ".study")


def train(*words):
    return main(["train", *SEEDS, *words])


def test_a_checkpoint_is_added_and_no_number_changes(study, capsys):
    before, names = numbers(study), runs_of(study)
    assert train("keep=last") == 0
    assert (
        "3 runs have ended without keep=last: trained again, each in its own folder"
        in capsys.readouterr().out
    )
    assert runs_of(study) == names
    assert numbers(study) == before
    for name in names:
        result = read_result(study.folder / name)
        assert read_checkpoint(study.folder / name, result.checkpoint_sha256)["epoch"] == 3
    assert not study.again("").exists()
    assert not study.earlier.exists()


def test_what_a_run_has_recorded_is_not_trained_again(study, capsys):
    assert train("keep=last", "probes.layers=true") == 0
    capsys.readouterr()
    for words in (["keep=last"], [], ["keep=auto"], ["probes.layers=true"]):
        assert train(*words) == 0
        said = capsys.readouterr().out
        assert said.count("completed before") == 3, said


def test_a_probe_is_added_to_those_that_were_there(study):
    before = numbers(study)
    assert train("probes.layers=true") == 0
    assert train("probes.steps=true", "keep=best") == 0
    for name in runs_of(study):
        assert {"layers.csv", "steps.csv", "checkpoint.pt"} <= {
            p.name for p in (study.folder / name).iterdir()
        }
    assert {name: value for name, value in numbers(study).items() if name in before} == before


def test_a_run_of_a_stack_is_trained_again_with_the_others_so_that_its_numbers_stay(study, capsys):
    before = numbers(study)
    assert read_result(study.folder / runs_of(study)[1]).cohort == 3
    assert main(["train", *WORDS, "seed=1", "keep=best"]) == 0
    assert "1 run has ended without keep=best" in capsys.readouterr().out
    assert numbers(study) == before
    kept = [name for name in runs_of(study) if (study.folder / name / "checkpoint.pt").exists()]
    assert len(kept) == 1
    assert "-s1-" in kept[0]


def test_a_run_that_is_killed_while_it_trains_again_keeps_its_result(study):
    """Killed in each epoch, and then continued: until the end the files are the earlier ones."""
    assert main(["train", *SEEDS, "keep=last", "output_root=whole", "checkpoint.every=1"]) == 0
    whole = files(Path("whole/study"))
    before = files(study.folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dlx.study.training._train", lambda *_: {})
        with pytest.raises(KeyError):  # asked for, and never trained
            main_raising("train", *SEEDS, "keep=last", "checkpoint.every=1")
    calls = 0
    while True:
        calls += 1
        try:
            train_cohort(study, study.cohorts[0], None, kill_at(7))
        except Killed:
            now = files(study.folder)
            assert {name: value for name, value in now.items() if name in before} == before
            assert not any(name.endswith(".pt") for name in now)
            continue
        break
    assert calls == 3
    assert files(study.folder) == whole
    assert not list(study.folder.joinpath(".study").glob("again/*"))


def main_raising(*words):
    """Run a command whose unexpected error is to be seen."""
    from dlx.commands.train import main as train_main

    return train_main(list(words[1:]))


def test_a_move_that_was_cut_short_is_completed(study):
    whole = Path("whole/study")
    assert main(["train", *SEEDS, "keep=last", "output_root=whole"]) == 0
    name = runs_of(study)[0]
    half = study.again(name)
    shutil.copytree(whole / name, half)
    (half / HISTORY).replace(study.folder / name / HISTORY)
    assert train("keep=last") == 0
    assert files(study.folder) == files(whole)
    assert not half.exists()


def test_numbers_that_differ_are_said_and_the_earlier_files_kept(study, capsys):
    """As on a GPU, or with another version of torch; here the earlier files are edited."""
    name = runs_of(study)[0]
    folder = study.folder / name
    result = json.loads((folder / RESULT).read_text())
    result["last"]["val_accuracy"], result["versions"]["torch"] = 0.25, "1.9"
    (folder / RESULT).write_text(json.dumps(result))
    rows = (folder / HISTORY).read_text().splitlines()
    rows[-1] = ",".join([*rows[-1].split(",")[:-1], "0.25"])
    (folder / HISTORY).write_text("\n".join(rows) + "\n")
    assert train("keep=last") == 0
    said = " ".join(capsys.readouterr().out.split())
    now = read_result(folder)
    assert (
        f"seed=0: trained again, its numbers differ from before: val acc {now.last['val_accuracy']:.4f} "
        f"instead of 0.2500 (torch: 1.9 then, {now.versions['torch']} now); the earlier files are in "
    ) in said
    assert said.count("its numbers differ") == 1
    (kept,) = study.earlier.iterdir()
    assert read_result(kept).last["val_accuracy"] == 0.25
    assert now.checkpoint_sha256


def test_a_failure_leaves_the_earlier_result(study, capsys):
    before = numbers(study)

    def fails(*_):
        raise RuntimeError("no room for probes")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dlx.engine.recorder.write_checkpoint", fails)
        assert train("keep=last") == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "the result from before (completed) stays" in said
    assert "no room for probes" in said
    assert numbers(study) == before
    assert train("keep=last") == 0
    assert numbers(study) == before


def test_a_run_of_an_earlier_dlx_is_found_in_the_folder_with_its_earlier_name(study, capsys):
    """Whose name had another hash, because `keep` counted."""
    name = runs_of(study)[0]
    (request,) = study.folder.glob(".study/requests/*.json")
    former = name[:-10] + "0123456789"
    text = request.read_text().replace(name, former).replace('"format": 2', '"format": 1')
    request.write_text(text)
    (study.folder / name).rename(study.folder / former)
    cohorts = study.folder / ".study" / "cohorts.json"
    cohorts.write_text(cohorts.read_text().replace(name, former))
    names = runs_of(study)
    assert train() == 0
    assert capsys.readouterr().out.count("completed before") == 3
    assert runs_of(study) == names


def test_a_large_net_keeps_its_weights_only_if_asked(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dlx.engine.checkpoints.KEPT_BYTES", 100)
    assert main(["train", *WORDS]) == 0
    assert "1 run keeps no checkpoint, which may be larger than 100 bytes; keep=last or keep=best does" in (
        capsys.readouterr().out
    )
    assert not list(tmp_path.rglob("checkpoint.pt"))
    assert main(["train", *WORDS, "keep=last"]) == 0
    assert len(list(tmp_path.rglob("checkpoint.pt"))) == 1


def test_by_default_the_last_epoch_is_kept_and_can_be_scored(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["train", *WORDS]) == 0
    assert main(["evaluate", "outputs/study", "--split", "val"]) == 0
    assert read_result(next(Path("outputs/study").glob("mlp*"))).config["keep"] == "auto"
