"""What a user asks to compare, in long and short names; a wrong name is refused in one line."""

import pytest

from dlx.errors import RequestError
from dlx.report.analysis import find_baselines
from dlx.report.design import find_design

RUNS = {
    f"{name}-{lr}-{norm}-{seed}": {
        "optimizer.name": name,
        "optimizer.momentum": {"sgd": 0.9}.get(name),
        "optimizer.lr": lr,
        "model.norm": norm,
        "seed": seed,
        "epochs": 5,
    }
    for name in ("adam", "sgd")
    for lr in (0.1, 1e-4)
    for norm in ("none", None)
    for seed in (0, 1)
}
LAYOUT = find_design(RUNS)


@pytest.mark.parametrize(
    "asked",
    [
        "adam, lr 0.0001, norm none",
        "optimizer.name=adam,optimizer.lr=0.0001,model.norm=none",
        "optimizer=adam, lr=1e-4, norm=none",
    ],
)
def test_a_baseline_is_a_label_or_keys_with_values(asked):
    found = find_baselines(LAYOUT, asked)
    (baseline,) = set(found.values())
    assert LAYOUT.rows[baseline] == {"optimizer.name": "adam", "optimizer.lr": 1e-4, "model.norm": "none"}
    assert set(found) == set(range(8)) - {baseline}


def test_a_missing_value_is_null():
    (baseline,) = set(find_baselines(LAYOUT, "optimizer=sgd,lr=0.1,norm=null").values())
    assert LAYOUT.rows[baseline]["model.norm"] is None


def test_a_baseline_of_several_settings_is_the_one_with_the_same_other_values():
    found = find_baselines(LAYOUT, "norm=none")
    assert len(found) == 4
    for setting, baseline in found.items():
        row, reference = LAYOUT.rows[setting], LAYOUT.rows[baseline]
        assert (row["model.norm"], reference["model.norm"]) == (None, "none")
        assert row | {"model.norm": "none"} == reference


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("lr=0.2", "no setting is 'lr=0.2'"),
        ("adm, lr 0.0001, norm none", "did you mean 'adam, lr 0.0001, norm none'"),
        ("optimiser=adam", "no key 'optimiser' differs between the runs; did you mean 'optimizer'"),
        ("epochs=5", "no key 'epochs' differs"),
        ("\x1b[2J", r"no setting is '\\x1b\[2J'"),
    ],
)
def test_a_baseline_that_matches_no_setting_is_refused(asked, said):
    with pytest.raises(RequestError, match=said) as caught:
        find_baselines(LAYOUT, asked)
    assert "\n" not in str(caught.value)


def test_settings_are_grouped_by_the_keys_that_were_chosen():
    layout = find_design(RUNS, ["optimizer"])
    assert layout.keys == ["optimizer.name"]
    assert layout.labels == ["adam", "sgd"]
    assert list(layout.implied) == ["optimizer.momentum"]
    assert layout.seeds == ["optimizer.lr", "model.norm", "seed"]
    assert set(layout.of_run.values()) == {0, 1}


def test_a_group_stands_for_its_keys_that_differ():
    assert find_design(RUNS, ["model"]).keys == ["model.norm"]
    assert find_design(RUNS, ["optimizer"]).keys == ["optimizer.name"]


def test_by_keeps_the_order_of_its_keys_and_averages_over_the_others():
    layout = find_design(RUNS, ["lr", "optimizer.momentum"])
    assert layout.keys == ["optimizer.lr", "optimizer.momentum"]
    assert layout.seeds == ["optimizer.name", "model.norm", "seed"]
    assert len(layout.rows) == 4


def test_a_key_that_does_not_vary_is_refused():
    with pytest.raises(RequestError, match="--by: no key 'epoch' differs between the runs"):
        find_design(RUNS, ["epoch"])
    with pytest.raises(RequestError, match="--by: nothing but seeds differs"):
        find_design({run: {"seed": place} for place, run in enumerate(RUNS)}, ["seed"])
