"""Ways in which the folder of a completed run can be damaged, or made to harm whoever reads it.

Each of DAMAGES is done to a folder; the run must then be left out of a report, for a reason that names the
file, and no other row may change. BESIDE are done to files that no row depends on.
"""

import json
import os
import shutil
import socket
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from dlx.run.history import COLUMNS
from dlx.run.identity import identity

Damage = Callable[[Path], object]
SPARSE = 2 << 30  # bytes of a file without content


def result(change: Callable[[dict[str, Any]], object], *, identify: bool = True) -> Damage:
    """Change the values of result.json; `identify`: as somebody would who knows how to forge the identity."""

    def damage(folder: Path) -> None:
        values = json.loads((folder / "result.json").read_text())
        change(values)
        if identify and isinstance(values["config"], dict):
            values["identity"] = identity(values["config"])
        (folder / "result.json").write_text(json.dumps(values))

    return damage


def config(**changes: object) -> Damage:
    """Change the configuration in result.json."""
    return result(lambda values: values["config"].update(changes))


def written(name: str, content: str | bytes) -> Damage:
    """Replace a file by this content."""

    def damage(folder: Path) -> None:
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    return damage


def replaced(name: str, old: str, new: str) -> Damage:
    """Replace the first occurrence of a text in a file."""

    def damage(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1))

    return damage


def cut(name: str) -> Damage:
    return lambda folder: os.truncate(folder / name, (folder / name).stat().st_size - 3)


def sparse(name: str) -> Damage:
    def damage(folder: Path) -> None:
        (folder / name).touch()
        os.truncate(folder / name, SPARSE)

    return damage


