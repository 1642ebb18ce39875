"""From the data settings to a `Dataset`: splits on the device or on disk, whose batches are index slices.

Axes: N samples of a split, B of a batch.
"""

import json
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dlx.config import DataSettings
from dlx.data.folds import note_on_small_classes
from dlx.data.on_disk import OnDisk, Samples, in_memory
from dlx.data.prefetch import prefetch
from dlx.data.source import Arrays, Source, data_root, sources
from dlx.data.split import Fold, Splits, split
from dlx.data.standardise import Standardise, fit
from dlx.data.storage import keeps_floats
from dlx.errors import RequestError

SMALL_VALIDATION = 100  # samples; with fewer, one is more than a point of accuracy
_handed_over: dict[str, Source] = {}


@dataclass(frozen=True)
class Split:
    """One split. With `standardise`, which is applied batch by batch, `inputs` [N, ...] are raw.

    Inputs on disk are read batch by batch, and then moved to the device of the labels.
    """

    inputs: Samples
    labels: Tensor  # [N], int64 of classes; floats: [N] or [N, K]
    standardise: Standardise | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def index_device(self) -> torch.device:
        """Where the indices of batches are best: on the device, or on the CPU for inputs on disk."""
        return torch.device("cpu") if isinstance(self.inputs, OnDisk) else self.labels.device

    def batch(self, index_B: Tensor) -> tuple[Tensor, Tensor]:
        """Return inputs [B, ...] (floating, standardised) and labels [B] at these indices."""
        inputs, labels_B = self._raw_batch(index_B)
        return self.to_float(inputs), labels_B

    def batches(self, indices: Iterable[Tensor]) -> Generator[tuple[Tensor, Tensor], None, None]:
        """Yield what `batch` returns for each index [B].

        Inputs on disk are read ahead, in a thread that ends with the generator: close it. Inputs that are
        standardised batch by batch are overwritten by the next batch's. With a new tensor for each, the heap
        fell to pieces: after 50 batches of 16 MB, the process had 800 MB that it did not use.
        """
        if self.standardise is None:
            for index_B in indices:
                yield self.batch(index_B)
            return
        raw = prefetch(self._raw_batch, indices) if isinstance(self.inputs, OnDisk) else None
        with closing(raw or (self._raw_batch(index_B) for index_B in indices)) as pairs:
            buffer, dtype = None, self.standardise.mean.dtype
            for inputs, labels_B in pairs:
                if buffer is None or len(buffer) < len(inputs):
                    buffer = torch.empty(inputs.shape, dtype=dtype, device=inputs.device)
                yield self.standardise(inputs, buffer[: len(inputs)]), labels_B

    def slice(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """Return inputs and labels of consecutive samples; the inputs are a copy that may be changed."""
        inputs, labels_B = self.inputs[start:stop], self.labels[start:stop]
        raw = inputs.clone() if isinstance(inputs, Tensor) else inputs.read().to(labels_B.device)
        return self.to_float(raw), labels_B

    def slices(self, samples: int) -> Generator[tuple[Tensor, Tensor], None, None]:
        """Yield the whole split in order, in batches of so many samples; read ahead as in `batches`."""
        if self.standardise is not None:
            yield from self.batches(torch.split(torch.arange(len(self), device=self.index_device), samples))
        else:
            for start in range(0, len(self), samples):
                yield self.slice(start, start + samples)

    def to_float(self, inputs: Tensor) -> Tensor:
        """Standardise inputs that are raw."""
        return inputs if self.standardise is None else self.standardise(inputs)

    def _raw_batch(self, index_B: Tensor) -> tuple[Tensor, Tensor]:
        """Return inputs [B, ...] before `to_float`, and labels [B], on the device of the labels."""
        device = self.labels.device
        inputs = in_memory(self.inputs.index_select(0, index_B)).to(device)
        return inputs, self.labels.index_select(0, index_B.to(device))


@dataclass(frozen=True)
class Dataset:
    """The splits of a data set, whose batches are standardised by `standardise`.

    `notes`: sentences on what was understood otherwise than it is stored, and on small splits. `val_rows`
    [N]: where the validation samples are in the data's training part; None if they come from another part.
    """

    name: str
    classes: tuple[str, ...]
    train: Split
    val: Split
    test: Split
    standardise: Standardise | None = None
    notes: tuple[str, ...] = ()
    val_rows: Tensor | None = None

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one sample: (C, H, W) or (F,)."""
        return tuple(self.train.inputs.shape[1:])

    @property
    def splits(self) -> tuple[Split, Split, Split]:
        """Training, validation and test."""
        return self.train, self.val, self.test

    @property
    def label_columns(self) -> int:
        """The number of labels of a sample; one, if it is a class."""
        return self.train.labels.shape[1:].numel()

    def describe_labels(self) -> str:
        """Say what there is to learn: "10 classes", "2 numbers"."""
        if not self.train.labels.is_floating_point():
            return f"{len(self.classes)} classes"
        return "1 number" if self.label_columns == 1 else f"{self.label_columns} numbers"

    def to_inputs(self, stored: Tensor) -> Tensor:
        """Return inputs [B, ...] of the data set's files as the model gets them: standardised."""
        if self.standardise is None:
            return stored
        return self.standardise(stored.to(self.standardise.mean.device))

    def stored_unit(self, inputs: Tensor) -> Tensor:
        """Return the inputs of a batch, [B, ...], in the unit of the data set's files, up to rounding."""
        return inputs if self.standardise is None else self.standardise.undo(inputs)


def load(settings: DataSettings, *, dtype: torch.dtype, device: torch.device) -> Dataset:
    """Return the data set and its splits on `device`, with batches in `dtype`.

    Raises RequestError if the settings, the files or their content are wrong.
    """
    source = read(settings)
    numbers = source.train.labels.is_floating_point()
    if numbers and settings.stratify:
        raise RequestError(f"data.stratify=True: data={settings.name} has no classes to keep the shares of")
    if not numbers and len(source.classes) < 2:
        raise RequestError(
            f"data.name={settings.name}: has {len(source.classes)} class, but at least two are needed"
        )
    drawn = split_as_set(source, settings)
    train, val, test = drawn.train, drawn.val, drawn.test
    notes = (*source.notes, *warnings_on_splits(settings, source.classes, drawn))
    # Fitted on the CPU, because MPS has no float64.
    standardise = fit(settings.standardise, train.inputs, source.white).to(dtype=dtype, device=device)
    splits = (_to_device(train, standardise), _to_device(val, standardise), _to_device(test, standardise))
    if not all(_is_finite(part.inputs) for part in splits):
        raise RequestError(
            f"data.name={settings.name}: the inputs are too large for {str(dtype).removeprefix('torch.')}; "
            "scale them down"
        )
    return Dataset(settings.name, source.classes, *splits, standardise, notes, drawn.val_rows)


def split_as_set(source: Source, settings: DataSettings) -> Splits:
    """Return the training, validation and test samples that the settings ask for."""
    if settings.val_from == "test":
        source = _validate_on_test(source, settings.name)
    return split(
        source,
        train_size=settings.train_size,
        val_size=settings.val_size,
        test_size=settings.test_size,
        seed=settings.split_seed,
        stratify=settings.stratify,
        fold=None
        if settings.folds is None
        else Fold(settings.folds, settings.fold or 1, settings.repeat or 1),
    )


def warnings_on_splits(settings: DataSettings, classes: tuple[str, ...], drawn: Splits) -> list[str]:
    """Return sentences on a validation split that is small, and on a test split that nobody asked to omit."""
    train, val, test = drawn.train, drawn.val, drawn.test
    if len(train) == 1:  # a surface, which has no more
        return []
    found = []
    if settings.folds is not None:  # together they are larger
        labels = torch.cat([train.labels, val.labels])
        found += note_on_small_classes(labels, classes, settings.folds)
    elif not val.labels.is_floating_point() and len(val) < SMALL_VALIDATION:
        size = "null" if settings.val_size is None else settings.val_size
        found.append(
            f"data.val_size={size}: with {len(val)} validation sample{'s' * (len(val) > 1)}, one is worth "
            f"{round(100 / len(val), 1):g} points of accuracy; a larger val_size measures more finely"
        )
    if len(test) == 0 and settings.test_size is None and settings.val_from == "train":
        found.append(
            "data.test_size=null: no test split is left for a final score; data.test_size=0.2 keeps a fifth, "
            "data.test_size=0 does without"
        )
    return found


def read(settings: DataSettings) -> Source:
    """Read the whole source, into memory unless it stays on disk; download it if necessary and possible.

    One that was handed over is not read again.
    """
    if (source := _handed_over.get(source_key(settings))) is not None:
        return source
    own = "path" in settings.arguments
    return sources.build(settings.name, settings.arguments, root=data_root(settings.root, own=own))


@contextmanager
def handed_over(given: Mapping[str, Source]) -> Iterator[None]:
    """Let `read` return these sources, by `source_key`: another process has read them for this one."""
    _handed_over.update(given)
    try:
        yield
    finally:
        _handed_over.clear()


def source_key(settings: DataSettings) -> str:
    """Return what tells a source from others; its splits do not count."""
    return json.dumps([settings.name, settings.arguments, settings.root])


def _validate_on_test(source: Source, name: str) -> Source:
    if source.test is None:
        raise RequestError(f"data.val_from=test: the data set '{name}' has no test set of its own")
    if source.validation is not None:
        raise RequestError(f"data.val_from=test: the data set '{name}' has a validation set of its own")
    return replace(source, validation=source.test, test=None)


def _is_finite(inputs: Samples) -> bool:
    return not isinstance(inputs, Tensor) or not inputs.is_floating_point() or bool(inputs.isfinite().all())


def _to_device(arrays: Arrays, standardise: Standardise) -> Split:
    dtype, device = standardise.mean.dtype, standardise.mean.device
    labels = arrays.labels.to(
        device=device, dtype=dtype if arrays.labels.is_floating_point() else torch.int64
    )
    if isinstance(arrays.inputs, OnDisk):
        return Split(arrays.inputs, labels, standardise)
    raw = arrays.inputs if arrays.inputs.dtype == torch.uint8 else arrays.inputs.to(dtype)
    raw = raw.to(device)
    if keeps_floats(raw.numel() * dtype.itemsize):
        return Split(_standardised(raw, standardise), labels)
    return Split(raw, labels, standardise)


def _standardised(raw: Tensor, standardise: Standardise, rows: int = 4096) -> Tensor:
    """Standardise in chunks, which avoids temporary copies as large as the result."""
    result = torch.empty(raw.shape, dtype=standardise.mean.dtype, device=raw.device)
    for start in range(0, len(raw), rows):
        result[start : start + rows] = standardise(raw[start : start + rows])
    return result
