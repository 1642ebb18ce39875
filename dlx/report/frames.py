"""The runs of a study as tidy pandas frames, for notebooks: what `dlx.load` returns."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dlx.report.folders import find_folders
from dlx.report.load import StudyData, load
from dlx.report.settings import find_design

if TYPE_CHECKING:
    import pandas as pd

UNTIDY = ["classes", "layers"]  # lists, which stand in each run's result.json


@dataclass(frozen=True)
class Frames:
    """A study's runs.

    `runs`: a row a run, indexed by its name: first the swept settings and seeds by their dotted keys, then
    `status`, `<metric>_last` and `<metric>_best` (at the last epoch, and at the epoch that is best by the
    run's `monitor`), `last_epoch`, `best_epoch`, `seconds`, `parameters`, `folder` and the like; NaN where
    a run has no value.
    `histories`: a row an epoch: `run`, the swept settings, and the columns of history.csv.
    `settings`: a row a run, all settings by their dotted keys, swept or not.
    `swept`: the keys that differ between the runs and do not follow from another; `seeds` of them last.
    `left_out`: by run, why it is in no frame. `running`: by run, how far it is.
    """

    runs: "pd.DataFrame"
    histories: "pd.DataFrame"
    settings: "pd.DataFrame"
    swept: list[str]
    left_out: dict[str, str]
    running: dict[str, str]


def load_frames(folders: Sequence[Path]) -> Frames:
    """Read every run at or below the folders, or of the newest study if none is named.

    Raises RequestError for a folder that is not there.
    """
    import pandas as pd

    study = load(find_folders(folders))
    layout = find_design(study.settings)
    swept = [*layout.keys, *layout.seeds]
    settings = pd.DataFrame.from_dict(study.settings, orient="index").rename_axis("run")
    # As columns of their own kinds: a learning rate is a number to group and plot by.
    chosen = settings[swept] if swept else pd.DataFrame(index=study.runs.index)
    own = study.runs.drop(columns=UNTIDY)
    runs = chosen.join(own.drop(columns=[name for name in own.columns if name in swept]))
    return Frames(runs, _histories(study, chosen), settings, swept, study.left_out, study.running)


def _histories(study: StudyData, chosen: "pd.DataFrame") -> "pd.DataFrame":
    clashing = [
        name for name in chosen.columns if name in study.histories.columns
    ]  # a key named like a metric
    tall = study.histories.join(chosen.drop(columns=clashing), on="run")
    swept = [name for name in chosen.columns if name not in clashing]
    return tall[["run", *swept, *(name for name in study.histories.columns if name != "run")]]
