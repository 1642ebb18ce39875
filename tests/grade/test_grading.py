"""Students are judged by the reference: figures, settings, copies; broken folders do not stop the others."""

import json
import os
import shutil

import numpy as np
import pytest

from dlx.errors import RequestError
from dlx.grade.assignment import read_assignment
from dlx.grade.gradebook import finding
from dlx.grade.grading import grade, submissions_in
from dlx.grade.reference import read_reference
from dlx.grade.work import read_work
from dlx.run.evaluations import Evaluation, append_evaluation
from tests.grade.conftest import write_run

LIKE_REFERENCE, FAR = 0.91, 0.7


def reference_of(school):
    return read_reference(read_assignment(school.file), school.folder / "reference")


def graded(school, **more):
    """Grade the class; return the grades by student."""
    grades = grade(reference_of(school), submissions_in(school.submissions), **more)
    return {each.student: each for each in grades}


def test_an_accuracy_like_the_references_passes_and_a_far_one_fails(school):
    school.reference()
    school.run("anna", 50, LIKE_REFERENCE)
    school.run("ben", 50, FAR)
    found = graded(school)
    assert [found[name].judged[0].passed for name in ("anna", "ben")] == [True, False]
    assert found["ben"].judged[0].value == pytest.approx(FAR)
    low, high = found["anna"].judged[0].interval
    assert FAR < low < LIKE_REFERENCE < high


def test_several_seeds_are_judged_by_their_mean(school):
    school.reference()
    for seed, accuracy in enumerate((0.90, 0.93)):
        school.run("anna", 50 + seed, accuracy)
    one = graded(school)["anna"].judged[0]
    assert one.runs == 2
    assert one.value == pytest.approx(np.sin(np.mean(np.arcsin(np.sqrt([0.90, 0.93])))) ** 2)


def test_a_copy_of_a_run_does_not_count_as_a_second_seed(school):
    school.reference()
    run = school.run("anna", 50, LIKE_REFERENCE)
    shutil.copytree(run, run.parent / "again")
    assert graded(school)["anna"].judged[0].runs == 1


def test_the_best_epoch_a_numbered_one_and_parameters_can_be_asked(school):
    figures = [
        {"metric": "val_accuracy", "at": "best"},
        {"metric": "val_loss", "at": 0},
        {"metric": "parameters"},
    ]
    school.write(figures=figures)
    for seed in range(10):
        school.run("reference", seed, (360 + seed) / 400, parameters=1234)
    school.run("anna", 50, LIKE_REFERENCE, parameters=1234)
    school.run("ben", 50, LIKE_REFERENCE, parameters=1235)
    found = graded(school)
    assert [each.passed for each in found["anna"].judged] == [True, True, True]
    assert [each.passed for each in found["ben"].judged] == [True, True, False]


def test_a_test_score_is_the_one_that_was_recorded(school):
    school.write(figures=[{"metric": "test_accuracy", "at": "test"}])
    for owner, seed in (*(("reference", seed) for seed in range(10)), ("anna", 50), ("ben", 51)):
        run = school.run(owner, seed, (360 + seed % 10) / 400)
        if owner != "ben":
            append_evaluation(run, Evaluation("now", "test", 400, 4, 0.2, (350 + seed % 10) / 400, "", 1))
    found = graded(school)
    assert found["anna"].judged[0].value == pytest.approx(0.875)
    assert found["ben"].remarks == ["test accuracy: no recorded test score (dlx evaluate)"]


def test_a_figure_of_a_named_setting_is_that_settings(school):
    school.write(figures=[{"metric": "val_accuracy", "where": {"model.norm": "batch"}}])
    school.reference()
    for seed in range(10):
        write_named(school, "reference", seed, (320 + seed) / 400)
    write_named(school, "anna", 50, 0.81)
    school.run("anna", 50, 0.5)
    assert [each.passed for each in graded(school)["anna"].judged] == [True]


def write_named(school, owner, seed, accuracy):
    """Write a run with batch norm beside one of the same seed without it."""
    place = school.folder if owner == "reference" else school.submissions
    return write_run(place / owner / "batch", seed, accuracy, {"model.norm": "batch"})


