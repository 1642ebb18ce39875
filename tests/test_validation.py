"""Wrong values are named in one plain line, written as they are typed."""

import math
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dlx.errors import RequestError
from dlx.validation import as_typed, check_finite, describe


class Inner(BaseModel):
    depth: int


class Values(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    count: Annotated[int, Field(ge=1, le=9)] = 1
    share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    flag: bool = True
    name: str = "a"
    norm: Literal["none", "batch"] = "none"
    pair: tuple[float, float] = (0.0, 1.0)
    sizes: Annotated[list[int], Field(min_length=1, max_length=2)] = [1]
    inner: Inner = Inner(depth=1)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"count": 0}, "model.count=0: must be 1 or more"),
        ({"count": 10}, "model.count=10: must be 9 or less"),
        ({"count": 1.5}, "model.count=1.5: must be a whole number"),
        ({"count": None}, "model.count=null: must be a whole number"),
        ({"share": 0.0}, "model.share=0.0: must be more than 0"),
        ({"share": 1.0}, "model.share=1.0: must be less than 1"),
        ({"share": "half"}, "model.share='half': must be a number"),
        ({"flag": 1}, "model.flag=1: must be true or false"),
        ({"name": True}, "model.name=true: must be text"),
        ({"norm": "bacth"}, "model.norm='bacth': must be one of none, batch; did you mean 'batch'?"),
        ({"pair": [1.0]}, "model.pair: must have at least 2 values"),
        ({"pair": [1.0, 2.0, 3.0]}, "model.pair=[1.0,2.0,3.0]: must have at most 2 values"),
        ({"pair": [1.0, "x"]}, "model.pair.1='x': must be a number"),
        ({"sizes": []}, "model.sizes=[]: must not be empty"),
        ({"sizes": {"a": None}}, "model.sizes={a:null}: must be a list, such as [1,2]"),
        ({"inner": 3}, "model.inner=3: has keys of its own; set one of them, as in model.inner.KEY=VALUE"),
        ({"inner": {}}, "model.inner.depth: needs a value"),
        ({"nowhere": 1}, "model.nowhere=1: there is no such key"),
    ],
)
def test_a_wrong_value_is_named_as_it_is_typed(given, said):
    with pytest.raises(ValidationError) as caught:
        Values.model_validate_json(__import__("json").dumps(given))
    assert describe(caught.value, "model") == said


def test_values_are_written_as_they_are_typed():
    assert as_typed([True, None, 1, 0.5, "a b", {"k": [False]}]) == "[true,null,1,0.5,'a b',{k:[false]}]"


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_a_number_that_is_not_finite_is_found_wherever_it_is(value):
    check_finite({"a": {"b": [1.0, None, "inf"]}})
    with pytest.raises(RequestError, match=rf"^a.b={value}: must be a finite number$"):
        check_finite({"a": {"b": [1.0, value]}})
