"""A user's own preset, conf/sweep/mine.yaml, as people write one: keys with values, lists for a grid.

Hydra by itself wants a first line `# @package _global_`, choices in a defaults list, and values nested, not
dotted. Such files are left as they are.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dlx.completion.settings import groups, keys
from dlx.errors import RequestError
from dlx.run.identity import flatten

GROUP = "sweep"
PACKAGE = "_global_"
OF_PRESET = ("grid", "cases", "defaults", "hydra")


def is_preset(config_path: str) -> bool:
    """Say whether a file of the configuration, such as sweep/mine, is a preset."""
    return config_path.startswith(f"{GROUP}/")


def as_preset(content: Mapping[Any, Any], path: Path) -> dict[str, Any]:
    """Return a preset's content as Hydra composes it: choices in its defaults list, lists in its grid.

    A list is a value by itself where the key's default is a list, or has no type (null), as in
    model.sizes=[64, 32]. Raises RequestError for a grid, or a preset in a preset, that cannot be meant.
    """
    if GROUP in content:
        below_grid = "write values below grid, as in grid: {seed: [0, 1]}"
        raise RequestError(f"{path}: a preset cannot hold {GROUP}; {below_grid}")
    also = content.get("grid")
    if not isinstance(also, dict | None):
        raise RequestError(f"{path}: grid: {also!r} has no keys; write KEY: VALUES, as in seed: [0, 1]")
    known = groups()
    given = {str(key): value for key, value in content.items() if key not in OF_PRESET}
    choices = {key: value for key, value in given.items() if key in known and _is_name(value)}
    listed: list[Any] = [*({f"override /{key}": value} for key, value in choices.items())]
    listed += _overriding(content.get("defaults"), known)
    chosen = [f"{key.removeprefix('override /')}={value}" for each in listed for key, value in _pairs(each)]
    defaults = keys(chosen)
    grid: dict[str, Any] = {}
    plain: dict[str, Any] = {str(key): content[key] for key in content if key in OF_PRESET}
    for key, value in given.items():
        if key in choices:
            continue
        if key in known and isinstance(value, str):  # several choices: "mlp,mlp_bn"
            grid[key] = _without_spaces(value)
        else:
            for dotted, each in (flatten({key: value}) if isinstance(value, dict) else {key: value}).items():
                _put(dotted, each, defaults, grid, plain)
    if listed:
        plain["defaults"] = listed if "_self_" in listed else [*listed, "_self_"]
    if grid:
        plain["grid"] = grid | (also or {})
    return plain


def _put(
    key: str, value: Any, defaults: Mapping[str, Any], grid: dict[str, Any], plain: dict[str, Any]
) -> None:
    """Put a list of values into the grid, and a single value where its dotted key says."""
    holds_list = isinstance(defaults.get(key, 0), list | None)
    several = isinstance(value, list) and (not holds_list or any(isinstance(each, list) for each in value))
    typed = (
        isinstance(value, str) and isinstance(defaults.get(key), int | float) and re.search(r"[,(]", value)
    )
    if several or typed:
        grid[key] = _without_spaces(value) if typed else value
        return
    *parents, last = key.split(".")
    node = plain
    for parent in parents:
        node = node.setdefault(parent, {})
    node[last] = value


def _without_spaces(values: str) -> str:
    return re.sub(r",\s+", ",", values)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[\w.-]+", value) is not None


def _overriding(listed: Any, known: Sequence[str]) -> list[Any]:
    """Return a defaults list whose choices replace those of the run; {"model": "mlp"} alone would add one."""
    entries: list[Any] = listed if isinstance(listed, list) else []
    return [
        {
            f"override /{key.lstrip('/')}" if key.lstrip("/") in known else key: value
            for key, value in _pairs(each)
        }
        or each
        for each in entries
    ]


def _pairs(entry: Any) -> list[tuple[str, Any]]:
    return [(str(key), value) for key, value in entry.items()] if isinstance(entry, dict) else []
