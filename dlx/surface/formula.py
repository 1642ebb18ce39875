"""Named surfaces and formulas in x and y, such as "x**2 + 3*sin(y)", parsed into known operations.

A formula is never run as Python code, as SymPy's parser would. Parts without x and y are computed while
parsing, in floats: `9**9**9` is refused at once, where Python's integers would never finish.
"""

import ast
import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, Union

from dlx.errors import RequestError, nearest

Array = TypeVar("Array")
Term = Union[float, str, "Operation"]  # a number; "x" or "y"; an operation on terms

KEY = "loss.function"
SURFACES = {
    "valley": "x**2 + y**2 + x*(y + 2) + cos(3*x)",  # a valley with two hollows, lowest at (-1.09, 0.55)
    "bowl": "x**2 + y**2",
    "ravine": "x**2 + 20*y**2",  # where momentum helps
    "saddle": "x**2 - y**2",  # has no minimum
    "rosenbrock": "(1 - x)**2 + 100*(y - x**2)**2",  # 0 at (1, 1), at the end of a bent and flat valley
    "himmelblau": "(x**2 + y - 11)**2 + (x + y**2 - 7)**2",  # 0 at (3, 2) and at three other points
    "beale": "(1.5 - x + x*y)**2 + (2.25 - x + x*y**2)**2 + (2.625 - x + x*y**3)**2",  # 0 at (3, 0.5)
    "rastrigin": "20 + x**2 + y**2 - 10*cos(2*pi*x) - 10*cos(2*pi*y)",  # 0 at (0, 0) among many hollows
}
LONGEST = 500  # characters
DEEPEST = 100  # nested operations; Python's limit is 1000 calls, some of which are the caller's
VARIABLES = ("x", "y")
CONSTANTS = {"pi": math.pi, "e": math.e}
SYMBOLS = (*VARIABLES, *CONSTANTS)
FUNCTIONS = ("abs", "cos", "cosh", "exp", "log", "sin", "sinh", "sqrt", "tan", "tanh")  # torch's and NumPy's
UNARY: dict[type[ast.unaryop], str] = {ast.UAdd: "pos", ast.USub: "neg"}
BINARY: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "truediv",
    ast.Pow: "pow",
}
ALLOWED = f"numbers, {', '.join(SYMBOLS)}, + - * / ** and {', '.join(FUNCTIONS)}"


@dataclass(frozen=True)
class Operation:
    """The name of an operation in UNARY, BINARY or FUNCTIONS, and its one or two terms, not all numbers."""

    name: str
    terms: tuple[Term, ...]


@dataclass(frozen=True)
class Formula:
    """A parsed formula: its text and its tree."""

    text: str
    term: Term

    def __call__(self, x: Array, y: Array, namespace: Any) -> Array:
        """Return the values at x and y, arrays of the same shape from `namespace`, numpy or torch.

        Where the formula has no real value, for example the root of -1, the result is NaN.
        """
        return _evaluate(self.term, {"x": x, "y": y}, namespace)  # type: ignore[no-any-return]


def surface_formula(function: str) -> Formula:
    """Return the formula of the surface with that name, or parse `function` itself as a formula.

    Raises RequestError if it is neither.
    """
    if function.isidentifier() and function not in (*SURFACES, *SYMBOLS):
        raise RequestError(
            f"{KEY}={function!r}: there is no such surface{nearest(function, SURFACES)} "
            f"(allowed: {', '.join(sorted(SURFACES))}, or a formula in x and y)"
        )
    return parse(SURFACES.get(function, function), KEY)


def parse(text: str, where: str) -> Formula:
    """Parse a formula in x and y; `^` means the same as `**`.

    Raises RequestError, beginning with the key `where`, if the formula contains anything but ALLOWED.
    """
    try:
        return Formula(text, _read(text))
    except _NotAFormulaError as error:
        shown = text if len(text) <= 60 else f"{text[:57]}..."
        raise RequestError(f"{where}={shown!r}: {error}") from None


class _NotAFormulaError(Exception):
    """What is wrong with a formula, without the formula itself."""


def _read(text: str) -> Term:
    if len(text) > LONGEST:
        raise _NotAFormulaError(f"it has {len(text)} characters; at most {LONGEST} are allowed")
    source = text.replace("^", "**").strip()
    term = _term(_tree(source), source, DEEPEST)
    if isinstance(term, float):
        raise _NotAFormulaError("it contains neither x nor y")
    return term


def _tree(source: str) -> ast.expr:
    try:
        return ast.parse(source, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else "it is nested too deeply"
        raise _NotAFormulaError(f"it cannot be read: {reason}; write products with *, as in 2*x") from error


def _term(node: ast.expr, source: str, depth: int) -> Term:
    """Turn a node of Python's syntax tree into a term, at most `depth` operations deep."""
    if depth == 0:
        raise _NotAFormulaError(f"it is nested too deeply; at most {DEEPEST} levels are allowed")
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return _number(float, value)
        case ast.Name(id=name):
            return _symbol(name)
        case ast.UnaryOp(op=sign, operand=operand) if type(sign) in UNARY:
            return _operation(UNARY[type(sign)], _term(operand, source, depth - 1))
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in BINARY:
            terms = _term(left, source, depth - 1), _term(right, source, depth - 1)
            return _operation(BINARY[type(sign)], *terms)
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            _check_call(name, len(arguments))
            return _operation(name, _term(arguments[0], source, depth - 1))
    segment = ast.get_source_segment(source, node) or source
    raise _NotAFormulaError(f"'{segment[:40]}' is not allowed there (allowed: {ALLOWED})")


def _symbol(name: str) -> Term:
    if name in FUNCTIONS:
        raise _NotAFormulaError(f"'{name}' is a function and needs brackets: {name}(x)")
    if name not in SYMBOLS:
        raise _unknown("symbol", name, SYMBOLS)
    return CONSTANTS.get(name, name)


def _check_call(name: str, arguments: int) -> None:
    if name in SYMBOLS:
        raise _NotAFormulaError(f"'{name}' is not a function; write products with *, as in {name}*(x + 1)")
    if name not in FUNCTIONS:
        raise _unknown("function", name, FUNCTIONS)
    if arguments != 1:
        raise _NotAFormulaError(f"'{name}' takes one argument, not {arguments}")


def _unknown(what: str, name: str, allowed: tuple[str, ...]) -> _NotAFormulaError:
    near = nearest(name, allowed)
    return _NotAFormulaError(f"there is no {what} '{name}'{near} (allowed: {', '.join(allowed)})")


def _operation(name: str, *terms: Term) -> Term:
    """Return the operation, or its value if all terms are numbers."""
    if any(not isinstance(term, float) for term in terms):
        return Operation(name, terms)
    # math before operator, whose pow gives complex numbers for (-8) ** 0.5. math has all FUNCTIONS but abs.
    return _number(getattr(math, name, None) or getattr(operator, name), *terms)


def _number(function: Callable[..., Any], *numbers: Any) -> float:
    try:
        value = float(function(*numbers))
    except (OverflowError, ValueError, ZeroDivisionError):
        value = math.nan
    if not math.isfinite(value):
        raise _NotAFormulaError("a part without x and y is not a finite real number")
    return value


def _evaluate(term: Term, values: dict[str, Any], namespace: Any) -> Any:
    if isinstance(term, float):
        return term
    if isinstance(term, str):
        return values[term]
    terms = [_evaluate(inner, values, namespace) for inner in term.terms]
    return getattr(namespace if term.name in FUNCTIONS else operator, term.name)(*terms)
