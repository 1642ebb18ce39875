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
    "parquet": ("Parquet tables and data=huggingface", "pyarrow"),
    "office": ("dlx report --export docx,xlsx", "python-docx"),
    "tensorboard": ("event files of TensorBoard", "tensorboard"),
    "wandb": ("runs of W&B", "wandb"),
    "ray": ("launcher=ray", "ray"),
    "slurm": ("launcher=slurm", "submitit"),
}
LITTLE = 1e9  # bytes of memory or disk below which even small nets run into trouble: torch alone takes 0.4 GB


@dataclass(frozen=True)
class Item:
    """One thing that was looked at; `problem` and its `remedy` are "" if it is as it should be."""

    name: str
    found: str
    problem: str = ""
    remedy: str = ""


def main(arguments: Sequence[str]) -> int:
    """Run `dlx doctor` and return 0, or 1 if there is a problem."""
    _parser().parse(arguments)
    with working("looking at this machine") as say:
        items: list[Item] = []
        for what, look in _looks().items():
            say(f"looking at {what}")
            items += look()
    wide = max(len(item.name) for item in items)
    for item in items:
        print(f"{item.name:<{wide}}  {item.found}")
    problems = [item for item in items if item.problem]
    print()
    for item in problems:
        print(f"problem: {item.problem}\n  remedy: {item.remedy}")
    print(f"{len(problems)} problem{'s' * (len(problems) > 1)}" if problems else "no problem found")
    return 1 if problems else 0


def _looks() -> dict[str, Callable[[], Iterator[Item]]]:
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


def _programs() -> Iterator[Item]:
    """Yield the versions of dlx, Python and the packages that dlx needs, each imported."""
    yield Item("dlx", f"{__version__}, {Path(__file__).resolve().parent.parent}")
    yield Item("python", f"{platform.python_version()}, {sys.executable}")
    yield Item("system", f"{platform.system()} {platform.release()}, {platform.machine()}")
    for package, module in NEEDED.items():
        try:
            import_module(module)
            yield Item(package, version(package))
        except (ImportError, OSError, PackageNotFoundError) as error:
            said = f"{type(error).__name__}: {error}".partition("\n")[0]
            yield Item(
                package, "not usable", f"{package}: {said}", f"pip install --force-reinstall {package}"
            )


def _devices() -> Iterator[Item]:
    """Yield the processors that a run can train on."""
    from dlx.study.plan import cores

    yield Item("cpu", f"{cores()} of {os.cpu_count()} cores may be used")
    with suppress(ImportError, OSError):
        import torch

        for index in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(index)
            name = torch.cuda.get_device_name(index)
            yield Item(f"cuda:{index}", f"{name}, {_size(free)} of {_size(total)} free")
        if torch.backends.mps.is_available():
            yield Item("mps", "an Apple GPU")
        if torch.cuda.device_count() == 0 and shutil.which("nvidia-smi"):
            built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built without CUDA"
            yield Item(
                "cuda",
                "none",
                f"there is an NVIDIA driver, but torch ({built}) finds no GPU",
                "nvidia-smi shows the driver's CUDA version; install a torch for it: https://pytorch.org/get-started",
            )


def _memory() -> Iterator[Item]:
    """Yield the main memory that is available."""
    from dlx.device import available_bytes

    free = available_bytes()
    if free is None:
        yield Item("memory", "unknown")
    elif free < LITTLE:
        remedy = "close other programs, or train with launcher.processes=1"
        yield Item("memory", f"{_size(free)} free", f"only {_size(free)} of memory is free", remedy)
    else:
        yield Item("memory", f"{_size(free)} free")


def _folders() -> Iterator[Item]:
    """Yield where results and caches go: their sizes, and whether files can be written there."""
    from dlx.run.paths import cache_root

    yield _folder("results", Path("outputs"), "train elsewhere: dlx train output_root=FOLDER")
    yield _folder("cache", cache_root(), "set DLX_CACHE to a folder that can be written")


def _folder(name: str, folder: Path, remedy: str) -> Item:
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    size = f", {_size(_bytes_below(folder))}" if folder.is_dir() else ", not there yet"
    try:
        with NamedTemporaryFile(dir=there, prefix=".dlx"):
            free = shutil.disk_usage(there).free
    except OSError as error:
        return Item(name, f"{folder}{size}", f"{there} cannot be written: {error.strerror}", remedy)
    found = f"{folder}{size}, {_size(free)} free on the disk"
    problem = f"the disk of {there} has only {_size(free)} left" if free < LITTLE else ""
    return Item(name, found, problem, "make room on the disk" if problem else "")


def _bytes_below(folder: Path) -> int:
    total = 0
    for where, _, files in os.walk(folder):
        for file in files:
            with suppress(OSError):
                total += Path(where, file).lstat().st_size
    return total


def _data() -> Iterator[Item]:
    """Yield which of the published data sets are there, unchecked: dlx data prepare verifies one."""
    from dlx.data.source import data_root

    root = data_root(None)
    yield Item("data", f"{root}{'' if root.is_dir() else ', not there yet'}")
    with suppress(ImportError, OSError):
        from dlx.data import vision

        for each in (vision.MNIST, vision.FASHION_MNIST, vision.CIFAR10):
            there = all((root / each.folder / name).is_file() for name in each.files)
            packed = all((root / name).is_file() for name in each.archives)
            yield Item(
                f"  {each.name}", "found" if there or packed else f"not found: dlx data prepare {each.name}"
            )


def _extras() -> Iterator[Item]:
    """Yield the optional extras."""
    for extra, (purpose, package) in EXTRAS.items():
        try:
            yield Item(f"dlx[{extra}]", f"{package} {version(package)}, for {purpose}")
        except PackageNotFoundError:
            yield Item(f"dlx[{extra}]", f"not installed; for {purpose}: pip install 'dlx[{extra}]'")


def _renderer() -> Iterator[Item]:
    """Yield whether plots can be drawn."""
    from dlx.report import renderer

    try:
        plot = {"$schema": renderer.SCHEMA, "data": {"values": []}, "mark": "point"}
        renderer.start().call("vegalite_to_svg", plot)
        yield Item("plots", f"vl-convert-python {version('vl-convert-python')}")
    except (ImportError, OSError, RuntimeError, ValueError, PackageNotFoundError) as error:
        remedy = "pip install --force-reinstall vl-convert-python"
        yield Item("plots", "not drawn", f"plots cannot be drawn: {error}", remedy)


def _own_files() -> Iterator[Item]:
    """Yield whether the YAML files in ./conf can be read."""
    own = Path("conf")
    if not own.is_dir():
        yield Item("own conf/", "none in this folder")
        return
    from dlx.compose.own_yaml import parse, read_text
    from dlx.errors import RequestError

    files = sorted(own.rglob("*.yaml"))
    yield Item("own conf/", f"{len(files)} file{'s' * (len(files) != 1)} in {own.absolute()}")
    for file in files:
        try:
            parse(read_text(file), file)
        except RequestError as error:
            yield Item(f"  {file.relative_to(own)}", "cannot be read", str(error), f"correct {file}")


def _size(count: float) -> str:
    """Write a number of bytes as 3.2 GB."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB" if count < 1000 else f"{count / 1000:.3g} TB"
