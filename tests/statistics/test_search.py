"""The smallest count from which on something holds."""

import pytest

from dlx.statistics.search import smallest


@pytest.mark.parametrize("edge", [3, 4, 57, 100])
def test_the_smallest_count_that_holds(edge):
    assert smallest(lambda count: count >= edge, 3, 100) == edge


def test_what_never_holds_has_none_and_what_always_holds_the_least():
    assert smallest(lambda count: False, 3, 100) is None
    assert smallest(lambda count: True, 3, 100) == 3
