"""One run's dossier: what varies, its own findings and its setting's, its folder as an address."""

from pathlib import Path
from typing import Any

from dlx.report.aggregate import aggregate
from dlx.report.diagnosis.finding import Diagnosis, Finding
from dlx.report.dossier import Dossier, dossiers
from dlx.report.load import load
from dlx.report.settings import find_design


def made(study: Any, output: Path, *findings: Finding) -> list[Dossier]:
    read = load([study.folder])
    layout = find_design(read.settings)
    return dossiers(read, layout, aggregate(read, layout), Diagnosis(list(findings), []), output)


def test_a_run_has_what_varies_and_its_place_in_the_table(study: Any, tmp_path: Path) -> None:
    study.run("a", study.curve(0.5), {"optimizer.lr": 0.1}, seed=1)
    study.run("b", study.curve(0.9))
    better, worse = made(study, tmp_path)
    assert (better.run, better.rank, worse.run, worse.rank) == ("b", 0, "a", 1)
    assert worse.settings == [("optimizer.lr", "0.1"), ("seed", "1")]


def test_findings_are_the_runs_own_and_its_settings(study: Any, tmp_path: Path) -> None:
    study.run("a", study.curve(0.5), {"optimizer.lr": 0.1})
    study.run("b", study.curve(0.9))
    found = made(
        study,
        tmp_path,
        Finding("overfitting", "setting", "lr 0.1", "problem", "of the setting", {}),
        Finding("diverged", "run", "a", "problem", "of the run\n", {}),
        Finding("edge", "sweep", "", "note", "of the sweep", {}),
    )
    assert [run.findings for run in found] == [[], ["of the run\\n", "of the setting"]]


def test_an_address_is_relative_and_quoted(study: Any) -> None:
    folder = study.run('a "<#?%', study.curve(0.5))
    (folder / ".lock").write_text("")
    (run,) = made(study, study.folder / "report")
    assert run.address == "../a%20%22%3C%23%3F%25"
    assert run.files == ["history.csv", "result.json"]
