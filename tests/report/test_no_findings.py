"""`dlx report --no-findings`: tables and plots without conclusions, in everything that is written."""

import contextlib
import io
import json
import re
import zipfile

import pytest

from dlx.commands.report import main
from dlx.errors import RequestError
from dlx.report.analysis import LEFT_OUT

# Verdicts, groups and tests, as a report of the study below has them.
CONCLUSIONS = re.compile(r"undecided|\bworse\b|\btied\b|against best|verdict|\bp [<=]|scored highest|Next:")
ONLY_CONCLUSIONS = {"comparisons.csv", "comparisons.md", "comparisons.tex", "diagnosis.csv"}


@pytest.fixture(scope="module")
def both(builder, tmp_path_factory):
    """Return what a report prints and writes, with findings and then without them in the same folder."""
    study = builder(tmp_path_factory.mktemp("outputs") / "study")
    (study.folder / ".study").mkdir(parents=True)
    for seed in range(4):
        study.run(f"good{seed}", study.curve(0.8, 0.9 + 0.01 * seed), seed=seed)
        study.run(f"poor{seed}", study.curve(0.5, 0.6 + 0.01 * seed), {"model.norm": "batch"}, seed=seed)
    return [report(study.folder, *flags) for flags in ([], ["--no-findings", "--export", "csv,xlsx"])]


def report(study, *flags):
    """Return the text that a reader sees of the terminal and of every written file, by name."""
    looks = study / ".study" / "looks.json"
    looks.unlink(missing_ok=True)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert main([str(study), *flags]) == 0
    texts = {"terminal": printed.getvalue(), "looks": "recorded" if looks.exists() else "none"}
    for path in (study / "report").rglob("*"):
        name = path.relative_to(study / "report").as_posix()
        if path.suffix in (".csv", ".md", ".tex", ".json", ".svg", ".html"):
            text = re.sub(r"<(script|style)>.*?</\1>", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
            texts[name] = re.sub(r"<[^>]*>", " ", text)
        elif path.suffix == ".xlsx":
            texts[name] = zipfile.ZipFile(path).read("xl/workbook.xml").decode()
    return texts


def test_a_report_without_findings_draws_no_conclusion_anywhere(both):
    told, silent = both
    assert {name for name, text in told.items() if CONCLUSIONS.search(text)} >= {
        *("terminal", "index.html", "report.json", "table.md", "comparisons.csv")
    }
    assert not [name for name, text in silent.items() if CONCLUSIONS.search(text)]


def test_that_findings_were_left_out_is_said_once(both):
    told, silent = both
    assert not any(LEFT_OUT in text for text in told.values())
    assert silent["terminal"].count(LEFT_OUT) == 1
    assert silent["index.html"].count(LEFT_OUT) == 1
    assert json.loads(silent["report.json"])["answer"]["sentence"] == LEFT_OUT


def test_scores_and_curves_are_those_of_the_whole_report(both):
    told, silent = both
    for name in ("table.csv", "plots/accuracy.svg"):
        assert silent[name] == told[name]


def test_files_that_hold_conclusions_alone_are_not_left_from_an_earlier_report(both):
    told, silent = both
    assert set(told) >= {*ONLY_CONCLUSIONS, "plots/differences.svg"}
    assert not ONLY_CONCLUSIONS & set(silent)
    assert "plots/differences.svg" not in silent
    assert "comparisons" not in silent["table.xlsx"]


def test_a_report_without_findings_is_no_look_at_the_tests(both):
    assert [each["looks"] for each in both] == ["recorded", "none"]


@pytest.mark.parametrize("flags", [["--details"], ["--baseline", "norm=none"], ["--margin", "0.1"]])
def test_what_asks_for_conclusions_contradicts_it(tmp_path, flags):
    with pytest.raises(RequestError, match="--no-findings: cannot be combined"):
        main([str(tmp_path), "--no-findings", *flags])
