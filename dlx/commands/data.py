"""`dlx data`: lists the data sets, or fetches one ahead of time."""

from collections.abc import Sequence
from pathlib import Path

from dlx.commands.parser import Parser, one_of
from dlx.errors import RequestError

EXAMPLES = """
dlx data list
dlx data prepare fashion_mnist
dlx data prepare cifar10 data.root=~/data
"""

EXIT_CODES = (
    "0 done; 2 the request was wrong, or the data could not be fetched or is damaged; 4 storage failed."
)


def main(arguments: Sequence[str]) -> int:
    """Run `dlx data` with these arguments and return 0."""
    given = _parser().parse(arguments)
    if given.action is None:
        raise RequestError("say what to do: list, or prepare NAME")
    if given.action == "list":
        if given.name:
            raise RequestError(f"list takes no more words, but was given '{given.name}'")
        _list()
        return 0
    if given.name is None:
        raise RequestError("prepare needs a name from `dlx data list`")
    _prepare(given.name, given.overrides)
    return 0


def _parser() -> Parser:
    parser = Parser(
        "dlx data",
        "List the data sets, or fetch one ahead of time, check it and keep it.",
        examples=EXAMPLES,
        exit_codes=EXIT_CODES,
    )
    parser.add_argument(
        "action",
        nargs="?",
        type=one_of("list", "prepare"),
        metavar="list|prepare",
        help="show every data set, or fetch, check and keep one",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="the data set to prepare")
    parser.add_argument(
        "overrides", nargs="*", metavar="KEY=VALUE", help="a setting of its data, such as data.root=FOLDER"
    )
    return parser


def _prepare(name: str, overrides: Sequence[str]) -> None:
    """Fetch and check a data set; print what it holds."""
    from dlx.compose.request import compose_one

    settings = compose_one([f"data={name}", *overrides]).data
    from dlx.data.dataset import read  # imports torch

    source = read(settings)
    parts = {"train": source.train, "validation": source.validation, "test": source.test}
    sizes = ", ".join(f"{len(arrays)} {part}" for part, arrays in parts.items() if arrays is not None)
    shape = "x".join(map(str, source.train.inputs.shape[1:]))
    print(f"{name}: ready; {sizes}, {shape}, {len(source.classes)} classes")


def _list() -> None:
    """Print each data set's name and the sentence at the top of its YAML, those in ./conf included."""
    from dlx.compose.folder import config_folder

    files = [*(config_folder() / "data").glob("*.yaml"), *Path("conf/data").glob("*.yaml")]
    for name, path in sorted({path.stem: path for path in files}.items()):
        lines = path.read_text(errors="replace").splitlines()
        comments = [line.lstrip("# ") for line in lines if line.startswith("# ")]
        what = next((line for line in comments if not line.startswith(("@package", "dlx "))), "")
        print(f"{name:<14} {what}")
