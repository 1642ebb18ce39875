"""The looks at a study: what is recorded, the level that they leave, and what training says about it."""

import json
from itertools import product

import pytest

from dlx.stats.intervals import LEVEL
from dlx.stats.sequential import Look, level_now
from dlx.study.looks import Looks, notice_of_extension, read_looks
from dlx.study.requests import StudyRun
from dlx.study.study import Study


def asked(seeds, lrs=(0.1, 0.2)):
    return [
        StudyRun(f"lr{lr}-s{seed}", "", [], {"optimizer": {"lr": lr}, "seed": seed})
        for lr, seed in product(lrs, seeds)
    ]


def ended(seeds, lrs=(0.1, 0.2)):
    return [{"optimizer.lr": lr, "seed": seed} for lr, seed in product(lrs, seeds)]


def request(folder, seeds, lrs=(0.1, 0.2)):
    study = Study(folder)
    with study.locked():
        said = notice_of_extension(study, asked(seeds, lrs))
        study.add_request([str(seeds)], "0.1", asked(seeds, lrs))
    return said


def report(folder, seeds, lrs=(0.1, 0.2)):
    looks = Looks(folder)
    level = looks.level(ended(seeds, lrs))
    looks.record()
    return level


@pytest.fixture
def file(tmp_path):
    return tmp_path / ".study" / "looks.json"


def test_each_number_of_units_that_can_be_tested_is_one_look(tmp_path, file):
    request(tmp_path, range(5))
    for seeds in (2, 3, 3, 2, 5, 5):
        report(tmp_path, range(seeds))
    assert read_looks(file) == [Look(3, 5), Look(5, 5)]
    assert all(look["time"].startswith("20") for look in json.loads(file.read_text())["looks"])


def test_the_level_follows_from_the_looks(tmp_path):
    request(tmp_path, range(5))
    assert report(tmp_path, range(3)) == level_now([], 3, 5)
    assert report(tmp_path, range(5)) == level_now([Look(3, 5)], 5, 5)
    request(tmp_path, range(9))
    assert report(tmp_path, range(9)) == level_now([Look(3, 5), Look(5, 5)], 9, 9) < 0.01


def test_a_family_of_settings_has_the_level_of_its_pairs(tmp_path):
    request(tmp_path, range(5), range(4))
    assert report(tmp_path, range(3), range(4)) == level_now([], 3, 5, tests=6)


def test_what_cannot_be_compared_is_no_look(tmp_path, file):
    request(tmp_path, range(5))
    assert report(tmp_path, range(5), lrs=[0.1]) == LEVEL
    assert report(tmp_path, range(2)) == LEVEL  # too few for a test
    assert not file.exists()


def test_a_folder_without_a_study_keeps_no_looks(tmp_path, file):
    assert report(tmp_path, range(3)) == LEVEL
    assert not file.parent.exists()


def test_seeds_added_to_a_study_that_was_read_are_announced(tmp_path):
    assert request(tmp_path, range(3)) == []
    assert request(tmp_path, range(4)) == []  # not read yet
    report(tmp_path, range(4))
    first, *_, last = request(tmp_path, range(10))
    assert first.startswith("The report of this study was read at 4 seeds. With more, it tests at 0.4")
    assert last == "not used before has its own 5%."
    assert request(tmp_path, range(10)) == []  # the same again: nothing is added


def test_a_larger_plan_after_a_look_at_a_part_is_announced(tmp_path):
    request(tmp_path, range(5))
    report(tmp_path, range(3))
    first, *_ = request(tmp_path, range(10))
    assert "was read at 3 of 5 seeds" in first
    assert report(tmp_path, range(10)) == level_now([Look(3, 5)], 10, 10) < LEVEL / 2


@pytest.mark.parametrize(("seeds", "lrs"), [(range(3), [0.3, 0.4]), ([0], range(20)), ([7], [0.1])])
def test_settings_and_trials_are_added_without_a_word(tmp_path, seeds, lrs):
    request(tmp_path, range(3))
    report(tmp_path, range(3))
    assert request(tmp_path, seeds, lrs) == []


@pytest.mark.parametrize(
    "content",
    ["{", "[]", '{"looks": [{}]}', '{"looks": [{"units": 3, "planned": 3}, {"units": 3, "planned": 9}]}'],
)
def test_a_damaged_file_is_one_line_and_kept(tmp_path, file, capsys, content):
    request(tmp_path, range(3))
    file.write_text(content)
    assert report(tmp_path, range(3)) == LEVEL
    error = capsys.readouterr().err
    assert error.startswith(f"dlx: {file}")
    assert error.count("\n") == 1
    assert file.read_text() == content


def test_a_study_that_cannot_be_written_is_reported_all_the_same(tmp_path, monkeypatch, capsys):
    def full(*_):
        raise OSError(28, "No space left on device")

    request(tmp_path, range(3))
    monkeypatch.setattr("dlx.study.looks.write_atomically", full)
    assert report(tmp_path, range(3)) == LEVEL
    assert "looks.json: this look could not be recorded (No space left on device)" in capsys.readouterr().err


def test_a_level_that_is_asked_for_again_forgets_the_look_before(tmp_path, file):
    request(tmp_path, range(5))
    looks = Looks(tmp_path)
    assert looks.level(ended(range(3))) == level_now([], 3, 5)
    assert looks.level(ended(range(2))) == LEVEL  # too few for a test
    assert looks.level_with_more() == LEVEL
    looks.record()
    assert not file.exists()


def test_the_level_with_more_counts_the_look_that_is_being_taken(tmp_path):
    request(tmp_path, range(5), range(4))
    looks = Looks(tmp_path)
    looks.level(ended(range(5), range(4)))
    assert looks.level_with_more() == level_now([Look(5, 5)], 10, 10, tests=6)
