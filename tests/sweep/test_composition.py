"""Composing a grid by copies gives what Hydra gives run by run, node by node, and its complaints."""

from contextlib import contextmanager
from pathlib import Path

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.types import HydraContext, RunMode
from omegaconf import Container, OmegaConf

from dlx.compose import config_folder, register
from dlx.sweep.composition import compose_grid

PRESETS = sorted(path.stem for path in (config_folder() / "sweep").glob("*.yaml"))


@contextmanager
def hydra_for(*words, monkeypatch):
    """Hydra as `dlx train WORDS` has it: its loader, the grid's configuration, what it has composed since."""
    register()
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        hydra = GlobalHydra.instance().hydra
        master = hydra.compose_config("train", list(words), RunMode.MULTIRUN, with_log_configuration=False)
        loader, composed = hydra.config_loader, []
        by_hydra = loader.load_sweep_config

        def spy(config, overrides):
            composed.append(overrides)
            return by_hydra(config, overrides)

        monkeypatch.setattr(loader, "load_sweep_config", spy)
        yield loader, master, composed


def described(node, parent=None):
    """All there is to a node: its values, types and flags, in order, and that it hangs where it should."""
    assert node._get_parent() is parent
    facts = {"type": type(node), **vars(node._metadata)}
    if isinstance(node, Container) and not (
        node._is_none() or node._is_missing() or node._is_interpolation()
    ):
        content = node._content
        items = content.items() if isinstance(content, dict) else enumerate(content)
        return [facts, [(key, described(child, node)) for key, child in items]]
    return [facts, node._value()]


def expanded(loader, master):
    """The grid of a preset, as our sweeper hands it to the launcher."""
    launched = []

    class Launcher:
        def launch(self, runs, initial_job_idx):
            launched.extend(runs)
            return []

    context = HydraContext(config_loader=loader, callbacks=None)
    sweeper = Plugins.instance().instantiate_sweeper(config=master, hydra_context=context, task_function=None)
    sweeper.launcher = Launcher()
    sweeper.sweep(list(master.hydra.overrides.task))
    return launched


