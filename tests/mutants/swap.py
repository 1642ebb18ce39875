"""Puts a mutant's code into functions that are imported already, so that nothing is imported again."""

import ast
import gc
from types import CodeType, FunctionType

from tests.mutants.mutate import Mutant

Function = ast.FunctionDef | ast.AsyncFunctionDef
Place = tuple[str, str, int]  # a function's file, qualified name and first line


def functions_of(folder: str) -> dict[Place, list[FunctionType]]:
    """Return all functions in memory whose code lies in a folder."""
    found: dict[Place, list[FunctionType]] = {}
    for each in gc.get_objects():
        if type(each) is FunctionType and each.__code__.co_filename.startswith(folder):
            found.setdefault(_place(each.__code__), []).append(each)
    return found


def swap(mutant: Mutant, source: str, path: str, functions: dict[Place, list[FunctionType]]) -> bool:
    """Give the functions that a mutant changes their new code; False if it changes what an import does."""
    span = _function_around(ast.parse(source), mutant.line, source, mutant.start)
    if span is None:
        return False
    changed = {
        code.co_qualname: code
        for code in _top_codes(compile(mutant.apply(source), path, "exec"))
        if code.co_firstlineno == span
    }
    swapped = False
    for (file, name, line), live in functions.items():
        if file == path and line == span and name in changed:
            for function in live:
                if len(function.__code__.co_freevars) != len(changed[name].co_freevars):
                    return False
                function.__code__ = changed[name]
                swapped = True
    return swapped


def _function_around(tree: ast.AST, line: int, source: str, start: int) -> int | None:
    """Return the first line of the outermost function whose body has the line; None outside of functions."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Function):
            first = node.body[0]
            offset = sum(map(len, source.encode().splitlines(keepends=True)[: first.lineno - 1]))
            if offset + first.col_offset <= start and line <= (node.end_lineno or 0):
                return min([node.lineno, *(each.lineno for each in node.decorator_list)])
        elif isinstance(node, ast.ClassDef) and node.lineno <= line <= (node.end_lineno or 0):
            return _function_around(node, line, source, start)
    return None


def _top_codes(code: CodeType) -> list[CodeType]:
    """Return the codes of a module's functions and of its classes' methods."""
    found = []
    for each in code.co_consts:
        if isinstance(each, CodeType):
            is_class = "__module__" in each.co_names and not each.co_argcount and each.co_flags & 0x02 == 0
            found += _top_codes(each) if is_class else [each]
    return found


def _place(code: CodeType) -> Place:
    return code.co_filename, code.co_qualname, code.co_firstlineno
