"""data.folds makes a run of each fold of each repeat; what cannot be is refused in one line."""

import pytest

from dlx.compose import request
from dlx.compose.request import compose
from dlx.errors import RequestError
from dlx.run.identity import flatten


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def places(*words):
    return [(run.config["data"]["repeat"], run.config["data"]["fold"]) for run in compose(words).runs]


def folders(*words):
    return [run.folder.name for run in compose(words).runs]


def test_every_fold_of_every_repeat_is_a_run_with_a_label_and_a_folder_of_its_own():
    runs = compose(["data.folds=2", "data.repeats=2", "optimizer.lr=0.1,0.2"]).runs
    assert [run.label for run in runs] == [
        f"lr={lr} repeat={repeat} fold={fold}" for lr in (0.1, 0.2) for repeat in (1, 2) for fold in (1, 2)
    ]
    assert runs[3].folder.name.startswith("mlp-adam-lr0.1-b32-s0-r2f2-")
    assert len({run.folder for run in runs}) == 8
    assert [run.settings.data.fold for run in runs[:2]] == [1, 2]


def test_one_fold_or_one_repeat_can_be_asked_for():
    assert places("data.folds=3", "data.fold=2", "data.repeats=2") == [(1, 2), (2, 2)]
    assert places("data.folds=2", "data.repeats=3", "data.repeat=3") == [(3, 1), (3, 2)]
    assert places("data.folds=9", "data.fold=4") == [(1, 4)]


def test_more_repeats_keep_the_folders_of_the_runs_that_are_there():
    few = folders("data.folds=3", "data.repeats=2")
    assert folders("data.folds=3", "data.repeats=4")[:6] == few
    assert folders("data.folds=4", "data.repeats=2")[0] != few[0]


def test_the_words_of_a_run_compose_that_run_alone():
    run = compose(["data.folds=3", "data.repeats=2"]).runs[4]
    (again,) = compose(run.words).runs
    assert (again.folder, flatten(again.config)) == (run.folder, flatten(run.config))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["data.folds=1"], r"data\.folds=1: must be 2 or more"),
        (["data.fold=2"], r"data\.fold=2: needs folds, such as data\.folds=5"),
        (["data.repeats=2"], r"data\.repeats=2: needs folds"),
        (["data.folds=3", "data.fold=4"], r"data\.fold=4: must be from 1 to 3 \(data\.folds=3\)"),
        (["data.folds=3", "data.repeat=2"], r"data\.repeat=2: must be from 1 to 1 \(data\.repeats=1\)"),
        (["data=surface", "data.folds=3"], r"data\.folds=3: a surface has no samples to divide"),
        (["data=cifar10", "data.folds=3", "data.val_from=test"], r"does not go with data\.val_from=test"),
        (
            ["data.folds=3", "data.repeats=2", "data.split_seed=null"],
            r"data\.repeats=2: without a seed every repeat has the same folds; set data\.split_seed=0",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(words, message):
    with pytest.raises(RequestError, match=f"^{message}" if message.startswith("data") else message):
        compose(words)


def test_folds_count_towards_the_most_runs_of_a_request(monkeypatch):
    monkeypatch.setattr(request, "MAX_RUNS", 5)
    with pytest.raises(RequestError, match=r"data\.folds: that is more than"):
        compose(["data.folds=3", "data.repeats=2"])