def assert_equal_to_hydra(loader, master, grid, at_most=6):
    """Compare the runs of a grid, or that many of them from its first on, with Hydra's own."""
    configs = list(compose_grid(loader, master, grid))
    assert len(configs) == len(grid)
    for index in range(0, len(grid), -(-len(grid) // at_most)):
        expected = type(loader).load_sweep_config(loader, master, list(grid[index]))
        assert OmegaConf.to_yaml(configs[index]) == OmegaConf.to_yaml(expected)
        assert described(configs[index]) == described(expected)
        assert OmegaConf.get_cache(configs[index]) == OmegaConf.get_cache(expected)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_composes_as_hydra_does_and_once_for_each_choice(preset, monkeypatch):
    with hydra_for(f"sweep={preset}", "seed=0,1", monkeypatch=monkeypatch) as (loader, master, composed):
        grid = expanded(loader, master)
        assert_equal_to_hydra(loader, master, grid)
        choices = {tuple(word for word in run if word.partition("=")[0] in GROUPS) for run in grid}
        assert len(grid) >= 2
        assert len(composed) == len(choices)


GROUPS = {path.name for path in config_folder().iterdir() if path.is_dir()}


@pytest.mark.parametrize(
    "words",
    [
        ["optimizer.lr=1e-3"],
        ["optimizer.lr=null"],
        ["optimizer.lr=0.1", "optimizer.lr=0.2"],
        ["threads=null", "data.val_size=0.5", "epochs=1_000"],
        ["model.sizes=[32,16]"],
        ["model.sizes=[]"],
        ["optimizer.betas=[0.8]"],
        ["data.split_seed=${seed}"],
        ["data.split_seed=${hydra.job.num}"],
        ["seeds.init=7", "seeds.order=${seeds.init}"],
        ["name='a, b'"],
        ['name="it\'s \\"quoted\\""'],
        ["name=a\\,b"],
        ["name="],
        ["name='null'"],
        ["name=${oc.env:HOME}"],
        ["model.dropout=true"],
        ["model.dropout=text"],
        ["optimizer.lr=str(1)"],
        ["early_stopping={patience: 3, min_delta: 0.0}"],
        ["early_stopping={patience:3}"],
        ["model={width:3}"],
        ["model={width:3}", "model.width=4"],
        ["early_stopping=null"],
        ["seeds={init: 3}", "seeds.init=4"],
        ["+model.hidden=64"],
        ["+model.options={a: [1, {b: null}]}"],
        ["++model.hidden=64", "model.hidden=65"],
        ["++model.a.b.c=1"],
        ["++seeds.init.a=1"],
        ["model=resnet", "optimizer=sgd", "optimizer.momentum=0.9"],
        ["optimizer.weight_decay=0.1", "optimizer=sgd"],
        ["sweep=[seeds,width]", "model.width=16"],
        ["epochs=???"],
    ],
    ids=str,
)
def test_values_are_set_in_copies_as_hydra_sets_them(words, monkeypatch):
    grid = [[*words, f"seed={seed}"] for seed in (0, 1)]
    with hydra_for(monkeypatch=monkeypatch) as (loader, master, composed):
        assert_equal_to_hydra(loader, master, grid)
        choices = [word for word in words if word.partition("=")[0] in GROUPS and "{" not in word]
        assert composed == [choices]


@pytest.mark.parametrize(
    "words",
    [
        ["~seeds.init"],
        ["~model"],
        ["hydra.job.name=mine"],
        ["hydra.job.config.override_dirname.kv_sep=_"],
        ["hydra={verbose: true}"],
        ["hydra.job.env_copy=[HOME]"],
        ["hydra/job_logging=disabled"],
        ["+optimizer@second=sgd"],
    ],
    ids=str,
)
def test_what_is_in_doubt_is_left_to_hydra(words, monkeypatch):
    grid = [[*words, f"seed={seed}"] for seed in (0, 1)]
    with hydra_for(monkeypatch=monkeypatch) as (loader, master, composed):
        assert_equal_to_hydra(loader, master, grid)
        assert composed[-2:] == grid


@pytest.mark.parametrize(
    "words",
    [
        ["model.widht=3"],
        ["width=3"],
        ["optimizer.lr.x=3"],
        ["epochs.x=3"],
        ["+epochs=3"],
        ["~nothing"],
        ["model=mpl"],
        ["optimizer=3"],
        ["sweep=null"],
        ["~optimizer=adam"],
        ["optimizer@second=sgd"],
        ["++optimizer=sgd"],
        ["seed=1,2"],
        ["data/more=1"],
        ["epochs"],
        ["model.sizes={a:1}", "model.sizes.b=2"],
        ["hydra.nothing=1"],
        ["data.name={a:1}", "epochs={b:1}"],
        ["early_stopping=${seeds}", "early_stopping.init=3"],
    ],
    ids=str,
)
def test_what_is_wrong_is_said_by_hydra_when_its_turn_comes(words, monkeypatch):
    grid = [["seed=0"], ["seed=1"], [*words, "batch_size=8"], [*words, "batch_size=9"]]
    with hydra_for(monkeypatch=monkeypatch) as (loader, master, _):
        expected = outcome(lambda: type(loader).load_sweep_config(loader, master, list(grid[2])))
        configs = compose_grid(loader, master, grid)
        assert [next(configs).seed, next(configs).seed] == [0, 1]
        assert outcome(lambda: next(configs)) == expected


def outcome(compose):
    try:
        return OmegaConf.to_yaml(compose())
    except Exception as error:  # noqa: BLE001 - whatever it is
        return type(error), str(error), str(error.__cause__)


def test_a_users_own_conf_and_hydras_own_overrides_are_in_the_copies(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("conf/model", "conf/seed", "more/optimizer"):
        Path(folder).mkdir(parents=True)
    Path("conf/model/mine.yaml").write_text("defaults: [mlp, _self_]\nwidth: 5\n")
    Path("more/optimizer/mine.yaml").write_text("name: adam\nlr: 0.5\n")
    own = ["hydra.job.name=mine", f"hydra.searchpath=[file://{tmp_path}/more]", "hydra.job.env_copy=[HOME]"]
    with hydra_for(*own, monkeypatch=monkeypatch) as (loader, master, composed):
        choices = ["model=mine", "optimizer=mine"]
        grid = [[*choices, f"optimizer.lr={lr}"] for lr in (1, 2)]
        assert_equal_to_hydra(loader, master, grid)
        assert composed == [choices]
        config = next(compose_grid(loader, master, grid))
        assert (config.model.width, config.optimizer.lr) == (5, 1)
        assert (config.hydra.job.name, list(config.hydra.job.env_set)) == ("mine", ["HOME"])
        with pytest.raises((HydraException, ValueError)):  # an empty folder is a group to Hydra
            list(compose_grid(loader, master, [["seed=1"], ["seed=2"]]))


def test_copies_are_apart(monkeypatch):
    with hydra_for(monkeypatch=monkeypatch) as (loader, master, _):
        first, second = compose_grid(loader, master, [["model.sizes=[1]"], ["epochs=2"]])
        first.hydra.job.num, first.model.sizes[0] = 7, 9
        assert OmegaConf.is_missing(second.hydra.job, "num")
        assert second.model.sizes is None
        assert next(compose_grid(loader, master, [["epochs=2"], ["epochs=3"]])).model.sizes is None


def test_choices_that_one_run_makes_alone_are_composed_with_it(monkeypatch):
    with hydra_for(monkeypatch=monkeypatch) as (loader, master, composed):
        grid = [["model=linear", "seed=1"], ["seed=1"], ["seed=2"]]
        assert_equal_to_hydra(loader, master, grid)
        assert composed == [["model=linear", "seed=1"], []]
