"""Finds the workers of a request's launcher, before anything is planned or written."""

from importlib.util import find_spec

from dlx.errors import RequestError
from dlx.launchers import JoblibSettings, LauncherSettings, LocalSettings, RaySettings, SlurmSettings
from dlx.study.plan import Workers, cores

PACKAGES = {"ray": "ray", "slurm": "submitit"}  # what the extra of this name installs


def check_installed(launcher: LauncherSettings) -> None:
    """Raise RequestError if the launcher needs a package that is not installed."""
    package = PACKAGES.get(launcher.name)
    if package is not None and find_spec(package) is None:
        raise RequestError(
            f"launcher={launcher.name}: {package} is not installed; pip install 'dlx[{launcher.name}]'"
        )


def find_workers(launcher: LauncherSettings) -> Workers:
    """Return the launcher's workers, after connecting to their cluster if it has one.

    Raises RequestError if there is no such cluster, or if no node of it is large enough.
    """
    match launcher:
        case RaySettings():
            from dlx.study.launch.ray import connect

            return connect(launcher)
        case SlurmSettings():
            from dlx.study.launch.slurm import check_parameters

            check_parameters(launcher)
            memory = launcher.mem_gb * 2**30
            gpus = launcher.gpus_per_node
            return Workers(launcher.array_parallelism, launcher.cpus_per_task, memory, gpus)
        case LocalSettings() | JoblibSettings():
            return Workers(launcher.processes or cores(), spread=launcher.name == "local")
    raise AssertionError(f"launcher={launcher.name} has no workers")
