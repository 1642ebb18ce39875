"""Finds the user's own source files that a `target` runs, without running any of them.

Imports are read from the source, so that a finished run is recognised before torch is imported. Modules that
code finds by other means are not seen: a name made at run time, a folder that it appends to sys.path.
"""

import ast
import functools
import hashlib
import importlib
import io
import sys
import sysconfig
import tokenize
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from dlx.run.identity import CONTENT

INSTALLED = {"site-packages", "dist-packages"}  # folders of packages that pip or the system installs
NOT_OWN = [
    Path(__file__).resolve().parents[1],
    *(Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib")),
]


@dataclass(frozen=True)
class OwnSource:
    """A source file of the user's: the module it is, the file, and what was in it."""

    module: str
    path: Path
    content: bytes

    @functools.cached_property
    def lines(self) -> tuple[str, ...]:
        """The lines that count."""
        return significant_lines(decode_source(self.content))

    @functools.cached_property
    def fingerprint(self) -> str:
        """The SHA-256 of the lines that count."""
        return CONTENT + hashlib.sha256("\n".join(self.lines).encode(errors="surrogateescape")).hexdigest()


def own_sources(target: str) -> dict[str, OwnSource]:
    """Return the sources that `target`, a `package.module:Name`, imports from its own project, by file name.

    That is the module, the packages that it is in, and whatever these import from below the current folder
    or the folder that the module was found in. Installed packages and the standard library do not count.
    Names are relative to the folder that is searched: "mynet.py", "nets/__init__.py". The files are read
    once, until `forget_sources`.
    """
    return _own_sources(target.partition(":")[0], Path.cwd())


def file_in_project(target: str, study: Path) -> Path | None:
    """Return the file of `target`'s module if it is the current project's own and not the study's; else None.

    The project is the current folder, without the folder in it that holds the study. If the study holds the
    current folder, there is no project. Nothing is imported.
    """
    project, study = Path.cwd().resolve(), study.resolve()
    name = target.partition(":")[0]
    found = next((each.path for each in own_sources(target).values() if each.module == name), None)
    if found is None or not found.is_relative_to(project) or project.is_relative_to(study):
        return None
    if study.is_relative_to(project) and found.is_relative_to(project / study.relative_to(project).parts[0]):
        return None
    return found


def forget_sources() -> None:
    """Let the next `own_sources` read the files again."""
    _own_sources.cache_clear()


def decode_source(content: bytes) -> str:
    """Return a Python source as text, in the encoding that it declares."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        return io.TextIOWrapper(io.BytesIO(content), encoding).read()
    except (SyntaxError, UnicodeDecodeError):  # no valid source: importing it will say so
        return content.decode("latin-1")


def significant_lines(text: str) -> tuple[str, ...]:
    """Return the lines of a Python source without comments, blank lines and spaces at the end of a line.

    Docstrings and other strings stay as they are. A source that is no valid Python stays whole.
    """
    lines = text.split("\n")
    in_string: set[int] = set()
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            (first, column), (last, _) = token.start, token.end
            if token.type == tokenize.COMMENT:
                lines[first - 1] = lines[first - 1][:column]
            elif last > first:
                in_string |= set(range(first - 1, last))
    except (tokenize.TokenError, SyntaxError):
        return tuple(text.split("\n"))
    stripped = (line if index in in_string else line.rstrip() for index, line in enumerate(lines))
    return tuple(line for index, line in enumerate(stripped) if line or index in in_string)


def is_installed(path: Path) -> bool:
    """Return whether a file is Python's, an installed package's or dlx's, rather than the user's own."""
    return bool(INSTALLED & set(path.parts)) or any(map(path.is_relative_to, NOT_OWN))


@contextmanager
def current_folder_importable() -> Iterator[None]:
    """Put the current folder first on the import path, as `python script.py` would."""
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


@functools.cache
def _own_sources(module: str, folder: Path) -> dict[str, OwnSource]:
    importlib.invalidate_caches()  # a file may be younger than the last look at its folder
    with current_folder_importable():
        search = _Search(module, folder)
        waiting, seen = [module], {module}
        while waiting:
            for name in search.imported_by(waiting.pop(0)):
                if name not in seen:
                    seen.add(name)
                    waiting.append(name)
    return search.found


class _Search:
    """Finds modules and reads the user's own ones; `found` holds these by file name."""

    def __init__(self, target: str, folder: Path) -> None:
        self.found: dict[str, OwnSource] = {}
        self._specs: dict[str, ModuleSpec | None] = {}
        self._roots = [folder.resolve()]
        top = self._spec(target.partition(".")[0])
        if top is not None and top.origin:
            path = Path(top.origin).resolve()
            self._roots.append(path.parents[1] if path.name == "__init__.py" else path.parent)

    def imported_by(self, name: str) -> Iterator[str]:
        """Read a module if it is the user's own; yield what it imports, and the packages that it is in."""
        spec = self._spec(name)
        if spec is None or not spec.origin or not self._is_own(path := Path(spec.origin).resolve()):
            return
        is_package = spec.submodule_search_locations is not None
        file = f"{name.replace('.', '/')}{'/__init__' if is_package else ''}.py"
        try:
            source = OwnSource(name, path, path.read_bytes())
        except OSError:  # importing it will say so
            return
        self.found[file] = source
        yield from _prefixes(name.rpartition(".")[0])
        try:
            with warnings.catch_warnings(action="ignore"):  # of "\\d" in a string: importing it will say so
                tree = ast.parse(source.content)
        except (SyntaxError, ValueError):  # as above
            return
        yield from _imports(tree, name if is_package else name.rpartition(".")[0])

    def _is_own(self, path: Path) -> bool:
        if path.suffix != ".py" or is_installed(path):
            return False
        return any(map(path.is_relative_to, self._roots))

    def _spec(self, name: str) -> ModuleSpec | None:
        if name not in self._specs:
            self._specs[name] = self._find(name)
        return self._specs[name]

    def _find(self, name: str) -> ModuleSpec | None:
        """Return where a module lies, from Python's own finders, which do not run it."""
        parent, _, leaf = name.rpartition(".")
        if parent:
            package = self._spec(parent)
            if package is None or package.submodule_search_locations is None:
                return None
            if package.origin and not self._is_own(Path(package.origin).resolve()):
                return None  # installed: what is in it does not count either
            # By its last name: for the full one PathFinder looks at the package, which is not imported.
            return PathFinder.find_spec(leaf, list(package.submodule_search_locations))
        for finder in sys.meta_path:
            with suppress(ImportError, AttributeError, ValueError):
                if (spec := finder.find_spec(name, None)) is not None:
                    return spec
        return None


def _imports(tree: ast.Module, package: str) -> Iterator[str]:
    """Yield the names of the modules that a source in `package` may import, wherever in it that is."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _prefixes(alias.name)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".") if node.level and package else []
            base = ".".join([*parts[: len(parts) - max(0, node.level - 1)], *filter(None, [node.module])])
            yield from _prefixes(base)
            yield from (f"{base}.{alias.name}" for alias in node.names if base)  # it may be a module
            if not base:  # `from . import x` beside a module that is in no package
                yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if called in ("import_module", "__import__") and isinstance(node.args[0].value, str):
                yield from _prefixes(node.args[0].value)


def _prefixes(name: str) -> Iterator[str]:
    """Yield "a", "a.b" and "a.b.c" of "a.b.c": importing a module imports the packages that it is in."""
    parts = name.split(".")
    yield from (".".join(parts[:count]) for count in range(1, len(parts) + 1) if name)
