"""Reads the YAML files of a user's own conf/, whatever is in them, and names file and line of a mistake."""

import re
from pathlib import Path
from typing import Any, cast

import yaml
from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigLoadError, ConfigResult, ConfigSource
from omegaconf import OmegaConf

from dlx.compose.own_preset import PACKAGE, as_preset, is_preset
from dlx.compose.words import literal
from dlx.errors import RequestError

SCHEME = "conf"
LARGEST_FILE = 1 << 20  # bytes
MOST_VALUES = 20_000  # with all that its aliases repeat; OmegaConf takes 1 to 4 s for so many
HEADER = re.compile(r"\s*#\s*@package\s+(\S+)\s*")


class OwnConfig(ConfigSource):
    """A folder of a user's own YAML files, laid out as the packaged conf/ is."""

    @staticmethod
    def scheme() -> str:
        """Return how search paths begin that this class reads."""
        return SCHEME

    def load_config(self, config_path: str) -> ConfigResult:
        """Read one file; raises RequestError that names it and, if it can, the line."""
        path = self._file(config_path)
        if not path.is_file():
            raise ConfigLoadError(f"there is no {path}")
        text = read_text(path)
        content, package = parse(text, path), _package(text, path)
        if is_preset(config_path):
            content, package = as_preset(content, path), package or PACKAGE
        return ConfigResult(
            provider=self.provider,
            path=f"{SCHEME}://{self.path}",
            config=OmegaConf.create(content),
            header={"package": package},
        )

    def available(self) -> bool:
        """Return whether the folder exists."""
        return self.is_group("")

    def is_group(self, config_path: str) -> bool:
        """Return whether the path is a folder."""
        return (Path(self.path) / config_path).is_dir()

    def is_config(self, config_path: str) -> bool:
        """Return whether the path, without its ending, is a file."""
        return self._file(config_path).is_file()

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        """Return the names of the files, the groups or both in a folder."""
        groups, files = set(), set()
        for entry in (Path(self.path) / config_path).iterdir():
            if entry.is_dir():
                groups.add(entry.name)
            elif entry.suffix == ".yaml" and entry.is_file():
                files.add(entry.stem)
        wanted = {ObjectType.GROUP: groups, ObjectType.CONFIG: files}
        return sorted(wanted[results_filter] if results_filter in wanted else groups | files)

    def _file(self, config_path: str) -> Path:
        path = Path(self.path) / config_path
        return path if path.suffix == ".yaml" else path.with_name(f"{path.name}.yaml")


def search_path(word: str, paths: object) -> str:
    """Return the search path with folders that are read as the user's own ./conf is.

    Raises RequestError for what is not a list of folders; Hydra would warn and go on.
    """
    if not isinstance(paths, list):
        raise RequestError(f"{word}: must be a list, such as [file:///home/me/conf]")
    found = []
    for path in map(str, paths):
        scheme, _, rest = path.rpartition("://")
        if scheme in ("", "file") and not Path(rest).is_dir():
            raise RequestError(f"{word}: there is no folder '{rest}'")
        found.append(f"{SCHEME}://{Path(rest).absolute()}" if scheme in ("", "file") else path)
    return f"hydra.searchpath=[{','.join(map(literal, found))}]"


def read_text(path: Path) -> str:
    """Return the text of a YAML file of the user's; raises RequestError if it is too large or not UTF-8."""
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise RequestError(f"{path}: has {size:,} bytes; at most {LARGEST_FILE:,} are read")
        content = path.read_bytes()
    except OSError as error:
        raise RequestError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise RequestError(f"{path}, line {line}: is not UTF-8 text") from error


def parse(text: str, path: Path) -> dict[Any, Any]:
    """Return what a YAML file holds: keys and values; {} if it is empty. Raises RequestError otherwise."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is None:
            return {}
        _check_nodes(node, path)
        return cast("dict[Any, Any]", OmegaConf.to_container(OmegaConf.create(text)))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark is not None else ""
        raise RequestError(f"{path}{line}: {error.problem or error.context}") from error
    except RecursionError:
        raise RequestError(f"{path}: is nested too deeply") from None
    except RequestError:
        raise
    except Exception as error:  # OmegaConf's own, and a date that does not exist
        raise RequestError(f"{path}: {str(error).partition(chr(10))[0]}") from error


def _check_nodes(node: yaml.Node, path: Path) -> None:
    if not isinstance(node, yaml.MappingNode):
        kind = "list" if isinstance(node, yaml.SequenceNode) else "single value"
        raise RequestError(f"{path}, line 1: is a {kind}; write lines of the form KEY: VALUE")
    _count(node, {}, path)


def _count(node: yaml.Node, counted: dict[int, int], path: Path) -> int:
    """Return how many values a node stands for, its aliases written out.

    Raises RequestError for too many, for bytes, and for a node that holds itself.
    """
    if id(node) in counted:
        count = counted[id(node)]
        if count == 0:
            raise RequestError(f"{path}, line {node.start_mark.line + 1}: holds itself")
        return count
    if node.tag == "tag:yaml.org,2002:binary":
        raise RequestError(f"{path}, line {node.start_mark.line + 1}: holds bytes; write text or a number")
    counted[id(node)] = 0
    count = 1
    if isinstance(node, yaml.SequenceNode):
        count += sum(_count(item, counted, path) for item in node.value)
    elif isinstance(node, yaml.MappingNode):
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:null":
                raise RequestError(f"{path}, line {key.start_mark.line + 1}: a key has no name")
        count += sum(_count(item, counted, path) for pair in node.value for item in pair)
    if count > MOST_VALUES:
        line = node.start_mark.line + 1
        raise RequestError(f"{path}, line {line}: holds more than {MOST_VALUES:,} values, aliases included")
    counted[id(node)] = count
    return count


def _package(text: str, path: Path) -> str | None:
    """Return the package that a file's first lines name, as in `# @package _global_`."""
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not re.match(r"\s*#\s*@", line):
            return None
        if line.strip():
            header = HEADER.fullmatch(line)
            if header is None:
                raise RequestError(f"{path}, line {number}: write it as '# @package _global_'")
            return header[1]
    return None
