"""Says in one line what Hydra, OmegaConf or the YAML parser found wrong with a request."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.errors import MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from yaml import MarkedYAMLError

from dlx.compose.words import OF_REQUEST
from dlx.config import OWN_GROUPS
from dlx.errors import RequestError, nearest, unknown

if TYPE_CHECKING:
    from dlx.compose.composer import Composer


def explain(error: Exception, composer: "Composer | None" = None) -> str:
    """Say in one line what is wrong with a request: what was given, what is allowed, the nearest name."""
    if isinstance(error, RequestError):
        return str(error)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options:
        group, _, option = error.missing_cfg_file.rpartition("/")
        return str(unknown(group, option, error.options))
    if isinstance(error, OverrideParseException):
        return _not_readable(str(error.override))
    if isinstance(error, OSError) and error.strerror and error.filename:  # a name that is too long
        return f"{Path(error.filename).stem}: {error.strerror[:1].lower()}{error.strerror[1:]}"
    if isinstance(error, RecursionError):
        return "the configuration includes itself; look through the defaults lists of your conf/"
    if isinstance(error, MarkedYAMLError):
        return _bad_yaml(error)
    text = f"{error}\n{error.__cause__ or ''}"
    key = re.search(r"full_key: (\S+)", text) or re.search(r"Could not override '([^']+)'", text)
    if key and "not in" in text and composer is not None:
        return _no_such_key(key[1], composer)
    said = _without_details(str(error))
    if key and not said.startswith(key[1]):
        said = f"{key[1]}: {said}"
    return said or f"the request cannot be composed ({type(error).__name__}; HYDRA_FULL_ERROR=1 shows where)"


def own_part(group: str, given: str) -> str:
    """Return how to name the file, folder or class of one's own that was given as a choice, or ""."""
    path = Path(given)
    try:
        there = group == "data" and path.exists()
    except (OSError, ValueError):  # a name too long
        return ""
    if there:
        kind = "image_folder" if path.is_dir() else "npz" if path.suffix in (".npz", ".npy") else "table"
        return f"; to read {given}: data={kind} data.path={given}"
    if group in OWN_GROUPS and (found := re.fullmatch(r"([\w.]+?)(?:\.py)?:(\w+)", given)):
        return f"; for your own: {group}.target={found[1]}:{found[2]}"
    return ""


def _not_readable(word: str) -> str:
    if word.endswith(","):
        return f"'{word}' ends with a comma; write several values without spaces: seed=0,1,2"
    if "=" not in word:
        return f"'{word}' is not of the form KEY=VALUE; write = between the two, without spaces"
    return (
        f"'{word}' is not of the form KEY=VALUE; a value with brackets, quotes or spaces needs two pairs of "
        "quotes, as in 'KEY=\"a (b)\"'"
    )


def _bad_yaml(error: MarkedYAMLError) -> str:
    """Return the file, line and column of a mistake, and what it is."""
    mark = error.problem_mark or error.context_mark
    where = f"{mark.name}, line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
    return f"{where}{error.problem or error.context or 'not YAML'}"


def _without_details(text: str) -> str:
    """Cut what Hydra and OmegaConf append to a message: key and type of the node, the search path."""
    lines = [line.strip() for line in text.splitlines()]
    kept: list[str] = []
    for line in lines:
        if line.startswith(("Config search path", "Search path", "Available options")):
            break
        if line and not line.startswith(("full_key:", "object_type=", "reference_type=")):
            kept.append(line)
    return re.sub(r"\w+ raised while (composing config|resolving interpolation): ?", "", " ".join(kept))


def _no_such_key(key: str, composer: "Composer") -> str:
    """Say that the configuration has no such key: the nearest one, and those that are allowed there."""
    if key.partition(".")[0] in OF_REQUEST[1:]:
        return f"{key}: is for a preset's file; on the command line, give a key several values: seed=0,1,2"
    of_runs = [override.input_line or "" for override in composer.given if not override.is_sweep_override()]
    words = [*of_runs, *composer.of_request]
    choices = [word for word in words if composer.is_group(word.partition("=")[0])]
    try:
        composed = composer.compose(choices)
    except RequestError:  # the mistake is among the choices: the defaults' keys must do
        composed = composer.compose([])
    keys = set(_dotted(OmegaConf.to_container(composed.config, resolve=False), ""))
    parent = ""
    for part in key.split("."):
        siblings = {name[len(parent) :].split(".")[0] for name in keys if name.startswith(parent)}
        if part not in siblings:
            break
        parent = f"{parent}{part}."
    else:
        return f"{key}: not every choice of the grid has this key"
    if not siblings and isinstance(OmegaConf.select(composed.config, parent.rstrip(".")), DictConfig):
        return f"{parent.rstrip('.')}: has no key '{part}' yet; to add it, write a plus: +{key}=VALUE"
    if not siblings:
        return f"{parent.rstrip('.')}: holds a value, it has no key '{part}'"
    elsewhere = [name for name in sorted(keys) if name.endswith(f".{part}")]
    near = f"; did you mean '{elsewhere[0]}'?" if elsewhere and not parent else nearest(part, siblings)
    group = parent.partition(".")[0]
    choice = f" with {group}={composed.choices[group]}" if group in composed.choices else ""
    return f"{parent}{part}: there is no such key{near} (allowed{choice}: {', '.join(sorted(siblings))})"


def _dotted(value: Any, prefix: str) -> Iterator[str]:
    for key, item in value.items():
        yield f"{prefix}{key}"
        if isinstance(item, dict):
            yield from _dotted(item, f"{prefix}{key}.")
