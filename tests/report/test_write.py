"""`dlx report` from end to end: the files, the page, the refusals, and what it never imports."""

import base64
import hashlib
import html
import math
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from dlx.commands.report import main
from dlx.errors import RequestError
from dlx.run.formats import TableWriter
from dlx.run.predictions import write_predictions
from dlx.run.probes import GRADIENTS, LAYERS, STEPS, TABLES, Images, Logits, write_images, write_logits

HOSTILE = "<script>alert(1)</script>[/]\n=cmd|x"


class Checker(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.tags: set[str] = set()
        self.targets: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in ("meta", "br", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [str(value) for name, value in attrs if name == "id"]
        self.targets += [
            str(value) for name, value in attrs if name in ("src", "href", "xlink:href", "action")
        ]
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def reported(builder: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with everything in it, reported once."""
    study = builder(tmp_path_factory.mktemp("outputs") / "<b>[red] \udcff")
    for seed in range(2):
        study.run(f"good-{seed}", study.curve(0.8, 0.9), seed=seed)
        study.run(f"<i>[/]{seed}", study.curve(0.5, 0.7), {"model.norm": HOSTILE}, seed=seed)
    study.run("lost", study.curve(0.5), {"model.norm": HOSTILE}, seed=2, status="diverged")
    study.run("crashed", study.curve(0.5), seed=2, status="failed", error="<img src=x onerror=y>")
    study.run("<u>running", study.curve(0.5), status=None)
    assert main([str(study.folder)]) == 0
    return study.folder / "report"


@pytest.fixture(scope="module")
def watched(builder: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with every file there is and hostile names in each, and a run whose files are all damaged."""
    study = builder(tmp_path_factory.mktemp("outputs") / "watched")
    files = ["layers.csv", "gradients.csv", "steps.csv", "logits.npz", "images.npz", "predictions.npz"]
    for index in range(3):
        changes = {"model.width": 10**index, "batch_size": 8 + index, "model.norm": HOSTILE}
        folder = study.run(
            f"{HOSTILE.replace('/', '')}{index}",
            study.curve(0.5, 0.8),
            changes,
            data={"classes": [HOSTILE, "dog"]},
            layers=[{"layer": HOSTILE, "module": HOSTILE, "output_shape": [2], "parameters": 5}],
        )
        TableWriter(folder / files[0], TABLES[LAYERS]).append(
            [(1, "training", HOSTILE, HOSTILE, 1.0, 1.0, 1.0)]
        )
        TableWriter(folder / files[1], TABLES[GRADIENTS]).append(
            [(1, HOSTILE, 1.0, 2.0), (1, "zero", 0.0, 0.0)]
        )
        losses = [(step, math.nan if step == 7 else 2.0) for step in range(1, 9)]
        TableWriter(folder / files[2], TABLES[STEPS]).append(losses)
        outputs, labels = np.eye(2), np.array([0, 1])
        write_logits(folder, Logits(np.array([1]), outputs[None], labels))
        images = np.random.default_rng(0).random((2, 1, 8, 8))
        write_images(folder, Images(images, images + index, labels))
        write_predictions(folder, last=outputs, best=outputs, labels=labels, last_epoch=2, best_epoch=2)
    torn = study.run("<u>torn", study.curve(0.9), {"model.norm": HOSTILE}, seed=1)
    for name in files:
        (torn / name).write_bytes(b"\xff\x00")
    assert main([str(study.folder)]) == 0
    return study.folder / "report"


def page(report: Path) -> str:
    return (report / "index.html").read_text()


def without_scripts(text: str) -> str:
    return re.sub(r"<script\b.*?</script>", "", text, flags=re.DOTALL)


def test_every_file_is_written(reported: Path) -> None:
    names = [
        "accuracy",
        "accuracy_by_setting",
        "answer",
        "differences",
        "gap",
        "loss",
        "loss_by_setting",
        "time_to_accuracy",
    ]
    plots = [f"{name}.{kind}" for name in names for kind in ("pdf", "png", "svg")]
    assert sorted(file.name for file in (reported / "plots").iterdir()) == sorted(plots)
    assert sorted(file.name for file in reported.iterdir()) == [
        "comparisons.csv",
        "comparisons.md",
        "comparisons.tex",
        "diagnosis.csv",
        "index.html",
        "plots",
        "report.json",
        "table.csv",
        "table.md",
        "table.tex",
    ]


@pytest.mark.parametrize("made", ["reported", "watched"])
def test_the_page_loads_nothing(made: str, request: pytest.FixtureRequest) -> None:
    text = page(request.getfixturevalue(made))
    checker = Checker()
    checker.feed(text)
    assert "default-src 'none'" in text
    assert not checker.tags & {"link", "img", "iframe", "object", "base", "embed"}
    assert not [target for target in checker.targets if re.match(r"(?!data:)(\w+:|//)", target)]
    without_script = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert "@import" not in without_script
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", without_script))


def test_only_the_script_that_was_written_may_run(reported: Path) -> None:
    text = page(reported)
    (script,) = re.findall(r"<script>(.*?)</script>", text, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text
    assert "unsafe-eval" not in text


def test_the_page_shows_hostile_names_as_text(reported: Path) -> None:
    text = without_scripts(page(reported))
    assert html.escape(HOSTILE.replace("\n", "\\n"), quote=False) in text
    assert "&lt;i&gt;[/]0" in text
    assert "&lt;u&gt;running" in text
    assert "&lt;img src=x onerror=y&gt;" in text
    assert not re.search(r"<(i|u|b|img)>", text)
    assert "<title>&lt;b&gt;[red] \\udcff" in text


@pytest.mark.parametrize("made", ["reported", "watched"])
def test_the_page_is_well_formed_and_its_ids_are_unique(made: str, request: pytest.FixtureRequest) -> None:
    checker = Checker()
    checker.feed(page(request.getfixturevalue(made)))
    assert checker.open == []
    assert len(checker.ids) == len(set(checker.ids))


def test_every_chart_is_in_its_section_whatever_the_names(watched: Path) -> None:
    text = without_scripts(page(watched))
    names = "steps swept_model_width swept_batch_size classes confusion confidence logits layers_mean"
    names += " layers_abs_mean layers_std abs_gradient abs_weight images"
    assert set(names.split()) <= {file.stem for file in (watched / "plots").glob("*.png")}
    headings = re.findall(r"<h2>([^<]*)</h2>", text)
    sections = ["Findings", "Settings, best first", "Curves", "More curves", "Comparisons", "All findings"]
    sections += ["Swept values", "Classes", "Inside the net", "Images", "Runs", "Parameters", "Settings"]
    assert [heading for heading in headings if heading in sections] == sections
    assert "Left out because layers.csv is damaged: &lt;u&gt;torn" in text
    assert not re.search(r"<(script|u|b)>", text)
    for file in (watched / "plots").glob("*.svg"):
        assert not [node for node in ElementTree.parse(file).iter() if node.tag.endswith("script")]


def test_the_page_names_runs_rules_and_what_was_left_out(reported: Path) -> None:
    text = re.sub(r"<[^>]*>", " ", page(reported))
    assert "epoch 1, val accuracy 0.5000" in text  # of the run that has no result yet
    assert "1 running" in text
    assert "1 of 3 diverged" in text
    assert "best epoch" in text
    assert "last epoch" in text
    assert "A test needs at least 3 seeds." in text
    assert "dlx report" in text


def test_one_run_has_a_row_and_curves(study: Any, capsys: pytest.CaptureFixture[str]) -> None:
    study.run("only", study.curve(0.5, 0.9))
    assert main([str(study.folder / "only")]) == 0
    report = study.folder / "only" / "report"
    assert sorted(file.name for file in (report / "plots").glob("*.svg")) == ["accuracy.svg", "loss.svg"]
    assert "Validation accuracy is 0.9000." in capsys.readouterr().out


@pytest.mark.parametrize("status", ["failed", "diverged"])
def test_runs_without_a_single_number_are_reported(study: Any, status: str) -> None:
    for index in range(3):
        changes = {"optimizer.lr": 0.1 + index, "model.width": 8 * (index + 1)}
        study.run(f"r{index}", [(None, None, None, None)] * 3, changes, status=status)
    assert main([str(study.folder)]) == 0
    assert "No run has a finite value to draw." in page(study.folder / "report")


def test_several_folders_go_into_one_report(study: Any, builder: Any, tmp_path: Path) -> None:
    study.run("a", study.curve(0.5), seed=0)
    other = builder(tmp_path / "other")
    other.run("b", other.curve(0.6), seed=1)
    assert main([str(study.folder), str(other.folder), "--output", str(tmp_path / "both")]) == 0
    text = page(tmp_path / "both")
    assert "study + other" in text
    assert "other/b" in text
    assert not (study.folder / "report").exists()


def test_no_folder_takes_the_newest_study(
    study: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, builder: Any
) -> None:
    for age, name in ((1000, "older"), (2000, "newer")):
        made = builder(tmp_path / "outputs" / name)
        run = made.run("run", [(None, None, None, None)])
        for file in run.iterdir():
            os.utime(file, (age, age))
    monkeypatch.chdir(tmp_path)
    assert main([]) == 0
    assert (tmp_path / "outputs" / "newer" / "report" / "index.html").is_file()


def test_wrong_folders_are_refused_with_the_nearest_study(
    builder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RequestError, match=r"no run under outputs/"):
        main([])
    study = builder(Path("outputs") / "norms")
    study.run("a", study.curve(0.5), status=None)
    with pytest.raises(RequestError, match=r"no folder 'outputs/norm'; did you mean 'outputs/norms'\?"):
        main(["outputs/norm"])
    with pytest.raises(RequestError, match=r"no folder 'norms'; did you mean 'outputs/norms'\?"):
        main(["norms"])
    with pytest.raises(
        RequestError,
        match=r"none of the 1 runs .* a: epoch 1, val accuracy 0\.5.*; .* repeat ",
    ):
        main(["outputs/norms"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(RequestError, match="there is no run in empty"):
        main(["empty"])
    assert not (tmp_path / "empty" / "report").exists()


def run_python(code: str, *arguments: str) -> str:
    command = [sys.executable, "-W", "error", "-c", code, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def test_a_report_never_imports_torch(study: Any) -> None:
    study.run("a", study.curve(0.5))
    code = "import sys; from dlx.commands.report import main; main(sys.argv[1:]); print(*sys.modules)"
    modules = run_python(code, str(study.folder)).splitlines()[-1].split()
    assert "pandas" in modules
    assert not {"torch", "hydra", "omegaconf", "altair"} & set(modules)


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, atexit; atexit.register(lambda: print(*sys.modules))\n"
        "from dlx.commands.report import main; main(['--help'])"
    )
    output = run_python(code)
    assert "usage: dlx report" in output
    assert not {"pandas", "numpy", "rich", "vl_convert", "jinja2", "pydantic"} & set(
        output.splitlines()[-1].split()
    )
