"""The data on disk that every contestant trains on: Fashion-MNIST or synthetic images, and digits."""

from dataclasses import dataclass, replace
from pathlib import Path

from dlx.config import DataSettings
from dlx.data.dataset import read
from dlx.data.split import split
from dlx.errors import RequestError
from tests.benchmarks.images import Images, synthetic, write
from tests.benchmarks.recipe import TRAIN_SAMPLES, VAL_SAMPLES

FILE, DIGITS = "images.npz", "digits.npz"
DIGITS_VAL_SAMPLES = 397  # of 1797
LEVEL = 15  # of grey: pixels from 0 to 16 become 0 to 240


@dataclass(frozen=True)
class Prepared:
    """The images on disk, the words that make `dlx train` use the same ones, and whether they are real."""

    file: Path
    words: tuple[str, ...]
    real: bool

    @property
    def digits(self) -> Path:
        """scikit-learn's digits in a file of the same form, 1000 + 397 images of 8 x 8."""
        return self.file.with_name(DIGITS)


def prepare(root: str | None, folder: Path) -> Prepared:
    """Write into `folder` the split that dlx draws from the Fashion-MNIST below `root` (see data.root).

    Where it is not there and cannot be downloaded, the images are synthetic. Write the digits beside it.
    """
    digits = _split("digits", None, DIGITS_VAL_SAMPLES)
    grey = replace(digits, train_NHW=digits.train_NHW * LEVEL, val_NHW=digits.val_NHW * LEVEL)
    write(grey, folder / DIGITS)
    try:
        images = _split("fashion_mnist", root, VAL_SAMPLES)
    except RequestError:
        write(synthetic(TRAIN_SAMPLES, VAL_SAMPLES), folder / FILE)
        words = ("data=npz", f"data.root={folder}", f"data.path={FILE}", "data.standardise=unit")
        return Prepared(folder / FILE, words, real=False)
    write(images, folder / FILE)
    where = () if root is None else (f"data.root={Path(root).absolute()}",)
    return Prepared(folder / FILE, ("data=fashion_mnist", *where), real=True)


def _split(name: str, root: str | None, val_samples: int) -> Images:
    """Return the split that dlx draws by default from a data set of grey images."""
    settings = DataSettings(
        name=name,
        root=root,
        train_size=TRAIN_SAMPLES,
        val_size=val_samples,
        test_size=None,
        split_seed=0,
        stratify=False,
        standardise="unit",
    )
    drawn = split(
        read(settings), train_size=TRAIN_SAMPLES, val_size=val_samples, test_size=None, seed=0, stratify=False
    )
    train, val = drawn.train, drawn.val
    train_NHW, val_NHW = (arrays.inputs.squeeze(1) for arrays in (train, val))
    return Images(train_NHW, train.labels, val_NHW, val.labels)
