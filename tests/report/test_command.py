"""`dlx report` from end to end: the files, the page, the refusals, and what it never imports."""

import html
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from dlx.errors import RequestError
from dlx.report.command import main

HOSTILE = "<script>alert(1)</script>[/]\n=cmd|x"


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


def page(report: Path) -> str:
    return (report / "index.html").read_text()


def test_every_file_is_written(reported: Path) -> None:
    plots = [
        f"{name}{way}.{kind}"
        for name in ("accuracy", "loss")
        for way in ("", "_by_setting")
        for kind in ("png", "svg")
    ]
    assert sorted(file.name for file in (reported / "plots").iterdir()) == sorted(plots)
    assert sorted(file.name for file in reported.iterdir()) == [
        "index.html",
        "plots",
        "table.csv",
        "table.md",
    ]


def test_the_page_loads_nothing(reported: Path) -> None:
    text = page(reported)
    assert "default-src 'none'" in text
    assert not re.search(r"@import|<(script|link|img|iframe|object|base)\b", text)
    assert not re.findall(r"""(?:src|href|action)\s*=\s*["']?\s*(?:\w+:)?//""", text)
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", text))


def test_the_page_shows_hostile_names_as_text(reported: Path) -> None:
    text = page(reported)
    assert html.escape(HOSTILE.replace("\n", "\\n"), quote=False) in text
    assert "&lt;i&gt;[/]0" in text
    assert "&lt;u&gt;running" in text
    assert "&lt;img src=x onerror=y&gt;" in text
    assert not re.search(r"<(i|u|b|img)>", text)
    assert "<title>&lt;b&gt;[red] \\udcff" in text


def test_the_page_is_well_formed_and_its_ids_are_its_own(reported: Path) -> None:
    class Checker(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.open: list[str] = []
            self.ids: list[str] = []

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.ids += [str(value) for name, value in attrs if name == "id"]
            if tag not in ("meta", "br", "img"):
                self.open.append(tag)

        def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.ids += [str(value) for name, value in attrs if name == "id"]

        def handle_endtag(self, tag: str) -> None:
            assert self.open.pop() == tag

    checker = Checker()
    checker.feed(page(reported))
    assert checker.open == []
    assert len(checker.ids) == len(set(checker.ids))


def test_the_page_names_runs_rules_and_what_was_left_out(reported: Path) -> None:
    text = re.sub(r"<[^>]*>", " ", page(reported))
    assert "no result.json: still training, or interrupted" in text
    assert "1 of 3 diverged" in text
    assert "best epoch" in text
    assert "last epoch" in text
    assert "no statistical test has been made" in text
    assert "dlx report" in text


def test_one_run_has_a_row_and_curves(study: Any, capsys: pytest.CaptureFixture[str]) -> None:
    study.run("only", study.curve(0.5, 0.9))
    assert main([str(study.folder / "only")]) == 0
    report = study.folder / "only" / "report"
    assert sorted(file.name for file in (report / "plots").glob("*.svg")) == ["accuracy.svg", "loss.svg"]
    assert "One run cannot say" in capsys.readouterr().out


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
    with pytest.raises(RequestError, match=r"none of the 1 runs in outputs/norms .* a: no result.json"):
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
    code = "import sys; from dlx.report.command import main; main(sys.argv[1:]); print(*sys.modules)"
    modules = run_python(code, str(study.folder)).splitlines()[-1].split()
    assert "pandas" in modules
    assert not {"torch", "hydra", "omegaconf", "altair"} & set(modules)


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, atexit; atexit.register(lambda: print(*sys.modules))\n"
        "from dlx.report.command import main; main(['--help'])"
    )
    output = run_python(code)
    assert "usage: dlx report" in output
    assert not {"pandas", "numpy", "rich", "vl_convert", "jinja2", "pydantic"} & set(
        output.splitlines()[-1].split()
    )
