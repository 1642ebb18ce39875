"""Strategies for what can become of a file: bytes, lines, cells, values of JSON and YAML, arrays."""

import csv
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from hypothesis import strategies as st

from dlx.run.arrays import DAMAGE

Change = Callable[[bytes], bytes]
GONE, FOLDER = b"\0gone", b"\0folder"
MARK = "\N{REPLACEMENT CHARACTER}"  # stands for a token that json cannot write

# Tokens that parsers know, or are known to trip over.
ODD = [
    *(
        "",
        " ",
        "0",
        "-1",
        "1",
        "2",
        "1.5",
        "nan",
        "NaN",
        "inf",
        "-inf",
        "Infinity",
        "1e999",
        "1e308",
        "1e-320",
    ),
    *(
        "9" * 20,
        "9" * 400,
        "9" * 4301,
        "-0",
        "0x10",
        "1_000",
        "true",
        "null",
        "None",
        "~",
        "[]",
        "{}",
        "[[]]",
    ),
    *("[" * 200, '"', "'", "\\", "\\ud800", "\0", "\t", "\r", "\x1b[31m", "\u202e", "é", "\N{GRINNING FACE}"),
    *("../x", "/etc/passwd", "${seed}", "${", "!!python/name:os.system", "&a [*a]", "2001-13-45", "x" * 300),
    *("completed", "diverged", "failed", "seed", "epoch", "val_accuracy", "=1+1", "<script>", "1,2", "1;2"),
]
odd_text = st.sampled_from(ODD) | st.text(max_size=8) | st.integers().map(str) | st.floats().map(repr)
scalar = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 300),
    st.integers(),
    st.floats(),
    st.sampled_from(ODD),
    st.text(max_size=8),
)
tree = st.recursive(
    scalar,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(odd_text, inner, max_size=4),
    max_leaves=6,
)
place = st.floats(0, 1, exclude_max=True)  # of a whole, so that it shrinks to the start


def some(items: Any, at: float) -> int:
    return int(at * len(items))


# --- any file


def _flip(at: float, bit: int) -> Change:
    def change(content: bytes) -> bytes:
        changed = bytearray(content)
        if changed:
            changed[some(changed, at)] ^= 1 << bit
        return bytes(changed)

    return change


def _splice(start: float, length: int, new: bytes) -> Change:
    def change(content: bytes) -> bytes:
        begin = some(content, start)
        return content[:begin] + new + content[begin + length :]

    return change


any_bytes: st.SearchStrategy[Change] = st.one_of(
    st.builds(_flip, place, st.integers(0, 7)),
    st.builds(_splice, place, st.integers(0, 20), odd_text.map(lambda t: t.encode(errors="surrogatepass"))),
    st.builds(_splice, place, st.just(10**9), st.just(b"")),  # cut
    st.builds(_splice, place, st.integers(0, 8), st.binary(max_size=8)),
    st.binary(max_size=30).map(lambda new: lambda _: new),
)


# --- lines


def _lines(kind: str, at: float, to: float, text: str) -> Change:
    def change(content: bytes) -> bytes:
        lines = content.split(b"\n")
        one, other = some(lines, at), some(lines, to)
        if kind == "swap":
            lines[one], lines[other] = lines[other], lines[one]
        elif kind == "remove":
            del lines[one]
        elif kind == "repeat":
            lines.insert(other, lines[one])
        else:
            lines.insert(one, text.encode(errors="surrogatepass"))
        return b"\n".join(lines)

    return change


any_lines = st.builds(_lines, st.sampled_from(["swap", "remove", "repeat", "insert"]), place, place, odd_text)


def _cell(row: float, column: float, text: str) -> Change:
    def change(content: bytes) -> bytes:
        rows = [line.split(",") for line in content.decode(errors="replace").split("\n")]
        cells = rows[some(rows, row)]
        cells[some(cells, column)] = text
        return "\n".join(map(",".join, rows)).encode(errors="surrogatepass")

    return change


def _column(at: float, to: float | None) -> Change:
    """Move a column, or remove it from all rows."""

    def change(content: bytes) -> bytes:
        rows = list(csv.reader(io.StringIO(content.decode(errors="replace").replace("\0", ""))))
        for cells in (cells for cells in rows if cells):
            cell = cells.pop(some(cells, at))
            if to is not None:
                cells.insert(some([*cells, ""], to), cell)
        return "".join(",".join(cells) + "\n" for cells in rows).encode(errors="surrogatepass")

    return change


any_cells = st.builds(_cell, place, place, odd_text) | st.builds(_column, place, st.none() | place)


# --- values of JSON and YAML


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Return every container and key of a tree."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = []
    for key, each in list(inner):
        found += [(value, key), *_places(each)]
    return found


def change_tree(value: Any, kind: str, at: float, to: float, new: Any) -> Any:
    places = _places(value)
    if not places or kind == "all":
        return new
    (holder, key), (other, other_key) = places[some(places, at)], places[some(places, to)]
    if kind == "replace":
        holder[key] = new
    elif kind == "remove":
        del holder[key]
    elif kind == "copy":
        holder[key] = json.loads(json.dumps(other[other_key], default=str))
    elif kind == "rename" and isinstance(holder, dict):
        holder[str(new)[:3000]] = holder.pop(key)
    elif isinstance(holder, dict):
        holder[str(new)[:50]] = new
    else:
        holder.append(new)
    return value


