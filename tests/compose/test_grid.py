"""What runs a request has: its grid, presets and cases, each once, with a label and a folder."""

from pathlib import Path

import pytest

from dlx.compose import request, sweep
from dlx.compose.composer import config_folder, initialised
from dlx.compose.grid import labels
from dlx.compose.request import compose, compose_one
from dlx.config import check_values
from dlx.errors import RequestError


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def preset(text, name="mine"):
    Path("conf/sweep").mkdir(parents=True, exist_ok=True)
    Path(f"conf/sweep/{name}.yaml").write_text(f"# @package _global_\n{text}")


def points(*words, keys=("optimizer.lr", "seed")):
    found = []
    for run in compose(words).runs:
        values = []
        for key in keys:
            node = run.config
            for part in key.split("."):
                node = node[part]
            values.append(node)
        found.append(tuple(values))
    return found


def test_a_grid_is_every_combination_the_last_key_fastest():
    assert points("optimizer.lr=0.1,0.2", "seed=range(2)") == [(0.1, 0), (0.1, 1), (0.2, 0), (0.2, 1)]


def test_every_function_of_hydras_grammar_that_gives_single_values_makes_a_grid():
    assert points("seed=choice(3,1)", keys=["seed"]) == [(3,), (1,)]
    assert points("seed=sort(3,1)", keys=["seed"]) == [(1,), (3,)]
    assert points("model=glob(mlp*)", keys=["model.norm"]) == [("none",), ("batch",), ("layer",)]
    assert sorted(points("seed=shuffle(range(3))", keys=["seed"])) == [(0,), (1,), (2,)]


def test_a_presets_values_are_texts_or_lists_nested_or_dotted_and_the_command_line_overrides_them():
    preset("grid: {optimizer.lr: '0.1,0.2', seed: [4, 5]}")
    assert points("sweep=mine") == [(0.1, 4), (0.1, 5), (0.2, 4), (0.2, 5)]
    assert points("sweep=mine", "seed=7") == [(0.1, 7), (0.2, 7)]
    preset("grid: {optimizer: {lr: [0.3]}, seed: range(2)}", "nested")
    assert points("sweep=nested") == [(0.3, 0), (0.3, 1)]
    preset("grid: {model.init: ['normal:1e-2', default], model.sizes: [[8], [4, 4]]}", "quoted")
    assert len(points("sweep=quoted", keys=["model.init"])) == 4


def test_hydras_own_place_for_a_presets_values_counts_too():
    preset("hydra: {sweeper: {params: {seed: '4,5'}}}")
    assert points("sweep=mine", keys=["seed"]) == [(4,), (5,)]


def test_cases_are_single_points_and_the_command_line_wins():
    preset(
        "grid: {seed: '0,1'}\ncases:\n"
        "  - {optimizer: sgd, optimizer.lr: 0.1}\n  - {optimizer: adam, optimizer.lr: 0.001}\n"
    )
    keys = ("optimizer.name", "optimizer.lr", "seed")
    assert points("sweep=mine", keys=keys) == [
        ("sgd", 0.1, 0),
        ("sgd", 0.1, 1),
        ("adam", 0.001, 0),
        ("adam", 0.001, 1),
    ]
    assert points("sweep=mine", "optimizer=sgd", "optimizer.lr=0.3", "seed=2", keys=keys) == [("sgd", 0.3, 2)]


def test_a_case_may_hold_lists_as_values_or_as_the_text_that_one_would_type():
    preset("cases: [{model.sizes: []}, {model.sizes: '[32,16]'}, {model.sizes: [8], optimizer.lr: null}]")
    assert points("sweep=mine", keys=["model.sizes"]) == [([],), ([32, 16],), ([8],)]


def test_presets_are_crossed_in_a_list_and_chosen_by_a_function_that_gives_one():
    assert len(compose(["sweep=[seeds,width]"]).runs) == 60
    assert len(compose(["sweep=glob(seeds)"]).runs) == 10
    with pytest.raises(RequestError, match=r"sweep=\[seeds,width\]"):
        compose(["sweep=seeds,width"])


