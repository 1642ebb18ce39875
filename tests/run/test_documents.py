"""JSON and YAML are plain values, or one ValueError with the file's name and few words."""

from pathlib import Path

import pytest

from dlx.run.documents import DEPTH, read_json, read_yaml, shorten
from dlx.run.files import MEGABYTE

LARGEST = 2**63 - 1


def test_plain_values_are_read_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(f'{{"a": [1, -2.5, true, null, "ü"], "b": {{"c": {LARGEST}}}}}')
    assert read_json(path, MEGABYTE) == {"a": [1, -2.5, True, None, "ü"], "b": {"c": LARGEST}}
    path.write_text("a: [1, -2.5, true, null, ü]\nb: {c: 2021-13-45, d: 2021-01-01}\n")
    read = {"a": [1, -2.5, True, None, "ü"], "b": {"c": "2021-13-45", "d": "2021-01-01"}}
    assert read_yaml(path, MEGABYTE) == read
    path.write_text("a: ! one\nb: !!str 2\n")  # tags of YAML itself
    assert read_yaml(path, MEGABYTE) == {"a": "one", "b": "2"}
    deep = "[" * (DEPTH - 1) + "1" + "]" * (DEPTH - 1)
    path.write_text(deep)
    assert read_json(path, MEGABYTE) == read_yaml(path, MEGABYTE)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Expecting value"),
        ('{"a": 1, "a": 2}', "the key 'a' is given twice"),
        ("[NaN]", "NaN is not a number in JSON"),
        ("[-Infinity]", "-Infinity is not"),
        ("[1e999]", "a number is too large"),
        (f"[{LARGEST + 1}]", "does not fit into 64 bits"),
        (f"[-{'9' * 400}]", "does not fit into 64 bits"),
        ("9" * 5000, "Exceeds the limit"),
        ('["\\ud800"]', "can't encode"),
        ('{"\\ud800": 1}', "can't encode"),
        ("[" * 100_000, f"nested more than {DEPTH} deep"),
        ("[" * (DEPTH + 1) + "]" * (DEPTH + 1), f"nested more than {DEPTH} deep"),
        ("[" + "[]," * 1_100_000 + "0]", "more than 2,000,000 values"),
    ],
)
def test_other_json_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=words) as caught:
        read_json(path, 4 * MEGABYTE)
    assert str(caught.value).startswith(f"{path}: ")
    assert len(str(caught.value)) < len(str(path)) + 300


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: &x [1]\nb: *x\n", r"the alias \*x is not supported"),
        ("&a [*a, *a]", r"the alias \*a is not supported"),
        ("!!python/object/apply:os.system [ls]", "the tag tag:yaml.org,2002:python/object/apply:os.system"),
        ("!!binary aGk=", "the tag tag:yaml.org,2002:binary is not supported"),
        ("!!set {a, b}", "the tag tag:yaml.org,2002:set is not supported"),
        ("!own x", "the tag !own is not supported"),
        ("[" * (DEPTH + 1) + "]" * (DEPTH + 1), f"nested more than {DEPTH} deep"),
        ("[" * 50_000, "nest"),
        ("9" * 5000, "Exceeds the limit"),
        ("{[a]: 1}", "unhashable"),
        ("a: [", "not valid YAML"),
        ("\x00", "not valid YAML"),
    ],
)
def test_other_yaml_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=words) as caught:
        read_yaml(path, MEGABYTE)
    assert str(caught.value).startswith(f"{path}: ")
    assert len(str(caught.value)) < len(str(path)) + 300


def test_a_long_text_is_cut_to_one_line() -> None:
    assert shorten("a\n  b") == "a b"
    assert len(shorten("x" * 10**6)) == 200
