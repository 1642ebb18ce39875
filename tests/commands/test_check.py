"""`dlx check`: every packaged model passes, a planted wrong gradient does not."""

from pathlib import Path

import numpy as np
import pytest

from dlx.cli import main
from dlx.compose.composer import config_folder

MODELS = sorted(path.stem for path in (config_folder() / "model").glob("*.yaml"))
WITH_DROPOUT = {"mlp", "mlp_bn", "mlp_ln", "cnn"}
NARROW = {"airbench": ["model.width=4"], "resnet": ["model.width=4"]}  # at full width 5 s each

NETS = """
import torch
from torch import nn

class Wrong(torch.autograd.Function):
    @staticmethod
    def forward(context, x, factor):
        context.save_for_backward(factor)
        return x.clone()
    @staticmethod
    def backward(context, gradient):
        return gradient * context.saved_tensors[0], None

class Net(nn.Module):
    def __init__(self, outputs: int, factor: float = 1.0, flipped: bool = False):
        super().__init__()
        self.hidden, self.out = nn.Linear(64, 6), nn.Linear(6, outputs)
        self.dropout = nn.Dropout(0.2)
        factors = torch.full((outputs, 6), factor, dtype=torch.float64)
        factors[2, 3] *= -1 if flipped else 1
        self.register_buffer("factors", factors)
    def forward(self, x):
        hidden = self.dropout(torch.tanh(self.hidden(x.flatten(1))))
        return nn.functional.linear(hidden, Wrong.apply(self.out.weight, self.factors), self.out.bias)
"""


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")


def custom(module):
    """The words for the nets above, in a module of this name: Python imports a name only once."""
    Path(f"{module}.py").write_text(NETS)
    return ["model=custom", f"model.target={module}:Net"]


LARGER = ("lenet", "airbench")  # models that need larger images than the digits are


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_every_model_passes_with_dropout_if_it_has_any(model, capsys):
    words = [f"model={model}", "--entries", "2", *NARROW.get(model, [])]
    if model in WITH_DROPOUT:
        words.append("model.dropout=0.3")
    if model == "custom":
        words += custom("net_right")
    if model == "point":
        words.append("data=surface")
    if model in LARGER:
        images = np.random.default_rng(0).integers(0, 255, (40, 1, 20, 20), dtype=np.uint8)
        np.savez("images.npz", inputs=images, labels=np.arange(40) % 4)
        words += ["data=npz", "data.root=.", "data.path=images.npz", "batch_size=8"]
    assert main(["check", *words]) == 0
    printed = capsys.readouterr().out
    assert "no gradient is wrong" in printed
    assert any(line.startswith("input ") for line in printed.splitlines())
    assert max(map(len, printed.splitlines())) <= 80
    left = {path.name for path in Path().iterdir()} - {"__pycache__"}  # Python's own, of the user's module
    assert left == set({"custom": ["net_right.py"]}.get(model, ["images.npz"] if model in LARGER else []))


@pytest.mark.parametrize("loss", ["mean_squared_error", "binary_cross_entropy"])
def test_the_requested_loss_is_checked(loss, capsys):
    words = ["data=digits_binary", f"loss={loss}", "loss.reduction=sum", "model.width=8"]
    assert main(["check", *words, "--entries", "2"]) == 0
    assert loss in capsys.readouterr().out


def test_a_planted_wrong_gradient_exits_1_and_names_the_parameter(capsys):
    assert main(["check", *custom("net_factor"), "+model.factor=1.01"]) == 1
    printed = capsys.readouterr().out
    named = [line for line in printed.splitlines() if line.startswith("wrong: ")]
    assert len(named) == 1
    assert named[0].startswith("wrong: out.weight[")
    assert "1 of 5 gradients is wrong" in printed
    assert "9.9e-03" in printed


def test_a_planted_wrong_sign_of_one_entry_is_found_by_comparing_all(capsys):
    assert main(["check", *custom("net_sign"), "+model.flipped=true", "--entries", "0"]) == 1
    assert "wrong: out.weight[2, 3]: " in capsys.readouterr().out


def test_a_tolerance_above_the_error_lets_it_pass():
    assert main(["check", *custom("net_tolerance"), "+model.factor=1.01", "--tolerance", "0.1"]) == 0


def test_flags_and_settings_may_be_mixed(capsys):
    words = "--entries 2 model=mlp --samples 3 data=digits --tolerance=1e-5 model.width=4"
    assert main(["check", *words.split()]) == 0
    printed = capsys.readouterr().out
    assert "3 samples of digits" in printed
    assert "3x1x8x8" in printed
    assert "the tolerance 1e-05" in printed


def test_a_model_in_the_users_own_conf_is_found(capsys):
    folder = Path("conf/model")
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text("defaults: [mlp_bn, _self_]\nwidth: 6\n")
    assert main(["check", "model=mine", "--entries", "2"]) == 0
    assert "6x64" in capsys.readouterr().out


def test_names_are_printed_as_they_are(capsys):
    """Brackets are rich's markup, and `[/]` would crash it."""
    Path("bracket.py").write_text(
        "import torch\n"
        "class Net(torch.nn.Module):\n"
        "    def __init__(self, outputs: int):\n"
        "        super().__init__()\n"
        "        self.add_module('[/]', torch.nn.Linear(64, outputs))\n"
        "    def forward(self, x):\n"
        "        return self.get_submodule('[/]')(x.flatten(1))\n"
    )
    assert main(["check", "model=custom", "model.target=bracket:Net", "--entries", "1"]) == 0
    assert "[/].weight" in capsys.readouterr().out


def test_entries_at_a_kink_are_counted(capsys):
    Path("hinge.py").write_text(
        "import torch\n"
        "class Net(torch.nn.Linear):\n"
        "    def __init__(self, outputs: int):\n"
        "        super().__init__(64, outputs)\n"
        "        self.hinge = torch.nn.Parameter(torch.zeros(()))\n"
        "    def forward(self, x):\n"
        "        return super().forward(x.flatten(1)) + self.hinge.relu() * x.flatten(1)[:, :10]\n"
    )
    assert main(["check", "model=custom", "model.target=hinge:Net"]) == 0
    printed = capsys.readouterr().out
    assert "1 entry is at a kink of the loss and not compared" in printed
    assert next(line.split() for line in printed.splitlines() if line.startswith("hinge"))[2:4] == ["0", "1"]


def test_an_interrupted_check_says_so_and_exits_130(capsys, monkeypatch):
    from dlx.engine import gradient_check

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(gradient_check, "check_gradients", interrupted)
    assert main(["check", "model.width=4"]) == 130
    assert capsys.readouterr().err == "dlx check: interrupted\n"