def test_points_that_come_to_one_configuration_are_one_run():
    assert [run.label for run in compose(["optimizer.lr=1,1.0", "seed=0,1"]).runs] == ["seed=0", "seed=1"]
    assert len(compose(["rerun=true,false"]).runs) == 1


def test_a_key_that_only_the_swept_choices_have_may_be_set():
    assert points("optimizer=sgd,rmsprop", "optimizer.momentum=0.9", keys=["optimizer.momentum"]) == [
        (0.9,),
        (0.9,),
    ]


def test_how_a_request_is_executed_is_no_part_of_its_runs():
    request = compose(["launcher=joblib", "launcher.processes=3", "+launcher.parallel.backend=threading"])
    assert (request.launcher.name, request.launcher.processes) == ("joblib", 3)
    assert request.launcher.parallel == {"backend": "threading"}
    (run,) = request.runs
    assert not {"launcher", "grid", "cases", "hydra"} & set(run.config)
    assert run.folder == compose([]).runs[0].folder
    assert run.words == ()


@pytest.mark.parametrize("value", ["norm=none", "norm=none,lr=0.1", "sgd,lr=0.1"])
@pytest.mark.parametrize("quotes", ["", "'", '"'])
def test_a_baseline_is_one_value_with_and_without_quotes(value, quotes):
    request = compose([f"baseline={quotes}{value}{quotes}", "seed=0,1"])
    assert [run.settings.baseline for run in request.runs] == [value] * 2


def test_no_baseline_is_null():
    assert compose(["baseline=null"]).runs[0].settings.baseline is None


def test_a_path_from_the_home_folder_needs_no_quotes():
    assert compose(["data.root=~/data"]).runs[0].settings.data.root == "~/data"
    assert compose(["output_root=~/out"]).runs[0].folder.is_relative_to(Path("~/out").expanduser())


def test_one_run_is_asked_for_by_words_that_come_to_one():
    assert compose_one(["seed=3"]).seed == 3
    with pytest.raises(RequestError, match="that is 2 runs"):
        compose_one(["seed=1,2"])


def test_a_grid_that_is_too_large_is_refused_before_it_is_made(monkeypatch):
    monkeypatch.setattr(sweep, "MAX_RUNS", 100)
    assert len(compose(["seed=range(100)"]).runs) == 100
    for words in (["seed=range(101)"], ["seed=range(0,100000000000)"], ["seed=range(50)", "epochs=1,2,3"]):
        with pytest.raises(RequestError, match="more than 100 runs"):
            compose(words)


def test_a_run_is_named_by_what_tells_it_from_the_others():
    grid = [["epochs=3", "optimizer.lr=0.1", "seed=0"], ["epochs=3", "optimizer.lr=0.2", "seed=0"]]
    assert labels(grid) == ["lr=0.1", "lr=0.2"]
    assert labels(grid[:1]) == [""]


def test_a_key_keeps_its_group_where_its_last_word_is_not_enough():
    grid = [["optimizer.lr=1", "model.lr=2", "seed=0"], ["optimizer.lr=3", "model.lr=4", "seed=1"]]
    assert labels(grid) == ["optimizer.lr=1 model.lr=2 seed=0", "optimizer.lr=3 model.lr=4 seed=1"]


@pytest.mark.parametrize("as_flag", [True, False])
def test_a_users_conf_and_one_more_folder_are_searched(as_flag, tmp_path):
    for folder in ("conf/model", "more/optimizer"):
        Path(folder).mkdir(parents=True)
    Path("conf/model/mine.yaml").write_text("defaults: [mlp, _self_]\nwidth: 5\n")
    Path("more/optimizer/mine.yaml").write_text("name: adam\nlr: 0.5\n")
    more = [] if as_flag else [f"hydra.searchpath=[file://{tmp_path}/more]"]
    with initialised(more, config_dir=Path("more") if as_flag else None) as composer:
        config = composer.compose(["model=mine", "optimizer=mine", "seed=2"]).config
        assert (config.model.width, config.optimizer.lr, config.seed) == (5, 0.5, 2)


