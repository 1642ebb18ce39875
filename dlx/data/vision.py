"""MNIST, Fashion-MNIST and CIFAR-10, in the files and folders that torchvision reads and writes.

Read here rather than by torchvision: importing it takes 2 s where reading takes 0.1 s, it takes a
file that is there for complete, and it unpickles CIFAR-10 with all that pickles can do.
Axes: N samples, C channels, H height, W width.
"""

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dlx.data.published import Archive, Bytes, Published, read
from dlx.data.source import Arrays, Source, sources

WHITE = 255.0
# Of the .gz archives; the data sets' checksums below are of the unpacked files.
MNIST_ARCHIVES = {
    "train-images-idx3-ubyte": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
FASHION_ARCHIVES = {
    "train-images-idx3-ubyte": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "train-labels-idx1-ubyte": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "t10k-images-idx3-ubyte": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "t10k-labels-idx1-ubyte": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
}
MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist",
    "https://storage.googleapis.com/cvdf-datasets/mnist",
)
# torchvision's own source for these is plain http; the authors' repository has the same files.
FASHION_MIRRORS = (
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion",
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets",
)


def _gzipped(folder: str, archives: dict[str, str], mirrors: tuple[str, ...]) -> tuple[Archive, ...]:
    return tuple(
        Archive(f"{folder}/{name}.gz", sha256, tuple(f"{mirror}/{name}.gz" for mirror in mirrors))
        for name, sha256 in archives.items()
    )


MNIST = Published(
    name="mnist",
    folder="MNIST/raw",
    checksums={
        "train-images-idx3-ubyte": "sha256:ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train-labels-idx1-ubyte": "sha256:65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "t10k-images-idx3-ubyte": "sha256:0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "t10k-labels-idx1-ubyte": "sha256:ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
    archives=_gzipped("MNIST/raw", MNIST_ARCHIVES, MNIST_MIRRORS),
)
FASHION_MNIST = Published(
    name="fashion_mnist",
    folder="FashionMNIST/raw",
    checksums={
        "train-images-idx3-ubyte": "sha256:c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "train-labels-idx1-ubyte": "sha256:bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "t10k-images-idx3-ubyte": "sha256:5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "t10k-labels-idx1-ubyte": "sha256:0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
    archives=_gzipped("FashionMNIST/raw", FASHION_ARCHIVES, FASHION_MIRRORS),
)
CIFAR10 = Published(
    name="cifar10",
    folder="cifar-10-batches-py",
    checksums={
        "data_batch_1": "md5:c99cafc152244af753f735de768cd75f",
        "data_batch_2": "md5:d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "md5:54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "md5:634d18415352ddfa80567beed471001a",
        "data_batch_5": "md5:482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "md5:40351d587109b95175f43aff81a1287e",
    },
    archives=(
        Archive(
            "cifar-10-python.tar.gz",
            "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
            (
                "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
                "https://storage.googleapis.com/tensorflow/tf-keras-datasets/cifar-10-python.tar.gz",
            ),
        ),
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
    return _from_idx(read(MNIST, root), tuple("0123456789"))


@sources.register("fashion_mnist")
def fashion_mnist(root: Path) -> Source:
    """Read Fashion-MNIST: 60000 and 10000 images [N, 1, 28, 28] uint8."""
    return _from_idx(read(FASHION_MNIST, root), FASHION_CLASSES)


@sources.register("cifar10")
def cifar10(root: Path) -> Source:
    """Read CIFAR-10: 50000 and 10000 images [N, 3, 32, 32] uint8."""
    contents = read(CIFAR10, root)
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
    """Read the values after two zero bytes, their type (uint8), the number of axes and each one's length."""
    start = 4 + 4 * int(content[3])
    return content[start:].reshape(content[4:start].view(">u4").tolist())


def _from_batches(batches: list[Bytes]) -> Arrays:
    loaded = [_ArraysOnly(io.BytesIO(batch.data), encoding="latin1").load() for batch in batches]
    pixels = np.concatenate([batch["data"] for batch in loaded]).reshape(-1, 3, 32, 32)
    labels = torch.tensor([label for batch in loaded for label in batch["labels"]])
    return Arrays(torch.from_numpy(pixels), labels)


class _ArraysOnly(pickle.Unpickler):
    """Builds NumPy arrays and plain values, and refuses everything else that a pickle can call."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("numpy.core.multiarray", "_reconstruct"):
            return lambda *_: np.ndarray.__new__(np.ndarray, (0,), np.uint8)
        if (module, name) == ("numpy", "ndarray"):
            return np.ndarray
        if (module, name) == ("numpy", "dtype"):
            # Python 2 wrote 0 and 1 for align and copy, at which NumPy 2.4 warns.
            return lambda kind, align, copy: np.dtype(kind, align=bool(align), copy=bool(copy))
        raise pickle.UnpicklingError(f"{module}.{name} has no business in an image file")
