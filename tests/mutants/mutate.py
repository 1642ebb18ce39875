"""All single changes of a source text: one node of its syntax tree, replaced or removed.

Left out, because no test should depend on them: annotations, decorators, assertions, docstrings, f-strings
and sentences (strings with a space). The wording of a message is not behaviour.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
DECIDED = (ast.If, ast.IfExp, ast.While)
SPLIT = (ast.Compare, ast.BoolOp, ast.UnaryOp)  # conditions that have mutants of their own
INFIX = (ast.BinOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.UnaryOp)


@dataclass(frozen=True, order=True)
class Mutant:
    """The bytes `start` to `end` of a file, which read `before`, become `after`."""

    file: str
    line: int
    start: int
    end: int
    before: str
    after: str

    def apply(self, source: str) -> str:
        """Return the source text with this change."""
        data = source.encode()
        return (data[: self.start] + self.after.encode() + data[self.end :]).decode()


def find_mutants(file: str, source: str) -> list[Mutant]:
    """Return every mutant of a file's source text that compiles, in the order of the file."""
    starts = [0]
    for line in source.encode().splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = set()
    for node, after in _changes(ast.parse(source)):
        start = starts[node.lineno - 1] + node.col_offset
        end = starts[node.end_lineno - 1] + node.end_col_offset
        before = source.encode()[start:end].decode()
        mutant = Mutant(file, node.lineno, start, end, before, after)
        if before != after and _compiles(mutant.apply(source)):
            found.add(mutant)
    return sorted(found)


def _compiles(source: str) -> bool:
    try:
        compile(source, "mutant", "exec")
    except SyntaxError:
        return False
    return True


def _changes(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """Yield each node below this one that may be replaced, and by what text."""
    for child in _children(node):
        for new in _replacements(child):
            text = ast.unparse(ast.fix_missing_locations(new))
            yield child, f"({text})" if isinstance(new, INFIX) else text
        if isinstance(child, DECIDED) and not isinstance(child.test, SPLIT):
            yield child.test, f"(not {ast.unparse(child.test)})"
        yield from _changes(child)


def _children(node: ast.AST) -> Iterator[ast.AST]:
    skipped: list[ast.AST | None] = []
    if isinstance(node, ast.FunctionDef):
        skipped = [node.returns, *node.decorator_list]
    elif isinstance(node, ast.ClassDef):
        skipped = [*node.decorator_list]
    elif isinstance(node, ast.AnnAssign | ast.arg):
        skipped = [node.annotation]
    for child in ast.iter_child_nodes(node):
        if child in skipped or isinstance(child, ast.JoinedStr | ast.Assert):
            continue
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
            continue  # a docstring
        yield child


def _is_type(node: ast.BinOp) -> bool:
    """Return whether this is a union of types, such as `Sequence[float] | Floats`."""
    return isinstance(node.op, ast.BitOr) and ast.unparse(node)[0].isupper()


def _replacements(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.stmt):
        yield from _other_statements(node)
    elif isinstance(node, ast.Constant):
        yield from _other_constants(node.value)
    elif isinstance(node, ast.Slice):
        yield from _other_slices(node)
    else:
        yield from _other_expressions(node)


def _other_statements(node: ast.stmt) -> Iterator[ast.AST]:
    match node:
        case ast.Return(value=ast.expr()):
            yield ast.Return(ast.Constant(None))
        case ast.Expr() | ast.AugAssign() | ast.Raise() | ast.Delete():
            yield ast.Pass()
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield ast.Pass()
        case ast.Continue():
            yield ast.Break()
        case ast.Break():
            yield ast.Continue()


def _other_expressions(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Compare():
            for index, operator in enumerate(node.ops):
                for other in COMPARISONS[type(operator)]:
                    operators = [*node.ops[:index], other(), *node.ops[index + 1 :]]
                    yield ast.Compare(node.left, operators, node.comparators)
        case ast.BinOp() if type(node.op) in OPERATORS and not _is_type(node):
            yield ast.BinOp(node.left, OPERATORS[type(node.op)](), node.right)
        case ast.BoolOp():
            yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
        case ast.UnaryOp():
            yield node.operand
        case ast.Call(args=[first, second, *rest]) if _order_matters(node.func, first, second):
            yield ast.Call(node.func, [second, first, *rest], node.keywords)


def _other_slices(node: ast.Slice) -> Iterator[ast.AST]:
    one = ast.Constant(1)
    if node.lower is not None:
        yield ast.Slice(ast.BinOp(node.lower, ast.Add(), one), node.upper, node.step)
    if node.upper is not None:
        yield ast.Slice(node.lower, ast.BinOp(node.upper, ast.Sub(), one), node.step)


def _order_matters(function: ast.expr, *arguments: ast.expr) -> bool:
    name = ast.unparse(function).rpartition(".")[2]
    starred = any(isinstance(each, ast.Starred) for each in arguments)
    return not starred and name not in ("max", "maximum", "min", "minimum")


def _other_constants(value: object) -> Iterator[ast.AST]:
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int):
        yield ast.Constant(value + 1)
    elif isinstance(value, float):
        yield ast.Constant(2 * value or 1.0)
    elif isinstance(value, str) and value and " " not in value:
        yield ast.Constant(f"{value}X")
