"""A damaged run is left out and named, and changes nothing else: no row, no column, no file outside of it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from dlx.cli import main
from dlx.report.analysis import Options, analyse
from dlx.report.held_out import held_out_results
from dlx.report.load import load_study
from dlx.report.page import render
from dlx.report.page.runs import run_details, train_commands
from dlx.report.tables import settings_csv
from dlx.report.write import report_json
from dlx.run.paths import find_runs
from tests.benchmarks.synthetic_study import write_study
from tests.report.damage import BESIDE, DAMAGES

SECRET = "name: secret\n"


def write(study: Path, runs: int) -> list[Path]:
    """Write a study, and files beside its runs that must stay as they are; return its runs."""
    write_study(study, runs=runs, epochs=3, seeds=4)
    (study / "secret").write_text(SECRET)
    (study / "secret-folder").mkdir()
    (study / "secret-folder" / "config.yaml").write_text(SECRET)
    return find_runs(study)


def rows(study: Path) -> tuple[str, list[Any]]:
    """Return table.csv and the rows of runs."""
    analysis = analyse(load_study([study]), Options())
    return settings_csv(analysis), json.loads(report_json(analysis, {}, {}))["runs"]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write(tmp_path_factory.mktemp("pair") / "study", runs=2)


@pytest.mark.parametrize("way", DAMAGES)
def test_a_damaged_run_is_left_out_with_its_reason(pair: list[Path], tmp_path: Path, way: str) -> None:
    shutil.copytree(pair[0].parent, tmp_path / "study")
    DAMAGES[way](tmp_path / "study" / pair[1].name)
    loaded = load_study([tmp_path / "study"])
    assert loaded.runs.index.tolist() == [pair[0].name]
    [(named, reason)] = loaded.left_out.items()
    assert pair[1].name in named
    assert ("a symbolic link" if way == "run a link" else f"{way.split(maxsplit=1)[0]}.") in reason
    assert len(reason) < 400
    assert SECRET.strip() not in reason


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing the plots of the other runs takes seconds and shows nothing here."""
    monkeypatch.setattr(render, "draw_chart", lambda chart, *_: (chart, {}))


@pytest.mark.usefixtures("undrawn")
def test_no_other_row_changes_and_every_damaged_run_is_named(tmp_path: Path) -> None:
    study, rest = tmp_path / "study", tmp_path / "rest"
    runs = write(study, runs=2 * len(DAMAGES))
    shutil.copytree(study, rest)
    for run, damage in zip(runs[::2], DAMAGES.values(), strict=True):
        shutil.rmtree(rest / run.name)
        damage(run)
    tables, output = [], tmp_path / "report"
    for folder in (rest, study):
        assert main(["report", str(folder), "--output", str(output)]) == 0
        tables.append((output / "table.csv").read_bytes())
    assert tables[0] == tables[1]
    left_out = json.loads((output / "report.json").read_text())["left_out"]
    assert {Path(name).name for name in left_out} == {run.name for run in runs[::2]}
    page = (output / "index.html").read_text()
    assert all(run.name in page for run in runs)
    assert (study / "secret").read_text() == SECRET


def test_damage_beside_the_results_changes_no_row_and_is_named(tmp_path: Path) -> None:
    study = tmp_path / "study"
    runs = write(study, runs=len(BESIDE))
    before = rows(study)
    for run, damage in zip(runs, BESIDE.values(), strict=True):
        damage(run)
    assert rows(study) == before
    analysis = analyse(load_study([study]), Options())
    named = {each.subject for each in analysis.diagnosis.findings if each.kind == "damaged file"}
    unread = {
        run.name for run, way in zip(runs, BESIDE, strict=True) if way.split()[0] in ("predictions", "layers")
    }
    assert named == unread
    assert len(run_details(analysis, tmp_path / "report")) == len(runs)
    assert len(train_commands(analysis)) == len(runs)
    assert sum("evaluations.csv" in each for each in held_out_results(analysis)) == 3
    assert (study / "secret").read_text() == SECRET
    assert (study / "secret-folder" / "config.yaml").read_text() == SECRET
