"""`dlx data`: list the data sets, or fetch and check one before it is needed, as on a node with a network."""

import argparse
from collections.abc import Iterator, Sequence

import hydra
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from dlx.complaint import complaint
from dlx.compose import PRIMARY, config_folder, register
from dlx.config import check
from dlx.errors import RequestError, unknown


def main(arguments: Sequence[str]) -> int:
    """Run `dlx data` with these arguments and return 0; raises RequestError for what is wrong."""
    register()  # the user's own conf/ counts here too
    parser = argparse.ArgumentParser(prog="dlx data", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("list", help="every data set, and what it is")
    prepare = verbs.add_parser(
        "prepare", help="fetch, check and cache a data set; exit code 2 if it cannot be"
    )
    prepare.add_argument("name", help="a name from the list")
    prepare.add_argument("overrides", nargs="*", help="for example data.root=FOLDER")
    given = parser.parse_args(arguments)
    if given.verb == "list":
        for name, what in _described():
            print(f"{name:<14} {what}")
        return 0
    return _prepare(given.name, given.overrides)


def _prepare(name: str, overrides: Sequence[str]) -> int:
    names = [known for known, _ in _described()]
    if name not in names:
        raise unknown("data", name, names)
    try:
        with hydra.initialize_config_dir(str(config_folder()), version_base="1.3"):
            settings = check(hydra.compose(PRIMARY, [f"data={name}", *overrides])).data
    except (HydraException, OmegaConfBaseException) as error:
        raise RequestError(complaint(error, [f"data={name}", *overrides])) from error
    from dlx.data.dataset import read  # imports torch

    source = read(settings)
    parts = {"train": source.train, "validation": source.validation, "test": source.test}
    sizes = ", ".join(f"{len(arrays)} {part}" for part, arrays in parts.items() if arrays is not None)
    shape = "x".join(map(str, source.train.inputs.shape[1:]))
    print(f"{name}: ready; {sizes}, {shape}, {len(source.classes)} classes")
    return 0


def _described() -> Iterator[tuple[str, str]]:
    """Yield each data set's name and the sentence at the top of its YAML."""
    for path in sorted((config_folder() / "data").glob("*.yaml")):
        lines = [line for line in path.read_text().splitlines() if not line.startswith("# @package")]
        yield path.stem, lines[1].removeprefix("# ")
