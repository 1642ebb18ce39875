"""Hugging Face data sets on disk: folders of `datasets.save_to_disk`, and of Parquet files as on the Hub.

The columns are read with pyarrow, from the extra `parquet`; the package `datasets` is not needed.
Axes: N samples, F features, C channels, H height, W width.
"""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from dlx.data.array_names import KINDS
from dlx.data.huggingface_files import PARQUET, find_parts
from dlx.data.image_folder import Pixels
from dlx.data.labels import Task, read_labels
from dlx.data.npz import to_samples
from dlx.data.on_disk import Samples
from dlx.data.source import Arrays, Source, below, sources, wrong_file
from dlx.device import check_memory
from dlx.errors import RequestError, nearest

if TYPE_CHECKING:
    import pyarrow as pa

Array = NDArray[Any]
COPIES = 3  # of the samples, for a moment: as stored, as an array, as split


@sources.register("huggingface")
def huggingface(
    root: Path,
    *,
    path: str | None = None,
    inputs: str | None = None,
    labels: str | None = None,
    size: Pixels | tuple[Pixels, Pixels] | None = None,
    task: Task = "auto",
) -> Source:
    """Read a data set of root / path: images, arrays or columns of numbers, and a label for each sample.

    `inputs`: the column to train on; None: the one of images or of arrays, else all columns of numbers.
    `labels`: the column to predict; None: the one of class labels, or with a usual name. `size` (a side, or
    height and width) resizes every image. `task`: see `read_labels`. Raises RequestError for anything else.
    """
    if path is None:
        raise RequestError(f"data.path: give a folder below data.root={root}, for example data.path=mnist")
    folder = below(root, path)
    tables = {part: _read_table(folder, files) for part, files in find_parts(folder).items()}
    features = _features(tables["train"])
    target = _target(folder, tables["train"], features, labels)
    column = _inputs(folder, tables["train"], features, target, inputs)
    side = (size, size) if isinstance(size, int) else size
    given = {f"{target} of {part}": _labels(folder, table, target) for part, table in tables.items()}
    try:
        read = read_labels(given, task, features.get(target, {}).get("names") or ())
    except ValueError as error:
        raise wrong_file(folder, str(error)) from error
    parts: dict[str, Arrays] = {}
    for part, table in tables.items():
        samples = _samples(folder, table, column, features, side)
        if parts and samples.shape[1:] != parts["train"].inputs.shape[1:]:
            shapes = [tuple(each.shape[1:]) for each in (parts["train"].inputs, samples)]
            raise wrong_file(folder, f"has training inputs of shape {shapes[0]}, but {part} has {shapes[1]}")
        parts[part] = Arrays(samples, torch.from_numpy(read.arrays[f"{target} of {part}"]))
    named = f"columns {', '.join(column)}" if len(column) > 1 else f"column {column[0]}"
    notes = [f"{named} was read as the inputs, {target} as the labels", *read.notes]
    white = 255.0 if parts["train"].inputs.dtype == torch.uint8 else None
    return Source(
        read.classes,
        parts["train"],
        parts.get("val"),
        parts.get("test"),
        white,
        tuple(f"data.path: {folder.name}: {note}" for note in notes),
    )


def _read_table(folder: Path, files: Sequence[Path]) -> "pa.Table":
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise wrong_file(folder, "needs pyarrow: pip install 'dlx[parquet]'") from error
    check_memory(
        f"data.path: {folder}, in memory, needs", COPIES * sum(each.stat().st_size for each in files)
    )
    tables = []
    for file in files:
        try:
            if file.suffix == PARQUET:
                tables.append(parquet.read_table(file))
            else:
                with pa.memory_map(str(file)) as mapped:
                    tables.append(pa.ipc.open_stream(mapped).read_all())
        except (OSError, pa.ArrowException) as error:
            raise wrong_file(file, f"cannot be read: {' '.join(str(error).split())}") from error
    try:
        return pa.concat_tables(tables)
    except pa.ArrowException as error:
        raise wrong_file(
            folder, f"has files with different columns: {' '.join(str(error).split())}"
        ) from error


def _features(table: "pa.Table") -> dict[str, dict[str, Any]]:
    """Return what `datasets` says of each column: {"label": {"_type": "ClassLabel", "names": [...]}}."""
    written = (table.schema.metadata or {}).get(b"huggingface", b"{}")
    try:
        features = json.loads(written).get("info", {}).get("features", {})
    except (ValueError, AttributeError):
        return {}
    return {name: each for name, each in features.items() if isinstance(each, dict)}


def _target(folder: Path, table: "pa.Table", features: dict[str, dict[str, Any]], given: str | None) -> str:
    held = ", ".join(table.column_names)
    if given is not None:
        if given not in table.column_names:
            near = nearest(given, table.column_names)
            raise RequestError(f"data.labels={given}: {folder} has no such column{near} (it has {held})")
        return given
    classes = [name for name in table.column_names if features.get(name, {}).get("_type") == "ClassLabel"]
    usual = [name for name in table.column_names if name.lower() in KINDS["labels"]]
    for found in (classes, usual):
        if len(found) == 1:
            return str(found[0])
    raise RequestError(f"data.labels: name the column to predict; {folder.name} has {held}")


