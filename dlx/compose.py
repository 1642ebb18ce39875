"""Composes runs: the words of `dlx train` and the YAML files of conf/ become one configuration a run.

The only module that uses Hydra, and it uses Hydra as a library: to compose, to parse overrides, to list choices.
"""

import itertools
import math
import pickle
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import hydra
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.core.plugins import Plugins
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, OmegaConf, open_dict

from dlx.config import LauncherSettings, Settings, check_launcher, check_values, resolved
from dlx.errors import RequestError, nearest, unknown
from dlx.run.identity import flatten, folder_name

PRIMARY = "train"  # conf/train.yaml; not "config", which the user's own project may well have
VERSION_BASE = "1.3"
MAX_RUNS = 10_000  # composed before the first one trains; at 70 ms, where every run makes other choices: 12 minutes
# Nodes that a request has once, and no run: how it is executed, and what a preset adds to its grid.
OF_REQUEST = ("launcher", "grid", "cases")
# Keys that no YAML of dlx's needs, but people know from Hydra, and what to write instead.
INSTEAD = {
    "hydra.launcher": "how runs are executed is the group launcher: launcher=joblib launcher.processes=2",
    "hydra/launcher": "how runs are executed is the group launcher: launcher=local or launcher=joblib",
    "hydra.sweeper": "a preset's values are its keys grid and cases",
    "hydra.run": "results go to output_root=DIR name=STUDY",
    "hydra.sweep": "results go to output_root=DIR name=STUDY",
}
# A key whose value is a formula, without the marks and functions by which Hydra's grammar would read it.
FORMULA = re.compile(
    r"(loss\.function=)(?!(?:choice|range|interval|shuffle|sort|glob|tag|str)\()([^'\"$\\]+)"
)
HOME = re.compile(r"([\w.]*(?:root|path)=)(~[^'\",]*)")  # Hydra's grammar takes the ~ for a deletion


@dataclass(frozen=True)
class ComposedRun:
    """One run of a request, composed and checked, but not built."""

    label: str  # the words in which it differs from the request's other runs: "lr=0.1 seed=2"
    words: tuple[str, ...]  # the overrides that composed it
    choices: Mapping[str, str]  # by group
    config: dict[str, Any]  # resolved
    settings: Settings
    folder: Path


@dataclass(frozen=True)
class Request:
    """What the words of one `dlx train` ask for: its runs in order, each once, and who is to execute them."""

    words: tuple[str, ...]
    runs: list[ComposedRun]
    launcher: LauncherSettings


def compose(words: Sequence[str], config_name: str = PRIMARY, config_dir: str | None = None) -> Request:
    """Compose and check every run that these overrides ask for.

    A grid is every combination of the values of swept keys; a preset's `cases` are single points in its place, and
    the words of the command line override both. Points that come to the same configuration are one run.
    Raises RequestError for whatever is wrong with the words or with a YAML file.
    """
    with initialised(words, config_name, config_dir) as composer:
        asked = composer.compose(composer.of_request).config
        grid = _expand(composer, asked)
        composed = [composer.compose(run) for run in grid]
    launcher = check_launcher(OmegaConf.to_container(asked.launcher, resolve=True))
    runs: dict[Path, ComposedRun] = {}
    for one, run_words, label in zip(composed, grid, labels(grid), strict=True):
        run = _checked(one, run_words, label)
        runs.setdefault(run.folder, run)
    distinct = list(runs.values())
    again = labels([run.words for run in distinct]) if len(distinct) < len(grid) else [r.label for r in distinct]
    return Request(
        tuple(words), [replace(run, label=label) for run, label in zip(distinct, again, strict=True)], launcher
    )


def compose_one(words: Sequence[str]) -> Settings:
    """Compose and check a single run. Raises RequestError as `compose` does, and for several values of a key."""
    request = compose(words)
    if len(request.runs) > 1:
        raise RequestError(f"{' '.join(words)}: that is {len(request.runs)} runs; this command takes one")
    return request.runs[0].settings


