"""A request: the words of `dlx train` and the YAML files of conf/ become runs, each composed and checked."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dlx.compose.composer import initialised
from dlx.compose.explain import explain
from dlx.compose.fingerprints import fingerprints_of, look_again
from dlx.compose.folder import PRIMARY
from dlx.compose.grid import expand, labels
from dlx.compose.sweep import MAX_RUNS, too_many
from dlx.compose.templates import UNRESOLVED, Composed
from dlx.compose.words import OF_REQUEST
from dlx.config import OWN, Settings, check_values
from dlx.errors import RequestError, nearest
from dlx.launchers import LauncherSettings, check_launcher
from dlx.run.folds import folds_to_run
from dlx.run.identity import CHOSEN, DIGITS, FOLD, REPEAT, Fingerprints, flatten, folder_name
from dlx.run.paths import STUDY, typed_path

_REFERENCE = re.compile(r"\$\{([a-z]\w*(?:\.[a-z]\w*)*)\}")  # to a value by its key from the root


@dataclass(frozen=True)
class ComposedRun:
    """One run of a request, composed and checked, but not built."""

    label: str  # the words in which it differs from the request's other runs: "lr=0.1 seed=2"
    words: tuple[str, ...]  # the overrides that composed it
    choices: Mapping[str, str]  # by group
    config: dict[str, Any]  # resolved
    settings: Settings
    fingerprints: Fingerprints  # of the user's own code and data, as they are now
    folder: Path


@dataclass(frozen=True)
class Request:
    """What the words of one `dlx train` ask for: its runs in order, each once, and who is to execute them."""

    words: tuple[str, ...]
    runs: list[ComposedRun]
    launcher: LauncherSettings


def compose(
    words: Sequence[str],
    config_name: str = PRIMARY,
    config_dir: Path | None = None,
    check: Callable[[ComposedRun], object] = lambda _: None,
) -> Request:
    """Compose and check every run that these overrides ask for.

    A grid is every combination of the values of swept keys. A preset's `cases` are single points instead, and
    the command line overrides both. Points with the same configuration are one run. `check` is called with
    each run as soon as it is composed, those with new words first. Raises RequestError for whatever is wrong
    with the words or with a YAML file, and what `check` does.
    """
    look_again()
    with initialised(words, config_name, config_dir) as composer:
        asked = composer.compose(composer.of_request).config
        try:
            _check_nodes(asked)
            launcher = check_launcher(resolved_node(asked.launcher))
            grid = expand(asked, composer.given, composer.parse)
        except OmegaConfBaseException as error:  # an interpolation
            raise RequestError(explain(error)) from error
        named, checked = labels(grid), dict[int, ComposedRun]()
        for row in _new_words_first(grid):
            checked[row] = _checked(composer.compose(grid[row]), grid[row], named[row])
            check(checked[row])
    runs: dict[tuple[Path, str], ComposedRun] = {}
    for row in range(len(grid)):
        for run in _folds(checked[row]):
            study, name = run.folder.parent, run.folder.name
            runs.setdefault((study, name[-DIGITS:]), run)  # equal runs may have names of their own
        if len(runs) > MAX_RUNS:
            raise too_many("data.folds")
    distinct = list(runs.values())
    _check_folders(distinct)
    _check_baselines(distinct)
    again = (
        labels([run.words for run in distinct]) if len(distinct) != len(grid) else [r.label for r in distinct]
    )
    return Request(
        tuple(words),
        [replace(run, label=label) for run, label in zip(distinct, again, strict=True)],
        launcher,
    )


def _new_words_first(grid: Sequence[Sequence[str]]) -> list[int]:
    """Return the rows of a grid in an order in which a wrong word is found soon.

    First come rows whose swept words are all new, then those with a new one, then the rest.
    """
    seen: set[str] = set()
    order: dict[int, None] = {}
    counts = Counter(word for words in grid for word in {*words})
    swept = {word for word, count in counts.items() if count < len(grid)}
    for enough in (all, any):
        for row, words in enumerate(grid):
            if row not in order and enough(word not in seen for word in words if word in swept):
                order[row] = None
                seen.update(words)
    return [*order, *(row for row in range(len(grid)) if row not in order)]


def _check_nodes(asked: DictConfig) -> None:
    """Raise RequestError if the user's own conf/train.yaml leaves out what a request has once."""
    for node in OF_REQUEST:
        if OmegaConf.is_missing(asked, node) or node not in asked:
            raise RequestError(f"{node}: needs a value, as in the packaged train.yaml")
    if not isinstance(asked.launcher, DictConfig):
        raise RequestError(f"launcher={asked.launcher}: is not a choice; write it in the defaults list")


def compose_one(words: Sequence[str]) -> Settings:
    """Compose and check a single run; raises RequestError as `compose` does, and for a grid."""
    request = compose(words)
    if len(request.runs) > 1:
        raise RequestError(f"{' '.join(words)}: that is {len(request.runs)} runs; this command takes one")
    return request.runs[0].settings