def test_settings_that_differ_are_named_and_free_ones_are_not(school):
    school.write(figures=[{"metric": "val_accuracy"}], free=["optimizer.lr"])
    school.reference()
    changes = {"optimizer.lr": 0.5, "model.width": 32, "device": "cuda", "output_root": "/elsewhere"}
    school.run("anna", 50, LIKE_REFERENCE, changes)
    assert graded(school)["anna"].differences == ["model.width is 32, not 64"]


def test_of_several_settings_the_assignments_own_is_judged(school):
    school.reference()
    school.run("anna", 50, LIKE_REFERENCE)
    write_named(school, "anna", 51, 0.2)
    found = graded(school)["anna"]
    assert found.judged[0].passed
    assert found.differences == []


def test_several_other_settings_leave_open_which_is_meant(school):
    school.reference()
    write_named(school, "anna", 51, LIKE_REFERENCE)
    school.run("anna", 52, LIKE_REFERENCE, {"model.width": 8})
    assert graded(school)["anna"].remarks == ["val accuracy: 2 settings, none of which is the assignment's"]


def test_a_copied_run_is_named_on_both_sides(school):
    school.reference()
    run = school.run("anna", 50, LIKE_REFERENCE)
    shutil.copytree(run, school.submissions / "ben" / "mine")
    shutil.copytree(next(school.folder.glob("reference/*")), school.submissions / "carl" / "mine")
    found = graded(school)
    assert found["anna"].copies == ["the same run as ben, times included"]
    assert found["ben"].copies == ["the same run as anna, times included"]
    assert found["carl"].copies == ["the same run as the reference, times included"]
    assert finding(reference_of(school), list(found.values())).endswith(
        " Copied runs in 3 submissions: see the remarks."
    )


def test_equal_numbers_of_equal_settings_and_seeds_are_no_copy_unless_the_settings_were_edited(school):
    school.reference()
    school.run("anna", 50, LIKE_REFERENCE)
    other = school.run("ben", 50, LIKE_REFERENCE)
    rewrite_times(other)
    assert not any(each.copies for each in graded(school).values())
    result = json.loads((other / "result.json").read_text())
    result["config"]["seed"] = 51
    (other / "result.json").write_text(json.dumps(result))
    assert graded(school)["ben"].copies == ["the same numbers as anna, under other settings or seeds"]


def rewrite_times(run):
    header, *rows = (line.split(",") for line in (run / "history.csv").read_text().splitlines())
    rows = [[*row[:2], str(2 * float(row[2])), *row[3:]] for row in rows]
    (run / "history.csv").write_text("".join(",".join(row) + "\n" for row in (header, *rows)))


def test_a_result_that_disagrees_with_its_history_does_not_count(school):
    school.reference()
    run = school.run("anna", 50, FAR)
    result = json.loads((run / "result.json").read_text())
    result["last"]["val_accuracy"] = LIKE_REFERENCE
    (run / "result.json").write_text(json.dumps(result))
    found = graded(school)["anna"]
    assert not found.judged[0].passed
    assert found.remarks == ["val accuracy: result.json says 0.91 for val accuracy, history.csv 0.7"]


def test_a_diverged_run_fails(school):
    school.reference()
    school.run("anna", 50, LIKE_REFERENCE)
    school.run("anna", 51, LIKE_REFERENCE, status="diverged")
    assert graded(school)["anna"].remarks == ["val accuracy: 1 of 2 runs diverged"]


def test_a_table_of_another_program_is_graded(school):
    school.reference()
    school.submissions.joinpath("anna.csv").write_text("seed,val_accuracy\n1,0.91\n2,0.92\n")
    folder = school.submissions / "ben"
    folder.mkdir()
    (folder / "log.csv").write_text("epoch,loss,val_accuracy\n0,1.1,0.3\n1,0.9,0.5\n2,0.8,0.6\n")
    found = graded(school)
    assert [found[name].judged[0].passed for name in ("anna", "ben")] == [True, False]
    assert found["anna"].judged[0].runs == 2