def group_choices(group: str) -> list[str]:
    """Return what can be chosen from a group of conf/, the user's own included."""
    with initialised([]) as composer:
        return composer.loader.get_group_options(group)


def config_folder() -> Path:
    """Return the folder of the packaged configuration: the checkout's if there is one, else the wheel's.

    The checkout's first, because an editable install can leave a stale copy in the package.
    """
    package = Path(__file__).resolve().parent
    checkout = package.parent
    if (checkout / "pyproject.toml").is_file() and (checkout / "conf" / f"{PRIMARY}.yaml").is_file():
        return checkout / "conf"
    return package / "conf"


class UserConfigFirst(SearchPathPlugin):
    """Puts ./conf, if there is one, before the packaged configuration, so that it can override and extend it."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Take part in Hydra's initialisation."""
        folder = Path.cwd() / "conf"
        if folder.is_dir() and not folder.samefile(config_folder()):
            search_path.prepend(provider="user", path=f"file://{folder}")


@contextmanager
def initialised(
    words: Sequence[str], config_name: str = PRIMARY, config_dir: str | None = None
) -> Iterator["Composer"]:
    """Give a composer for a request's overrides; whatever Hydra, OmegaConf or YAML raise becomes a RequestError."""
    Plugins.instance().register(UserConfigFirst)
    with hydra.initialize_config_dir(str(config_folder()), version_base=VERSION_BASE, job_name="dlx"):
        composer = Composer(config_name, config_dir)
        try:
            composer.take(words)
            yield composer
        except RequestError:
            raise
        except Exception as error:
            raise RequestError(explain(error, composer)) from error


@dataclass(frozen=True)
class Composed:
    """A configuration, without Hydra's node, and the choice that was made from each group."""

    config: DictConfig
    choices: dict[str, str]


