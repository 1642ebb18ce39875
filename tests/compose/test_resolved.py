"""The short way to resolve a configuration gives what OmegaConf gives, and leaves to it what is not plain."""

import copy
from typing import Any

import pytest
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dlx.compose.request import resolved

PLAIN: dict[str, Any] = {"seed": 3, "lr": 0.1, "on": True, "data": {"name": "digits"}, "list": [1, [2]]}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"seeds": {"init": "${seed}"}, "name": "${data.name}", "also": "${lr}", "flag": "${on}"},
        {"inside": [{"of": "${seed}"}, "${lr}"]},
        {"name": "seeds-${data.name}"},
        {"first": "${second}", "second": "${seed}"},
        {"none": None, "follows": "${none}"},
        {"copy": "${data}", "part": "${list}"},
        {"near": {"a": 1, "b": "${.a}"}, "element": "${list[0]}"},
        {"escaped": r"\${seed}", "text": "$seed ${"[:5]},
        {"0": "zero", "number": "${0}"},
    ],
)
def test_values_are_those_of_omegaconf(more: dict[str, Any]) -> None:
    config = OmegaConf.create(PLAIN | more)
    values = resolved(copy.deepcopy(PLAIN | more))
    assert values == OmegaConf.to_container(config, resolve=True)
    assert [type(value) for value in values.values()] == [
        type(value)
        for value in OmegaConf.to_container(config, resolve=True).values()  # type: ignore[union-attr]
    ]


def test_plain_references_are_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OmegaConf, "create", None)
    assert resolved(PLAIN | {"seeds": {"init": "${seed}"}})["seeds"] == {"init": 3}


@pytest.mark.parametrize("wrong", ["${nothing}", "${data.nothing}", "${a}", "${seed", "${nothing:1}"])
def test_what_cannot_be_resolved_is_omegaconfs_error(wrong: str) -> None:
    with pytest.raises(OmegaConfBaseException):
        resolved(PLAIN | {"a": wrong})
