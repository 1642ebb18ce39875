"""Imports and calls the user's own parts: `GROUP=custom GROUP.target=package.module:Name`.

This runs the user's code. Whatever it raises becomes one line that names the file and the line.
"""

import importlib
import inspect
import random
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from dlx.errors import RequestError, nearest
from dlx.own.sources import current_folder_importable, is_installed, own_sources
from dlx.registry import check_arguments

TARGET = r"[^\W\d][\w.]*:[^\W\d]\w*"  # package.module:Name

_imported: dict[str, tuple[Path, str]] = {}  # by module of the user's: its file, and the fingerprint of that


@dataclass(frozen=True)
class Target:
    """A class or function of the user's, which a run of `group` names as its `target`."""

    group: str
    target: str
    builder: Callable[..., Any]

    @property
    def parameters(self) -> dict[str, inspect.Parameter]:
        """The builder's parameters by name; {} if Python cannot tell them."""
        try:
            return dict(inspect.signature(self.builder).parameters)
        except ValueError:  # of a class written in C
            return {}

    @property
    def is_class(self) -> bool:
        """Whether the target is a class, to be built once, rather than a function."""
        return inspect.isclass(self.builder)

    def check(
        self,
        arguments: Mapping[str, Any],
        given: Mapping[str, Any],
        own_keys: tuple[str, ...],
        first: int = 0,
    ) -> dict[str, Any]:
        """Return all arguments: the user's, checked against the signature, and dlx's own, `given`.

        The `first` so many parameters are passed by position. `own_keys` are the group's keys that dlx reads
        itself. Raises RequestError for a key that the builder does not take, and for a wrong value.
        """
        passed = set(list(self.parameters)[:first])
        for key, parameter in self.parameters.items():
            required = parameter.default is parameter.empty and key not in passed | set(given)
            if key in own_keys and required and parameter.kind is not parameter.VAR_KEYWORD:
                self.refuse(
                    f"its parameter '{key}' cannot be given, because {self.group}.{key} is a key of dlx's "
                    "own; rename it, or wrap it in a function"
                )
        return {**given, **check_arguments(self.builder, arguments, passed | set(given), self.group)}

    def call(self, *positional: Any, **arguments: Any) -> Any:
        """Call the builder; raises RequestError for whatever it raises."""
        with current_folder_importable(), self.in_one_line():
            return self.builder(*positional, **arguments)

    @contextmanager
    def in_one_line(self, what: str = "") -> Iterator[None]:
        """Turn what the user's code raises, sys.exit included, into a RequestError."""
        try:
            yield
        except (KeyboardInterrupt, RequestError):
            raise
        except BaseException as error:
            raise RequestError(
                f"{_word(self.group, self.target)}: {what and f'{what}: '}{one_line(error)}"
            ) from error

    def refuse(self, what: str) -> NoReturn:
        """Raise the RequestError that says what is wrong with the target."""
        raise RequestError(f"{_word(self.group, self.target)}: {what}")


def load_target(group: str, target: str) -> Target:
    """Import the class or function `target`. Raises RequestError that says which part of it is wrong."""
    of_group = _word(group, target)
    if not re.fullmatch(TARGET, target):
        raise RequestError(f"{of_group}: write it as package.module:Name, for example {_as_target(target)}")
    module_name, name = target.split(":")
    if module_name.endswith(".py") and Path(module_name).is_file():
        raise RequestError(f"{of_group}: write the module without .py: {_as_target(target)}")
    try:
        with current_folder_importable():
            module = _import_current(module_name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # sys.exit, for one
        raise RequestError(
            f"{of_group}: importing '{module_name}' failed: {one_line(error)}"
            f" (looked in {Path.cwd()} and the installed packages)"
        ) from error
    if not hasattr(module, name):
        hint = nearest(name, [key for key in vars(module) if not key.startswith("_")])
        raise RequestError(f"{of_group}: '{module_name}' ({module.__file__}) has no '{name}'{hint}")
    builder = getattr(module, name)
    if not (inspect.isclass(builder) or inspect.isfunction(builder)):
        raise RequestError(f"{of_group}: is a {type(builder).__name__}, not a class or a function")
    return Target(group, target, builder)


def one_line(error: BaseException) -> str:
    """Return an exception that the user's code raised as one line, with its file and line where known."""
    first = str(error).partition("\n")[0]
    place = own_line(error)
    shows = f"{place}; HYDRA_FULL_ERROR=1 shows more" if place else "HYDRA_FULL_ERROR=1 shows where"
    return f"{type(error).__name__}: {first} ({shows})"


def own_line(error: BaseException) -> str:
    """Return the last line of the user's own code that an exception passed, "mynet.py, line 12", or ""."""
    found = ""
    traceback = error.__traceback__
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if file.endswith(".py") and not is_installed(Path(file)):
            found = f"{_short(file)}, line {traceback.tb_lineno}"
        traceback = traceback.tb_next
    if isinstance(error, SyntaxError) and error.filename and not is_installed(Path(error.filename)):
        found = f"{_short(error.filename)}, line {error.lineno}"
    return found


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed the global generators of torch, NumPy and Python here, then restore their states.

    For the user's own code that draws; dlx's own takes a generator as an argument.
    """
    import numpy as np
    import torch

    of_python, of_numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - what others' code draws from
    try:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            np.random.seed(seed % 2**32)  # noqa: NPY002
            random.seed(seed)
            yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)  # noqa: NPY002


def _word(group: str, target: str) -> str:
    """Return the word that names the target."""
    return f"{group}=[{target}]" if group in ("hooks", "metrics") else f"{group}.target={target}"


def _as_target(written: str) -> str:
    """Return the target that was probably meant: mynet:Net for mynet.Net, mynet.py:Net or nets/mynet.py."""
    path, colon, name = written.partition(":")
    if not colon and not path.endswith(".py"):
        path, _, name = path.rpartition(".")
    module = ".".join(part for part in Path(path.removesuffix(".py")).parts if part not in (".", "/"))
    found = f"{module}:{name or 'Name'}"
    return found if re.fullmatch(TARGET, found) else "mycode:Name"


def _short(file: str) -> str:
    path = Path(file)
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


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
