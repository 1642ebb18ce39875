"""The settings that can be typed: groups, their choices, keys and values, read from YAML files and sources.

Completion has to answer while a key is pressed, so neither Hydra (300 ms) nor pydantic (250 ms) is imported.
"""

import ast
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from dlx.compose.folder import PRIMARY, config_folder

PACKAGE = Path(__file__).resolve().parent.parent
LARGEST_FILE = 1 << 20  # bytes; a larger one is not read while a key is pressed
# By group: the folders below the package in which classes register, and the name of their registry.
REGISTRIES = {
    "data": (("data", "surface"), "sources"),
    "loss": (("loss", "surface"), "losses"),
    "model": (("model", "surface"), "models"),
    "optimizer": (("optimizer",), "optimizers"),
    "schedule": (("optimizer",), "schedules"),
    "augment": (("augment",), "transforms"),
}
# Values of keys whose type is text.
WORDS = {
    "monitor": ("val_accuracy", "val_loss"),
    "device": ("auto", "cpu", "cuda", "mps"),
    "checkpoint.every": ("auto", "none"),
}
SWITCH = ("true", "false")
NOT_TYPED = ("grid", "cases")  # keys of presets


def groups() -> list[str]:
    """Return the groups of settings, the user's own included."""
    found = {path.name for folder in _folders() for path in folder.iterdir() if path.is_dir()}
    return sorted(group for group in found if choices(group))


def choices(group: str) -> dict[str, str]:
    """Return a group's choices, each with the sentence at the top of its file."""
    files = {path.stem: path for folder in reversed(_folders()) for path in folder.glob(f"{group}/*.yaml")}
    return {name: _sentence(_text(path)) for name, path in sorted(files.items())}


def keys(words: Sequence[str]) -> dict[str, Any]:
    """Return the keys of a run, dotted, with their values, after the choices among `words`."""
    chosen = _chosen(words)
    found = _flat(_content(PRIMARY))
    for group, choice in chosen.items():
        content = _with_defaults(f"{group}/{choice}")
        found |= _flat(content if _is_global(f"{group}/{choice}") else {group: content})
    return {key: value for key, value in found.items() if key not in NOT_TYPED and key not in _names(chosen)}


def values(key: str, words: Sequence[str]) -> list[str]:
    """Return the values of a group or of a key that has few of them; [] if any may be given."""
    if known := choices(key):
        return [*known]
    default = keys(words).get(key)
    if isinstance(default, bool):
        return [*SWITCH]
    if key in WORDS:
        return [*WORDS[key]]
    group, _, argument = key.partition(".")
    if not argument:
        return _literal(_settings_classes()["Settings"].get(key))
    if key == "model.init":
        return ["default", *_schemes()]
    own = _settings_classes().get(f"{group.title()}Settings", {})
    if argument in own:
        return _literal(own[argument])
    name = _with_defaults(f"{group}/{_chosen(words).get(group)}").get("name")
    return _literal(_arguments(group, str(name)).get(argument))


def _names(chosen: Mapping[str, str]) -> list[str]:
    """Return the keys in which choices name their class; they are set by choosing."""
    return [f"{group}.name" for group in chosen]


# --- YAML


def _folders() -> list[Path]:
    """Return the user's own conf/, if there is one, and the packaged one."""
    return [folder for folder in (Path.cwd() / "conf", config_folder()) if folder.is_dir()]


def _chosen(words: Sequence[str]) -> dict[str, str]:
    """Return the choice from each group: that of the words, else of the data set's file, else the default."""
    chosen = _defaults(PRIMARY)
    given = {word.lstrip("+").partition("=")[0]: word.partition("=")[2].split(",")[-1] for word in words}
    given = {group: choice for group, choice in given.items() if group in chosen}
    for group, choice in {**chosen, **given}.items():
        chosen |= _defaults(f"{group}/{choice}")
    return {group: choice for group, choice in (chosen | given).items() if choice not in ("", "None")}


def _defaults(name: str) -> dict[str, str]:
    """Return the choices of groups in a file's defaults list."""
    listed = _content(name).get("defaults")
    entries = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    pairs = {str(key): str(value) for each in entries for key, value in each.items()}
    return {key.removeprefix("override ").lstrip("/"): value for key, value in pairs.items()}


def _with_defaults(name: str, depth: int = 8) -> dict[str, Any]:
    """Return a file's content on top of the files of its group that its defaults list names."""
    content = _content(name)
    listed = content.get("defaults")
    merged: dict[str, Any] = {}
    for other in listed if isinstance(listed, list) and depth else ():
        if isinstance(other, str) and other != "_self_":
            merged |= _with_defaults(f"{name.partition('/')[0]}/{other}", depth - 1)
    return merged | {key: value for key, value in content.items() if key != "defaults"}


