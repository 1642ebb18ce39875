"""`dlx doctor`: what dlx finds on this machine, and the remedy for each problem."""

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import NamedTemporaryFile

from dlx import __version__
from dlx.commands.parser import Parser
from dlx.working import working

EXAMPLES = """
dlx doctor
"""

# Packages that dlx needs: as they are installed, and as they are imported.
NEEDED = {"torch": "torch", "torchvision": "torchvision", "hydra-core": "hydra", "pydantic": "pydantic"}
NEEDED |= {"numpy": "numpy", "pandas": "pandas", "scipy": "scipy", "scikit-learn": "sklearn", "rich": "rich"}
# Extras: what each is for, and the package that it installs.
EXTRAS = {
    "notebook": ("charts in notebooks", "altair"),
    "parquet": ("data=table with Parquet", "pyarrow"),
    "office": ("dlx report --export docx,xlsx", "python-docx"),
    "tensorboard": ("event files of TensorBoard", "tensorboard"),
    "wandb": ("runs of W&B", "wandb"),
    "ray": ("launcher=ray", "ray"),
    "slurm": ("launcher=slurm", "submitit"),
}
LITTLE = 1e9  # bytes of memory or disk below which even small nets run into trouble: torch alone takes 0.4 GB


@dataclass(frozen=True)
class Check:
    """One thing that was looked at; `problem` and its `remedy` are "" if it is as it should be."""

    name: str
    found: str
    problem: str = ""
    remedy: str = ""


def main(arguments: Sequence[str]) -> int:
    """Run `dlx doctor` and return 0, or 1 if there is a problem."""
    _parser().parse(arguments)
    with working("looking at this machine") as say:
        checks: list[Check] = []
        for what, look in _looks().items():
            say(f"looking at {what}")
            checks += look()
    wide = max(len(check.name) for check in checks)
    for check in checks:
        print(f"{check.name:<{wide}}  {check.found}")
    problems = [check for check in checks if check.problem]
    print()
    for check in problems:
        print(f"problem: {check.problem}\n  remedy: {check.remedy}")
    print(f"{len(problems)} problem{'s' * (len(problems) > 1)}" if problems else "no problem found")
    return 1 if problems else 0


def _looks() -> dict[str, Callable[[], Iterator[Check]]]:
    """Return what is looked at, in this order."""
    return {
        "programs": _programs,
        "devices": _devices,
        "memory": _memory,
        "folders": _folders,
        "data sets": _data,
        "extras": _extras,
        "the renderer of plots": _renderer,
        "your own conf/": _own_files,
    }


def _parser() -> Parser:
    return Parser(
        "dlx doctor",
        "Check the installation: versions, devices, memory, caches, data sets, extras, the renderer of plots "
        "and your own conf/. Each problem is printed with its remedy.",
        examples=EXAMPLES,
        exit_codes="0 no problem; 1 a problem was found; 2 the request was wrong.",
    )


def _programs() -> Iterator[Check]:
    """Yield the versions of dlx, Python and the packages that dlx needs, each imported."""
    yield Check("dlx", f"{__version__}, {Path(__file__).resolve().parent.parent}")
    yield Check("python", f"{platform.python_version()}, {sys.executable}")
    yield Check("system", f"{platform.system()} {platform.release()}, {platform.machine()}")
    for package, module in NEEDED.items():
        try:
            import_module(module)
            yield Check(package, version(package))
        except (ImportError, OSError, PackageNotFoundError) as error:
            said = f"{type(error).__name__}: {error}".partition("\n")[0]
            yield Check(
                package, "not usable", f"{package}: {said}", f"pip install --force-reinstall {package}"
            )


def _devices() -> Iterator[Check]:
    """Yield the processors that a run can train on."""
    from dlx.study.plan import cores

    yield Check("cpu", f"{cores()} of {os.cpu_count()} cores may be used")
    with suppress(ImportError, OSError):
        import torch

        for index in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(index)
            name = torch.cuda.get_device_name(index)
            yield Check(f"cuda:{index}", f"{name}, {_size(free)} of {_size(total)} free")
        if torch.backends.mps.is_available():
            yield Check("mps", "an Apple GPU")
        if torch.cuda.device_count() == 0 and shutil.which("nvidia-smi"):
            built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built without CUDA"
            yield Check(
                "cuda",
                "none",
                f"there is an NVIDIA driver, but torch ({built}) finds no GPU",
                "nvidia-smi shows the driver's CUDA version; install a torch for it: https://pytorch.org/get-started",
            )


