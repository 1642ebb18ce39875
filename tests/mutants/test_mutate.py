"""Mutants of small sources: what is changed, what is left alone, and functions that run the change."""

import importlib.util
import sys
from pathlib import Path

import pytest

from tests.mutants.mutate import find_mutants
from tests.mutants.swap import functions_of, swap


@pytest.mark.parametrize(
    ("source", "mutated"),
    [
        ("a = b < c", ["a = (b <= c)", "a = (b >= c)"]),
        ("a = b + c * d", ["a = (b - c * d)", "a = b + (c / d)"]),
        ("a = b and not c", ["a = (b or not c)", "a = b and c"]),
        ("a = f(b, c)", ["a = f(c, b)"]),
        ("a = b[c:]", ["a = b[c + 1:]"]),
        ("a = 0.5, 3", ["a = 1.0, 3", "a = 0.5, 4"]),
        ("a = True, 'on'", ["a = False, 'on'", "a = True, 'onX'"]),
        ("if a:\n  b()", ["if (not a):\n  b()", "if a:\n  pass"]),
        ("while a:\n  break", ["while (not a):\n  break", "while a:\n  continue"]),
        ("a.b = c", ["pass"]),
        ("a += b", ["pass"]),
        ("é = 'é'; a = b - c", ["é = 'éX'; a = b - c", "é = 'é'; a = (b + c)"]),
    ],
)  # fmt: skip
def test_each_place_is_changed_by_itself(source: str, mutated: list[str]) -> None:
    found = [mutant.apply(source) for mutant in find_mutants("file.py", source)]
    assert sorted(found) == sorted(mutated)


@pytest.mark.parametrize(
    "source",
    [
        "'''A docstring.'''",
        "a = 'a sentence of several words'",
        "a = f'{b + 1}'",
        "assert a < b",
        "a: list[1]",
        "A = Sequence[float] | Floats",
        "a = max(b, c)",
    ],
)
def test_what_no_test_should_depend_on_is_left_alone(source: str) -> None:
    assert find_mutants("file.py", source) == []


SOURCE = """
LIMIT = 3

def outer(x):
    def inner(y):
        return y + LIMIT
    return inner(x)

class Thing:
    def method(self, x=1):
        return x * 2
"""


def test_a_function_in_memory_takes_the_code_of_its_mutant(tmp_path: Path) -> None:
    path = tmp_path / "made_for_mutants.py"
    path.write_text(SOURCE)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    functions = functions_of(str(tmp_path))
    mutants = {(each.before, each.after): each for each in find_mutants(path.name, SOURCE)}
    outer, method = module.outer, module.Thing().method
    assert swap(mutants["y + LIMIT", "(y - LIMIT)"], SOURCE, str(path), functions)
    assert (outer(10), method()) == (7, 2)
    assert swap(mutants["x * 2", "(x / 2)"], SOURCE, str(path), functions)
    assert method(10) == 5
    on_import = [mutants["3", "4"], mutants["1", "2"]]  # a constant of the module and a default value
    assert not any(swap(mutant, SOURCE, str(path), functions) for mutant in on_import)
    sys.modules.pop(path.stem, None)
