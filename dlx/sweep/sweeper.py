"""Hydra's basic grid, handed to the launcher whole, before anything is written."""

from collections.abc import Sequence
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser

from dlx.errors import RequestError

# Hydra composes the whole grid before its first job: 100,000 jobs take over an hour to compose.
MAX_RUNS = 10_000


class GridSweeper(BasicSweeper):
    """As Hydra's own, except that the launcher creates the study's folder, once every run is checked.

    Hydra's creates the folder first and composes every run twice.
    """

    __module__ = "hydra_plugins.dlx.sweeper"  # an alias, see compose.py

    def sweep(self, arguments: list[str]) -> Any:
        """Expand the sweep's values (the preset's, then the command line's) and launch all runs."""
        assert self.hydra_context is not None
        assert self.launcher is not None
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        overrides = parser.parse_overrides([*self._parse_config(), *arguments])
        grid: Sequence[list[str]] = self.split_arguments(overrides, None)[0]
        if len(grid) > MAX_RUNS:
            raise RequestError(f"the grid has {len(grid):,} runs; at most {MAX_RUNS:,} are allowed")
        return [self.launcher.launch(grid, initial_job_idx=0)]
