"""Which runs of an earlier version of the user's files count: those with results, not failed ones."""

import pytest

from dlx.run.identity import identity
from dlx.run.result import Result, write_result
from dlx.study.changes import _ended
from dlx.study.requests import StudyRun
from dlx.study.study import Study

RUN = StudyRun("a", "", [], {"seed": 1})


@pytest.mark.parametrize(
    ("status", "ended"), [("completed", True), ("diverged", True), ("failed", False), (None, False)]
)
def test_a_failed_run_is_no_earlier_result(tmp_path, status, ended):
    (tmp_path / "a").mkdir()
    if status:
        write_result(tmp_path / "a", Result(status=status, identity=identity(RUN.config), config=RUN.config))
    assert _ended(Study(tmp_path), RUN) is ended


def test_a_damaged_result_is_left_to_who_asks_for_the_run(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "result.json").write_text("{")
    assert not _ended(Study(tmp_path), RUN)
