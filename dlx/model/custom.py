"""The user's own model: `model=custom model.target=package.module:Name`. This runs the user's code."""

import importlib
import inspect
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from torch import nn
from torch.nn.parameter import is_lazy

from dlx.errors import RequestError, nearest
from dlx.model.models import draw_from_generators, models
from dlx.model.own_code import current_folder_importable, own_sources
from dlx.registry import check_arguments

OWN_KEYS = ("name", "init", "target")  # of the group model
_imported: dict[str, tuple[Path, str]] = {}  # by module of the user's: its file, and the fingerprint of that


@models.register("custom")
def custom(input_shape: tuple[int, ...], outputs: int, *, target: str, **arguments: Any) -> nn.Module:
    """Import `target`, a class or function that returns an nn.Module, and call it with the other keys.

    The keys are checked against its signature first. If it has parameters called `input_shape` ((C, H, W) or
    (F,)) and `outputs` or `num_classes`, they are passed as well. Its dropout draws from the run's generator.
    Raises RequestError for all that the user can put right, including exceptions of their own code.
    """
    with current_folder_importable():
        builder = import_target(target)
        parameters = inspect.signature(builder).parameters
        _check_parameters(target, parameters)
        offered = {"input_shape": input_shape, "outputs": outputs, "num_classes": outputs}
        given = {key: value for key, value in offered.items() if key in parameters and key not in arguments}
        checked = check_arguments(builder, arguments, set(given), "model")
        try:
            model = builder(**given, **checked)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # sys.exit, for one
            raise RequestError(f"model.target={target}: {one_line(error)}") from error
    if not isinstance(model, nn.Module):
        raise RequestError(f"model.target={target}: returned a {type(model).__name__}, not a torch.nn.Module")
    if any(is_lazy(parameter) for parameter in model.parameters()):
        raise RequestError(
            f"model.target={target}: has lazy layers, whose weights do not exist yet; "
            "add a parameter `input_shape` and build layers of known sizes from it"
        )
    draw_from_generators(model)
    return model


def _check_parameters(target: str, parameters: Mapping[str, inspect.Parameter]) -> None:
    """Raise RequestError for a parameter that no key of the configuration can give a value to."""
    for key, parameter in parameters.items():
        if key in OWN_KEYS and parameter.default is parameter.empty:
            raise RequestError(
                f"model.target={target}: its parameter '{key}' cannot be given, because model.{key} is a key "
                "of dlx's own; rename it, or wrap it in a function"
            )


def one_line(error: BaseException) -> str:
    """Return an exception raised by the user's code as one line."""
    first = str(error).partition("\n")[0]
    return f"{type(error).__name__}: {first} (HYDRA_FULL_ERROR=1 shows where)"


def import_target(target: str, key: str = "model.target") -> Callable[..., Any]:
    """Return the class or function `target`, a value of `key`.

    Raises RequestError that says which part of it is wrong.
    """
    if not re.fullmatch(r"[^\W\d][\w.]*:[^\W\d]\w*", target):
        raise RequestError(f"{key}={target}: write it as package.module:Name, for example mynet:Net")
    module_name, name = target.split(":")
    try:
        module = _import_current(module_name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # sys.exit, for one
        raise RequestError(
            f"{key}={target}: importing '{module_name}' failed: {one_line(error)}"
            f" (looked in {Path.cwd()} and the installed packages)"
        ) from error
    if not hasattr(module, name):
        hint = nearest(name, [key for key in vars(module) if not key.startswith("_")])
        raise RequestError(f"{key}={target}: '{module_name}' ({module.__file__}) has no '{name}'{hint}")
    builder = getattr(module, name)
    if not (inspect.isclass(builder) or inspect.isfunction(builder)):
        raise RequestError(f"{key}={target}: is a {type(builder).__name__}, not a class or a function")
    return cast("Callable[..., Any]", builder)


def _import_current(name: str) -> ModuleType:
    """Import a module; the user's own files are run again if they have changed since they were imported.

    Python keeps a module for the life of the process, and its bytecode for as long as a file's size and
    second of change are the same. Either could be an earlier version than the run's fingerprints say.
    """
    now = {source.module: (source.path, source.fingerprint) for source in own_sources(name).values()}
    if any(module in sys.modules and _imported.get(module) != version for module, version in now.items()):
        for module in now:
            sys.modules.pop(module, None)
    before = sys.dont_write_bytecode
    sys.dont_write_bytecode = before or bool(now)
    try:
        imported = importlib.import_module(name)
    finally:
        sys.dont_write_bytecode = before
    _imported.update(now)
    return imported
