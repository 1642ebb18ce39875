"""What Hydra is told of dlx: where `conf/` is, and the user's own; the launcher; a run's folder name."""

import importlib
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, OmegaConf

import dlx.sweep
from dlx.config import resolved
from dlx.run.identity import folder_name

PRIMARY = "train"  # conf/train.yaml; not "config", which a project of the user's may well have
# A key whose value is a formula, with none of the marks or functions by which Hydra's grammar would read it.
FORMULA = re.compile(
    r"(loss\.function=)(?!(?:choice|range|interval|shuffle|sort|glob|tag|str)\()([^'\"$\\]+)"
)


def register() -> None:
    """Make Hydra's plugin manager know the launcher, the sweeper and the search path; idempotent."""
    plugins = Plugins.instance()  # first: its scan executes Hydra's own plugin modules a second time
    from dlx.sweep.launcher import GridLauncher
    from dlx.sweep.sweeper import GridSweeper

    _alias_namespace()
    for plugin in (GridLauncher, GridSweeper, UserConfigFirst):
        plugins.register(plugin)
    OmegaConf.register_new_resolver("dlx_folder", _folder, replace=True)


def _alias_namespace() -> None:
    """Let `hydra_plugins.dlx` be `dlx.sweep`: Hydra 1.3 takes launchers from that namespace alone.

    An alias rather than a file there: a file would need one rule for wheels and another for checkouts.
    """
    try:
        namespace = importlib.import_module("hydra_plugins")  # there if another plugin is installed
    except ModuleNotFoundError:
        namespace = ModuleType("hydra_plugins")
        namespace.__path__ = []
        sys.modules["hydra_plugins"] = namespace
    namespace.dlx = dlx.sweep  # type: ignore[attr-defined]


def config_folder() -> Path:
    """Return the folder of the packaged configuration: the checkout's if there is one, else the wheel's.

    The checkout's first, since an editable install can leave a stale copy in the package.
    """
    package = Path(__file__).resolve().parent
    checkout = package.parent
    if (checkout / "pyproject.toml").is_file() and (checkout / "conf" / f"{PRIMARY}.yaml").is_file():
        return checkout / "conf"
    return package / "conf"


class UserConfigFirst(SearchPathPlugin):
    """Puts the current folder's `conf/`, if there is one, before the packaged configuration.

    Hydra's own --config-dir only adds to it and cannot override.
    """

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Take part in Hydra's start."""
        folder = Path.cwd() / "conf"
        if folder.is_dir() and not folder.samefile(config_folder()):
            search_path.prepend(provider="user", path=f"file://{folder}")


def quote_formulas(overrides: Iterable[str]) -> list[str]:
    """Put quotation marks round the formulas of a request: Hydra takes the brackets of sin(x) for a call.

    A comma separates choices as everywhere: no function of a formula takes two arguments.
    """
    found = [(override, FORMULA.fullmatch(override)) for override in overrides]
    return [formula[1] + _quote(formula[2]) if formula else override for override, formula in found]


def _quote(choices: str) -> str:
    outside = r",(?![^()]*\))"  # a comma in brackets is a mistake that the formula's own parser explains
    parts = [choice.strip() for choice in re.split(outside, choices)]
    return ",".join(part if re.fullmatch(r"\w+", part) else f'"{part}"' for part in parts)


def _folder(*, _root_: DictConfig) -> Any:
    return folder_name(resolved(_root_))
