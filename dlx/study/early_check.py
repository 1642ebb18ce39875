"""Checks a request's components while it is composed, so that a wrong value is found among the first runs.

What their own signatures forbid, such as model.width=abc, no schema of the configuration knows. Composing the
other 198 runs of a grid of 200 first took a second.
"""

import json

from dlx.components import GROUPS, check_components
from dlx.compose.request import ComposedRun, with_label
from dlx.errors import RequestError
from dlx.study.finished import finished_result


class EarlyCheck:
    """Checks the components of a run that has not ended; of runs with equal ones, those of the first.

    The others are checked with the rest before they are built (see plan.py).
    """

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def __call__(self, run: ComposedRun) -> None:
        """Raise RequestError, with the run's label, if a component of it has a wrong name, key or value."""
        components = json.dumps([run.config[group] for group in GROUPS])
        if components in self._seen:
            return
        self._seen.add(components)
        try:
            ended = None if run.settings.rerun else finished_result(run.folder, run.config, run.fingerprints)
        except OSError:  # the folder of the study is a file, for one, which composing says in better words
            return
        if ended is None:
            try:
                check_components(run.settings)
            except RequestError as error:
                raise with_label(error, run.label) from error
