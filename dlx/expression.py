"""Formulas in x and y as a user writes them, "x**2 + 3*sin(y)": parsed into a tree of known operations.

Nothing is ever run as Python, as SymPy's parser does. What has neither x nor y becomes a number while it is
parsed, in floats: `9**9**9` is then refused at once, where whole numbers would keep it busy for good.
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

LONGEST = 500  # characters
DEEPEST = 100  # operations inside one another; Python stops at 1000 calls, some of which are the caller's
VARIABLES = ("x", "y")
CONSTANTS = {"pi": math.pi, "e": math.e}
FUNCTIONS = ("abs", "cos", "cosh", "exp", "log", "sin", "sinh", "sqrt", "tan", "tanh")  # torch's and NumPy's
UNARY: dict[type[ast.unaryop], str] = {ast.UAdd: "pos", ast.USub: "neg"}
BINARY: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "truediv",
    ast.Pow: "pow",
}
ALLOWED = f"numbers, {', '.join((*VARIABLES, *CONSTANTS))}, + - * / ** and {', '.join(FUNCTIONS)}"


@dataclass(frozen=True)
class Operation:
    """One of UNARY, BINARY or FUNCTIONS by name, and its one or two terms, of which one has an x or a y."""

    name: str
    terms: tuple[Term, ...]


@dataclass(frozen=True)
class Expression:
    """A parsed formula: as it was written, and as a tree."""

    text: str
    term: Term

    def __call__(self, x: Array, y: Array, namespace: Any) -> Array:
        """Return the values at x and y, arrays of one shape; `namespace` is the module they are of.

        That is numpy or torch. Where the formula has no real value (a root of -1) it is NaN.
        """
        return _evaluate(self.term, {"x": x, "y": y}, namespace)  # type: ignore[no-any-return]


def parse(text: str, where: str) -> Expression:
    """Parse a formula in x and y; `^` is a power, as `**` is.

    Raises RequestError that opens with `where`, the key it was given for, if it is more than ALLOWED.
    """
    try:
        return Expression(text, _read(text))
    except _NotAFormulaError as error:
        shown = text if len(text) <= 60 else f"{text[:57]}..."
        raise RequestError(f"{where}={shown!r}: {error}") from None


class _NotAFormulaError(Exception):
    """What is wrong with it, without saying with what."""


def _read(text: str) -> Term:
    if len(text) > LONGEST:
        raise _NotAFormulaError(f"it has {len(text)} characters; at most {LONGEST} are allowed")
    source = text.replace("^", "**").strip()
    term = _term(_tree(source), source, DEEPEST)
    if isinstance(term, float):
        raise _NotAFormulaError("there is neither x nor y in it")
    return term


def _tree(source: str) -> ast.expr:
    try:
        return ast.parse(source, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        said = error.msg if isinstance(error, SyntaxError) else "it is nested too deeply"
        raise _NotAFormulaError(f"it cannot be read: {said}; write products with *, as in 2*x") from error


def _term(node: ast.expr, source: str, depth: int) -> Term:
    """Turn a node of Python's grammar into a term, at most `depth` operations deep."""
    if depth == 0:
        raise _NotAFormulaError(f"it is nested too deeply; at most {DEEPEST} operations may stand in another")
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
        raise _NotAFormulaError(f"'{name}' is a function, and needs brackets: {name}(x)")
    if name not in (*VARIABLES, *CONSTANTS):
        raise _unknown("symbol", name, (*VARIABLES, *CONSTANTS))
    return CONSTANTS.get(name, name)


def _check_call(name: str, arguments: int) -> None:
    if name in (*VARIABLES, *CONSTANTS):
        raise _NotAFormulaError(f"'{name}' is no function; write products with *, as in {name}*(x + 1)")
    if name not in FUNCTIONS:
        raise _unknown("function", name, FUNCTIONS)
    if arguments != 1:
        raise _NotAFormulaError(f"'{name}' takes one argument, not {arguments}")


def _unknown(what: str, name: str, allowed: tuple[str, ...]) -> _NotAFormulaError:
    near = nearest(name, allowed)
    return _NotAFormulaError(f"there is no {what} '{name}'{near} (allowed: {', '.join(allowed)})")


def _operation(name: str, *terms: Term) -> Term:
    """Return the operation, or its value where its terms are numbers."""
    if any(not isinstance(term, float) for term in terms):
        return Operation(name, terms)
    # math before operator, whose pow gives complex numbers: (-8) ** 0.5. It has all FUNCTIONS but abs.
    return _number(getattr(math, name, None) or getattr(operator, name), *terms)


def _number(function: Callable[..., Any], *numbers: Any) -> float:
    try:
        value = float(function(*numbers))
    except (OverflowError, ValueError, ZeroDivisionError):
        value = math.nan
    if not math.isfinite(value):
        raise _NotAFormulaError("a part of it, without x and y, is no finite real number")
    return value


def _evaluate(term: Term, values: dict[str, Any], namespace: Any) -> Any:
    if isinstance(term, float):
        return term
    if isinstance(term, str):
        return values[term]
    terms = [_evaluate(inner, values, namespace) for inner in term.terms]
    return getattr(namespace if term.name in FUNCTIONS else operator, term.name)(*terms)
