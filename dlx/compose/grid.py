"""The grid of a request: which words each of its runs is composed from."""

import itertools
import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, ListConfig, OmegaConf

from dlx.compose import sweep
from dlx.compose.words import OF_REQUEST, literal
from dlx.errors import RequestError
from dlx.run.identity import flatten


def expand(
    asked: DictConfig, given: Sequence[Override], parse: Callable[[Sequence[str]], list[Override]]
) -> list[list[str]]:
    """Return the words of each run, in order: the preset's values varied first, then the command line's."""
    grid = [_override(key, value) for key, value in _flat(asked.grid, "grid").items()]
    if not isinstance(asked.cases, ListConfig | None):
        raise RequestError(f"cases: {asked.cases!r} is not a list; write [{{KEY: VALUE}}, ...]")
    if len(asked.cases or []) > sweep.MAX_RUNS:
        raise sweep.too_many("cases")
    cases = [_flat(case, "cases") for case in list(asked.cases or []) or [{}]]
    runs: dict[tuple[str, ...], None] = {}
    for case in cases:
        point = [f"{key}={_written(value, text=True)}" for key, value in case.items()]
        values = {o.get_key_element(): o for o in [*parse([*grid, *point]), *given]}
        lists = [sweep.words_of(override) for override in values.values()]
        if math.prod(map(len, lists)) + len(runs) > sweep.MAX_RUNS:
            raise sweep.too_many("the grid")
        runs |= dict.fromkeys(itertools.product(*lists))
    return [list(run) for run in runs]


def _flat(node: Any, name: str) -> dict[str, Any]:
    """Return a preset's values by dotted key, however they are nested."""
    content = OmegaConf.to_container(node) if OmegaConf.is_config(node) else node
    if not isinstance(content, dict):
        raise RequestError(f"{name}: {content!r} has no keys; write KEY: VALUES, as in seed: [0, 1]")
    return flatten({str(key): value for key, value in content.items()})


def _override(key: str, value: Any) -> str:
    """Write a preset's entry as an override: a list is swept, a text is what one would type."""
    if key.partition(".")[0] in ("sweep", "hydra", *OF_REQUEST):
        raise RequestError(f"grid: {key} cannot be varied; a request has one")
    if value == []:
        raise RequestError(f"grid: {key} has no values")
    values = ",".join(map(_written, value)) if isinstance(value, list) else _written(value, text=True)
    return f"{key}={values}"


def _written(value: Any, *, text: bool = False) -> str:
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, list):
        return f"[{','.join(map(_written, value))}]"
    if isinstance(value, str) and not text and not re.fullmatch(r"[\w.:/+-]+", value):
        return literal(value)
    return str(value)


def labels(grid: Sequence[Sequence[str]]) -> list[str]:
    """Return each run's words that are not shared by all, in one line; "" for a run alone.

    Keys are cut to their last part, `lr=0.1` for `optimizer.lr=0.1`, where that leaves them distinct.
    """
    shared = set(grid[0]).intersection(*map(set, grid))
    varying = [[word for word in words if word not in shared] for words in grid]
    keys = {word.partition("=")[0] for words in varying for word in words}
    counts = Counter(key.rpartition(".")[2] for key in keys)
    return [" ".join(_short(word, counts) for word in words) for words in varying]


def _short(word: str, counts: Counter[str]) -> str:
    key, _, value = word.partition("=")
    last = key.rpartition(".")[2]
    return f"{last if counts[last] == 1 else key}={value}"
