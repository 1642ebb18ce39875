"""Hydra as a library: composes configurations, parses overrides, lists choices.

Only this folder uses Hydra, and only its public functions.
"""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path

import hydra
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.core.plugins import Plugins
from hydra.errors import OverrideParseException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict

from dlx.compose.explain import explain, own_part
from dlx.compose.folder import PRIMARY, config_folder
from dlx.compose.own_yaml import SCHEME, OwnConfig, search_path
from dlx.compose.sweep import sort_exactly, words_of
from dlx.compose.templates import Composed, Templates, plain_values
from dlx.compose.words import OF_REQUEST, check_words, literal, quote, quote_all_of
from dlx.config import OWN, OWN_GROUPS
from dlx.errors import RequestError, unknown
from dlx.validation import as_typed

LONGEST_KEY = 200  # characters
# Hydra 1.3 warns where its defaults of 1.1 are not turned down; 1.4 warns of the parameter that does so.
DEFAULTS = {"version_base": "1.3"} if hydra.__version__.startswith("1.3.") else {}


@contextmanager
def initialised(
    words: Sequence[str], config_name: str = PRIMARY, config_dir: Path | None = None
) -> Iterator["Composer"]:
    """Give a composer for a request's words; raises RequestError for what is wrong with one."""
    Plugins.instance().register(OwnConfig)
    Plugins.instance().register(UserConfigFirst)
    with hydra.initialize_config_dir(str(config_folder()), job_name="dlx", **DEFAULTS):
        composer = Composer(config_name, config_dir)
        composer.take(words)
        yield composer


