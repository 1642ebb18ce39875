"""The grid of a request: which words each of its runs is composed from."""

import itertools
import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from dlx.errors import RequestError
from dlx.run.identity import flatten

MAX_RUNS = 10_000  # composed before the first one trains: 12 minutes, where every run makes other choices
# Nodes that a request has once, and no run: how it is executed, and what a preset adds to its grid.
OF_REQUEST = ("launcher", "grid", "cases")
# Keys that people know from Hydra, and what to write instead.
INSTEAD = {
    "hydra.launcher": "how runs are executed is the group launcher: launcher.processes=2, launcher=joblib",
    "hydra/launcher": "how runs are executed is the group launcher: launcher=local or launcher=joblib",
    "hydra.sweeper": "a preset's values are its keys grid and cases",
    "hydra.run": "results go to output_root=DIR name=STUDY",
    "hydra.sweep": "results go to output_root=DIR name=STUDY",
}


def expand(
    asked: DictConfig, given: Sequence[Override], parse: Callable[[Sequence[str]], list[Override]]
) -> list[list[str]]:
    """Return the words of each run, in order: the preset's values varied first, then the command line's."""
    grid = [_override(key, value) for key, value in _flat(asked.grid, "grid").items()]
    cases = [_flat(case, "cases") for case in asked.cases or [{}]]
    runs: dict[tuple[str, ...], None] = {}
    for case in cases:
        point = [f"{key}={_written(value)}" for key, value in case.items()]
        values = {o.get_key_element(): o for o in [*parse([*grid, *point]), *given]}
        lists = [words_of(override) for override in values.values()]
        if math.prod(map(len, lists)) + len(runs) > MAX_RUNS:
            raise RequestError(f"the grid has more than {MAX_RUNS:,} runs, which is the most for one request")
        runs |= dict.fromkeys(itertools.product(*lists))
    return [list(run) for run in runs]


def _flat(node: Any, name: str) -> dict[str, Any]:
    """Return a preset's values by dotted key, however they are nested."""
    content = OmegaConf.to_container(node) if OmegaConf.is_config(node) else node
    if not isinstance(content, dict):
        raise RequestError(f"{name}: {content!r} has no keys; write KEY: VALUES, as in seed: [0, 1]")
    return flatten({str(key): value for key, value in content.items()})


def check_words(given: Sequence[Override]) -> None:
    """Raise RequestError for a swept key that is given twice, and for what a request cannot have."""
    for override in given:
        key, word = override.key_or_group, override.input_line
        once = key in ("sweep", *OF_REQUEST) or key.partition(".")[0] in OF_REQUEST
        if once and override.is_sweep_override() and len(words_of(override)) > 1:
            more = "; to cross two presets, write sweep=[seeds,width]" if key == "sweep" else ""
            raise RequestError(f"{word}: a request has one {key}{more}")
        if key.startswith("hydra") and key != "hydra.searchpath":
            known = next((INSTEAD[start] for start in INSTEAD if key.startswith(start)), None)
            raise RequestError(
                f"{word}: dlx does not use this setting of Hydra's{f'; {known}' if known else ''}"
            )
    counts = Counter(override.get_key_element() for override in given)
    for override in given:  # of two plain values the last one counts, as in a script that adds to its words
        if counts[override.get_key_element()] > 1 and override.is_sweep_override():
            key = override.get_key_element()
            raise RequestError(f"{override.input_line}: {key} is given twice; give it once, as {key}=A,B")


def words_of(override: Override) -> list[str]:
    """Return the words for each value of an override: one, if it is not swept."""
    key = override.get_key_element()
    if override.is_delete():
        return [override.input_line or ""]
    if not override.is_sweep_override():
        return [f"{key}={override.get_value_element_as_str()}"]
    if not override.is_discrete_sweep():
        raise RequestError(
            f"{override.input_line}: a grid needs single values, such as {key}=1,2 or range(1,3)"
        )
    found = [f"{key}={value}" for value in itertools.islice(override.sweep_string_iterator(), MAX_RUNS + 1)]
    if not found:
        raise RequestError(f"{override.input_line}: there is no such value")
    return found


def _override(key: str, value: Any) -> str:
    """Write a preset's entry as an override: a list is swept, a text is what one would type."""
    return (
        f"{key}={','.join(map(_written, value)) if isinstance(value, list) else _written(value, text=True)}"
    )


def _written(value: Any, *, text: bool = False) -> str:
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, list):
        return f"[{','.join(map(_written, value))}]"
    if isinstance(value, str) and not text and not re.fullmatch(r"[\w.:/+-]+", value):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
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