class Composer:
    """Hydra, initialised: parses a request's words and composes configurations.

    Runs that make the same choices from the groups share one composition (60 ms); their values are set in
    copies of it (1 ms). Whatever is not plainly KEY=VALUE is left to Hydra.

    `given`: the request's overrides for its runs; `of_request`: its words for what it has once.
    """

    def __init__(self, config_name: str, config_dir: str | None) -> None:
        self.loader: ConfigLoader = GlobalHydra.instance().config_loader()
        self.given: list[Override] = []
        self.of_request: list[str] = []
        self._config_name = config_name
        self._searched = [f"hydra.searchpath=['file://{Path(config_dir).resolve()}']"] if config_dir else []
        self._parser = OverridesParser.create(config_loader=self.loader)
        self._parsed: dict[str, Override] = {}
        self._groups: dict[str, bool] = {}
        self._templates: dict[tuple[str, ...], tuple[bytes, dict[str, str]] | None] = {}

    def take(self, words: Sequence[str]) -> None:
        """Parse the words of a request, refuse what it cannot have, and tell its own from those of its runs."""
        given = self.parse(words)
        _check_words(given)
        for override in given:
            key, word = override.key_or_group, override.input_line or ""
            if key == "hydra.searchpath":
                self._searched = [word]
            elif key.partition(".")[0] in OF_REQUEST:
                self.of_request += _values(override)
            elif key == "sweep":
                self.of_request += _values(override)
                self.given.append(override)
            else:
                self.given.append(override)

    def parse(self, words: Iterable[str]) -> list[Override]:
        """Parse overrides, each word once; raises Hydra's exceptions."""
        quoted = [_quote(word) for word in words]
        for word in quoted:
            if word not in self._parsed:
                self._parsed[word] = self._parser.parse_overrides([word])[0]
        return [self._parsed[word] for word in quoted]

    def compose(self, words: Sequence[str]) -> Composed:
        """Compose one configuration; raises Hydra's exceptions."""
        overrides = self.parse(words)
        if all(self._is_plain(override) for override in overrides):
            values = [o for o in overrides if not self.is_group(o.key_or_group)]
            choices = tuple(o.input_line or "" for o in overrides if self.is_group(o.key_or_group))
            if (quick := self._set_in_copy(choices, values)) is not None:
                return quick
        config, made = self._compose([override.input_line or "" for override in overrides])
        return Composed(config, made)

    def compose_with_hydra(self, words: Sequence[str]) -> DictConfig:
        """Compose the whole, with Hydra's own node and what belongs to the request."""
        return hydra.compose(self._config_name, [*self._searched, *words], return_hydra_config=True)

    def is_group(self, key: str) -> bool:
        """Say whether choices can be made from `key`."""
        if key not in self._groups:
            self._groups[key] = bool(self.loader.get_group_options(key) or self.loader.list_groups(key))
        return self._groups[key]

    def _compose(self, words: Sequence[str]) -> tuple[DictConfig, dict[str, str]]:
        config = self.compose_with_hydra(words)
        choices = {str(group): str(choice) for group, choice in config.hydra.runtime.choices.items()}
        with open_dict(config):
            params = config.pop("hydra").sweeper.get("params")
            if params and "grid" in config:  # Hydra's own place for a preset's values
                config.grid = {**params, **config.grid}
        return config, choices

    def _is_plain(self, override: Override) -> bool:
        plain = override.type == OverrideType.CHANGE and override.package is None
        key, value = override.key_or_group, override.value()
        if not plain or "[" in key or key.startswith("hydra") or isinstance(value, dict):
            return False
        return not self.is_group(key) or isinstance(value, str | list)

    def _set_in_copy(self, choices: tuple[str, ...], values: Sequence[Override]) -> Composed | None:
        """Set values in a copy of what the choices compose; None if Hydra should do it, or say what is wrong."""
        try:
            if choices not in self._templates:
                config, made = self._compose(choices)
                self._templates[choices] = pickle.dumps(config), made
            template = self._templates[choices]
            if template is None:
                return None
            config = pickle.loads(template[0])  # noqa: S301 - pickled by the lines above; copy.deepcopy takes 5.6 ms
            for override in values:
                OmegaConf.update(config, override.key_or_group, override.value(), merge=True)
        except Exception:  # noqa: BLE001 - Hydra raises it again, in words of its own
            self._templates.setdefault(choices, None)
            return None
        return Composed(config, template[1])


def _checked(composed: Composed, words: Sequence[str], label: str) -> ComposedRun:
    config = composed.config
    with open_dict(config):
        for node in OF_REQUEST:
            config.pop(node, None)
    try:
        values = resolved(config)  # 3 ms
        settings = check_values(values)
    except Exception as error:
        raise with_label(RequestError(explain(error)), label) from error
    folder = Path(settings.output_root).expanduser() / settings.name / folder_name(values)
    return ComposedRun(label, tuple(words), composed.choices, values, settings, folder)


def with_label(error: RequestError, label: str) -> RequestError:
    """Say which run of a grid is wrong."""
    return RequestError(f"{error} [in '{label}']") if label else error


# --- The grid -------------------------------------------------------------------------------------------------


def _expand(composer: Composer, asked: DictConfig) -> list[list[str]]:
    """Return the words of each run, in order: the preset's values varied first, then the command line's."""
    grid = [_override(key, value) for key, value in flatten(OmegaConf.to_container(asked.grid)).items()]
    cases = OmegaConf.to_container(asked.cases) or [{}]
    runs: dict[tuple[str, ...], None] = {}
    for case in cases:
        point = [f"{key}={_written(value)}" for key, value in flatten(case).items()]
        values = {o.get_key_element(): o for o in [*composer.parse([*grid, *point]), *composer.given]}
        lists = [_values(override) for override in values.values()]
        if math.prod(map(len, lists)) + len(runs) > MAX_RUNS:
            raise RequestError(f"the grid has more than {MAX_RUNS:,} runs, which is the most for one request")
        runs |= dict.fromkeys(itertools.product(*lists))
    return [list(run) for run in runs]