kinds = st.sampled_from(["replace", "remove", "copy", "rename", "add", "replace", "all"])


def _json(kind: str, at: float, to: float, new: Any, *, token: bool, forged: bool) -> Change:
    """Change a value; `token`: write `new` as it is, JSON or not; `forged`: with a matching identity."""

    def change(content: bytes) -> bytes:
        try:
            value = change_tree(json.loads(content), kind, at, to, MARK if token else new)
            if forged and isinstance(value, dict) and isinstance(value.get("config"), dict):
                from dlx.run.identity import identity

                value["identity"] = identity(value["config"])
        except (ValueError, RecursionError, TypeError, AttributeError):  # earlier changes have left no JSON
            return content
        text = json.dumps(value, indent=1)
        return text.replace(json.dumps(MARK), str(new)).encode(errors="surrogatepass")

    return change


any_json = st.builds(_json, kinds, place, place, tree, token=st.booleans(), forged=st.booleans())


def _yaml(kind: str, at: float, to: float, new: Any) -> Change:
    def change(content: bytes) -> bytes:
        try:
            value = change_tree(yaml.safe_load(content), kind, at, to, new)
            head = [line for line in content.split(b"\n")[:2] if line.startswith(b"# @")]
            return b"\n".join([*head, yaml.safe_dump(value, allow_unicode=True).encode()])
        except (ValueError, yaml.YAMLError, RecursionError, TypeError, AttributeError):
            return content

    return change


any_yaml = st.builds(_yaml, kinds, place, place, tree)


# --- npz

DTYPES = ["<f4", "<f8", "<f2", ">f8", "<i8", "|u1", "|b1", "<c16", "<U3", "|S3", "<M8[s]", "|V4"]


def _array(at: float, dtype: str, shape: list[int], fill: float, name: str | None) -> Change:
    """Replace an array by one of another type, shape and value, or rename it."""

    def change(content: bytes) -> bytes:
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as archive:
                arrays = dict(archive)
            key = list(arrays)[some(arrays, at)]
            with np.errstate(all="ignore"):
                new = np.full(shape, 0.0 if "M8" in dtype or "V" in dtype else fill).astype(dtype)
        except (*DAMAGE, IndexError):  # earlier changes have left no npz
            return content
        if name is None:
            arrays[key] = new
        else:
            arrays[name or "x"] = arrays.pop(key)
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as out:
            for each, array in arrays.items():
                part = io.BytesIO()
                np.lib.format.write_array(part, array, allow_pickle=False)
                out.writestr(f"{each}.npy", part.getvalue())
        return file.getvalue()

    return change


def _header(at: float, text: str) -> Change:
    """Replace the header of an array, which is Python text."""

    def change(content: bytes) -> bytes:
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                parts = {name: archive.read(name) for name in archive.namelist()}
            name = list(parts)[some(parts, at)]
        except (*DAMAGE, IndexError):  # earlier changes have left no npz
            return content
        new = text.encode(errors="replace").ljust(117) + b"\n"
        parts[name] = (
            b"\x93NUMPY\x01\x00" + (len(new) % 65536).to_bytes(2, "little") + new + parts[name][128:]
        )
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as out:
            for each, part in parts.items():
                out.writestr(each, part)
        return file.getvalue()

    return change


headers = st.builds(
    "{{'descr': {}, 'fortran_order': {}, 'shape': {}, }}".format,
    st.sampled_from([*map(repr, DTYPES), "'|O'", "[('a', '<f4')]", "3", "'<f40'", "None", "'<U999999999'"]),
    st.sampled_from(["True", "False", "3", "None"]),
    st.sampled_from(
        ["(40, 10)", "(10**12,)", "(999999999999, 9)", "(-1,)", "()", "(0,)", "(40, 10.5)", "[1]", "None"]
    ),
)
any_npz = st.one_of(
    st.builds(
        _array,
        place,
        st.sampled_from(DTYPES),
        st.lists(st.sampled_from([0, 1, 2, 10, 40, 41, 60]), max_size=4),
        st.floats(width=32),
        st.none() | st.sampled_from(["last_outputs", "best_outputs", "x", "../x", "a/b", "labels"]),
    ),
    st.builds(_header, place, headers | odd_text),
)

OF_SUFFIX = {
    ".csv": any_lines | any_cells,
    ".json": any_json,
    ".yaml": any_yaml,
    ".npz": any_npz,
    ".txt": any_lines,
}


def changes(suffix: str) -> st.SearchStrategy[list[Change]]:
    """Return a strategy for one to three changes that make sense for a file's kind, or for any file."""
    own = OF_SUFFIX.get(suffix, any_lines)
    return st.lists(st.one_of(own, own, any_bytes, any_lines), min_size=1, max_size=3)


def apply(content: bytes, made: list[Change]) -> bytes:
    for change in made:
        content = change(content)
    return content


def removed(_: bytes) -> bytes:
    """Stand for a file that is gone."""
    return GONE


def a_folder(_: bytes) -> bytes:
    """Stand for a folder in the place of a file."""
    return FOLDER


def put(path: Path, content: bytes) -> None:
    """Give a file its new content, or none."""
    if content not in (GONE, FOLDER):
        path.write_bytes(content)
        return
    path.unlink()
    if content == FOLDER:
        path.mkdir()
