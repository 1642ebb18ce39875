"""Runs the requests and writes down what each left."""

import hashlib
import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from tests.golden import inputs, mask
from tests.golden.requests import REQUESTS

# Kept of a folder; the log, the page, the pictures and Hydra's own records are not.
TABLES = {".csv": mask.csv_text, ".json": mask.json_text, ".md": mask.table_text, ".tex": mask.table_text}
OF_THE_CLOCK = ("time", "seconds", "history")  # keys of a checkpoint; history sums a file with times
NOT_KEPT = {"cohorts.json"}


def record(out: Path, code: Path, names: list[str], side_by_side: int) -> None:
    """Run the requests on the `dlx` that lies in `code` and write out/<request>/."""
    out.mkdir(parents=True)
    (out / "machine.json").write_text(json.dumps(_machine(code), indent=1) + "\n")
    with ThreadPoolExecutor(side_by_side) as pool:
        for name, codes in zip(
            names, pool.map(lambda name: _record(out / name, code, name), names), strict=True
        ):
            print(f"{name}: exit codes {' '.join(map(str, codes))}", flush=True)


def _record(out: Path, code: Path, name: str) -> list[int]:
    with TemporaryDirectory() as temporary:
        folder = Path(temporary, "work").resolve()
        folder.mkdir()
        inputs.prepare(folder)
        environment = _environment(code, Path(temporary).resolve())
        paths = {str(folder): "<folder>", str(folder.parent): "<temporary>", str(code): "<code>"}
        exit_codes = {}
        for number, words in enumerate(REQUESTS[name], start=1):
            command = [sys.executable, "-m", "dlx", *_expand(words, folder)]
            done = subprocess.run(
                command,
                check=False,
                cwd=folder,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            title = f"{number} dlx {words}"
            exit_codes[title] = done.returncode
            text = f"$ dlx {words}\n{mask.terminal_text(done.stdout, paths)}"
            _write(out / "terminal" / f"{number} {words.split()[0]}.txt", text)
        _write(out / "exit_codes.json", json.dumps(exit_codes, indent=1) + "\n")
        for path, text in kept(folder / "outputs"):
            _write(out / path, text)
    return list(exit_codes.values())


def kept(outputs: Path) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of everything that a record keeps of an output folder.

    A claim and its preset may come to share a name: digits-layers is digits_layers here.
    """
    studies = [path.name for path in outputs.glob("*-*")]

    def renamed(text: str) -> str:
        for study in studies:
            text = text.replace(study, study.removesuffix("-reproduced").replace("-", "_"))
        return text

    for path in sorted(outputs.rglob("*")):
        name = renamed(str(path.relative_to(outputs)))
        if ".study" in path.parts:  # what was asked, when and by whom: no number of a run
            continue
        if path.name == "overrides.yaml":
            yield name, renamed(path.read_text())
        elif path.suffix in TABLES and path.name not in NOT_KEPT:
            yield name, renamed(TABLES[path.suffix](path.read_text()))
        elif path.suffix == ".npz":
            with np.load(path) as arrays:
                yield f"{name}.json", _as_json({key: _describe(arrays[key]) for key in arrays})
        elif path.suffix == ".pt":
            yield f"{name}.json", _as_json(_tensors(path))
        elif path.name == "plots":
            # Curves against seconds are drawn only if the seconds differ, which is up to the machine.
            names = sorted(plot.name for plot in path.iterdir() if not plot.stem.endswith("_pace"))
            yield f"{name}.txt", "\n".join(names) + "\n"


def _describe(array: Any) -> str:
    digest = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
    return f"{array.dtype}{list(array.shape)} {digest}"


def _tensors(path: Path) -> Any:
    import torch

    def describe(value: Any) -> Any:
        if isinstance(value, dict):
            return {str(key): describe(item) for key, item in value.items() if key not in OF_THE_CLOCK}
        if isinstance(value, list | tuple):  # the optimizers' states
            return [describe(item) for item in value]
        return _describe(value.numpy()) if isinstance(value, torch.Tensor) else value

    return describe(torch.load(path, weights_only=True, map_location="cpu"))


def _expand(words: str, folder: Path) -> list[str]:
    """Split a command like a shell, with `outputs/digits?layers` expanded."""
    expanded = []
    for word in shlex.split(words):
        found = [str(path.relative_to(folder)) for path in folder.glob(word)] if "?" in word else []
        expanded += found or [word]
    return expanded


def _environment(code: Path, temporary: Path) -> dict[str, str]:
    """Return an environment with dlx from `code`, a cache of its own, and a terminal of 100 columns."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("DLX_", "HYDRA_"))}
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    terminal = {"COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"}
    return kept | single | terminal | {"PYTHONPATH": str(code), "DLX_CACHE": str(temporary / "cache")}


def _machine(code: Path) -> dict[str, Any]:
    """Return what the bits depend on, and where dlx comes from; complain if that is not `code`."""
    script = (
        "import dlx, json, numpy, torch;"
        "print(json.dumps({'dlx': dlx.__file__, 'torch': torch.__version__, 'numpy': numpy.__version__,"
        " 'instructions': torch.backends.cpu.get_cpu_capability()}))"
    )
    with TemporaryDirectory() as folder:
        environment = _environment(code, Path(folder))
        facts = json.loads(
            subprocess.check_output([sys.executable, "-c", script], cwd=folder, env=environment, text=True)
        )
    if Path(facts.pop("dlx")).parent.parent != code:
        raise SystemExit(f"dlx was not imported from {code}")
    return facts | {
        "python": platform.python_version(),
        "processor": platform.machine(),
        "system": platform.system(),
    }


def _as_json(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True) + "\n"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
