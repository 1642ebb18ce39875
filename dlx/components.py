"""Checks the names and keys of a run's components from their source, before torch is imported to build them.

A group's classes register in modules that import torch, which takes longer than everything else that a wrong
word has to pass. So their signatures are read from the syntax tree; only annotations are evaluated. Whatever
cannot be read that way is left to the building of the run, which checks it all again.
"""

import ast
import functools
import importlib
import pkgutil
import re
from collections.abc import Mapping
from importlib.abc import InspectLoader
from importlib.util import find_spec
from inspect import Parameter
from typing import TYPE_CHECKING, Any

from dlx.data.source import below, data_root
from dlx.errors import unknown
from dlx.metrics.catalogue import check_names
from dlx.registry import Signature, check_arguments
from dlx.surface.formula import surface_formula

if TYPE_CHECKING:
    from dlx.config import Settings

# By group: where its registry is, and the parameters that dlx passes itself.
GROUPS = {
    "data": ("dlx.data.source", "sources", {"root"}),
    "loss": ("dlx.loss.losses", "losses", set[str]()),
    "model": ("dlx.model.models", "models", {"input_shape", "outputs", "tell"}),
    "optimizer": ("dlx.optimizer.optimizers", "optimizers", {"parameters"}),
    "schedule": ("dlx.optimizer.schedule", "schedules", {"total", "steps_per_epoch"}),
    "augment": ("dlx.augment.transforms", "transforms", set[str]()),
    "metrics": ("dlx.metrics.metrics", "metrics", {"outputs", "labels"}),
}


def check_components(settings: "Settings") -> None:
    """Raise the RequestError that building the run would raise for a wrong name, key or value, without torch.

    Wrong are values of another type or range than their annotation allows, initial weights and formulas that
    do not exist, and files that are not there. Other mistakes show when the run is built.
    """
    for group in ("data", "loss", "model", "optimizer", "schedule"):
        component = getattr(settings, group)
        _check(group, f"{group}.name", component.name, component.arguments)
    if isinstance(path := settings.data.arguments.get("path"), str):
        below(data_root(settings.data.root, own=True), path)
    if settings.loss.name == "surface":
        surface_formula(settings.loss.arguments["function"])
    if (init := settings.model.init) != "default" and not init.startswith("normal"):
        schemes = _module("dlx.model.models").keys_of("SCHEMES")
        if init not in schemes:
            raise unknown("model.init", init, ["default", "normal:STD", *schemes])
    check_names(settings.metrics, registered("metrics"))
    own = "target" in settings.augment
    for name, strength in settings.augment.items():
        if own and name not in registered("augment"):  # an argument of the user's own transform
            continue
        _check("augment", "augment", name, {name: strength} if strength else None)


def _check(group: str, key: str, name: str, arguments: Mapping[str, Any] | None) -> None:
    """Check a name and, unless it is turned off, its arguments."""
    if name not in registered(group):
        if _all_read(group):
            raise unknown(key, name, registered(group))
    elif arguments is not None and (signature := read_signature(group, name)) is not None:
        check_arguments(signature, arguments, GROUPS[group][2], group)


@functools.cache
def registered(group: str) -> dict[str, str]:
    """Return the names that are registered in a group, with the modules in which they are."""
    decorator = re.compile(rf'^@{GROUPS[group][1]}\.register\("(\w+)"\)$', re.MULTILINE)
    return {name: module for module in _searched(group) for name in decorator.findall(_source(module))}


def _all_read(group: str) -> bool:
    """Return whether everything that a group's modules register is registered by a decorator with a name."""
    sources = [_source(module) for module in _searched(group)]
    decorators = [re.findall(r'^@\w+\.register\("\w+"\)$', source, re.MULTILINE) for source in sources]
    return sum(map(len, decorators)) == sum(source.count(".register(") for source in sources)


@functools.cache
def read_signature(group: str, name: str) -> Signature | None:
    """Return the signature of what is registered under a name; None if it cannot be read."""
    module = _module(registered(group)[name])
    decorator = f"{GROUPS[group][1]}.register({name!r})"
    for node in module.tree.body:
        decorators = [*map(ast.unparse, getattr(node, "decorator_list", ()))]
        if decorator in decorators:
            others = [each for each in decorators if each != decorator and "dataclass" not in each]
            return None if others else _signature(module, node)
    return None


@functools.cache
def _searched(group: str) -> list[str]:
    """Return the modules that a group's registry names and those inside them, as it imports them."""
    where, variable, _ = GROUPS[group]
    registry = _module(where).definitions[variable]
    assert isinstance(registry, ast.AnnAssign), f"{where}.{variable} has a type"
    assert isinstance(registry.value, ast.Call), f"{where}.{variable} is a Registry"
    _, *names = (ast.literal_eval(argument) for argument in registry.value.args)
    found = []
    for name in names:
        spec = find_spec(name)
        assert spec is not None, f"{name} is a module of dlx"
        inner = pkgutil.iter_modules(spec.submodule_search_locations or [], f"{name}.")
        found += [name, *(module.name for module in inner)]
    return found