def test_a_users_primary_file_may_name_folders_to_search(tmp_path):
    Path("conf").mkdir()
    Path("more/optimizer").mkdir(parents=True)
    packaged = (config_folder() / "train.yaml").read_text()
    Path("conf/train.yaml").write_text(f"{packaged}\nhydra:\n  searchpath: [conf://{tmp_path}/more]\n")
    Path("more/optimizer/mine.yaml").write_text("name: adam\nlr: 0.5\n")
    with initialised([]) as composer:
        assert composer.compose(["optimizer=mine"]).config.optimizer.lr == 0.5


def test_hydras_state_is_as_it_was():
    from hydra.core.global_hydra import GlobalHydra

    with initialised(["seed=1"]):
        assert GlobalHydra.instance().is_initialized()
    assert not GlobalHydra.instance().is_initialized()
    with pytest.raises(RequestError), initialised(["seed"]):
        pass
    assert not GlobalHydra.instance().is_initialized()


@pytest.mark.parametrize(
    ("word", "seeds"),
    [
        ("sort(range(4,-1,-2))", [0, 2, 4]),
        ("sort(range(5,0,-2))", [1, 3, 5]),
        ("sort(range(0,5,2))", [0, 2, 4]),
        ("sort(range(0,5,2),reverse=true)", [4, 2, 0]),
        ("sort(range(4,-1,-2),reverse=true)", [4, 2, 0]),
        ("sort(3,1,2)", [1, 2, 3]),
        ("sort(range(3,0,-1))", [1, 2, 3]),
    ],
)
def test_a_sorted_range_has_the_values_of_the_range(word, seeds):
    assert points(f"seed={word}", keys=("seed",)) == [(seed,) for seed in seeds]


@pytest.mark.parametrize("name", ["2024", "1e5", "0.5", "true"])
def test_a_study_may_be_called_by_a_number(name):
    (run,) = compose([f"name={name}", f"output_root={name}"]).runs
    assert run.folder.parent == Path(name, name)


def test_studies_may_be_called_by_several_numbers():
    assert [run.settings.name for run in compose(["name=2024,2025"]).runs] == ["2024", "2025"]


@pytest.mark.parametrize("text", ["it's", "a\\", "a\\'b", "\\\\'", "a, b (c) [d] {e}", "=&#;!"])
def test_a_text_is_quoted_so_that_hydra_reads_it_back(text):
    from dlx.compose.words import literal

    with initialised([]) as composer:
        (override,) = composer.parse([f"model.init={literal(text)}"])
        assert override.value() == text


@pytest.mark.parametrize(
    "words",
    [
        ["seed=range(100)", "epochs=1,high"],
        ["epochs=1,high", "seed=range(100)"],
        ["epochs=1,high", "seed=range(10)", "model.width=range(8,18)"],
    ],
)
def test_a_wrong_value_is_found_before_the_whole_grid_is_composed(monkeypatch, words):
    checked = []

    def check(values):
        checked.append(values)
        return check_values(values)

    monkeypatch.setattr(request, "check_values", check)
    with pytest.raises(RequestError, match=r"^epochs='high': must be a whole number"):
        compose(words)
    assert len(checked) == 2


def test_runs_stay_in_the_order_of_the_grid():
    runs = compose(["optimizer.lr=0.1,0.2,0.3", "seed=range(3)"]).runs
    assert [(run.settings.optimizer.lr, run.settings.seed) for run in runs] == [
        (lr, seed) for lr in (0.1, 0.2, 0.3) for seed in range(3)
    ]