def _checked(composed: Composed, words: Sequence[str], label: str) -> ComposedRun:
    values = {key: value for key, value in composed.values.items() if key not in OF_REQUEST}
    if "sweep" in values:
        raise RequestError("sweep: the first line of a preset's file must be '# @package _global_'")
    try:
        values = _with_study_name(resolved(values), composed.choices, words)
        settings = check_values(values)
    except Exception as error:
        raise with_label(RequestError(_with_file(explain(error), composed, words)), label) from error
    fingerprints = fingerprints_of(settings)
    root = typed_path(settings.output_root, "output_root")
    folder = root / settings.name / folder_name(values, fingerprints, words)
    return ComposedRun(label, tuple(words), composed.choices, values, settings, fingerprints, folder)


def _folds(run: ComposedRun) -> list[ComposedRun]:
    """Return a run for each fold that was asked for; the run itself if there are none."""
    found = []
    for place in folds_to_run(run.config["data"]):
        config = run.config | {"data": run.config["data"] | place}
        settings = run.settings.model_copy(update={"data": run.settings.data.model_copy(update=place)})
        others = [word for word in run.words if word.partition("=")[0] not in (FOLD, REPEAT)]
        words = (*others, *(f"data.{key}={value}" for key, value in place.items()))
        folder = run.folder.parent / folder_name(config, run.fingerprints, words)
        found.append(replace(run, words=words, config=config, settings=settings, folder=folder))
    return found or [run]


def _with_study_name(
    values: dict[str, Any], choices: Mapping[str, str], words: Sequence[str]
) -> dict[str, Any]:
    """Name the study of own data by its choice, or by its function, where nothing else names it.

    The study `custom` of an earlier version goes on under its name.
    """
    data = values["data"] if isinstance(values.get("data"), dict) else {}
    target = data.get("target") if data.get("name") == values.get("name") == OWN else None
    if not isinstance(target, str) or any(re.match(r"\+*name=", word) for word in words):
        return values
    named = choices.get("data", OWN)
    named = target.replace(":", ".") if named == OWN else named
    root = Path(str(values.get("output_root")))
    goes_on = (root / OWN / STUDY).is_dir() and not (root / named).exists()
    return values if goes_on else {**values, "name": named}


def _check_folders(runs: Sequence[ComposedRun]) -> None:
    """Raise RequestError if the folder of a study cannot be made, because a file is in its place."""
    for study, root in {run.folder.parent: run.settings.output_root for run in runs}.items():
        try:
            there = next(folder for folder in (study, *study.parents) if folder.exists())
        except OSError as error:
            raise RequestError(f"output_root={root}: {error.strerror}") from error
        if not there.is_dir():
            raise RequestError(f"output_root={root}: {there} is a file, not a folder")


def _check_baselines(runs: Sequence[ComposedRun]) -> None:
    """Raise RequestError for a baseline that names a key which no run has."""
    baselines = {run.settings.baseline: None for run in runs if run.settings.baseline}
    keys = {key: None for run in runs for key in flatten(run.config)} if baselines else {}
    for baseline in baselines:
        for named in re.findall(r"([\w.]+)=", baseline):
            if named not in CHOSEN and not any(f".{key}".endswith(f".{named}") for key in keys):
                near = nearest(named, {key.rpartition(".")[2]: None for key in keys})
                raise RequestError(f"baseline={baseline}: there is no key '{named}'{near}")


def _with_file(message: str, composed: Composed, words: Sequence[str]) -> str:
    """Name the user's own YAML file that a wrong value comes from, if no word sets it."""
    key = re.split(r"[=:]", message, maxsplit=1)[0]
    group = key.partition(".")[0]
    file = Path("conf", group, f"{composed.choices.get(group)}.yaml")
    if any(word.lstrip("+").partition("=")[0] == key for word in words) or not file.is_file():
        return message
    return f"{message} ({file})"


def with_label(error: RequestError, label: str) -> RequestError:
    """Say which run of a grid is wrong."""
    return RequestError(f"{error} [in '{label}']") if label else error


def resolved(values: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration's plain values with every interpolation resolved; `values` may be changed.

    OmegaConf parses each with a grammar: 3 of the 5 ms that composing one run of a grid took. The usual ones,
    which stand for the value of a key, as ${seed} does, are looked up here.
    """
    return values if _look_up(values, values) else resolved_node(OmegaConf.create(values))


def resolved_node(config: DictConfig) -> dict[str, Any]:
    """Return a node, and what it refers to elsewhere, as plain values."""
    content = OmegaConf.to_container(config, resolve=True)
    assert isinstance(content, dict), "a DictConfig has keys"
    return {str(key): value for key, value in content.items()}


def _look_up(node: Any, root: Any) -> bool:
    """Replace each ${KEY} in `node` by its value in `root`; return False if there is more to resolve."""
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in items:
        if isinstance(value, dict | list):
            if not _look_up(value, root):
                return False
        elif isinstance(value, str) and UNRESOLVED.search(value):
            reference, found = _REFERENCE.fullmatch(value), root
            for part in reference[1].split(".") if reference else ():
                found = found.get(part) if isinstance(found, dict) else None
            if found is None or isinstance(found, dict | list) or UNRESOLVED.search(str(found)):
                return False
            node[key] = found
    return True
