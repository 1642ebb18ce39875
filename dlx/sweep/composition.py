"""The configurations of a grid: composed by Hydra once for each tuple of group choices, then copied.

Equal, node by node, to what Hydra's `load_sweep_config` gives run by run. Values are set in the copies by
Hydra's own code; whatever is in doubt, and whatever is wrong, is left to Hydra for that run.
"""

import pickle
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from hydra._internal.config_loader_impl import ConfigLoaderImpl, get_overrides_dirname
from hydra._internal.config_repository import IConfigRepository
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

Kind = Literal["choice", "value", "doubtful"]


@dataclass(frozen=True)
class Split:
    """A run's overrides: all of them in order, those that choose from groups, those that set values."""

    overrides: list[Override]
    choices: tuple[str, ...]
    values: list[Override]


def compose_grid(
    loader: ConfigLoaderImpl, master: DictConfig, grid: Sequence[Sequence[str]]
) -> Iterator[DictConfig]:
    """Yield the configuration of each run of `grid`, a list of overrides each, in order.

    `master` is what Hydra composed for the whole. Raises Hydra's exceptions when the wrong run's turn comes.
    """
    splitter = Splitter(loader, master)
    splits = [splitter.split(overrides) for overrides in grid]
    sharing = Counter(split.choices for split in splits if split)
    templates: dict[tuple[str, ...], bytes | None] = {}
    for overrides, split in zip(grid, splits, strict=True):
        config: DictConfig | None = None
        if split and sharing[split.choices] > 1:
            if split.choices not in templates:
                templates[split.choices] = _template(loader, master, split.choices)
            config = _from_template(templates[split.choices], master, split)
        yield config if config is not None else loader.load_sweep_config(master, list(overrides))


class Splitter:
    """Tells overrides that choose from a group from those that set a value; parses each word once."""

    def __init__(self, loader: ConfigLoaderImpl, master: DictConfig) -> None:
        # With hydra.searchpath, which decides what groups there are, if it is among Hydra's own overrides.
        _, self._repository = loader._parse_overrides_and_create_caching_repo(
            master.hydra.job.config_name, list(master.hydra.overrides.hydra)
        )
        self._parser = OverridesParser.create()
        self._known: dict[str, tuple[Override, Kind]] = {}

    def split(self, words: Sequence[str]) -> Split | None:
        """Split a run's overrides; None if one of them is for Hydra to judge."""
        try:
            parsed = [self._parse(word) for word in words]
        except HydraException:  # composing the run raises it again, in its turn
            return None
        if any(kind == "doubtful" for _, kind in parsed):
            return None
        return Split(
            overrides=[override for override, _ in parsed],
            choices=tuple(word for word, (_, kind) in zip(words, parsed, strict=True) if kind == "choice"),
            values=[override for override, kind in parsed if kind == "value"],
        )

    def _parse(self, word: str) -> tuple[Override, Kind]:
        if word not in self._known:
            override = self._parser.parse_override(word)
            self._known[word] = override, _kind(override, self._repository)
        return self._known[word]


def _kind(override: Override, repository: IConfigRepository) -> Kind:
    key, value = override.key_or_group, override.value()
    if override.is_sweep_override() or override.is_delete() or override.package is not None or "[" in key:
        return "doubtful"
    if key == "hydra" or override.is_hydra_override():  # decides what Hydra does besides setting values
        return "doubtful"
    if isinstance(value, dict) or not repository.group_exists(key):
        return "value"
    return "choice" if override.type == OverrideType.CHANGE and isinstance(value, str | list) else "doubtful"


def _template(loader: ConfigLoaderImpl, master: DictConfig, choices: tuple[str, ...]) -> bytes | None:
    """Compose these choices alone, pickled: 0.8 ms to load, where `copy.deepcopy` takes 5.6."""
    try:
        return pickle.dumps(loader.load_sweep_config(master, list(choices)))
    except Exception:  # noqa: BLE001 - whatever it is, Hydra raises it again when a run's turn comes
        return None


def _from_template(template: bytes | None, master: DictConfig, split: Split) -> DictConfig | None:
    """Set a run's values in a copy, as `ConfigLoaderImpl._load_configuration_impl` does; None if in doubt."""
    if template is None:
        return None
    try:
        config: DictConfig = pickle.loads(template)  # noqa: S301 - our own, of a moment ago
        ConfigLoaderImpl._apply_overrides_to_config(split.values, config)
    except Exception:  # noqa: BLE001 - whatever it is, Hydra raises it again in this run's turn
        return None
    config.hydra.overrides.task.clear()
    config.hydra.overrides.task.extend([override.input_line for override in split.overrides])
    naming = config.hydra.job.config.override_dirname
    config.hydra.job.override_dirname = get_overrides_dirname(
        overrides=split.overrides,
        exclude_keys=naming.exclude_keys,
        item_sep=naming.item_sep,
        kv_sep=naming.kv_sep,
    )
    OmegaConf.copy_cache(from_config=master, to_config=config)
    return config