def _memory() -> Iterator[Check]:
    """Yield the main memory that is available."""
    from dlx.device import available_bytes

    free = available_bytes()
    if free is None:
        yield Check("memory", "unknown")
    elif free < LITTLE:
        remedy = "close other programs, or train with launcher.processes=1"
        yield Check("memory", f"{_size(free)} free", f"only {_size(free)} of memory is free", remedy)
    else:
        yield Check("memory", f"{_size(free)} free")


def _folders() -> Iterator[Check]:
    """Yield where results and caches go: their sizes, and whether files can be written there."""
    from dlx.run.paths import cache_root

    yield _folder("results", Path("outputs"), "train elsewhere: dlx train output_root=FOLDER")
    yield _folder("cache", cache_root(), "set DLX_CACHE to a folder that can be written")


def _folder(name: str, folder: Path, remedy: str) -> Check:
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    size = f", {_size(_bytes_below(folder))}" if folder.is_dir() else ", not there yet"
    try:
        with NamedTemporaryFile(dir=there, prefix=".dlx"):
            free = shutil.disk_usage(there).free
    except OSError as error:
        return Check(name, f"{folder}{size}", f"{there} cannot be written: {error.strerror}", remedy)
    found = f"{folder}{size}, {_size(free)} free on the disk"
    problem = f"the disk of {there} has only {_size(free)} left" if free < LITTLE else ""
    return Check(name, found, problem, "make room on the disk" if problem else "")


def _bytes_below(folder: Path) -> int:
    total = 0
    for where, _, files in os.walk(folder):
        for file in files:
            with suppress(OSError):
                total += Path(where, file).lstat().st_size
    return total


def _data() -> Iterator[Check]:
    """Yield which of the published data sets are there, unchecked: dlx data prepare verifies one."""
    from dlx.data.source import data_root

    root = data_root(None)
    yield Check("data", f"{root}{'' if root.is_dir() else ', not there yet'}")
    with suppress(ImportError, OSError):
        from dlx.data import vision

        for each in (vision.MNIST, vision.FASHION_MNIST, vision.CIFAR10):
            there = all((root / each.folder / name).is_file() for name in each.files)
            packed = all((root / name).is_file() for name in each.archives)
            yield Check(
                f"  {each.name}", "found" if there or packed else f"not found: dlx data prepare {each.name}"
            )


def _extras() -> Iterator[Check]:
    """Yield the optional extras."""
    for extra, (purpose, package) in EXTRAS.items():
        try:
            yield Check(f"dlx[{extra}]", f"{package} {version(package)}, for {purpose}")
        except PackageNotFoundError:
            yield Check(f"dlx[{extra}]", f"not installed; for {purpose}: pip install 'dlx[{extra}]'")


def _renderer() -> Iterator[Check]:
    """Yield whether plots can be drawn."""
    from dlx.report import renderer

    try:
        plot = {"$schema": renderer.SCHEMA, "data": {"values": []}, "mark": "point"}
        renderer.start().call("vegalite_to_svg", plot)
        yield Check("plots", f"vl-convert-python {version('vl-convert-python')}")
    except (ImportError, OSError, RuntimeError, ValueError, PackageNotFoundError) as error:
        remedy = "pip install --force-reinstall vl-convert-python"
        yield Check("plots", "not drawn", f"plots cannot be drawn: {error}", remedy)


def _own_files() -> Iterator[Check]:
    """Yield whether the YAML files in ./conf can be read."""
    own = Path("conf")
    if not own.is_dir():
        yield Check("own conf/", "none in this folder")
        return
    from dlx.compose.own_yaml import parse, read_text
    from dlx.errors import RequestError

    files = sorted(own.rglob("*.yaml"))
    yield Check("own conf/", f"{len(files)} file{'s' * (len(files) != 1)} in {own.absolute()}")
    for file in files:
        try:
            parse(read_text(file), file)
        except RequestError as error:
            yield Check(f"  {file.relative_to(own)}", "cannot be read", str(error), f"correct {file}")


def _size(count: float) -> str:
    """Write a number of bytes as 3.2 GB."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB" if count < 1000 else f"{count / 1000:.3g} TB"
