"""`dlx data`: lists the data sets, shows what one holds, or fetches one ahead of time."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dlx.commands.parser import Parser, any_path, one_of
from dlx.errors import RequestError, nearest
from dlx.streams import wrapped
from dlx.working import working

if TYPE_CHECKING:
    from dlx.config import DataSettings
    from dlx.data.overview import Overview

EXAMPLES = """
dlx data list
dlx data show digits
dlx data show pictures data.size=32
dlx data show iris.csv data.target=species
dlx data prepare cifar10 data.root=~/data
"""

EXIT_CODES = (
    "0 done; 2 the request was wrong, or the data could not be fetched or is damaged; 4 storage failed."
)
TABLES = (".csv", ".tsv", ".txt", ".data", ".parquet", ".pq")
MOST_CLASSES = 20  # rows of counts


def main(arguments: Sequence[str]) -> int:
    """Run `dlx data` with these arguments and return 0."""
    given = _parser().parse(arguments)
    if given.action is None:
        raise RequestError("say what to do: list, show NAME or PATH, or prepare NAME")
    if given.action != "show" and given.sheet:
        raise RequestError(f"--sheet: only `dlx data show` draws one, not {given.action}")
    if given.action == "list":
        if given.name:
            raise RequestError(f"list takes no more words, but was given '{given.name}'")
        _list()
        return 0
    if given.name is None:
        what = "a name from `dlx data list`" + " or the path of a file or folder" * (given.action == "show")
        raise RequestError(f"{given.action} needs {what}")
    if given.action == "show":
        _show(given.name, given.overrides, given.sheet)
    else:
        _prepare(given.name, given.overrides)
    return 0


def _parser() -> Parser:
    parser = Parser(
        "dlx data",
        "List the data sets, show what one holds, or fetch one ahead of time and check it.",
        examples=EXAMPLES,
        exit_codes=EXIT_CODES,
    )
    parser.add_argument(
        "action",
        nargs="?",
        type=one_of("list", "show", "prepare"),
        metavar="list|show|prepare",
        help="list every data set; show classes, counts, values and repeated samples of one; or fetch, check "
        "and keep one",
    )
    parser.add_argument(
        "name", nargs="?", metavar="NAME|PATH", help="the data set, or for show a file or folder of yours"
    )
    parser.add_argument(
        "overrides", nargs="*", metavar="KEY=VALUE", help="set a key of its data, such as data.root=FOLDER"
    )
    parser.add_argument(
        "--sheet", metavar="FILE", help="show: the contact sheet of images (default: NAME-sheet.png)"
    )
    return parser


def _show(name: str, overrides: Sequence[str], sheet: str | None) -> None:
    """Print what a data set holds, and draw a few images of each class."""
    from dlx.compose.request import compose_one

    words = _words(name)
    if sheet is not None and not sheet.lower().endswith(".png"):
        raise RequestError(f"--sheet {sheet}: give a file name that ends in .png")
    if sheet is not None and not Path(sheet).parent.is_dir():
        raise RequestError(f"--sheet {sheet}: there is no folder '{Path(sheet).parent}'")
    with working("reading the request"):
        settings = compose_one([*words, *overrides]).data
    if settings.name == "table":
        _print_columns(settings)
        if settings.arguments.get("target") is None:
            print("classes and splits: add data.target=COLUMN, the column to predict")
            return
    with working("reading the data") as say:
        from dlx.data.dataset import read, split_as_set, warnings_on_splits  # imports torch
        from dlx.data.overview import look_over

        source = read(settings)
        drawn = split_as_set(source, settings)
        say("looking for repeated samples")
        overview = look_over(source.classes, drawn.train, drawn.val, drawn.test)
    _print_overview(name, overview)
    for sentence in (*source.notes, *warnings_on_splits(settings, source.classes, drawn)):
        print(wrapped(sentence, sys.stdout))
    _draw(
        Path(sheet or f"{any_path(name).absolute().stem}-sheet.png"),
        overview,
        source.white,
        asked=sheet is not None,
    )


def _words(name: str) -> list[str]:
    """Return the words that choose a data set by its name, or by the path of the user's own."""
    from dlx.data.huggingface_files import is_saved_dataset

    path, names = any_path(name), _names()
    if name in names:
        return [f"data={name}"]
    if not path.exists():
        near = nearest(name, names)
        raise RequestError(f"{name}: there is no such file or folder, and no data set of that name{near}")
    if path.suffix in (".npz", ".npy") or (path.is_dir() and any(path.glob("*.npy"))):
        kind = "npz"
    elif is_saved_dataset(path):
        kind = "huggingface"
    elif path.is_dir():
        kind = "image_folder"
    elif any(ending in TABLES for ending in path.suffixes):
        kind = "table"
    else:
        raise RequestError(
            f"{name}: dlx reads .npz, .npy, {', '.join(TABLES)} files and folders of class folders, not this"
        )
    return [f"data={kind}", f"data.path={path.absolute()}"]


