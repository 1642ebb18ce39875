"""MNIST, Fashion-MNIST and CIFAR-10, in the files and folders that torchvision reads and writes.

torchvision itself is not used: importing it takes 2 s, but reading the files only 0.1 s; it does not check
MNIST's files once they exist, and it unpickles CIFAR-10 without restrictions.
Axes: N samples, C channels, H height, W width.
"""

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dlx.data.download import Bytes, Published, read_files
from dlx.data.source import Arrays, Source, sources

WHITE = 255.0


def _idx_files(train_images: str, train_labels: str, test_images: str, test_labels: str) -> dict[str, str]:
    return {
        "train-images-idx3-ubyte": f"sha256:{train_images}",
        "train-labels-idx1-ubyte": f"sha256:{train_labels}",
        "t10k-images-idx3-ubyte": f"sha256:{test_images}",
        "t10k-labels-idx1-ubyte": f"sha256:{test_labels}",
    }


def _gzipped(folder: str, *sha256: str) -> dict[str, str]:
    return {f"{folder}/{name}.gz": checksum for name, checksum in _idx_files(*sha256).items()}


MNIST = Published(
    name="mnist",
    folder="MNIST/raw",
    files=_idx_files(
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
    archives=_gzipped(
        "MNIST/raw",
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    ),
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist",
        "https://storage.googleapis.com/cvdf-datasets/mnist",
    ),
)
FASHION_MNIST = Published(
    name="fashion_mnist",
    folder="FashionMNIST/raw",
    files=_idx_files(
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
    archives=_gzipped(
        "FashionMNIST/raw",
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    ),
    # torchvision downloads these by plain http; the authors' repository has the same files.
    mirrors=(
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion",
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets",
    ),
)
CIFAR10 = Published(
    name="cifar10",
    folder="cifar-10-batches-py",
    files={
        "data_batch_1": "md5:c99cafc152244af753f735de768cd75f",
        "data_batch_2": "md5:d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "md5:54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "md5:634d18415352ddfa80567beed471001a",
        "data_batch_5": "md5:482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "md5:40351d587109b95175f43aff81a1287e",
    },
    archives={
        "cifar-10-python.tar.gz": "sha256:6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
    },
    mirrors=(
        "https://www.cs.toronto.edu/~kriz",
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets",
    ),
)
FASHION_CLASSES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
CIFAR10_CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)


@sources.register("mnist")
def mnist(root: Path) -> Source:
    """Read MNIST: 60000 and 10000 images [N, 1, 28, 28] uint8."""
    return _from_idx(read_files(MNIST, root), tuple("0123456789"))


@sources.register("fashion_mnist")
def fashion_mnist(root: Path) -> Source:
    """Read Fashion-MNIST: 60000 and 10000 images [N, 1, 28, 28] uint8."""
    return _from_idx(read_files(FASHION_MNIST, root), FASHION_CLASSES)


@sources.register("cifar10")
def cifar10(root: Path) -> Source:
    """Read CIFAR-10: 50000 and 10000 images [N, 3, 32, 32] uint8."""
    contents = read_files(CIFAR10, root)
    test = _from_batches([contents.pop("test_batch")])
    return Source(CIFAR10_CLASSES, _from_batches(list(contents.values())), test=test, white=WHITE)


def _from_idx(contents: dict[str, Bytes], classes: tuple[str, ...]) -> Source:
    train, test = (
        Arrays(
            torch.from_numpy(_parse_idx(contents[f"{part}-images-idx3-ubyte"])).unsqueeze(1),
            torch.from_numpy(_parse_idx(contents[f"{part}-labels-idx1-ubyte"])).long(),
        )
        for part in ("train", "t10k")
    )
    return Source(classes, train, test=test, white=WHITE)


def _parse_idx(content: Bytes) -> Bytes:
    """Parse IDX: two zero bytes, the type (uint8), the number of axes, the length of each, the values."""
    start = 4 + 4 * int(content[3])
    return content[start:].reshape(content[4:start].view(">u4").tolist())


def _from_batches(batches: list[Bytes]) -> Arrays:
    loaded = [_ArraysOnly(io.BytesIO(batch.data), encoding="latin1").load() for batch in batches]
    pixels = np.concatenate([batch["data"] for batch in loaded]).reshape(-1, 3, 32, 32)
    labels = torch.tensor([label for batch in loaded for label in batch["labels"]])
    return Arrays(torch.from_numpy(pixels), labels)


class _ArraysOnly(pickle.Unpickler):
    """Unpickles NumPy arrays and plain values, and refuses everything else that a pickle can call."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("numpy.core.multiarray", "_reconstruct"):
            return lambda *_: np.ndarray.__new__(np.ndarray, (0,), np.uint8)
        if (module, name) == ("numpy", "ndarray"):
            return np.ndarray
        if (module, name) == ("numpy", "dtype"):
            # Python 2 wrote 0 and 1 for align and copy; NumPy 2.4 warns about these.
            return lambda kind, align, copy: np.dtype(kind, align=bool(align), copy=bool(copy))
        raise pickle.UnpicklingError(f"{module}.{name} does not belong in an image file")
