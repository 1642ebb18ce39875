"""What a process of a cluster runs: one cohort, as `dlx train` would train it there."""

import os
from functools import partial
from pathlib import Path

from dlx.study.launch.launcher import How, train_elsewhere
from dlx.study.stopping import orderly
from dlx.study.study import Cohort


def train_on_cluster(folder: Path, cohort: Cohort, *, gpus: bool) -> How:
    """Train a cohort in this process; a signal stops it at its next step, a second one at once.

    Without `gpus`, those of the machine are hidden: the cluster may have given them to others.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as in `dlx train`, before torch is imported
    if not gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    with orderly(partial(os._exit, 1)):
        return train_elsewhere(folder, cohort)