def _print_columns(settings: "DataSettings") -> None:
    from dlx.data.source import below, data_root
    from dlx.data.table_file import describe_column, read_frame

    path = settings.arguments.get("path")
    if not isinstance(path, str):
        raise RequestError("data.path: give the file of the table, for example data.path=iris.csv")
    frame = read_frame(below(data_root(settings.root, own=True), path))
    print(f"{Path(path).name}: {len(frame)} rows, {len(frame.columns)} columns")
    width = max(map(len, frame.columns))
    for name in frame.columns:
        print(f"  {name:<{width}}  {describe_column(frame[name])}")


def _print_overview(name: str, overview: "Overview") -> None:
    shape = overview.sample_shape
    inputs = overview.splits["train"].inputs
    dtype = str(inputs.dtype).removeprefix("torch.")
    images = "x".join(map(str, shape)) + (" (channels x height x width)" if len(shape) == 3 else " features")
    sizes = ", ".join(f"{len(part)} {split}" for split, part in overview.splits.items())
    line = f"{name}: {sizes}; {images}, {dtype} from {overview.low:g} to {overview.high:g}"
    print(wrapped(line, sys.stdout))
    labels = overview.splits["train"].labels
    if not labels.is_floating_point():
        _print_counts(overview)
    elif overview.classes or labels.dim() > 1:
        print(f"labels: {labels.shape[1]} a sample, from {labels.min():g} to {labels.max():g}")
    else:
        print(f"labels: numbers from {labels.min():g} to {labels.max():g}, {labels.mean():.4g} on average")
    _print_repeated(overview)


def _print_counts(overview: "Overview") -> None:
    classes = overview.classes
    width = max(len("class"), *(len(each) for each in classes[:MOST_CLASSES]))
    print(f"  {'class':<{width}}" + "".join(f"{split:>8}" for split in overview.splits))
    columns = [overview.counts(split) for split in overview.splits]
    for name, *counts in list(zip(classes, *columns, strict=True))[:MOST_CLASSES]:
        print(f"  {name:<{width}}" + "".join(f"{count:>8}" for count in counts))
    if len(classes) > MOST_CLASSES:
        print(f"  and {len(classes) - MOST_CLASSES} more classes")


def _print_repeated(overview: "Overview") -> None:
    where = {"train": "an earlier training sample", "val": "a training sample", "test": "a training sample"}
    for split, count in overview.repeated.items():
        size = len(overview.splits[split])
        print(f"repeated: {count} of {size} {split} samples are the same, byte by byte, as {where[split]}")
    if overview.relabelled:
        print(f"repeated: {overview.relabelled} of these have another label")
    if not overview.repeated:
        line = "repeated: no sample is in the training split twice, or in it and in another split"
        print(wrapped(line, sys.stdout))


def _draw(file: Path, overview: "Overview", white: float | None, *, asked: bool) -> None:
    from dlx.data.contact_sheet import has_images, write_contact_sheet

    train = overview.splits["train"]
    if not has_images(train) or train.labels.is_floating_point():
        if asked:
            raise RequestError("--sheet: only images with classes are drawn, and these samples are not")
        return
    darkest, brightest = (0.0, white) if white else (overview.low, overview.high)
    drawn = write_contact_sheet(file, overview.classes, train, darkest, brightest)
    of = (
        f" of {drawn} of {len(overview.classes)} classes"
        if drawn < len(overview.classes)
        else " of each class"
    )
    print(f"{file}: a few training images{of}")


def _prepare(name: str, overrides: Sequence[str]) -> None:
    """Fetch and check a data set; print what it holds."""
    from dlx.compose.request import compose_one

    settings = compose_one([f"data={name}", *overrides]).data
    with working("fetching and checking the data"):
        from dlx.data.dataset import read  # imports torch

        source = read(settings)
    parts = {"train": source.train, "validation": source.validation, "test": source.test}
    sizes = ", ".join(f"{len(arrays)} {part}" for part, arrays in parts.items() if arrays is not None)
    shape = "x".join(map(str, source.train.inputs.shape[1:]))
    print(f"{name}: ready; {sizes}, {shape}, {len(source.classes)} classes")


def _list() -> None:
    """Print each data set's name and the sentence at the top of its YAML, those in ./conf included."""
    for name, path in sorted(_names().items()):
        lines = path.read_text(errors="replace").splitlines()
        comments = [line.lstrip("# ") for line in lines if line.startswith("#")]
        what = next((line for line in comments if line and not line.startswith(("@package", "dlx "))), "")
        own = "" if path.is_absolute() else f"yours, {path}"
        print(f"{name:<14} {what or own}".rstrip())


def _names() -> dict[str, Path]:
    """Return the YAML file of each data set by its name; one in ./conf comes before dlx's own."""
    from dlx.compose.folder import config_folder

    files = [*(config_folder() / "data").glob("*.yaml"), *Path("conf/data").glob("*.yaml")]
    return {path.stem: path for path in files}
