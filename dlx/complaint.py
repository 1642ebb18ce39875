"""Hydra's and OmegaConf's exceptions, said as one line: what, where, what is allowed, the nearest name."""

import re
import traceback
from collections.abc import Iterator, Sequence
from typing import Any

import hydra
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dlx.compose import PRIMARY, config_folder
from dlx.errors import RequestError, nearest, unknown

# An exception out of these says that the request or a YAML file is wrong: AssertionError, for one, is
# Hydra's answer to model=null.
PARSERS = ("hydra", "omegaconf", "yaml")


def is_complaint(error: BaseException) -> bool:
    """Return whether an exception is about the request, rather than about dlx or the machine."""
    if isinstance(error, RequestError | HydraException | OmegaConfBaseException):
        return True
    if isinstance(error, OSError):
        return False
    packages = [
        str(frame.f_globals.get("__name__")).split(".")[0]
        for frame, _ in traceback.walk_tb(error.__traceback__)
    ]
    ours = max((index for index, package in enumerate(packages) if package == "dlx"), default=-1)
    return not set(PARSERS).isdisjoint(packages[ours + 1 :])


def complaint(error: Exception, arguments: Sequence[str]) -> str:
    """Return the line for an exception that ended a request made with these command-line arguments."""
    if isinstance(error, RequestError):
        return str(error)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options:
        group, _, option = error.missing_cfg_file.rpartition("/")
        return str(unknown(group, option, error.options))
    if isinstance(error, OverrideParseException):
        reason = str(error).splitlines()[0].removeprefix(f"Error parsing override '{error.override}'")
        return f"'{error.override}' is not of the form KEY=VALUE{': ' + reason if reason else ''}"
    if isinstance(error, RecursionError):
        return "the configuration includes itself; look through the defaults lists of your conf/"
    text = f"{error}\n{error.__cause__ or ''}"
    key = re.search(r"full_key: (\S+)", text) or re.search(r"Could not override '([^']+)'", text)
    if key and "not in" in text:
        return _no_such_key(key[1], arguments)
    said = " ".join(line.strip() for line in str(error).splitlines() if line.strip())
    return said or f"the request cannot be composed ({type(error).__name__}; HYDRA_FULL_ERROR=1 shows where)"


def _no_such_key(key: str, arguments: Sequence[str]) -> str:
    keys = set(_composed_keys(arguments))
    parent = ""
    for part in key.split("."):
        siblings = {name[len(parent) :].split(".")[0] for name in keys if name.startswith(parent)}
        if part not in siblings:
            break
        parent = f"{parent}{part}."
    else:
        return f"{key}: not every choice of the grid has this key"
    if not siblings:
        return f"{parent.rstrip('.')}: holds a value, it has no key '{part}'"
    near, allowed = nearest(part, siblings), ", ".join(sorted(siblings))
    return f"{parent}{part}: there is no such key{near} (allowed: {allowed})"


def _composed_keys(arguments: Sequence[str]) -> Iterator[str]:
    """Yield the dotted keys of the configuration that the request's own choices of groups compose."""
    choices = [argument for argument in arguments if re.fullmatch(r"\w+=\w+", argument)]
    with hydra.initialize_config_dir(str(config_folder()), version_base="1.3"):
        try:
            config = hydra.compose(PRIMARY, choices)
        except HydraException:  # the mistake is among the choices: the defaults' keys must do
            config = hydra.compose(PRIMARY)
    yield from _flatten(OmegaConf.to_container(config, resolve=False), "")


def _flatten(value: Any, prefix: str) -> Iterator[str]:
    for key, item in value.items():
        yield f"{prefix}{key}"
        if isinstance(item, dict):
            yield from _flatten(item, f"{prefix}{key}.")