def _check_words(given: Sequence[Override]) -> None:
    for override in given:
        key, word = override.key_or_group, override.input_line
        once = key in ("sweep", *OF_REQUEST) or key.partition(".")[0] in OF_REQUEST
        if once and override.is_sweep_override() and len(_values(override)) > 1:
            more = "; to cross two presets, write sweep=[seeds,width]" if key == "sweep" else ""
            raise RequestError(f"{word}: a request has one {key}{more}")
        if key.startswith("hydra") and key != "hydra.searchpath":
            known = next((INSTEAD[start] for start in INSTEAD if key.startswith(start)), None)
            raise RequestError(f"{word}: dlx does not use this setting of Hydra's{f'; {known}' if known else ''}")
    for key, count in Counter(override.get_key_element() for override in given).items():
        if count > 1:
            raise RequestError(f"{key} is given {count} times; give it once, several values as {key}=A,B")


def _values(override: Override) -> list[str]:
    """Return the words for each value of an override: one, if it is not swept."""
    key = override.get_key_element()
    if override.is_delete():
        return [override.input_line or ""]
    if not override.is_sweep_override():
        return [f"{key}={override.get_value_element_as_str()}"]
    if not override.is_discrete_sweep():
        raise RequestError(f"{override.input_line}: a grid needs single values, such as {key}=1,2 or range(1,3)")
    found = [f"{key}={value}" for value in itertools.islice(override.sweep_string_iterator(), MAX_RUNS + 1)]
    if not found:
        raise RequestError(f"{override.input_line}: there is no such value")
    return found


def _override(key: str, value: Any) -> str:
    """Write a preset's entry as an override: a list is swept, a text is what one would type."""
    return f"{key}={','.join(map(_written, value)) if isinstance(value, list) else _written(value, text=True)}"


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


def _quote(word: str) -> str:
    """Put quotation marks where Hydra's grammar would misread: round formulas, and paths that begin with ~."""
    if (home := HOME.fullmatch(word)) is not None:
        return f'{home[1]}"{home[2]}"'
    if (formula := FORMULA.fullmatch(word)) is None:
        return word
    outside = r",(?![^()]*\))"  # a comma in brackets is a mistake that the formula's own parser explains
    parts = [choice.strip() for choice in re.split(outside, formula[2])]
    return formula[1] + ",".join(part if re.fullmatch(r"\w+", part) else f'"{part}"' for part in parts)


# --- What is wrong, in one line ----------------------------------------------------------------------------------


def explain(error: Exception, composer: Composer | None = None) -> str:
    """Say in one line what is wrong with a request: what was given, what is allowed, the nearest name."""
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
    if key and "not in" in text and composer is not None:
        return _no_such_key(key[1], composer)
    said = " ".join(line.strip() for line in str(error).splitlines() if line.strip())
    return said or f"the request cannot be composed ({type(error).__name__}; HYDRA_FULL_ERROR=1 shows where)"


def _no_such_key(key: str, composer: Composer) -> str:
    groups = [override for override in composer.given if composer.is_group(override.key_or_group)]
    choices = [override.input_line or "" for override in groups if not override.is_sweep_override()]
    try:
        config = composer.compose(choices).config
    except HydraException:  # the mistake is among the choices: the defaults' keys must do
        config = composer.compose([]).config
    keys = set(_dotted(OmegaConf.to_container(config, resolve=False), ""))
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
    elsewhere = [name for name in sorted(keys) if name.endswith(f".{part}")]
    near = f"; did you mean '{elsewhere[0]}'?" if elsewhere and not parent else nearest(part, siblings)
    return f"{parent}{part}: there is no such key{near} (allowed: {', '.join(sorted(siblings))})"


def _dotted(value: Any, prefix: str) -> Iterator[str]:
    for key, item in value.items():
        yield f"{prefix}{key}"
        if isinstance(item, dict):
            yield from _dotted(item, f"{prefix}{key}.")