class Composer:
    """Hydra, initialised: parses a request's words and composes configurations.

    Values that are plainly KEY=VALUE are set in copies (see `Templates`); the rest is left to Hydra.

    `given`: the request's overrides for its runs; `of_request`: its words for what it has once. Whatever
    Hydra, OmegaConf or the YAML parser raise becomes a RequestError.
    """

    def __init__(self, config_name: str, config_dir: Path | None) -> None:
        self.loader: ConfigLoader = GlobalHydra.instance().config_loader()
        self.given: list[Override] = []
        self.of_request: list[str] = []
        self._config_name = config_name
        own = f"{SCHEME}://{config_dir.resolve()}" if config_dir else ""
        self._searched = [f"hydra.searchpath=[{literal(own)}]"] if config_dir else []
        self._parser = OverridesParser.create(config_loader=self.loader)
        functions = self._parser.functions.functions  # of this parser alone
        functions["sort"] = sort_exactly(functions["sort"])
        self._data_root: Path | None = None
        self._parsed: dict[str, Override] = {}
        self._groups: dict[str, bool] = {}
        self._choices: dict[str, list[str]] = {}
        self._templates = Templates(config_name, self._compose)

    @property
    def unswept(self) -> list[str]:
        """The request's words but for those with several values, for showing what they compose."""
        of_runs = [override for override in self.given if override.key_or_group != "sweep"]
        return [*self.of_request, *(o.input_line or "" for o in of_runs if not o.is_sweep_override())]

    def take(self, words: Sequence[str]) -> None:
        """Parse the words of a request, and tell its own from those of its runs."""
        roots = [word.partition("=")[2] for word in words if word.startswith("data.root=")]
        self._data_root = Path(roots[-1]) if roots else None
        given = self.parse(words)
        check_words(given)
        for override in given:
            key, word = override.key_or_group, override.input_line or ""
            if key == "hydra.searchpath":
                self._searched = [search_path(word, override.value())]
            elif key.partition(".")[0] in OF_REQUEST:
                self.of_request += words_of(override)
            elif key == "sweep" and override.value() is None:  # no preset, as by default
                continue
            else:
                self.given.append(override)
                self.of_request += words_of(override) if key == "sweep" else []
        self._choose_own()

    def _choose_own(self) -> None:
        """Let `model.target=mynet:Net` choose model=custom, if no other model with a target is chosen."""
        keys = {override.key_or_group for override in self.given}
        named = [
            group for group in (*OWN_GROUPS, "augment") if f"{group}.target" in keys and group not in keys
        ]
        if named:
            composed = self.compose(self.of_request).config
            words = [f"{each}={OWN}" for each in named if not _has_target(composed.get(each))]
            self.given = [*self.parse(words), *self.given]

    def parse(self, words: Iterable[str]) -> list[Override]:
        """Parse overrides, each word once."""
        words = list(words)
        for word in words:
            if word not in self._parsed:
                with self._in_our_words():
                    self._parsed[word] = self._parse(word)
        return [self._parsed[word] for word in words]

    def _parse(self, word: str) -> Override:
        if any("\ud800" <= letter <= "\udfff" for letter in word):  # bytes that are no characters
            raise RequestError(f"'{word}' is not text in UTF-8; if it is meant to be, set LC_ALL=C.UTF-8")
        key = word.partition("=")[0].lstrip("+~")
        if not key and "=" in word:
            raise RequestError(f"'{word}' has no key; write KEY=VALUE")
        if len(key) > LONGEST_KEY:  # looked for as a folder, whose name may have 255 bytes
            raise RequestError(f"{key}: there is no such key")
        as_text = quote_all_of(word)
        try:
            parsed = self._parser.parse_overrides([quote(word, self._data_root)])[0]
        except OverrideParseException:
            if as_text is None:
                raise
            return self._parser.parse_overrides([as_text])[0]
        if as_text is not None and isinstance(parsed.value(), bool | int | float):  # a study called 2024
            return self._parser.parse_overrides([as_text])[0]
        return parsed

    def compose(self, words: Sequence[str]) -> Composed:
        """Compose one configuration."""
        overrides = self.parse(words)
        for override in overrides:
            self._check_choice(override)
        values = [o for o in overrides if self._is_plain(o) and not self.is_group(o.key_or_group)]
        others = [override for override in overrides if override not in values]
        apart = {o.key_or_group for o in values}.isdisjoint(o.key_or_group for o in others)
        if apart and all(self._is_plain(o) or self._is_added(o) for o in others):
            choices = tuple(override.input_line or "" for override in others)
            shared = not self._searched
            if (quick := self._templates.set_in_copy(choices, values, shared=shared)) is not None:
                return quick
        config, made = self._compose([override.input_line or "" for override in overrides])
        return Composed(plain_values(config), made)

    def compose_with_hydra(self, words: Sequence[str]) -> DictConfig:
        """Compose one configuration together with Hydra's own node."""
        words = self._with_added(words)
        with self._in_our_words(), warnings.catch_warnings(action="error", category=UserWarning):
            config = hydra.compose(self._config_name, [*self._searched, *words], return_hydra_config=True)
        with open_dict(config):
            for group in (*OWN_GROUPS, "augment"):
                if _has_target(config.get(group)):
                    config[group] = _with_defaults(group, config[group])
                    OmegaConf.set_struct(config[group], value=False)  # any argument may be added
        return config

    def _with_added(self, words: Sequence[str]) -> list[str]:
        """Write "++" before the arguments of the user's own parts, because Hydra refuses to set new keys."""
        plain = [override for override in self.parse(words) if self._is_plain(override)]
        arguments = {o.input_line: o.key_or_group.partition(".")[0] for o in plain if "." in o.key_or_group}
        if not {*OWN_GROUPS, "augment"} & {*arguments.values()}:
            return list(words)
        with suppress(RequestError):
            choices = [o.input_line or "" for o in plain if self.is_group(o.key_or_group)]
            config = self.compose_with_hydra(choices)
            own = {word for word, group in arguments.items() if _has_target(config.get(group))}
            return [f"++{word}" if word in own else word for word in words]
        return list(words)

    @contextmanager
    def _in_our_words(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # an AssertionError, for one, is Hydra's answer to model=null
            raise RequestError(explain(error, self)) from error

    def groups(self) -> dict[str, list[str]]:
        """Return the choices of each group."""
        found = {group: self.loader.get_group_options(group) for group in self.loader.list_groups("")}
        return {group: choices for group, choices in found.items() if choices and group != "hydra"}

    def searched(self) -> list[tuple[str, str]]:
        """Return where YAML files are looked for, first to last: who says so, and the folder."""
        return [(str(part.provider), str(part.path)) for part in self.loader.get_search_path().get_path()]

    def plugins(self) -> list[str]:
        """Return the names of Hydra's plugins that are installed, its own included."""
        return sorted(plugin.__name__ for plugin in Plugins.instance().discover())

    def files(self, words: Sequence[str]) -> list[tuple[str, str]]:
        """Return the files that these words compose, in order, and the package that each fills."""
        defaults = self.loader.compute_defaults_list(
            self._config_name, [*self._searched, *words], RunMode.RUN
        )
        return [(str(one.config_path), str(one.package or "_global_")) for one in defaults.defaults]

    def is_group(self, key: str) -> bool:
        """Say whether choices can be made from `key`."""
        if "." in key:  # asking Hydra takes 10 ms
            return False
        if key not in self._groups:
            self._groups[key] = bool(self._choices_of(key) or self.loader.list_groups(key))
        return self._groups[key]

    def _check_choice(self, override: Override) -> None:
        """Raise RequestError for what is not a choice of its group; a value of several keys sets these."""
        key, value = override.key_or_group, override.value()
        if override.is_delete() or override.is_sweep_override() or isinstance(value, dict):
            return
        if key.startswith("hydra") or override.package is not None or not self.is_group(key):
            return
        names = value if isinstance(value, list) and key == "sweep" else [value]
        if isinstance(value, list) and key != "sweep":
            raise RequestError(f"{override.input_line}: {key} is one choice; of several, write {key}=A,B")
        for name in names:
            group, _, choice = f"{key}/{name}".rpartition("/")
            if not isinstance(name, str) or ".." in group or choice not in self._choices_of(group):
                given = name if isinstance(name, str) else as_typed(name)
                raise RequestError(f"{unknown(key, given, self._choices_of(key))}{own_part(key, given)}")

    def _choices_of(self, group: str) -> list[str]:
        if group not in self._choices:
            primary = self._config_name if self._searched or self._names_folders else None
            self._choices[group] = self.loader.get_group_options(
                group, config_name=primary, overrides=self._searched
            )
        return self._choices[group]

    @cached_property
    def _names_folders(self) -> bool:
        """Whether the primary file may name folders to search, for which Hydra parses it: 15 ms a group."""
        sources = [one for one in self.loader.get_sources() if one.is_config(self._config_name)]
        file = Path(sources[0].path, f"{self._config_name}.yaml") if sources else Path()
        return not file.is_file() or "searchpath" in file.read_text(errors="replace")

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

    def _is_added(self, override: Override) -> bool:
        """Say whether an override adds a key and its value, as in +model.width=32."""
        added = override.type == OverrideType.ADD and override.package is None
        key, value = override.key_or_group, override.value()
        if not added or "[" in key or key.startswith("hydra") or isinstance(value, dict):
            return False
        return not self.is_group(key)


def _has_target(choice: object) -> bool:
    """Say whether a group's choice is a part of the user's own, though its target may be missing."""
    return isinstance(choice, DictConfig) and "target" in choice.keys()  # noqa: SIM118 - not of a missing one


def _with_defaults(group: str, own: DictConfig) -> DictConfig:
    """Add the keys of GROUP=custom to a user's own YAML that has a target and no name."""
    packaged = OmegaConf.load(config_folder() / group / f"{OWN}.yaml")
    assert isinstance(packaged, DictConfig), "it has keys"
    merged = own if "name" in own or "name" not in packaged else OmegaConf.merge(packaged, own)
    assert isinstance(merged, DictConfig), "both have keys"
    return merged


class UserConfigFirst(SearchPathPlugin):
    """Puts ./conf, if there is one, before the packaged configuration, which it may override and extend."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Take part in Hydra's initialisation."""
        folder = Path.cwd() / "conf"
        if folder.is_dir() and not folder.samefile(config_folder()):
            search_path.prepend(provider="user", path=f"{SCHEME}://{folder}")
