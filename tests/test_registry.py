"""A class's signature is the schema of its YAML: names, types, ranges, defaults."""

import sys
from types import SimpleNamespace
from typing import Annotated, Literal

import pytest
from pydantic import Field

from dlx.errors import RequestError
from dlx.registry import Registry, _schema, _signature, check_arguments


def model(
    input_shape,
    *,
    width: Annotated[int, Field(ge=1)],
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0,
    norm: Literal["none", "batch", "layer"] = "none",
    betas: tuple[float, float] = (0.9, 0.999),
    anything=None,
):
    return None


def check(**arguments):
    return check_arguments(model, arguments, {"input_shape"}, "model")


def test_valid_arguments_get_the_annotated_type():
    assert check(width=3, dropout=0, betas=[0.8, 0.9], anything="x") == {
        "width": 3,
        "dropout": 0.0,
        "betas": (0.8, 0.9),
        "anything": "x",
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"width": 0}, r"^model.width=0: must be 1 or more$"),
        ({"width": "3"}, r"^model.width='3': must be a whole number$"),
        ({"width": True}, r"^model.width=true: must be a whole number$"),
        ({"width": 3, "dropout": 1}, r"^model.dropout=1: must be less than 1$"),
        ({"width": 3, "dropout": float("nan")}, r"^model.dropout=nan: "),
        ({"width": 3, "norm": "bacth"}, r"must be one of none, batch, layer; did you mean 'batch'\?$"),
        ({"width": 3, "betas": [0.8]}, r"^model.betas: must have at least 2 values$"),
        ({"widht": 3}, r"^model.widht: 'model' takes no such setting; did you mean 'width'\?"),
        ({}, r"^model.width: 'model' needs a value for it$"),
        ({"width": 3, "input_shape": [1]}, r"^model.input_shape: dlx passes this to 'model' itself"),
    ],
)
def test_an_invalid_argument_is_refused_in_one_line_with_its_name(arguments, message):
    with pytest.raises(RequestError, match=message) as caught:
        check(**arguments)
    assert "\n" not in str(caught.value)


def test_an_unresolvable_annotation_accepts_anything():
    def typed(*, width: "Nowhere" = 1):  # noqa: F821
        return None

    assert check_arguments(typed, {"width": "x"}, set(), "model") == {"width": "x"}


def test_a_signature_with_keyword_arguments_accepts_any_key():
    def takes_any(*, width: int = 1, **rest):
        return None

    assert check_arguments(takes_any, {"width": 2, "depth": 5}, set(), "model") == {"width": 2, "depth": 5}
    with pytest.raises(RequestError, match=r"model.outputs: dlx passes this to 'takes_any' itself"):
        check_arguments(takes_any, {"outputs": 2}, {"outputs"}, "model")


def test_a_signature_is_read_once_and_two_of_one_name_are_kept_apart():
    def narrow(*, width: Annotated[int, Field(le=10)]):
        return None

    def wide(*, width: Annotated[int, Field(le=1000)]):
        return None

    wide.__name__ = narrow.__name__
    for _ in range(2):
        assert check_arguments(wide, {"width": 100}, set(), "model") == {"width": 100}
        with pytest.raises(RequestError, match=r"must be 10 or less$"):
            check_arguments(narrow, {"width": 100}, set(), "model")
    assert check(width=3, norm="batch") == {"width": 3, "norm": "batch"}
    assert check(norm="batch", width=3) == {"width": 3, "norm": "batch"}
    assert _schema(_signature(model), ("width",)) is _schema(_signature(model), ("width",))


def test_builders_in_a_package_or_module_are_found_without_a_list(tmp_path, monkeypatch):
    line = "import sys\nsys.modules['registry_of_test'].things.register('{0}')(lambda: '{0}')\n"
    (tmp_path / "rooms").mkdir()
    (tmp_path / "rooms" / "__init__.py").touch()
    for name, path in (("inner", "rooms/inner.py"), ("other", "rooms/other.py"), ("single", "single.py")):
        (tmp_path / path).write_text(line.format(name))
    (tmp_path / "unrelated.py").write_text("raise AssertionError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    things = Registry("thing", "rooms", "single")
    monkeypatch.setitem(sys.modules, "registry_of_test", SimpleNamespace(things=things))
    assert sorted(things.builders()) == ["inner", "other", "single"]
    assert things.build("single", {}) == "single"
    with pytest.raises(RequestError, match=r"thing.name: there is no 'iner'; did you mean 'inner'\?"):
        things.build("iner", {})