BROKEN = {
    "empty": lambda folder: folder.mkdir(),
    "link": lambda folder: folder.symlink_to("/etc"),
    "archive.zip": lambda path: path.write_bytes(b"PK\x03\x04"),
    "binary.csv": lambda path: path.write_bytes(bytes(range(256)) * 10),
    "huge.csv": lambda path: (path.touch(), os.truncate(path, 10**9)),
    "words.csv": lambda path: path.write_text("name,mood\nanna,good\n"),
    "nan.csv": lambda path: path.write_text("seed,val_accuracy\n0,nan\n"),
    "pipe.csv": os.mkfifo,
}


def break_run(how):
    def write(folder):
        how(write_run(folder, 50, LIKE_REFERENCE))

    return write


BROKEN |= {
    "garbled": break_run(lambda run: (run / "result.json").write_bytes(b"\xff\x00{")),
    "nested": break_run(lambda run: (run / "result.json").write_text("[" * 10**5)),
    "infinite": break_run(
        lambda run: (run / "history.csv").write_text("epoch,step,time,lr\n" + "1e999,nan,,\n" * 5)
    ),
    "linked": break_run(
        lambda run: ((run / "history.csv").unlink(), (run / "history.csv").symlink_to("/etc/passwd"))
    ),
}


def test_broken_submissions_are_rows_with_a_reason_and_stop_nobody(school):
    school.reference()
    school.run("anna", 50, LIKE_REFERENCE)
    for name, write in BROKEN.items():
        write(school.submissions / name)
    found = graded(school, missing=["zoe"])
    assert len(found) == len(BROKEN) + 2
    assert found.pop("anna").judged[0].passed
    assert found["zoe"].unread == "nothing was handed in"
    for each in found.values():
        assert each.score == 0
        assert each.remarks, each.student
        assert "\n" not in each.remarks[0]


def test_an_unexpected_error_is_one_students_row(school, monkeypatch):
    school.reference()
    reference = reference_of(school)
    school.run("anna", 50, LIKE_REFERENCE)
    school.run("ben", 50, LIKE_REFERENCE)
    monkeypatch.setattr(
        "dlx.grade.grading.read_work", lambda path, of: {}["x"] if path.name == "ben" else read_work(path, of)
    )
    found = {each.student: each for each in grade(reference, submissions_in(school.submissions))}
    assert found["anna"].judged[0].passed
    assert found["ben"].unread == "it could not be read: KeyError: 'x'"


def test_code_and_pickles_in_a_submission_are_not_run(school):
    school.reference()
    folder = school.run("anna", 50, LIKE_REFERENCE, {"model.target": "mynet:Net"})
    ran = school.folder / "ran"
    for place in (folder, folder.parent):
        (place / "mynet.py").write_text(f"open({str(ran)!r}, 'w')")
        (place / "conftest.py").write_text(f"open({str(ran)!r}, 'w')")
    (folder / "checkpoint.pt").write_bytes(f"cposix\nsystem\n(S'touch {ran}'\ntR.".encode())
    assert graded(school)["anna"].judged[0].passed
    assert not ran.exists()


def test_a_reference_run_unlike_the_others_is_pointed_out(school):
    school.reference([0.90, 0.91, 0.905, 0.9, 0.4])
    assert "1 reference run would fail against the others (run-s4)" in reference_of(school).warnings[0]
    shutil.rmtree(school.folder / "reference")
    school.reference()
    assert reference_of(school).warnings == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda school: school.run("reference", 20, 0.9, status="diverged"),
            "1 of 11 reference runs diverged",
        ),
        (lambda school: write_named(school, "reference", 20, 0.9), "the reference has 2 settings"),
        (lambda school: school.write(figures=[{"metric": "val_speed"}]), "no val speed at last"),
        (
            lambda school: school.write(figures=[{"metric": "val_loss", "where": {"batch_size": 7}}]),
            "no reference run has batch size 7",
        ),
    ],
)
def test_a_reference_that_does_not_fit_its_figures_is_refused(school, change, said):
    school.reference()
    change(school)
    with pytest.raises(RequestError, match=said):
        reference_of(school)


def test_one_reference_run_is_too_few(school):
    school.reference([0.9])
    with pytest.raises(RequestError, match="at least 2 different runs"):
        reference_of(school)
