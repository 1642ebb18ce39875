"""Reads JSON and YAML as plain values: objects with unique keys, lists, text, numbers of 64 bits.

Nothing in a document is executed or made into an object of another type. A document that is nested deeply or
holds millions of values is refused before it takes much memory.
"""

import json
import math
from pathlib import Path
from typing import Any

from dlx.run.files import read_text

DEPTH = 50  # of nesting; a configuration of dlx has 3
VALUES = 2_000_000  # in one document: a request of 20,000 runs has 1.4 million
LARGEST_INTEGER = 2**63 - 1  # what pandas and NumPy hold
QUOTED = 200  # letters of a document or an error that a message quotes
PLAIN_TAGS = tuple(
    f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "seq", "map")
)


def read_json(path: Path, limit: int) -> Any:
    """Read a JSON file of at most `limit` bytes.

    Raises FileNotFoundError if there is none, OSError if it cannot be read, and ValueError, with the file's
    name, for everything else.
    """
    text = read_text(path, limit)
    if sum(map(text.count, "[{,")) > VALUES:
        raise ValueError(f"{path}: more than {VALUES:,} values")
    try:
        document = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
        _check(document)
    except RecursionError as error:
        raise ValueError(f"{path}: nested more than {DEPTH} deep") from error
    except ValueError as error:
        raise ValueError(f"{path}: not valid JSON: {shorten(error)}") from error
    return document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key '{shorten(twice)}' is given twice")
    return found


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number in JSON")


def _check(document: Any) -> None:
    """Raise ValueError for deep nesting, numbers that 64 bits do not hold (1e999), and halves of letters."""
    level: list[Any] = [document]
    for _ in range(DEPTH):
        inner: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                inner += value
                inner += value.values()
            elif isinstance(value, list):
                inner += value
            elif isinstance(value, str):
                value.encode()
            elif isinstance(value, int) and abs(value) > LARGEST_INTEGER:
                raise ValueError("a number does not fit into 64 bits")
            elif isinstance(value, float) and not math.isfinite(value):
                raise ValueError("a number is too large")
        if not inner:
            return
        level = inner
    raise ValueError(f"nested more than {DEPTH} deep")


def check_yaml(text: str) -> None:
    """Raise ValueError if a YAML document has aliases, tags of other types or deep nesting.

    An alias lets a document of a kilobyte refer to itself or stand for gigabytes.
    """
    import yaml

    depth = 0
    try:
        for event in yaml.parse(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            if isinstance(event, yaml.AliasEvent):
                raise ValueError(  # noqa: TRY004
                    f"the alias *{shorten(event.anchor)} is not supported: write the value out"
                )
            if getattr(event, "tag", None) not in (None, "!", *PLAIN_TAGS):
                raise ValueError(f"the tag {shorten(event.tag)} is not supported: write a plain value")
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > DEPTH:
                raise ValueError(f"nested more than {DEPTH} deep")
    except yaml.YAMLError as error:
        raise ValueError(f"not valid YAML: {shorten(error)}") from error


def read_yaml(path: Path, limit: int) -> Any:
    """Read a YAML file of at most `limit` bytes; dates stay text. Raises what `read_json` does."""
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        """Ten times as fast in C, where libyaml is there."""

    # 2021-13-45 would raise as a date.
    Loader.yaml_implicit_resolvers = {
        letter: [(tag, pattern) for tag, pattern in each if not tag.endswith(":timestamp")]
        for letter, each in Loader.yaml_implicit_resolvers.items()
    }
    text = read_text(path, limit)
    try:
        check_yaml(text)
        return yaml.load(text, Loader)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"{path}: {shorten(error)}") from error


def shorten(error: object) -> str:
    """Write an error, or a part of a document, in one line of at most QUOTED letters."""
    line = " ".join(str(error)[: 2 * QUOTED].split())
    return line if len(line) <= QUOTED else f"{line[: QUOTED - 3]}..."
