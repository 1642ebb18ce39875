"""Wrong files of the user's own, their arrays, images, YAML and modules, are answered in one line."""

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from dlx.cli import main
from dlx.compose.composer import config_folder
from dlx.data.vision import CIFAR10, MNIST

SAMPLES = 60
LABELS = np.arange(SAMPLES) % 3
INPUTS = np.random.default_rng(0).integers(0, 256, (SAMPLES, 8, 8)).astype(np.uint8)


@pytest.fixture(autouse=True)
def _offline_in_a_folder_of_its_own(tmp_path, monkeypatch):
    import pooch

    def offline(*_, **__):
        raise OSError("the network is unreachable")

    monkeypatch.setattr(pooch, "retrieve", offline)
    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", offline)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")


def answer(capsys, words, said):
    """Ask for something wrong; check that one line says so and that nothing is left behind."""
    before = sorted(map(str, Path().rglob("*")))
    assert main(words) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.err.count("\n") == 1
    assert len(printed.err) < 700
    assert printed.out == ""
    assert sorted(map(str, Path().rglob("*"))) == before


# --- arrays

ARRAYS = {
    "no array": ({}, "has no array inputs; it needs inputs and labels (it has no arrays)"),
    "no labels": ({"inputs": INPUTS}, "has no array labels"),
    "no inputs": ({"labels": LABELS}, "has no array inputs"),
    "no samples": ({"inputs": INPUTS[:0], "labels": LABELS[:0]}, "inputs has shape (0, 8, 8)"),
    "one sample": ({"inputs": INPUTS[:1], "labels": LABELS[:1]}, "has 1 class, but at least two are needed"),
    "two samples": ({"inputs": INPUTS[:2], "labels": LABELS[:2]}, "leaves no validation samples"),
    "too few labels": ({"inputs": INPUTS, "labels": LABELS[:5]}, "labels (5,); expected [N, ...] and [N]"),
    "words": ({"inputs": INPUTS.astype(str), "labels": LABELS}, "inputs are <U3; expected numbers"),
    "dates": ({"inputs": INPUTS.astype("M8[s]"), "labels": LABELS}, "expected numbers"),
    "records": ({"inputs": np.zeros(SAMPLES, [("a", int)]), "labels": LABELS}, "expected numbers"),
    "complex": ({"inputs": INPUTS.astype(complex), "labels": LABELS}, "inputs are complex128"),
    "infinite": ({"inputs": np.where(INPUTS > 99, np.inf, 0.0), "labels": LABELS}, "is not finite at [0,"),
    "too large for float32": ({"inputs": INPUTS * 1e300, "labels": LABELS}, "are too large for float32"),
    "five axes": ({"inputs": INPUTS[:, None, None], "labels": LABELS}, "expected [N, F], [N, C, H, W]"),
    "probabilities": (
        {"inputs": INPUTS, "labels": np.full((SAMPLES, 3), 1 / 3)},
        "labels of shape (60, 3) are",
    ),
    "one axis": ({"inputs": LABELS.astype(float), "labels": LABELS}, "expected [N, F], [N, C, H, W]"),
    "one class": ({"inputs": INPUTS, "labels": LABELS * 0}, "has 1 class, but at least two are needed"),
    "labels below 0": (
        {"inputs": INPUTS, "labels": LABELS - 1},
        "labels range from -1 to 1, and -1 may stand",
    ),
    "too few classes": (
        {"inputs": INPUTS, "labels": LABELS, "classes": np.array(["a", "b"])},
        "labels are 0 to 2, but 2 classes are named",
    ),
    "no classes": ({"inputs": INPUTS, "labels": LABELS, "classes": np.array([])}, "classes is empty"),
    "a class twice": (
        {"inputs": INPUTS, "labels": LABELS, "classes": np.array(["a", "a", "b"])},
        "classes contains a name twice",
    ),
    "validation without labels": (
        {"inputs": INPUTS, "labels": LABELS, "val_inputs": INPUTS},
        "has no array val_labels",
    ),
    "validation of another size": (
        {"inputs": INPUTS, "labels": LABELS, "val_inputs": INPUTS[:, :4], "val_labels": LABELS},
        "val_inputs are torch.uint8 of shape (1, 4, 8)",
    ),
    "validation of another class": (
        {"inputs": INPUTS, "labels": LABELS, "val_inputs": INPUTS, "val_labels": LABELS + 1},
        "val_labels range from 1 to 3",
    ),
    "objects": (
        {"inputs": np.array([{}] * SAMPLES), "labels": LABELS},
        "Object arrays cannot be loaded when allow_pickle=False; store texts",
    ),
}


