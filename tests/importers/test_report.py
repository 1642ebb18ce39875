"""The whole report of runs of another program: what they lack is left out, and nothing false is found."""

import json
import math
from pathlib import Path

import pytest

import dlx
from dlx.commands.report import main
from dlx.errors import RequestError
from dlx.report.analysis import Options, analyse
from dlx.report.load import load_any


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Two models over three seeds that learn well for 20 epochs, beside files that mean something else."""
    folder = tmp_path / "logs"
    for model, level in (("cnn", 0.9), ("mlp", 0.8)):
        for seed in range(3):
            (folder / f"{model}-seed{seed}").mkdir(parents=True)
            rows = [
                f"{epoch},{2 * math.exp(-epoch):.6f},{0.1 + 2 * math.exp(-epoch):.6f},"
                f"{level + seed / 1000 - 0.5 * math.exp(-epoch):.6f}"
                for epoch in range(20)
            ]
            text = "\n".join(["epoch,loss,val_loss,val_accuracy", *rows]) + "\n"
            (folder / f"{model}-seed{seed}" / "log.csv").write_text(text)
            (folder / f"{model}-seed{seed}" / "predictions.npz").write_bytes(b"of another program")
    return folder


def test_the_page_names_its_source_and_offers_no_command_of_dlx(
    logs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(logs)]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    said = "Score: val_accuracy, higher is better. Settings: run.name. Seed: seed."
    assert said in printed
    assert "cnn is best" in printed
    page = (logs / "report" / "index.html").read_text()
    assert said in page
    assert "dlx train" not in page
    report = json.loads((logs / "report" / "report.json").read_text())
    assert said in report["source"]
    assert report["metric"] == "val_accuracy"
    assert main([str(logs)]) == 0  # the files of the first report are no runs
    assert "Read 6 runs" in capsys.readouterr().out


def test_files_of_other_kinds_beside_the_logs_are_no_findings(logs: Path) -> None:
    analysis = analyse(load_any([logs]), Options())
    kinds = {finding.kind for finding in analysis.diagnosis.findings}
    assert "damaged file" not in kinds
    assert not any(finding.severity == "problem" for finding in analysis.diagnosis.findings)
    unchecked = {one.kind for one in analysis.diagnosis.unchecked}
    assert {"never learned", "over-confident", "dead units"} <= unchecked


def test_a_study_of_dlx_is_read_as_one_and_takes_no_columns(logs: Path) -> None:
    assert dlx.load(logs).swept == ["run.name", "seed"]
    assert dlx.load(logs / "cnn-seed0" / "log.csv").runs["val_accuracy_last"].tolist() == pytest.approx(
        [0.9 - 0.5 * math.exp(-19)], abs=1e-5
    )
    with pytest.raises(RequestError, match="--watch: only a study of dlx can be watched"):
        main([str(logs / "cnn-seed0" / "log.csv"), "--watch"])
    assert not (logs / "report").exists()
