"""From the data settings to a `Dataset`: find, read, split, standardise, move to the device."""

from dataclasses import replace

import torch
from torch import Tensor

from dlx.config import DataSettings
from dlx.data import roots
from dlx.data.dataset import Dataset, Split
from dlx.data.source import Arrays, Source, sources
from dlx.data.split import split
from dlx.data.standardise import Standardise, fit
from dlx.errors import RequestError

# A split whose floating copy is smaller is standardised once and for all; a larger one stays raw, where
# pixels take a quarter of the memory, and is standardised batch by batch. Either gives the same bits.
FLOAT_COPY_BYTES = 1 << 30


def load(settings: DataSettings, *, dtype: torch.dtype, device: torch.device) -> Dataset:
    """Return the splits that `settings` ask for, on `device`, with batches in `dtype`.

    Raises RequestError where the settings, the files or their content are wrong.
    """
    source = read(settings)
    if len(source.classes) < 2:
        raise RequestError(f"data.name={settings.name}: has {len(source.classes)} class; two are the least")
    if settings.val_from == "test":
        source = _validate_on_test(source, settings.name)
    train, val, test = split(
        source,
        train_size=settings.train_size,
        val_size=settings.val_size,
        test_size=settings.test_size,
        seed=settings.split_seed,
        stratify=settings.stratify,
    )
    # Fitted here, on the CPU: MPS has no float64.
    standardise = fit(settings.standardise, train.inputs, source.white).to(dtype=dtype, device=device)
    return Dataset(
        name=settings.name,
        classes=source.classes,
        train=_place(train, standardise),
        val=_place(val, standardise),
        test=_place(test, standardise),
        standardise=standardise,
    )


def _validate_on_test(source: Source, name: str) -> Source:
    if source.test is None:
        raise RequestError(f"data.val_from=test: the data set '{name}' has no test set of its own")
    if source.validation is not None:
        raise RequestError(f"data.val_from=test: the data set '{name}' has a validation set of its own")
    return replace(source, validation=source.test, test=None)


def read(settings: DataSettings) -> Source:
    """Read the whole source into memory, downloading it first where that is possible and needed."""
    return sources.build(settings.name, settings.arguments, root=roots.data_root(settings.root))


def _place(arrays: Arrays, standardise: Standardise) -> Split:
    dtype, device = standardise.mean.dtype, standardise.mean.device
    raw = arrays.inputs if arrays.inputs.dtype == torch.uint8 else arrays.inputs.to(dtype)
    raw, labels = raw.to(device), arrays.labels.to(device)
    if raw.numel() * dtype.itemsize >= FLOAT_COPY_BYTES:
        return Split(raw, labels, standardise)
    return Split(_standardised(raw, standardise), labels)


def _standardised(raw: Tensor, standardise: Standardise, rows: int = 4096) -> Tensor:
    """Chunk by chunk, so that beside the result there is no second copy of its size."""
    result = torch.empty(raw.shape, dtype=standardise.mean.dtype, device=raw.device)
    for start in range(0, len(raw), rows):
        result[start : start + rows] = standardise(raw[start : start + rows])
    return result