@pytest.mark.parametrize(("arrays", "said"), ARRAYS.values(), ids=ARRAYS)
def test_wrong_arrays_are_named(arrays, said, capsys):
    np.savez("mine.npz", **arrays)
    answer(capsys, ["train", "data=npz", "data.root=.", "data.path=mine.npz"], said)


def whole_npz():
    np.savez("whole.npz", inputs=INPUTS, labels=LABELS)
    return Path("whole.npz").read_bytes()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda whole: b"", "is not an .npz file"),
        (lambda whole: b"hello", "is not an .npz file"),
        (lambda whole: b"\x80\x04N.", "is not an .npz file"),
        (lambda whole: whole[:10], "cannot be read as arrays"),
        (lambda whole: whole[: len(whole) // 2], "cannot be read as arrays"),
        (lambda whole: whole[:200] + bytes([whole[200] ^ 1]) + whole[201:], "Bad CRC-32"),
    ],
    ids=["empty", "text", "pickle", "ten bytes", "half", "one bit flipped"],
)
def test_a_damaged_file_of_arrays_is_named(damage, said, capsys):
    content = damage(whole_npz())
    Path("mine.npz").write_bytes(content)
    answer(capsys, ["train", "data=npz", "data.root=.", "data.path=mine.npz"], said)


def test_a_header_that_claims_more_than_there_is_does_not_take_the_memory(capsys):
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (60000000, 10000000), }".ljust(117) + b"\n"
    with zipfile.ZipFile("mine.npz", "w") as archive:
        for name in ("inputs", "labels"):
            archive.writestr(f"{name}.npy", b"\x93NUMPY\x01\x00\x76\x00" + header)
    answer(capsys, ["train", "data=npz", "data.root=.", "data.path=mine.npz"], "Unable to allocate")


def test_arrays_that_do_not_fit_into_memory_when_unpacked_are_refused(capsys, monkeypatch):
    from dlx import device

    np.savez_compressed("mine.npz", inputs=np.zeros((SAMPLES, 5000)), labels=LABELS)  # 2.4 MB
    monkeypatch.setattr(device, "available_bytes", lambda: 3_000_000)
    words = ["train", "data=npz", "data.root=.", "data.path=mine.npz"]
    answer(capsys, words, "unpacked, needs about 0.0072 GB of memory")


@pytest.mark.parametrize(
    ("path", "said"),
    [("pipe", "is not a file"), ("folder", "is a folder without .npy files"), ("/dev/zero", "is not a file")],
)
def test_only_a_file_is_read(path, said, capsys):
    os.mkfifo("pipe")
    Path("folder").mkdir()
    answer(capsys, ["train", "data=npz", "data.root=.", f"data.path={path}"], said)


@pytest.mark.parametrize(
    "path", ["a,b (c)/mine.npz", "Übung/mine.npz", "Anna's/mine.npz", "x=y/[1] {2}.npz", "2024/mine.npz"]
)
@pytest.mark.parametrize("where", ["data.root", "data.path"])
def test_a_path_that_exists_is_read_whatever_its_characters(path, where, capsys):
    Path(path).parent.mkdir()
    Path(path).write_bytes(whole_npz())
    parts = (str(Path(path).parent), Path(path).name) if where == "data.root" else (".", path)
    words = ["train", "data=npz", f"data.root={parts[0]}", f"data.path={parts[1]}", "batch_size=60"]
    answer(capsys, words, "batch_size=60: larger than the training split of 54 samples")


# --- published data sets