def _inputs(
    folder: Path, table: "pa.Table", features: dict[str, dict[str, Any]], target: str, given: str | None
) -> list[str]:
    import pyarrow as pa

    others = [name for name in table.column_names if name != target]
    if given is not None:
        if given not in others:
            what = "this column is data.labels" if given == target else f"{folder} has {', '.join(others)}"
            raise RequestError(f"data.inputs={given}: {what}{nearest(given, others)}")
        return [given]
    types = {name: table.schema.field(name).type for name in others}
    images = [name for name in others if _is_image(types[name])]
    arrays = [name for name in others if _is_list(types[name])]
    numbers = [
        name
        for name, kind in types.items()
        if (pa.types.is_integer(kind) or pa.types.is_floating(kind))
        and features.get(name, {}).get("_type") != "ClassLabel"
    ]
    for found in (images, arrays):
        if len(found) == 1:
            return found
        if found:
            raise RequestError(f"data.inputs: name one of {', '.join(found)}, to train on")
    if numbers:
        return numbers
    listed = ", ".join(f"{name} ({kind})" for name, kind in types.items())
    raise wrong_file(folder, f"has no column of images, arrays or numbers to train on: {listed}")


def _is_image(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    return pa.types.is_struct(kind) and {field.name for field in kind} == {"bytes", "path"}


def _is_list(kind: Any) -> bool:
    import pyarrow as pa

    kind = getattr(kind, "storage_type", kind)  # Array2D and the like of `datasets`
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _labels(folder: Path, table: "pa.Table", target: str) -> Array:
    column = table.column(target)
    if column.null_count:
        raise wrong_file(folder, f"has {column.null_count} empty cells in column {target}")
    return np.array(column.to_pylist())


def _samples(
    folder: Path,
    table: "pa.Table",
    columns: Sequence[str],
    features: dict[str, dict[str, Any]],
    side: tuple[int, int] | None,
) -> Samples:
    """Return [N, C, H, W] or [N, F]."""
    name, kind = ", ".join(columns), table.schema.field(columns[0]).type
    empty = sum(table.column(each).null_count for each in columns)
    if empty:
        raise wrong_file(folder, f"has {empty} empty cells in {name}")
    if _is_image(kind):
        return _images(folder, name, table.column(name), side)
    if side is not None:
        raise RequestError(f"data.size: only images can be resized, and {name} holds {kind}")
    if len(columns) > 1 or not _is_list(kind):
        array = np.stack([table.column(each).to_numpy() for each in columns], axis=1)
    else:
        try:
            array = np.array(table.column(name).to_pylist())
        except ValueError as error:
            raise wrong_file(folder, f"has arrays of different shapes in column {name}") from error
        dtype = str(features.get(name, {}).get("dtype", ""))
        array = array.astype(np.uint8) if dtype == "uint8" or _holds_bytes(kind) else array
    return to_samples(folder, name, array)


def _holds_bytes(kind: Any) -> bool:
    kind = getattr(kind, "storage_type", kind)
    while _is_list(kind):
        kind = kind.value_type
    return str(kind) == "uint8"


def _images(folder: Path, name: str, column: "pa.ChunkedArray", side: tuple[int, int] | None) -> torch.Tensor:
    """Decode images to [N, C, H, W], uint8: grey if the first is, else RGB."""
    from PIL import Image
    from PIL.Image import Resampling

    images: list[Array] = []
    mode = ""
    for row, each in enumerate(column, start=1):
        content = each.as_py()["bytes"]
        if content is None:
            raise wrong_file(folder, f"holds no image in row {row} of {name}, only a path; save its bytes")
        try:
            with Image.open(io.BytesIO(content)) as image:
                mode = mode or ("L" if image.mode in ("1", "L") else "RGB")
                pixels = image.convert(mode)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise wrong_file(folder, f"cannot be read in row {row} of {name}: {error}") from error
        if side is not None and pixels.size != side[::-1]:
            pixels = pixels.resize(side[::-1], Resampling.BILINEAR)
        array = np.asarray(pixels)
        if images and array.shape != images[0].shape:
            sizes = ["x".join(map(str, shape[:2])) for shape in (array.shape, images[0].shape)]
            raise RequestError(
                f"data.size=null: row {row} of {name} is {sizes[0]} and the first is {sizes[1]} (height x "
                f"width); set data.size={images[0].shape[0]} to resize them all"
            )
        images.append(array)
    stacked = np.stack(images)
    return torch.from_numpy(stacked[:, None] if stacked.ndim == 3 else stacked.transpose(0, 3, 1, 2).copy())