def _content(name: str) -> dict[str, Any]:
    """Return what a YAML file holds, the user's own before the packaged one; {} if it cannot be read."""
    files = [folder / f"{name}.yaml" for folder in _folders()]
    return next((_parsed(path) for path in files if path.is_file()), {})


@cache
def _parsed(path: Path) -> dict[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        content = yaml.load(_text(path), Loader=loader)  # noqa: S506 - both load plain values
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _is_global(name: str) -> bool:
    return any("@package _global_" in _text(folder / f"{name}.yaml") for folder in _folders())


@cache
def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace") if path.stat().st_size <= LARGEST_FILE else ""
    except OSError:
        return ""


def _sentence(text: str) -> str:
    """Return the first comment that is neither the command that uses the file nor its package."""
    comments = (line.lstrip("# ") for line in text.splitlines()[:6] if line.startswith("# "))
    return next((line for line in comments if not line.startswith(("@package", "dlx "))), "")


def _flat(content: Mapping[Any, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in content.items():
        if key != "defaults":
            nested = isinstance(value, dict) and bool(value)
            flat |= _flat(value, f"{prefix}{key}.") if nested else {f"{prefix}{key}": value}
    return flat


# --- sources


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _modules(group: str) -> list[list[ast.stmt]]:
    """Return the statements of each module in which a group's classes may be."""
    folders = REGISTRIES[group][0] if group in REGISTRIES else ()
    return [_tree(path).body for folder in folders for path in sorted((PACKAGE / folder).glob("*.py"))]


def _settings_classes() -> dict[str, dict[str, ast.expr]]:
    """Return the fields of the classes of config.py and launchers.py, with their annotations."""
    files = (PACKAGE / "config.py", PACKAGE / "launchers.py")
    nodes = [node for file in files for node in _tree(file).body]
    return {node.name: _fields(node) for node in nodes if isinstance(node, ast.ClassDef)}


def _fields(node: ast.ClassDef) -> dict[str, ast.expr]:
    return {
        each.target.id: each.annotation
        for each in node.body
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
    }


def _arguments(group: str, name: str) -> dict[str, ast.expr]:
    """Return the arguments of what a group has registered under a name, with their annotations."""
    modules = _modules(group)
    classes = {node.name: node for body in modules for node in body if isinstance(node, ast.ClassDef)}
    for body in modules:
        for node in body:
            if not isinstance(node, ast.ClassDef | ast.FunctionDef):
                continue
            if f"{REGISTRIES[group][1]}.register('{name}')" in map(ast.unparse, node.decorator_list):
                found = _of_function(node) if isinstance(node, ast.FunctionDef) else _of_class(node, classes)
                aliases = _aliases([*(each for other in modules for each in other), *body])  # its own last
                return {key: _without_alias(annotation, aliases) for key, annotation in found.items()}
    return {}


def _of_class(node: ast.ClassDef, classes: Mapping[str, ast.ClassDef]) -> dict[str, ast.expr]:
    inherited = [
        _of_class(classes[base], classes) for base in map(ast.unparse, node.bases) if base in classes
    ]
    found = {key: value for each in inherited for key, value in each.items()} | _fields(node)
    for inner in node.body:
        if isinstance(inner, ast.FunctionDef) and inner.name == "__init__":
            found |= _of_function(inner)
    return found


def _of_function(node: ast.FunctionDef) -> dict[str, ast.expr]:
    arguments = [*node.args.args, *node.args.kwonlyargs]
    return {each.arg: each.annotation for each in arguments if each.annotation is not None}


def _aliases(body: Sequence[ast.stmt]) -> dict[str, ast.expr]:
    """Return the annotations that statements give a name, as in Norm = Literal["none", "batch"]."""
    found: dict[str, ast.expr] = {}
    for node in body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Subscript() as value):
                found[name] = value
    return found


def _without_alias(annotation: ast.expr, aliases: Mapping[str, ast.expr]) -> ast.expr:
    return aliases.get(annotation.id, annotation) if isinstance(annotation, ast.Name) else annotation


def _literal(annotation: ast.expr | None) -> list[str]:
    """Return the values that an annotation lists: ["max", "avg"] of Literal["max", "avg"]."""
    found = re.fullmatch(r"Literal\[(.*?)\]( \| None)?", ast.unparse(annotation)) if annotation else None
    return [str(value) for value in ast.literal_eval(f"({found[1]},)")] if found else []


def _schemes() -> list[str]:
    """Return the names of the ways in which first weights are drawn."""
    for node in (node for body in _modules("model") for node in body):
        match node:
            case ast.AnnAssign(target=ast.Name(id="SCHEMES"), value=ast.Dict(keys=names)):
                return [ast.literal_eval(name) for name in names if name is not None]
    return []