@pytest.mark.parametrize("content", [b"", b"junk", b"\x80\x04N.", bytes(10_000)], ids=len)
@pytest.mark.parametrize("published", [MNIST, CIFAR10], ids=lambda published: published.name)
def test_published_files_that_are_not_as_published_are_named(published, content, capsys):
    Path("mine", published.folder).mkdir(parents=True)
    for name in published.files:
        Path("mine", published.folder, name).write_bytes(content)
    for archive in published.archives:
        Path("mine", archive).write_bytes(content)
    first = next(iter(published.files))
    assert main(["data", "prepare", published.name, "data.root=mine"]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert f"lacks {first} (damaged)" in said


# --- images


def write_images(folder, names, count=12, size=(8, 8)):
    from PIL import Image

    draws = np.random.default_rng(0)
    for name in names:
        Path(folder, name).mkdir(parents=True)
        for number in range(count):
            pixels = draws.integers(0, 256, (*size, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(Path(folder, name, f"{number}.png"))


def spoil(content):
    return lambda: Path("mine/b/5.png").write_bytes(content)


IMAGES = {
    "no folder of a class": (lambda: Path("mine").mkdir(), "no class folders in"),
    "an empty class": (lambda: (write_images("mine", "a"), Path("mine/b").mkdir()), "no images in the class"),
    "one class": (lambda: write_images("mine", "a"), "has 1 class, but at least two are needed"),
    "another size": (lambda: (write_images("mine", "a"), write_images("mine", "b", size=(9, 9))), "is 9x9"),
    "an empty file": (lambda: (write_images("mine", "ab"), spoil(b"")()), "cannot be read as an image"),
    "a text": (lambda: (write_images("mine", "ab"), spoil(b"hello")()), "cannot be read as an image"),
    "two validation parts": (
        lambda: [write_images(f"mine/{part}", "ab") for part in ("train", "val", "valid")],
        "holds val and valid; keep one",
    ),
    "a class that is only validated on": (
        lambda: (write_images("mine/train", "ab"), write_images("mine/val", "abc")),
        "is a class that",
    ),
}


@pytest.mark.parametrize(("write", "said"), IMAGES.values(), ids=IMAGES)
def test_wrong_folders_of_images_are_named(write, said, capsys):
    write()
    words = ["train", "data=image_folder", "data.root=mine", "data.cache=false", "batch_size=4"]
    answer(capsys, words, said)


# --- own YAML

ALIASES = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
YAML = {
    "a number": ("3\n", "mine.yaml, line 1: is a single value; write lines of the form KEY: VALUE"),
    "a text": ("hello\n", "mine.yaml, line 1: is a single value"),
    "a list": ("- a\n- b\n", "mine.yaml, line 1: is a list"),
    "empty": ("", "model.name: needs a value (conf/model/mine.yaml)"),
    "a comment": ("# only\n", "model.name: needs a value (conf/model/mine.yaml)"),
    "an open bracket": ("name: mlp\nwidth: [1\n", "mine.yaml, line 3: expected ',' or ']'"),
    "wrong indentation": ("name: mlp\n  width: 3\n", "mine.yaml, line 2: mapping values are not allowed"),
    "a tab": ("name:\tmlp\n\twidth: 3\n", "mine.yaml, line 1: found character '\\t'"),
    "a key twice": ("name: mlp\nname: cnn\n", "mine.yaml, line 2: found duplicate key name"),
    "two documents": ("name: mlp\n---\nname: cnn\n", "mine.yaml, line 2: but found another document"),
    "an unknown alias": ("name: *x\n", "mine.yaml, line 1: found undefined alias 'x'"),
    "a tag": ("name: !!python/object/apply:os.system [ls]\n", "mine.yaml, line 1: could not determine"),
    "a control character": ("name: a\x07b\n", "mine.yaml: unacceptable character #x0007"),
    "a list as a key": ("[1]: 4\nname: mlp\n", "mine.yaml, line 1: found unhashable key"),
    "a key without a name": ("~: 4\nname: mlp\n", "mine.yaml, line 1: a key has no name"),
    "base64": ("name: !!binary aGk=\n", "mine.yaml, line 1: holds bytes; write text or a number"),
    "itself": ("a: &a [*a]\n", "mine.yaml, line 1: holds itself"),
    "aliases of aliases": (ALIASES, "holds more than 20,000 values, aliases included"),
    "too deep": (f"name: {'[' * 3000}{']' * 3000}\n", "mine.yaml: is nested too deeply"),
    "too large": (f"# {'x' * (1 << 20)}\nname: mlp\n", "mine.yaml: has 1,048,589 bytes; at most 1,048,576"),
    "bytes": (bytes(range(256)), "mine.yaml, line 2: is not UTF-8 text"),
    "Latin-1": (b"name: mlp\n# \xe4\n", "mine.yaml, line 2: is not UTF-8 text"),
    "UTF-16": ("name: mlp\n".encode("utf-16"), "mine.yaml, line 1: is not UTF-8 text"),
    "a header without a value": ("# @package\nname: mlp\n", "mine.yaml, line 1: write it as '# @package _gl"),
    "a header of three words": ("# @package a b c\nname: mlp\n", "mine.yaml, line 1: write it as"),
    "an unknown package": ("# @package nowhere\nname: mlp\n", "nowhere: there is no such key"),
    "an unknown key": ("name: mlp\ninit: default\nwidht: 3\n", "model.widht: 'MLP' takes no such setting"),
    "a wrong value": ("name: mlp\ninit: 3\n", "model.init=3: must be text (conf/model/mine.yaml)"),
    "a missing value": ("name: mlp\nwidth: ???\n", "model.width='???': must be a whole number"),
    "not a number": ("name: mlp\nwidth: .nan\n", "model.width=nan: must be a finite number"),
    "an unknown interpolation": ("name: ${nowhere}\n", "Interpolation key 'nowhere' not found"),
    "a class to be called": ("_target_: os.system\n", "model.name: needs a value"),
    "itself among its defaults": ("defaults: [mine]\n", "the configuration includes itself"),
    "defaults that are no list": ("defaults: 3\nname: mlp\n", "defaults must be a list (got int)"),
    "unknown defaults": ("defaults: [nowhere]\nname: mlp\n", "Could not load 'model/nowhere'"),
}


@pytest.mark.parametrize(("content", "said"), YAML.values(), ids=YAML)
def test_wrong_yaml_of_the_users_is_named_with_its_line(content, said, capsys):
    Path("conf/model").mkdir(parents=True)
    Path("conf/model/mine.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    answer(capsys, ["train", "model=mine"], said)


OF_A_REQUEST = {
    "no grid": ("grid: {}", "", "grid: needs a value, as in the packaged train.yaml"),
    "no cases": ("cases: []", "", "cases: needs a value, as in the packaged train.yaml"),
    "no launcher": ("- launcher: local", "", "launcher: needs a value, as in the packaged train.yaml"),
    "a word for a launcher": ("grid: {}", "grid: {}\nlauncher: local", "launcher=local: is not a choice"),
    "a list for its name": (
        "grid: {}",
        "grid: {}\nlauncher: {name: [3]}",
        "launcher.name: there is no '[3]'",
    ),
    "its unknown key": (
        "grid: {}",
        "grid: {}\nlauncher: {processes: '${x}'}",
        "launcher.processes: Interpol",
    ),
    "a grid of an unknown key": ("grid: {}", "grid: ${x}", "grid: Interpolation key 'x' not found"),
    "cases of an unknown key": ("cases: []", "cases: ${x}", "cases: Interpolation key 'x' not found"),
}


@pytest.mark.parametrize(("packaged", "own", "said"), OF_A_REQUEST.values(), ids=OF_A_REQUEST)
def test_an_own_train_yaml_needs_what_a_request_has_once(packaged, own, said, capsys):
    text = (config_folder() / "train.yaml").read_text()
    assert packaged in text
    replaced = text.replace("- launcher: local", "") if "launcher: local" in own else text
    Path("conf").mkdir()
    Path("conf/train.yaml").write_text(replaced.replace(packaged, own))
    answer(capsys, ["train"], said)


@pytest.mark.parametrize("kind", ["folder", "pipe", "link to nowhere"])
def test_what_is_not_a_file_is_not_a_choice(kind, capsys):
    Path("conf/model").mkdir(parents=True)
    path = Path("conf/model/mine.yaml")
    {"folder": path.mkdir, "pipe": lambda: os.mkfifo(path)}.get(kind, lambda: path.symlink_to("nowhere"))()
    answer(capsys, ["train", "model=mine"], "model: there is no 'mine'")


def test_a_file_with_a_byte_order_mark_or_windows_lines_is_read(capsys):
    Path("conf/model").mkdir(parents=True)
    Path("conf/model/mine.yaml").write_bytes(b"\xef\xbb\xbfname: mlp\r\ninit: default\r\nwidth: 0\r\n")
    answer(capsys, ["train", "model=mine"], "model.width=0: must be 1 or more")


PRESETS = {
    "a grid below sweep": ("sweep: {seed: [0, 1]}\n", "a preset cannot hold sweep; write values below grid"),
    "a list as grid": ("# @package _global_\ngrid: [1, 2]\n", "sweep/mine"),
    "a text as grid": ("# @package _global_\ngrid: hello\n", "grid: 'hello' has no keys"),
    "a key without values": ("# @package _global_\ngrid: {seed: []}\n", "grid: seed has no values"),
    "an unknown key": ("# @package _global_\ngrid: {nowhere: [1, 2]}\n", "nowhere: there is no such key"),
    "presets in a preset": ("# @package _global_\ngrid: {sweep: [a, b]}\n", "grid: sweep cannot be varied"),
    "a number as cases": ("# @package _global_\ncases: 3\n", "cases: 3 is not a list"),
    "too many values": (
        "# @package _global_\ncases:\n" + "".join(f"- seed: {seed}\n" for seed in range(10_001)),
        "mine.yaml, line 3: holds more than 20,000 values",
    ),
    "too many seeds": (
        "# @package _global_\ngrid: {seed: 'range(1000000000)'}\n",
        "seed=range(1000000000): that is more than 10,000 runs",
    ),
}


@pytest.mark.parametrize(("content", "said"), PRESETS.values(), ids=PRESETS)
def test_wrong_presets_are_named(content, said, capsys):
    Path("conf/sweep").mkdir(parents=True)
    Path("conf/sweep/mine.yaml").write_text(content)
    answer(capsys, ["train", "sweep=mine"], said)


# --- own modules

NET = """
import os, sys, torch
from torch import nn

class Net(nn.Module):
    def __init__(self, outputs{parameters}):
        super().__init__()
        self.layer = nn.Linear(64, outputs)
        {init}

    def forward(self, x):
        {forward}
        return self.layer(x.flatten(1)){after}
"""


def net(*, parameters="", init="pass", forward="pass", after=""):
    return NET.format(parameters=parameters, init=init, forward=forward, after=after)


MODULES = {
    "a mistake in its syntax": ("def f(:\n", "SyntaxError: invalid syntax (mynet.py, line 1)"),
    "null bytes": ("\0\0", "SyntaxError: source code string cannot contain null bytes"),
    "an exception": ("raise RuntimeError('boom')\n", "importing 'mynet' failed: RuntimeError: boom"),
    "a long exception": ("raise RuntimeError('x' * 1000)\n", "RuntimeError: xxx"),
    "sys.exit": ("import sys\nsys.exit(3)\n", "importing 'mynet' failed: SystemExit: 3"),
    "endless recursion": ("def f(): f()\nf()\n", "RecursionError"),
    "an import of nothing": ("import nothing_like_this\n", "No module named 'nothing_like_this'"),
    "no such class": ("class Nett: pass\n", "has no 'Net'; did you mean 'Nett'?"),
    "a number": ("Net = 3\n", "is a int, not a class or a function"),
    "another class": ("class Net:\n    pass\n", "returned a Net, not a torch.nn.Module"),
    "lazy layers of another shape": (
        "from torch import nn\ndef Net(outputs): return nn.LazyLinear(outputs)\n",
        "for a batch of 2 it gave (2, 1, 8, 10)",
    ),
    "a parameter without a value": (net(parameters=", hidden"), "model.hidden: 'Net' needs a value for it"),
    "a parameter called name": (
        net(parameters=", name"),
        "because model.name is a key of dlx's own",
    ),
    "sys.exit when built": (net(init="sys.exit(5)"), "SystemExit: 5"),
    "an exception when built": (net(init="raise ValueError('no')"), "ValueError: no"),
    "weights without values": (net(init="self.to('meta')"), "it cannot be built"),
    "no trainable weight": (net(init="self.requires_grad_(False)"), "it has no parameters to train"),
    "train that is a number": (net(init="self.train = 3"), "'int' object is not callable"),
    "sys.exit when called": (net(forward="sys.exit(7)"), "SystemExit: 7"),
    "endless recursion when called": (net(forward="return self.forward(x)"), "RecursionError"),
    "nothing": (net(forward="return None"), "for a batch of 2 it gave a NoneType"),
    "a tuple of equals": (net(after=", self.layer(x.flatten(1))"), "it gave a tuple"),
    "another shape": (net(after="[:, :3]"), "for a batch of 2 it gave (2, 3)"),
    "integers": (net(after=".long()"), "a training step on a batch of 25 fails"),
    "outputs without a gradient": (net(after=".detach()"), "does not require grad"),
    "sys.exit in training": (net(forward="sys.exit(9) if self.training else 0"), "SystemExit: 9"),
    "another shape in training": (
        net(after="[:, : 3 if self.training else None]"),
        "for a batch of 25 it gave (25, 3)",
    ),
    "a batch of one squeezed": (net(after=".squeeze()"), "for a batch of 1 it gave (10,)"),
}


@pytest.mark.parametrize(("source", "said"), MODULES.values(), ids=MODULES)
def test_a_wrong_module_of_the_users_is_named_before_training(source, said, capsys):
    Path("mynet.py").write_text(source)
    few = ["data.train_size=101", "data.val_size=50", "batch_size=25"]  # the last batch is of one
    answer(capsys, ["train", "model=custom", "model.target=mynet:Net", *few], said)


def test_a_module_that_gives_nan_diverges_with_a_reason(capsys):
    Path("mynet.py").write_text(net(after=" * float('nan')"))
    assert main(["train", "model=custom", "model.target=mynet:Net", "epochs=1"]) == 1
    printed = capsys.readouterr()
    assert "diverged" in printed.out
    assert printed.err == "dlx train: 1 of 1 runs did not complete\n"
