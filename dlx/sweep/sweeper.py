"""Hydra's basic grid, handed to the launcher whole, before anything is written."""

from collections.abc import Mapping, Sequence
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser

from dlx.errors import RequestError

# The whole grid is composed before its first run; at 70 ms, where every run makes other choices, 100,000 take
# two hours.
MAX_RUNS = 10_000


class GridSweeper(BasicSweeper):
    """As Hydra's own, except that the launcher creates the study's folder, once every run is checked.

    Hydra's creates the folder first and composes every run twice.
    """

    __module__ = "hydra_plugins.dlx.sweeper"  # an alias, see compose.py

    def __init__(
        self,
        max_batch_size: int | None,
        params: dict[str, str] | None = None,
        cases: Sequence[Mapping[str, object]] | None = None,
    ) -> None:
        super().__init__(max_batch_size, params)
        self.cases = cases or [{}]

    def sweep(self, arguments: list[str]) -> Any:
        """Expand the sweep's values (the preset's, then the command line's) and launch all runs.

        Each of `cases` is a point of its own, {optimizer: sgd, optimizer.lr: 0.1}, in place of one grid over
        all values; what the command line sets, no case sets.
        """
        assert self.hydra_context is not None
        assert self.launcher is not None
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        if any(word.partition("=")[0] == "sweep" and "," in word and "[" not in word for word in arguments):
            raise RequestError("sweep: one preset at a time, or both grids crossed: sweep=[seeds,width]")
        runs: dict[tuple[str, ...], None] = {}  # each once, in order
        for case in self.cases:
            point = [f"{key}={'null' if value is None else value}" for key, value in case.items()]
            overrides = parser.parse_overrides([*self._parse_config(), *point, *arguments])
            runs |= dict.fromkeys(map(tuple, self.split_arguments(overrides, None)[0]))
        if len(runs) > MAX_RUNS:
            raise RequestError(f"the grid has {len(runs):,} runs; at most {MAX_RUNS:,} are allowed")
        launched = self.launcher.launch(list(runs), initial_job_idx=0)
        for returned in launched:
            _ = returned.return_value  # raises a failed run's exception, under somebody else's launcher
        return [launched]
