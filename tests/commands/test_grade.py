"""`dlx grade` as a teacher types it: the table, the files, the refusals and the exit codes."""

import csv
import json

import pytest

from dlx.cli import main
from dlx.grade.gradebook import NBGRADER
from tests.grade.conftest import Class

SMALL = ["data=blobs", "data.samples=200", "model=mlp", "model.width=4", "epochs=2", "launcher.processes=1"]


@pytest.fixture
def school(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    made = Class(tmp_path / "class")
    made.write(figures=[{"metric": "val_accuracy"}, {"metric": "val_loss", "points": 2, "name": "loss"}])
    made.reference()
    made.run("anna", 50, 0.91)
    made.run("ben", 50, 0.5, {"optimizer.lr": 7.0})
    return made


@pytest.fixture
def said(capsys):
    def run(*words, code=0):
        assert main(["grade", *map(str, words)]) == code
        captured = capsys.readouterr()
        return " ".join((captured.err if code == 2 else captured.out).split())

    return run


def rows_of(school):
    path = school.folder / "submissions-grades" / "grades.csv"
    with path.open(newline="") as file:
        return {row["student_id"]: row for row in csv.DictReader(file)}


def test_a_class_is_graded_in_the_terminal(school, capsys):
    assert main(["grade", str(school.submissions), "--against", str(school.file)]) == 0
    *lines, page = capsys.readouterr().out.splitlines()
    assert page == str(school.folder / "submissions-grades" / "index.html")
    assert max(map(len, lines)) <= 80
    text = " ".join(" ".join(lines).split())
    assert "1 of 2 submissions passed everything that was asked." in text
    assert "anna 3 of 3 0.9100" in text
    assert "ben 2 of 3 0.5000 FAILS" in text
    assert "- ben: optimizer.lr is 7, not 0.001" in text
    assert "at most 1%, over all 2 figures together" in text
    assert text.index("ben 2 of 3") < text.index("anna 3 of 3")


def test_the_grades_have_the_columns_of_nbgrader_and_then_a_column_for_each_figure(school, said):
    said(school.submissions, "--against", school.file)
    rows = rows_of(school)
    assert list(rows["anna"])[: len(NBGRADER)] == [*NBGRADER]
    names = ("assignment", "raw_score", "score", "max_score")
    assert [rows["ben"][name] for name in names] == ["exercise 1", "2.0", "2.0", "3.0"]
    assert [rows["ben"][name] for name in ("val accuracy", "loss", "passed")] == ["0.0", "2.0", "false"]
    assert float(rows["ben"]["percent_correct"]) == pytest.approx(2 / 3)
    ends = [float(rows["anna"][f"val accuracy ({what})"]) for what in ("low", "value", "high")]
    assert ends == sorted(ends)
    assert ends[1] == pytest.approx(0.91)
    assert float(rows["ben"]["val accuracy (value)"]) == pytest.approx(0.5)


def test_students_of_a_list_are_named_and_missing_ones_get_a_row(school, said):
    students = school.folder / "students.csv"
    students.write_text("id,last_name,first_name,email\nanna,Arendt,Anna,a@x.org\nzoe,Zuse,Zoe,z@x.org\n")
    said(school.submissions, "--against", school.file, "--students", students, code=1)
    rows = rows_of(school)
    assert rows["anna"]["last_name"] == "Arendt"
    assert (rows["zoe"]["score"], rows["zoe"]["remarks"]) == ("0.0", "nothing was handed in")


def test_names_of_folders_are_neither_formulas_nor_markup_nor_codes_of_a_terminal(school, said):
    school.run("=cmd|x", 51, 0.91)
    school.run("<script>[b]", 52, 0.91)
    school.run("\x1b[2J" + "x" * 100, 53, 0.91)
    said(school.submissions, "--against", school.file)
    assert {"'=cmd|x", "\\x1b[2J" + "x" * 100} <= set(rows_of(school))
    page = (school.folder / "submissions-grades" / "index.html").read_text()
    assert "<script>[b]" not in page
    assert "&lt;script&gt;[b]" in page


def test_the_page_opens_offline(school, said):
    said(school.submissions, "--against", school.file)
    page = (school.folder / "submissions-grades" / "index.html").read_text()
    assert "https://" not in page
    assert "http://" not in page
    assert "0.5000 FAILS" in page


def test_without_submissions_the_limits_are_shown_and_nothing_is_written(school, said):
    text = said("--against", school.file)
    assert "val accuracy 10 0.911" in text
    assert not (school.folder / "submissions-grades").exists()


def test_the_reference_is_trained_from_the_assignments_settings(tmp_path, said):
    path = tmp_path / "reference.yaml"
    path.write_text(
        json.dumps(
            {
                "assignment": "a",
                "settings": SMALL,
                "seeds": 3,
                "runs": "mine",
                "figures": [{"metric": "val_loss"}],
            }
        )
    )
    assert "there are no reference runs" in said("--against", path, code=2)
    assert "val loss 3" in said("--make-reference", "--against", path)
    assert len(list(tmp_path.glob("mine/*/result.json"))) == 3


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("class/submissions",), "--against is missing"),
        (("nowhere", "--against", "class/reference.yaml"), "there is no folder 'nowhere'"),
        (("class/submissions", "--against", "nowhere.yaml"), "there is no file 'nowhere.yaml'"),
        (("class/empty", "--against", "class/reference.yaml"), "class/empty: holds no submission"),
        (("--make-reference", "--against", "class/reference.yaml"), "has no 'settings' to train"),
        (("class/submissions", "--against", "class/reference.yaml", "--check-module"), "names no module"),
        (
            ("class/submissions", "--against", "class/reference.yaml", "--students", "class/mood.csv"),
            "has no column 'id' (columns: name)",
        ),
    ],
)
def test_wrong_words_are_refused_in_a_line(school, said, words, error):
    (school.folder / "empty").mkdir()
    (school.folder / "mood.csv").write_text("name\nanna\n")
    assert error in said(*words, code=2)
