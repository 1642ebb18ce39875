"""Functions of two variables that are known by name, as formulas; all else is read as a formula itself."""

from dlx.errors import RequestError, nearest
from dlx.expression import CONSTANTS, VARIABLES, Expression, parse

KEY = "loss.function"
SURFACES = {
    "valley": "x**2 + y**2 + x*(y + 2) + cos(3*x)",  # a valley with two hollows, lowest at (-1.09, 0.55)
    "bowl": "x**2 + y**2",
    "ravine": "x**2 + 20*y**2",  # what momentum is for
    "saddle": "x**2 - y**2",  # without a lowest point
    "rosenbrock": "(1 - x)**2 + 100*(y - x**2)**2",  # 0 at (1, 1), at the end of a bent and flat valley
    "himmelblau": "(x**2 + y - 11)**2 + (x + y**2 - 7)**2",  # 0 at (3, 2) and at three other points
    "beale": "(1.5 - x + x*y)**2 + (2.25 - x + x*y**2)**2 + (2.625 - x + x*y**3)**2",  # 0 at (3, 0.5)
    "rastrigin": "20 + x**2 + y**2 - 10*cos(2*pi*x) - 10*cos(2*pi*y)",  # 0 at (0, 0) among many hollows
}


def surface(function: str) -> Expression:
    """Return the surface of that name, or the formula that `function` is.

    Raises RequestError if it is neither.
    """
    if function.isidentifier() and function not in (*SURFACES, *VARIABLES, *CONSTANTS):
        raise RequestError(
            f"{KEY}={function!r}: there is no such surface{nearest(function, SURFACES)} "
            f"(allowed: {', '.join(sorted(SURFACES))}, or a formula in x and y)"
        )
    return parse(SURFACES.get(function, function), KEY)
