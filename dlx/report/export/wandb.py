"""Offline runs for `wandb sync`, written by the wandb package itself (the extra `wandb`)."""

import hashlib
import tempfile
from pathlib import Path

from dlx.report.analysis import Analysis
from dlx.report.export.runs import exported_runs
from dlx.report.text import visible


def offline_runs(analysis: Analysis, title: str) -> dict[str, bytes]:
    """Return the file of each run, in a project called `title`, by its path below wandb/.

    A run has the same identifier in every export, so that syncing again renews it.
    """
    import wandb

    files = {}
    quiet = wandb.Settings(mode="offline", silent=True, console="off", x_disable_stats=True)
    with tempfile.TemporaryDirectory() as folder:
        for run in exported_runs(analysis):
            run_id = hashlib.sha256(f"{title}/{run.name}".encode(errors="backslashreplace")).hexdigest()[:10]
            config = run.settings | run.end
            with wandb.init(
                project=title, id=run_id, name=visible(run.name), dir=folder, config=config, settings=quiet
            ) as log:
                for epoch, _, values in run.epochs:
                    log.log({"epoch": epoch} | values, step=epoch)
        wandb.teardown()  # until then, its process may hold back the end of a file
        for written in Path(folder).glob("wandb/offline-run-*/run-*.wandb"):
            files[f"offline-{written.stem}/{written.name}"] = written.read_bytes()
    return files
