"""Compositions that runs share: the choices from groups are composed once, and values are set in copies."""

import pickle
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dlx.compose.folder import config_folder
from dlx.errors import RequestError

PLAIN = bool | int | float | str | None
UNRESOLVED = re.compile(r"\$\{|\?\?\?")  # an interpolation, or a value that is missing
_COMPOSED: dict[tuple[object, ...], "_Template"] = {}  # 40 kB each
MOST_COMPOSED = 256


@dataclass(frozen=True)
class Composed:
    """A configuration, without Hydra's node, and the choice that was made from each group.

    `values`: plain ones, with interpolations as they are written.
    """

    values: dict[str, Any]
    choices: dict[str, str]

    @cached_property
    def config(self) -> DictConfig:
        """The same for OmegaConf, which takes 1 ms."""
        config = OmegaConf.create(self.values)
        OmegaConf.set_struct(config, True)  # as Hydra leaves it
        return config


class _Template(NamedTuple):
    """What some choices compose, pickled: as OmegaConf's object and as plain values; copies share nothing."""

    config: bytes
    values: bytes
    choices: dict[str, str]


class Templates:
    """Runs that make the same choices from the groups, and add the same keys, share one composition (60 ms).

    Their values are set in copies of it: 1 ms, or 0.1 if each replaces a plain one by another.
    `compose`: gives what Hydra composes from words, and the choice from each group.
    """

    def __init__(
        self, config_name: str, compose: Callable[[Sequence[str]], tuple[DictConfig, dict[str, str]]]
    ) -> None:
        self._config_name = config_name
        self._compose = compose
        self._files = _yaml_files()
        self._own: dict[tuple[str, ...], _Template | None] = {}

    def set_in_copy(
        self, choices: tuple[str, ...], values: Sequence[Override], *, shared: bool
    ) -> Composed | None:
        """Set values in a copy of what the choices compose; None to leave it, or a complaint, to Hydra.

        `shared`: use what this process has composed before from the same files.
        """
        try:
            if choices not in self._own:
                self._own[choices] = self._template(choices, shared=shared)
            template = self._own[choices]
            if template is None:
                return None
            plain: dict[str, Any] = pickle.loads(template.values)  # noqa: S301 - pickled by `_template`
            if all(_replace(plain, override.key_or_group, override.value()) for override in values):
                return Composed(plain, template.choices)
            config = pickle.loads(template.config)  # noqa: S301 - the same; copy.deepcopy takes 5.6 ms
            for override in values:
                OmegaConf.update(config, override.key_or_group, override.value(), merge=True)
        except (RequestError, OmegaConfBaseException, ValueError, TypeError):  # Hydra raises its own again
            self._own.setdefault(choices, None)
            return None
        return Composed(plain_values(config), template.choices)

    def _template(self, choices: tuple[str, ...], *, shared: bool) -> _Template:
        key = (self._files, self._config_name, choices)
        if shared and key in _COMPOSED:
            return _COMPOSED[key]
        config, made = self._compose(choices)
        template = _Template(pickle.dumps(config), pickle.dumps(plain_values(config)), made)
        if shared:
            if len(_COMPOSED) >= MOST_COMPOSED:
                _COMPOSED.clear()
            _COMPOSED[key] = template
        return template


def plain_values(config: DictConfig) -> dict[str, Any]:
    """Return a configuration's values as plain ones, with interpolations as they are written."""
    content = OmegaConf.to_container(config, resolve=False)
    assert isinstance(content, dict), "a DictConfig has keys"
    return {str(key): value for key, value in content.items()}


def _replace(values: dict[str, Any], key: str, value: Any) -> bool:
    """Replace a plain value by another; return False, without a change, where OmegaConf may do more.

    It does for keys that are not there, groups of keys, lists of lists, interpolations and missing values.
    """
    *groups, last = key.split(".")
    node: Any = values
    for group in groups:
        node = node.get(group) if isinstance(node, dict) else None
    if not isinstance(node, dict) or not isinstance(node.get(last, values), PLAIN | list):
        return False
    items = value if isinstance(value, list) else [value]
    if isinstance(node[last], list) != isinstance(value, list) or not all(
        isinstance(item, PLAIN) and not (isinstance(item, str) and UNRESOLVED.search(item)) for item in items
    ):
        return False
    node[last] = value
    return True


def _yaml_files() -> tuple[tuple[str, int, int], ...]:
    """Return every YAML file that is composed from, with its time and size: 2 ms."""
    folders = [config_folder(), Path.cwd() / "conf"]
    files = sorted(file for folder in folders for file in folder.rglob("*.yaml"))
    stats = [(file, file.stat()) for file in files if file.is_file()]
    return tuple((str(file), stat.st_mtime_ns, stat.st_size) for file, stat in stats)
