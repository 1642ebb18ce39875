"""A model of the user's own: `model=custom model.target=package.module:Name`. This runs the user's code."""

import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import nn
from torch.nn.parameter import is_lazy

from dlx.errors import RequestError, nearest
from dlx.model.registry import models
from dlx.registry import check_arguments


@models.register("custom")
def custom(input_shape: tuple[int, ...], outputs: int, *, target: str, **arguments: Any) -> nn.Module:
    """Import `target`, a class or function that makes an nn.Module, and call it with the other keys.

    They are checked against its signature first. It is given `input_shape` ((C, H, W) or (F,)) and
    `outputs` if it names such parameters. Raises RequestError for whatever the user can put right, which
    every exception of their own code is.
    """
    with current_folder_importable():
        builder = find(target)
        parameters = inspect.signature(builder).parameters
        offered = {"input_shape": input_shape, "outputs": outputs}
        given = {key: value for key, value in offered.items() if key in parameters}
        checked = check_arguments(builder, arguments, set(given), "model")
        try:
            model = builder(**given, **checked)
        except Exception as error:
            raise RequestError(f"model.target={target}: {said(error)}") from error
    if not isinstance(model, nn.Module):
        raise RequestError(f"model.target={target}: returned a {type(model).__name__}, not a torch.nn.Module")
    if any(is_lazy(parameter) for parameter in model.parameters()):
        raise RequestError(
            f"model.target={target}: has lazy layers, whose weights do not exist yet;"
            " give its signature `input_shape` and build layers of known sizes from it"
        )
    return model


def said(error: Exception) -> str:
    """Return an exception of the user's code in one line."""
    first = str(error).partition("\n")[0]
    return f"{type(error).__name__}: {first} (HYDRA_FULL_ERROR=1 shows where)"


@contextmanager
def current_folder_importable() -> Iterator[None]:
    """Put the current folder first on the import path for a while, as `python script.py` would."""
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


def find(target: str) -> Callable[..., Any]:
    """Return what `target` names; raises RequestError saying which part of it is wrong."""
    if not re.fullmatch(r"[^\W\d][\w.]*:[^\W\d]\w*", target):
        raise RequestError(f"model.target={target}: write it as package.module:Name, for example mynet:Net")
    module_name, name = target.split(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise RequestError(
            f"model.target={target}: importing '{module_name}' failed: {said(error)}"
            f" (looked in {Path.cwd()} and the installed packages)"
        ) from error
    if not hasattr(module, name):
        hint = nearest(name, [key for key in vars(module) if not key.startswith("_")])
        raise RequestError(
            f"model.target={target}: '{module_name}' ({module.__file__}) has no '{name}'{hint}"
        )
    builder = getattr(module, name)
    if not (inspect.isclass(builder) or inspect.isfunction(builder)):
        raise RequestError(f"model.target={target}: is a {type(builder).__name__}, not a class or a function")
    found: Callable[..., Any] = builder
    return found
