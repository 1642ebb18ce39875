"""What the YAML files of conf/ say: their keys, defaults and comments.

A comment belongs to the key that it stands above or beside. The first line of a file is the command that
runs it, and the lines after it say what it is.
"""

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from dlx.compose.folder import config_folder

LINE = re.compile(r"^( *)([\w.]+):(?: +((?:\[.*?\]|\{.*?\}|\"[^\"]*\"|[^#\s]+)?))?\s*(?:# (.*))?$")


@dataclass(frozen=True)
class Key:
    """A key of a file: its dotted name, its value as written, and what it means."""

    name: str
    default: str
    meaning: str


@dataclass(frozen=True)
class Choice:
    """A choice of a group: one file of conf/."""

    group: str
    name: str
    command: str
    sentence: str
    registered: str  # the name of its class
    base: str  # the choice that it extends, or ""
    own: list[Key]
    keys: list[Key]  # its own, and those of its base


def choices(group: str) -> list[str]:
    """Return the names of a group's files."""
    return sorted(path.stem for path in (config_folder() / group).glob("*.yaml"))


@cache
def choice(group: str, name: str) -> Choice:
    """Read one file of a group."""
    lines = _text(f"{group}/{name}").splitlines()
    is_global = lines[0].startswith("# @package")
    lines = lines[1:] if is_global else lines
    opening = []
    for line in lines:
        if not line.startswith("#"):
            break
        opening.append(line.lstrip("# "))
    named = [each for each in _yaml(f"{group}/{name}").get("defaults", []) if isinstance(each, str)]
    base = next((each for each in named if each != "_self_"), "")
    own = [
        Key(key.name.removeprefix(f"{group}."), key.default, key.meaning)
        for key in keys_of(f"{group}/{name}")
        if key.name.startswith(f"{group}.") or ("." not in key.name and not is_global)
    ]
    merged = {key.name: key for key in choice(group, base).keys} if base else {}
    for key in own:
        known = merged.get(key.name)
        merged[key.name] = Key(key.name, key.default, key.meaning or (known.meaning if known else ""))
    registered = merged["name"].default if "name" in merged else name
    return Choice(group, name, opening[0], " ".join(opening[1:]), registered, base, own, [*merged.values()])


def keys_of(file: str, *, defaults: bool = False) -> list[Any]:
    """Return the keys of a file that hold a value; with `defaults`, its groups and their choices as pairs."""
    if defaults:
        entries = [each for each in _yaml(file)["defaults"] if isinstance(each, dict)]
        return [(group, name) for each in entries for group, name in each.items()]
    found: list[Key] = []
    above: list[str] = []
    parents: list[str] = []
    lines = _text(file).splitlines()
    opening = next((index for index, line in enumerate(lines) if not line.startswith("#")), len(lines))
    for line in lines[opening:]:
        if line.lstrip().startswith("#"):
            above.append(line.strip().lstrip("# "))
            continue
        match = LINE.match(line)
        if match:
            parents = parents[: len(match[1]) // 2]
            name = ".".join([*parents, match[2]])
            if match[3]:
                found.append(Key(name, match[3], " ".join([*above, match[4] or ""]).strip()))
            else:
                parents.append(match[2])
        above = []
    return found


@cache
def _text(file: str) -> str:
    return (config_folder() / f"{file}.yaml").read_text(encoding="utf-8")


def _yaml(file: str) -> dict[str, Any]:
    content = yaml.safe_load(_text(file))
    return content if isinstance(content, dict) else {}
