"""Which source files a user's module runs, found without running them, and which of their lines count."""

import sys
from pathlib import Path

import pytest
import torch

from dlx.model.custom import custom
from dlx.own.sources import forget_sources, own_sources, significant_lines

NET = "from torch import nn\nclass Net(nn.Sequential):\n    pass\n"


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    forget_sources()
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def write(files):
    for name, text in files.items():
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize(
    ("files", "target", "found"),
    [
        ({"mynet.py": NET}, "mynet:Net", {"mynet.py"}),
        ({"mynet.py": "import parts, json, torch\n", "parts.py": ""}, "mynet:Net", {"mynet.py", "parts.py"}),
        ({"a.py": "import b", "b.py": "import c", "c.py": "import a"}, "a:Net", {"a.py", "b.py", "c.py"}),
        ({"a.py": "def f():\n    from b import g\n", "b.py": ""}, "a:f", {"a.py", "b.py"}),
        (
            {"a.py": "from importlib import import_module\nimport_module('b')\n", "b.py": ""},
            "a:f",
            {"a.py", "b.py"},
        ),
        (
            {
                "nets/__init__.py": "",
                "nets/big.py": "from . import parts\n",
                "nets/parts.py": "",
                "nets/x.py": "",
            },
            "nets.big:Net",
            {"nets/__init__.py", "nets/big.py", "nets/parts.py"},
        ),
        (
            {
                "p/__init__.py": "",
                "p/q/__init__.py": "from .net import Net\n",
                "p/q/net.py": "from ..tools.layers import Layer\n",
                "p/tools/layers.py": "",  # a folder without __init__.py is a package as well
            },
            "p.q:Net",
            {"p/__init__.py", "p/q/__init__.py", "p/q/net.py", "p/tools/layers.py"},
        ),
        ({"a.py": "from dlx.model.models import Dropout\n"}, "a:Net", {"a.py"}),
        ({"site-packages/a.py": ""}, "a:Net", set()),
        ({"broken.py": "def"}, "broken:Net", {"broken.py"}),
        ({}, "torchvision.models:resnet18", set()),
        ({}, "no_such_module_at_all:Net", set()),
        ({}, "???", set()),
        ({}, "", set()),
    ],
)
def test_the_users_own_files_are_found_from_their_imports(files, target, found, monkeypatch):
    write(files)
    monkeypatch.syspath_prepend("site-packages")
    before = set(sys.modules)
    assert set(own_sources(target)) == found
    assert not {"a", "mynet", "nets", "p"} & (set(sys.modules) - before)  # nothing was run


def test_a_module_on_the_import_path_brings_the_files_beside_it(project, monkeypatch):
    write({"src/mynet.py": "import parts, other\n", "src/parts.py": "", "elsewhere/other.py": ""})
    monkeypatch.syspath_prepend(project / "src")
    monkeypatch.syspath_prepend(project / "elsewhere")
    (project / "run").mkdir()
    monkeypatch.chdir(project / "run")
    assert list(own_sources("mynet:Net")) == ["mynet.py", "parts.py"]  # another project's does not count


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("x = 1\ny = 'a#b'\n", True),
        ("# why\nx = 1  # one\n\n\ny = 'a#b'   \n\n", True),
        ("x = 1\r\ny = 'a#b'\r\n", True),
        ("x = 2\ny = 'a#b'\n", False),
        ("x = 1\ny = 'a#c'\n", False),
        ("if x:\n    x = 1\ny = 'a#b'\n", False),
    ],
)
def test_comments_and_blank_lines_do_not_count(text, same):
    write({"one.py": "x = 1\ny = 'a#b'\n"})
    (one,) = own_sources("one:Net").values()
    with Path("one.py").open("w", newline="") as file:
        file.write(text)
    forget_sources()
    (other,) = own_sources("one:Net").values()
    assert (one.fingerprint == other.fingerprint) is same


def test_what_is_in_a_string_counts():
    text = 'x = """a  \n\n# no comment\nb"""  # but this is one\n'
    assert significant_lines(text) == ('x = """a  ', "", "# no comment", 'b"""  ')
    assert significant_lines(text.replace("\n\n", "\n")) != significant_lines(text)


def test_a_module_that_was_edited_is_run_again_in_the_same_process():
    write(
        {"mynet.py": "from torch import nn\nfrom parts import act\ndef Net(): return nn.Sequential(act())\n"}
    )
    built = []
    for name in ("ReLU", "ReLU", "Tanh"):  # as long as each other, and written within a second
        write({"parts.py": f"from torch import nn\nact = nn.{name}\n"})
        forget_sources()
        built.append(custom((4,), 2, target="mynet:Net")[0])
    assert [type(each) for each in built] == [torch.nn.ReLU, torch.nn.ReLU, torch.nn.Tanh]


def test_a_module_that_has_not_changed_is_run_once(capsys):
    write({"mynet.py": "from torch import nn\nprint('run')\ndef Net(): return nn.Identity()\n"})
    for _ in range(2):
        forget_sources()
        custom((4,), 2, target="mynet:Net")
    assert capsys.readouterr().out == "run\n"