def _signature(module: "_Module", node: ast.AST) -> Signature | None:
    match node:
        case ast.FunctionDef():
            return Signature(node.name, _of_function(module, node))
        case ast.ClassDef():
            parameters = _of_class(module, node)
            return None if parameters is None else Signature(node.name, parameters)
    return None


def _of_class(module: "_Module", node: ast.ClassDef) -> dict[str, Parameter] | None:
    if any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list):
        return _of_dataclass(module, node)
    for inner in node.body:
        if isinstance(inner, ast.FunctionDef) and inner.name == "__init__":
            parameters = _of_function(module, inner)
            return dict(list(parameters.items())[1:])  # without self
    return None


def _of_dataclass(module: "_Module", node: ast.ClassDef) -> dict[str, Parameter] | None:
    found: dict[str, Parameter] = {}
    for base in map(ast.unparse, node.bases):
        if base == "ABC":
            continue
        origin, inherited = module.origin(base)
        fields = _of_dataclass(origin, inherited) if isinstance(inherited, ast.ClassDef) else None
        if fields is None:
            return None
        found |= fields
    for each in node.body:
        match each:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=value):
                excluded = value is not None and "init=False" in ast.unparse(value)
                if not (excluded or "ClassVar" in ast.unparse(annotation)):
                    kind = Parameter.POSITIONAL_OR_KEYWORD
                    found[name] = _parameter(module, name, kind, annotation, has_default=value is not None)
    return found


def _of_function(module: "_Module", node: ast.FunctionDef) -> dict[str, Parameter]:
    given = node.args
    positional = [*given.posonlyargs, *given.args]
    defaults = [None] * (len(positional) - len(given.defaults)) + given.defaults
    rows: list[tuple[ast.arg | None, Any, ast.expr | None]] = [
        *(
            (each, Parameter.POSITIONAL_OR_KEYWORD, default)
            for each, default in zip(positional, defaults, strict=True)
        ),
        (given.vararg, Parameter.VAR_POSITIONAL, None),
        *(
            (each, Parameter.KEYWORD_ONLY, default)
            for each, default in zip(given.kwonlyargs, given.kw_defaults, strict=True)
        ),
        (given.kwarg, Parameter.VAR_KEYWORD, None),
    ]
    return {
        each.arg: _parameter(module, each.arg, kind, each.annotation, has_default=default is not None)
        for each, kind, default in rows
        if each is not None
    }


def _parameter(
    module: "_Module", name: str, kind: Any, annotation: ast.expr | None, *, has_default: bool
) -> Parameter:
    try:
        meant = Parameter.empty if annotation is None else module.evaluate(annotation)
    except (NameError, AttributeError):  # of torch, or a class
        meant = Parameter.empty
    return Parameter(name, kind, annotation=meant, default=None if has_default else Parameter.empty)


class _Module(dict[str, Any]):
    """A module of dlx, read and not imported; as a mapping, what the names that annotations use stand for."""

    def __init__(self, name: str) -> None:
        self.tree = ast.parse(_source(name))
        self.definitions: dict[str, ast.stmt] = {}
        for node in self.tree.body:
            match node:
                case ast.ImportFrom() | ast.Import():
                    self.definitions |= {each.asname or each.name: node for each in node.names}
                case ast.Assign(targets=[ast.Name(id=target)]) | ast.AnnAssign(target=ast.Name(id=target)):
                    self.definitions[target] = node
                case ast.ClassDef() | ast.FunctionDef():
                    self.definitions[node.name] = node

    def evaluate(self, expression: ast.expr) -> Any:
        """Return what an annotation means; raises NameError if that needs torch."""
        return eval(compile(ast.Expression(expression), "annotation", "eval"), {}, self)  # noqa: S307 - dlx's own

    def __missing__(self, name: str) -> Any:
        origin, node = self.origin(name)
        match node:
            case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
                self[name] = origin.evaluate(value)
            case ast.ImportFrom(module=str(module)) if not module.startswith(("dlx", "torch")):
                self[name] = getattr(importlib.import_module(module), name)
            case None:
                raise KeyError(name)  # Python looks among the built-in names next
            case _:
                raise NameError(name)
        return self[name]

    def origin(self, name: str) -> "tuple[_Module, ast.stmt | None]":
        """Return the module of dlx that defines a name, and the definition."""
        node = self.definitions.get(name)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dlx."):
            return _module(str(node.module)).origin(name)
        return self, node

    def keys_of(self, name: str) -> list[str]:
        """Return the keys of a dictionary that is written out."""
        node = self.definitions[name]
        assert isinstance(node, ast.AnnAssign), f"{name} has a type"
        assert isinstance(node.value, ast.Dict), f"{name} is written out"
        return [ast.literal_eval(key) for key in node.value.keys if key is not None]


@functools.cache
def _module(name: str) -> _Module:
    return _Module(name)


@functools.cache
def _source(name: str) -> str:
    spec = find_spec(name)
    assert spec is not None, f"{name} is a module of dlx"
    assert isinstance(spec.loader, InspectLoader), f"{name} has a source"
    return spec.loader.get_source(name) or ""
