"""A wrong value inside a component is found among a grid's first runs; ended runs are not checked."""

from pathlib import Path

import pytest

from dlx.compose import request
from dlx.compose.request import compose
from dlx.config import check_values
from dlx.errors import RequestError
from dlx.run.identity import identity
from dlx.run.result import Result, write_result
from dlx.study.early_check import EarlyCheck


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["model.width=64,abc", "seed=range(100)"],
            r"^model\.width='abc': must be a whole number \[in",
        ),
        (["seed=range(100)", "optimizer=adam,sgd", "optimizer.lr=0.1,-1"], r"^optimizer\.lr=-1: must be"),
        (["seed=range(100)", "model=mlp,mlp_bn", "model.init=default,he"], r"^model\.init: there is no 'he'"),
    ],
)
def test_a_wrong_component_is_found_before_the_grid_is_composed(
    monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    composed = []

    def count(values: dict[str, object]) -> object:
        composed.append(values)
        return check_values(values)

    monkeypatch.setattr(request, "check_values", count)
    with pytest.raises(RequestError, match=message):
        compose(words, check=EarlyCheck())
    assert len(composed) == 2


def test_a_run_that_has_ended_is_not_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["model.width=abc"]
    with pytest.raises(RequestError):
        compose(words, check=EarlyCheck())
    (run,) = compose(words).runs
    run.folder.mkdir(parents=True)
    same = identity(run.config, run.fingerprints)
    write_result(run.folder, Result(status="diverged", identity=same, config=run.config))
    assert compose(words, check=EarlyCheck()).runs == [run]
    with pytest.raises(RequestError):
        compose([*words, "rerun=true"], check=EarlyCheck())
