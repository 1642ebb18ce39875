"""`dlx init [FOLDER]`: writes a small project that trains at once."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from dlx.commands.parser import Parser, output_folder
from dlx.errors import RequestError
from dlx.report.text import visible

PROJECT = Path(__file__).resolve().parent.parent / "project"  # what is copied
DATA = "mydata.npz"
SAMPLES, CLASSES = 1200, 3

EXAMPLES = """
dlx init
dlx init myproject
"""


def main(arguments: Sequence[str]) -> int:
    """Run `dlx init` with these arguments and return 0. Raises RequestError rather than overwrite a file."""
    folder = _parser().parse(arguments).folder
    files = sorted(path.relative_to(PROJECT) for path in PROJECT.rglob("*") if _is_copied(path))
    names = [*files, Path(DATA)]
    if there := [folder / name for name in names if (folder / name).exists() or (folder / name).is_symlink()]:
        raise RequestError(
            f"'{there[0]}' exists already; nothing was written. Name another folder: dlx init FOLDER"
        )
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((PROJECT / name).read_bytes())
    _write_data(folder / DATA)
    print(f"wrote {len(names)} files:")
    print("".join(f"  {visible(str(folder / name))}\n" for name in names) + "train and compare:")
    if folder != Path():
        print(f"  cd {visible(shlex.quote(str(folder)))}")
    print("  dlx train sweep=mysweep\n  dlx report")
    return 0


def _parser() -> Parser:
    parser = Parser(
        "dlx init",
        "Write a small project that trains at once: a network, data, settings of its own and a README. "
        "Files that exist are never overwritten.",
        examples=EXAMPLES,
        exit_codes="0 done; 2 a file exists already, or the request was wrong; 4 storage failed.",
    )
    parser.add_argument(
        "folder",
        metavar="FOLDER",
        nargs="?",
        type=output_folder,
        default=Path(),
        help="where to write (default: the current folder)",
    )
    return parser


def _is_copied(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts


def _write_data(path: Path) -> None:
    """Write points on three spiral arms, with noise, so that a wider network is a better one."""
    import numpy as np

    generator = np.random.default_rng(0)
    labels_N = np.arange(SAMPLES) % CLASSES
    radius_N = generator.uniform(0.1, 1.0, SAMPLES)
    angle_N = 2 * np.pi * labels_N / CLASSES + 4 * radius_N
    inputs_N2 = np.stack([radius_N * np.cos(angle_N), radius_N * np.sin(angle_N)], axis=1)
    inputs_N2 += generator.normal(0, 0.1, inputs_N2.shape)
    np.savez(path, inputs=inputs_N2.astype(np.float32), labels=labels_N)
