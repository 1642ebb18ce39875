"""Formulas: the values of NumPy's and torch's own functions, and one clear line for every error."""

import numpy as np
import pytest
import torch

from dlx.errors import RequestError
from dlx.surface.formula import DEEPEST, FUNCTIONS, LONGEST, SURFACES, parse, surface_formula

X = np.array([0.3, 1.7, -2.2])
Y = np.array([1.1, -0.4, 0.9])

FORMULAS = {
    "x": X,
    "x**2 + y**2 + x*(y + 2) + cos(3*x)": X**2 + Y**2 + X * (Y + 2) + np.cos(3 * X),
    "x^2 + y^2": X**2 + Y**2,
    "-x^2": -(X**2),
    "2^x": 2**X,
    "abs(x)**abs(y)": np.abs(X) ** np.abs(Y),
    "1/(1 + exp(-x))": 1 / (1 + np.exp(-X)),
    "+x - -y": X + Y,
    "pi*x + e*y + 1e-3": np.pi * X + np.e * Y + 1e-3,
    "sin(2)*x + cos(abs(-1)) + 2**3**2 + y": np.sin(2) * X + np.cos(1) + 512 + Y,
    " x \t+ y ": X + Y,
}


@pytest.mark.parametrize("text", FORMULAS)
def test_values_are_numpys_and_torchs(text):
    formula = parse(text, "key")
    np.testing.assert_allclose(formula(X, Y, np), FORMULAS[text], rtol=1e-14)
    got = formula(torch.tensor(X), torch.tensor(Y), torch)
    torch.testing.assert_close(got, torch.tensor(FORMULAS[text]), rtol=1e-14, atol=0)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_is_numpys_of_that_name_with_and_without_variables(name):
    formula = parse(f"{name}(abs(x)) + {name}(0.7)*y", "key")
    expected = getattr(np, name)(np.abs(X)) + getattr(np, name)(0.7) * Y
    np.testing.assert_allclose(formula(X, Y, np), expected, rtol=1e-14)
    np.testing.assert_allclose(formula(torch.tensor(X), torch.tensor(Y), torch), expected, rtol=1e-14)


def test_gradients_pass_through():
    x, y = (torch.tensor(values, requires_grad=True) for values in (X, Y))
    parse("x**2*y + sin(x)", "key")(x, y, torch).sum().backward()
    np.testing.assert_allclose(x.grad, 2 * X * Y + np.cos(X), rtol=1e-14)
    np.testing.assert_allclose(y.grad, X**2, rtol=1e-14)


def test_without_a_real_value_the_result_is_nan():
    root = parse("sqrt(x)", "key")(torch.tensor([-1.0, 4.0]), torch.zeros(2), torch)
    assert root.isnan().tolist() == [True, False]


REFUSED = {
    "x + sen(y)": r"there is no function 'sen'; did you mean 'sin'\? \(allowed: abs, cos, ",
    "x + pie": r"there is no symbol 'pie'; did you mean 'pi'\? \(allowed: x, y, pi, e\)",
    "x*z": r"there is no symbol 'z' \(allowed: x, y, pi, e\)",
    "x(y + 2)": r"'x' is not a function; write products with \*, as in x\*\(x \+ 1\)",
    "sin + x": r"'sin' is a function and needs brackets: sin\(x\)",
    "sin(x, y)": "'sin' takes one argument, not 2",
    "sin()*x": "'sin' takes one argument, not 0",
    "2x": r"it cannot be read: invalid decimal literal; write products with \*",
    "x +": "it cannot be read: invalid syntax",
    "": "it cannot be read",
    "x\0": "it cannot be read",
    "3 + pi": "it contains neither x nor y",
    "x + 9**9**9": "a part without x and y is not a finite real number",
    "x + 1e999": "is not a finite real number",
    f"x + {'9' * 400}": "is not a finite real number",
    "x + (-8)**0.5": "is not a finite real number",
    "x + log(0)": "is not a finite real number",
    "x/0 + 1/0": "is not a finite real number",
    "x % 2": r"'x % 2' is not allowed there \(allowed: numbers, x, y, pi, e, \+ - \* / \*\* and abs",
    "x if y else 1": "'x if y else 1' is not allowed there",
    "x < y": "'x < y' is not allowed there",
    "True*x": "'True' is not allowed there",
    "1j*x": "'1j' is not allowed there",
    "x.real": "'x.real' is not allowed there",
    "[x][0]": r"'\[x\]\[0\]' is not allowed there",
    "sin(x=y)": r"'sin\(x=y\)' is not allowed there",
    "sin(*x)": r"'\*x' is not allowed there",
    "__import__('os').system('true')": r"'__import__\('os'\)\.system\('true'\)' is not allowed there",
    "(lambda: x)()": "is not allowed there",
    "x := 2": "it cannot be read",
    "x + " * (LONGEST // 4) + "x": f"it has {LONGEST // 4 * 4 + 1} characters; at most {LONGEST} are allowed",
    "-" * (DEEPEST + 1) + "x": "it is nested too deeply",
    "(" * 240 + "x" + ")" * 240: "it cannot be read",
    "[" * 90 + "]" * 90: "is not allowed there",
}


@pytest.mark.parametrize("text", REFUSED)
def test_texts_that_are_not_formulas_are_refused_in_one_line_that_begins_with_the_key(text):
    with pytest.raises(RequestError, match=REFUSED[text]) as caught:
        parse(text, "loss.function")
    assert str(caught.value).startswith(("loss.function='", 'loss.function="'))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_the_longest_and_the_deepest_formula_are_read():
    text = "x" + "+x" * (DEEPEST - 1)
    np.testing.assert_allclose(parse(text, "key")(X, Y, np), DEEPEST * X, rtol=1e-13)
    assert parse("x" + " " * (LONGEST - 1), "key")(X, Y, np) is X


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
    height = surface_formula(name)
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
    height = surface_formula("valley")(x, y, np)
    np.testing.assert_allclose(height, x**2 + y**2 + x * (y + 2) + np.cos(3 * x), rtol=1e-12)
    place = np.unravel_index(height.argmin(), height.shape)
    assert (x[place], y[place]) == (pytest.approx(-1.09, abs=0.01), pytest.approx(0.55, abs=0.01))
    assert height.min() < -2.2


def test_every_surface_is_reached_by_its_name_and_anything_else_is_a_formula():
    assert set(LOWEST) | {"valley"} == set(SURFACES)
    assert surface_formula("valley").text == SURFACES["valley"]
    assert surface_formula("x*y").text == "x*y"
    assert float(surface_formula("x")(np.float64(3), np.float64(2), np)) == 3


def test_an_unknown_name_is_refused_with_the_nearest_one():
    with pytest.raises(
        RequestError, match=r"loss.function='vally': .*did you mean 'valley'\? \(allowed: beale"
    ):
        surface_formula("vally")
    with pytest.raises(RequestError, match=r"loss.function='pi': it contains neither x nor y"):
        surface_formula("pi")