def pipe(name: str) -> Damage:
    def damage(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        os.mkfifo(folder / name)

    return damage


def link(name: str, target: str) -> Damage:
    """Put a link in the place of a file; {} in the target is the folder's parent."""

    def damage(folder: Path) -> None:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        path.symlink_to(target.replace("{}", str(folder.resolve().parent)))

    return damage


def a_folder(name: str) -> Damage:
    def damage(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).mkdir()

    return damage


def a_socket(name: str) -> Damage:
    def damage(folder: Path) -> None:
        (folder / name).unlink()
        here = Path.cwd()
        os.chdir(folder)  # the path of a socket has at most 107 bytes
        try:
            with socket.socket(socket.AF_UNIX) as opened:
                opened.bind(name)
        finally:
            os.chdir(here)

    return damage


def elsewhere(folder: Path) -> None:
    """Move the run out of the study and leave a link to it."""
    away = folder.resolve().parent.parent / "away" / folder.name
    away.parent.mkdir(exist_ok=True)
    folder.rename(away)
    folder.symlink_to(away)


def bomb(folder: Path) -> None:
    """Write a predictions.npz of 50 kB that unpacks to 50 MB."""
    with zipfile.ZipFile(folder / "predictions.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("last_outputs", "best_outputs"):
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array_header_1_0(
                    member, {"descr": "<f8", "fortran_order": False, "shape": (300_000, 10)}
                )
                for _ in range(24):
                    member.write(bytes(1_000_000))


def arrays(header: str, compression: int = zipfile.ZIP_DEFLATED) -> Damage:
    """Write a predictions.npz whose first array has this header and no content."""

    def damage(folder: Path) -> None:
        text = header.ljust(117).encode() + b"\n"
        array = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text
        with zipfile.ZipFile(folder / "predictions.npz", "w", compression) as archive:
            archive.writestr("last_outputs.npy", array)

    return damage


def many_members(folder: Path) -> None:
    with zipfile.ZipFile(folder / "predictions.npz", "w") as archive:
        for number in range(200):
            archive.writestr(f"{number}.npy", b"")


def pickled(folder: Path) -> None:
    np.savez(folder / "predictions.npz", last_outputs=np.array([{}], dtype=object))


HEADER = ",".join(COLUMNS)

DAMAGES: dict[str, Damage] = {
    "result empty": written("result.json", ""),
    "result cut": cut("result.json"),
    "result a list": written("result.json", "[1, 2]"),
    "result a number": written("result.json", "3"),
    "result not UTF-8": written("result.json", b'{"status": "\xff"}'),
    "result half a letter": replaced("result.json", '"seed": ', '"x": "\\ud800", "seed": '),
    "result very deep": written("result.json", "[" * 100_000),
    "result deep": replaced("result.json", '"seed": ', f'"x": {"[" * 60 + "]" * 60}, "seed": '),
    "result with many values": written("result.json", "[" + "[]," * 1_100_000 + "0]"),
    "result with a key twice": replaced("result.json", '"status"', '"status": "failed", "status"'),
    "result NaN": replaced("result.json", '"seed": ', '"extra": NaN, "seed": '),
    "result infinite": replaced("result.json", '"seed": ', '"extra": 1e999, "seed": '),
    "result with an integer of 400 digits": replaced(
        "result.json", '"seed": ', f'"x": {"9" * 400}, "seed": '
    ),
    "result with an integer of 5000 digits": replaced(
        "result.json", '"seed": ', f'"x": {"9" * 5000}, "seed": '
    ),
    "result with another status": result(lambda values: values.update(status="done")),
    "result without a configuration": result(lambda values: values.update(config={})),
    "result with a list for a configuration": result(lambda values: values.update(config=[1])),
    "result with a word for a seed": config(seed="zero"),
    "result with a negative seed": config(seed=-1),
    "result with a list for a seed": config(seed=[0]),
    "result with an odd monitor": config(monitor=["val_loss"]),
    "result with an unknown monitor": config(monitor="accuracy"),
    "result with a number for a model": config(model=3),
    "result with a word for the data": config(data="digits"),
    "result with a dotted key": config(**{"model.width": 7}),
    "result with an empty key": config(**{"": {"": 1}}),
    "result with a long key": config(**{"k" * 1000: 1}),
    "result with 20,000 keys": config(extra={f"k{number}": number for number in range(20_000)}),
    "result with a long value": config(extra="x" * 100_000),
    "result with another setting": result(lambda values: values["config"].update(extra=7), identify=False),
    "result with an accuracy of 7": result(lambda values: values["last"].update(val_accuracy=7)),
    "result with a word for a loss": result(lambda values: values["last"].update(val_loss="low")),
    "result with a foreign identity": result(lambda values: values.update(identity="../x"), identify=False),
    "result with a negative epoch": result(lambda values: values.update(epochs_run=-1)),
    "result with words for parameters": result(lambda values: values.update(parameters="many")),
    "result with a list of versions": result(lambda values: values.update(versions=["1"])),
    "result with code of nobody": result(
        lambda values: values.update(fingerprints={"code": {"x.py": "sha256:1"}, "data": {}})
    ),
    "result of 2 GB": sparse("result.json"),
    "result a pipe": pipe("result.json"),
    "result a link": link("result.json", "{}/secret"),
    "result a device": link("result.json", "/dev/zero"),
    "result a folder": a_folder("result.json"),
    "result a socket": a_socket("result.json"),
    "history empty": written("history.csv", ""),
    "history cut": cut("history.csv"),
    "history of another table": written("history.csv", "a,b\n1,2\n"),
    "history gone": lambda folder: (folder / "history.csv").unlink(),
    "history without epochs": written("history.csv", f"{HEADER}\n"),
    "history of another run": written("history.csv", f"{HEADER}\n0,0,0.1,,,,2.3,0.1\n"),
    "history with an epoch left out": replaced("history.csv", "\n1,", "\n7,"),
    "history with an epoch of 400 digits": replaced("history.csv", "\n1,", f"\n{'1' * 400},"),
    "history with a word": replaced("history.csv", "\n1,", "\none,"),
    "history with a NUL": replaced("history.csv", "\n1,", "\n\0,"),
    "history with a long field": replaced("history.csv", "\n1,", f"\n{'1' * 200_000},"),
    "history with a long line": replaced("history.csv", "\n1,", "\n" + "1," * 1_000_000),
    "history with a thousand columns": replaced(
        "history.csv", "val_accuracy", "val_accuracy," + ",".join(f"c{number}" for number in range(1000))
    ),
    "history with semicolons": written("history.csv", f"{HEADER}\n0,0,0.1,,,,2.3,0.1\n".replace(",", ";")),
    "history in UTF-16": written("history.csv", f"{HEADER}\n".encode("utf-16")),
    "history of 2 GB": sparse("history.csv"),
    "history a pipe": pipe("history.csv"),
    "history a link": link("history.csv", "{}/secret"),
    "history a device": link("history.csv", "/dev/zero"),
    "history a loop": link("history.csv", "history.csv"),
    "history a folder": a_folder("history.csv"),
    "run a link": elsewhere,
}

ALIASES = "a: &a [x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
BESIDE: dict[str, Damage] = {
    "predictions a bomb": bomb,
    "predictions of 2 GB": sparse("predictions.npz"),
    "predictions a pipe": pipe("predictions.npz"),
    "predictions a link": link("predictions.npz", "{}/secret"),
    "predictions cut": cut("predictions.npz"),
    "predictions of objects": pickled,
    "predictions of 200 arrays": many_members,
    "predictions of 10^15 values": arrays(
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000, 1000000)}"
    ),
    "predictions of records": arrays("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (3,)}"),
    "predictions with a negative shape": arrays("{'descr': '<f8', 'fortran_order': False, 'shape': (-3,)}"),
    "predictions with an open header": arrays("{'descr': '<f8', 'fortran_order': ((((("),
    "predictions packed by LZMA": arrays("{'descr': '<f8', 'fortran_order': False, 'shape': (3,)}", 14),
    "overrides with a date": written(".hydra/overrides.yaml", "- 2021-13-45\n"),
    "overrides with a tag": written(".hydra/overrides.yaml", "- !!python/object/apply:os.system [touch x]\n"),
    "overrides with aliases": written(".hydra/overrides.yaml", ALIASES),
    "overrides of themselves": written(".hydra/overrides.yaml", "&a [*a, *a]\n"),
    "overrides very deep": written(".hydra/overrides.yaml", "[" * 100_000),
    "overrides a pipe": pipe(".hydra/overrides.yaml"),
    "overrides a link": link(".hydra/overrides.yaml", "{}/secret"),
    "composition a link": link(".hydra", "{}/secret-folder"),
    "evaluations a pipe": pipe("evaluations.csv"),
    "evaluations a link": link("evaluations.csv", "{}/secret"),
    "evaluations of 400 digits": written(
        "evaluations.csv",
        "time,split,samples,epoch,loss,accuracy,checkpoint,chosen_from\n2026,test,"
        f"{'9' * 400},1,0.1,0.5,ab,1\n",
    ),
    "layers of 2 GB": sparse("layers.csv"),
    "log a link": link("train.log", "{}/secret"),
}
