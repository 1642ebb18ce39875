"""The named surfaces: their values, and where their lowest points are known to lie."""

import numpy as np
import pytest

from dlx.errors import RequestError
from dlx.surfaces import SURFACES, surface

LOWEST = {  # where the gradient vanishes, and the value there
    "bowl": [(0, 0, 0)],
    "ravine": [(0, 0, 0)],
    "saddle": [(0, 0, 0)],
    "rosenbrock": [(1, 1, 0)],
    "himmelblau": [
        (3, 2, 0),
        (-2.805118086952745, 3.131312518250573, 0),
        (-3.779310253377747, -3.283185991286170, 0),
        (3.584428340330492, -1.848126526964404, 0),
    ],
    "beale": [(3, 0.5, 0)],
    "rastrigin": [(0, 0, 0)],
}


@pytest.mark.parametrize("name", LOWEST)
def test_a_named_surface_has_its_known_stationary_points(name):
    height = surface(name)
    for x, y, value in LOWEST[name]:
        around = [
            float(height(np.float64(x + dx), np.float64(y + dy), np))
            for dx, dy in ((0, 0), (1e-4, 0), (-1e-4, 0), (0, 1e-4), (0, -1e-4))
        ]
        assert around[0] == pytest.approx(value, abs=1e-12)
        assert around[1] == pytest.approx(around[2], abs=1e-7)
        assert around[3] == pytest.approx(around[4], abs=1e-7)


def test_the_valley_is_the_courses_and_falls_below_minus_two():
    x, y = np.meshgrid(np.linspace(-3, 3, 601), np.linspace(-3, 3, 601))
    height = surface("valley")(x, y, np)
    np.testing.assert_allclose(height, x**2 + y**2 + x * (y + 2) + np.cos(3 * x), rtol=1e-12)
    place = np.unravel_index(height.argmin(), height.shape)
    assert (x[place], y[place]) == (pytest.approx(-1.09, abs=0.01), pytest.approx(0.55, abs=0.01))
    assert height.min() < -2.2


def test_every_surface_is_reached_by_its_name_and_anything_else_is_a_formula():
    assert set(LOWEST) | {"valley"} == set(SURFACES)
    assert surface("valley").text == SURFACES["valley"]
    assert surface("x*y").text == "x*y"
    assert float(surface("x")(np.float64(3), np.float64(2), np)) == 3


def test_a_name_that_is_no_surface_is_refused_with_the_nearest():
    with pytest.raises(
        RequestError, match=r"loss.function='vally': .*did you mean 'valley'\? \(allowed: beale"
    ):
        surface("vally")
    with pytest.raises(RequestError, match=r"loss.function='pi': there is neither x nor y in it"):
        surface("pi")
