"""Modules as people write them: each trains for two epochs, or is refused in one line that says what to do.

Axes: B batch, T time, F features.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from dlx.build import build
from dlx.compose.fingerprints import look_again
from dlx.compose.request import compose_one
from dlx.engine import loop
from dlx.engine.stack_check import check_stack
from dlx.errors import RequestError

NETS = '''
import math
from collections import namedtuple
import torch
from torch import nn
import torch.nn.functional as F

def images(channels=1, size=8, samples=60):
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(samples) % 4
    images = torch.randn(samples, channels, size, size, generator=generator)
    return images + labels[:, None, None, None], labels

class Classes(nn.Sequential):
    def __init__(self, num_classes=10):
        super().__init__(nn.Flatten(), nn.Linear(64, num_classes))

class Needed(Classes):
    def __init__(self, n_classes):
        super().__init__(n_classes)

class Channels(nn.Sequential):
    def __init__(self, in_channels=3, num_classes=10, base=4):
        super().__init__(nn.Conv2d(in_channels, base, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                         nn.Linear(base, num_classes))

class Widths(nn.Sequential):
    def __init__(self, input_dim=784, hidden_dim=16, output_dim=10):
        super().__init__(nn.Flatten(), nn.Linear(input_dim, hidden_dim), nn.Linear(hidden_dim, output_dim))

class Base(nn.Module):
    """A body of 16 features and a head."""
    def __init__(self, num_classes):
        super().__init__()
        self.body, self.head = nn.Linear(64, 16), nn.Linear(16, num_classes)

class Pair(Base):
    def forward(self, x):
        features = self.body(x.flatten(1)).relu()
        return self.head(features), features

class Dictionary(Base):
    def forward(self, x):
        features = self.body(x.flatten(1)).relu()
        return {"features": features, "logits": self.head(features)}

Output = namedtuple("Output", "logits attentions")
class Named(Base):
    def forward(self, x):
        return Output(self.head(self.body(x.flatten(1)).relu()), None)

class Twice(Base):
    def forward(self, x):
        logits = self.head(self.body(x.flatten(1)).relu())
        return logits, logits.softmax(1)

class Recurrent(nn.Module):
    def __init__(self, num_classes, hidden=12):
        super().__init__()
        self.gru, self.head = nn.GRU(8, hidden, batch_first=True), nn.Linear(hidden, num_classes)
    def forward(self, x):
        outputs, _ = self.gru(x[:, 0])  # the rows of an image as a sequence
        return self.head(outputs[:, -1])

class OnlyRecurrent(nn.GRU):
    def __init__(self, num_classes):
        super().__init__(8, num_classes, batch_first=True)
    def forward(self, x):
        return super().forward(x[:, 0])

class Attention(nn.Module):
    def __init__(self, num_classes, dim=8, heads=2):
        super().__init__()
        self.attention = nn.MultiheadAttention(dim, heads, dropout=0.1, batch_first=True)
        self.norm, self.head = nn.LayerNorm(dim), nn.Linear(dim, num_classes)
    def forward(self, x):
        tokens = x[:, 0]
        attended, _ = self.attention(tokens, tokens, tokens)
        return self.head(self.norm(tokens + attended).mean(1))

class Encoder(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.encoder = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.head = nn.Linear(8, num_classes)
    def forward(self, x):
        return self.head(self.encoder(x[:, 0])[:, 0])

class Lazy(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.layers = nn.Sequential(
            nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(num_classes)
        )
    def forward(self, x):
        return self.layers(x)

class Tied(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.encoder, self.decoder = nn.Linear(64, 16, bias=False), nn.Linear(16, 64, bias=False)
        self.decoder.weight = nn.Parameter(self.encoder.weight.t().contiguous())
        self.again = self.encoder
        self.head = nn.Linear(16, num_classes)
    def forward(self, x):
        return self.head(self.again(self.decoder(self.encoder(x.flatten(1)).relu())))

class InPlace(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.conv, self.head = nn.Conv2d(1, 4, 3), nn.Linear(144, num_classes)
    def forward(self, x):
        x = self.conv(x)
        x += 1
        F.relu_(x)
        return self.head(torch.flatten(x, 1))

class OnInputs(Base):
    def forward(self, x):
        x.sub_(0.5)
        return self.head(self.body(x.flatten(1)))

class Resets(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(num_classes, 64))
        self.scale = nn.Parameter(torch.ones(()))
        self.reset_parameters()
    def reset_parameters(self):
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))
    def forward(self, x):
        return self.scale * F.linear(x.flatten(1), self.weight)

class Draws(Base):
    def forward(self, x):
        x = x.flatten(1)
        return self.head(self.body(x + 0.1 * torch.randn_like(x) if self.training else x))

class Frozen(Base):
    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.body.requires_grad_(False)
    def forward(self, x):
        return self.head(self.body(x.flatten(1)).relu())

class Squeezes(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.conv, self.head = nn.Conv2d(1, 8, 3), nn.Linear(8, num_classes)
    def forward(self, x):
        return self.head(F.adaptive_avg_pool2d(self.conv(x), 1).squeeze())

class Softmax(Base):
    def forward(self, x):
        return F.log_softmax(self.head(self.body(x.flatten(1)).relu()), dim=1)

class Probabilities(Base):
    def forward(self, x):
        return F.softmax(self.head(self.body(x.flatten(1)).relu()), dim=1)

class Numbers(Base):
    def forward(self, x):
        return self.head(self.body(x.flatten(1)).relu()).argmax(1)

class NeedsLength(nn.Module):
    def __init__(self, num_classes, vocabulary):
        super().__init__()

class Breaks(Base):
    def forward(self, x):
        return self.head(self.body(x))

def factory(num_classes=10, **kwargs):
    return Widths(64, 8, num_classes)

class Weights(nn.Module):
    """Its weights fix the number of classes, as those that a library has trained do."""
    def __init__(self, weights=None, num_classes=1000):
        super().__init__()
        if weights is not None and num_classes != 1000:
            raise ValueError(f"these weights have 1000 classes, not {num_classes}")
        self.features = nn.Sequential(nn.Flatten(), nn.Linear(64, 6))
        self.classifier = nn.Linear(6, num_classes)
    def forward(self, x):
        return self.classifier(self.features(x))
'''
SMALL = ["data.target=asiswritten:images", "data.val_size=12", "batch_size=16", "epochs=2"]
LARGER = ["data.channels=3", "data.size=16", "data.samples=12", "batch_size=4", "data.val_size=4"]


@pytest.fixture(autouse=True)
def nets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "asiswritten.py").write_text(NETS)
    monkeypatch.chdir(tmp_path)
    yield
    sys.modules.pop("asiswritten", None)
    look_again()


def trained(target: str, *words: str) -> list[str]:
    """Train two epochs; return what was said on how the model was built."""
    run = build(compose_one([*SMALL, f"model.target={target}", *words]))
    before = [parameter.detach().clone() for parameter in run.model.parameters() if parameter.requires_grad]
    ends = list(loop.train(run))
    assert [end.row.epoch for end in ends] == [0, 1, 2]
    assert all(end.val_outputs_NK.shape == (len(run.data.val), 4) for end in ends)
    after = [parameter for parameter in run.model.parameters() if parameter.requires_grad]
    assert any(not torch.equal(*pair) for pair in zip(before, after, strict=True))
    if run.parameter_count < 10**6:
        check_stack(run)  # whatever it says, it does not fail
    return [said for said in run.notices if not said.startswith("data.")]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Classes", "num_classes=4"),
        ("Needed", "n_classes=4"),
        ("Channels", "num_classes=4, in_channels=1"),
        ("Widths", "output_dim=4, input_dim=64"),
        ("Pair", "output[0] is used"),
        ("Dictionary", "output['logits'] is used"),
        ("Named", "output[0] is used"),
        ("Recurrent", "num_classes=4"),
        ("Attention", "num_classes=4"),
        ("Encoder", "num_classes=4"),
        ("Lazy", "num_classes=4"),
        ("Tied", "num_classes=4"),
        ("InPlace", "num_classes=4"),
        ("OnInputs", "num_classes=4"),
        ("Resets", "num_classes=4"),
        ("Draws", "num_classes=4"),
        ("Frozen", "num_classes=4"),
        ("Squeezes", "num_classes=4"),
        ("Softmax", "num_classes=4"),
        ("Probabilities", "its outputs sum to 1, as after a softmax"),
        ("factory", "num_classes=4"),
    ],
)
def test_a_module_trains_as_it_is_and_what_it_was_given_is_said(name: str, said: str) -> None:
    lines = trained(f"asiswritten:{name}")
    assert any(said in line for line in lines)
    assert any("softmax" in line for line in lines) == (name == "Probabilities"), "log_softmax does no harm"


@pytest.mark.parametrize(
    ("name", "words", "said"),
    [
        (
            "Twice",
            [],
            "outputs of shape .batch, 4.; for a batch of 2 it gave a tuple; return that tensor alone",
        ),
        ("OnlyRecurrent", [], "for a batch of 2 it gave a tuple; return that tensor alone"),
        (
            "Squeezes",
            ["data.train_size=17"],
            "a training step on a batch of 1 fails|for a batch of 1 it gave",
        ),
        ("Numbers", [], r"need outputs of shape \(batch, 4\); for a batch of 2 it gave \(2,\)"),
        ("NeedsLength", [], "model.vocabulary: 'NeedsLength' needs a value for it"),
        (
            "Breaks",
            [],
            r"cannot take a batch of shape \(2, 1, 8, 8\): RuntimeError: .*asiswritten.py, line \d+",
        ),
    ],
)
def test_a_module_that_cannot_train_is_refused_in_one_line(name: str, words: list[str], said: str) -> None:
    with pytest.raises(RequestError, match=said) as refused:
        trained(f"asiswritten:{name}", *words)
    assert str(refused.value).startswith("model.")
    assert "\n" not in str(refused.value)


@pytest.mark.slow  # torchvision takes seconds to import
@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2"])
def test_torchvisions_models_get_the_number_of_classes(name: str) -> None:
    assert trained(f"torchvision.models:{name}", *LARGER) == []


@pytest.mark.slow
def test_weights_are_given_by_name_and_the_last_layer_fits_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.models import ResNet18_Weights, resnet18

    kept = resnet18().state_dict()
    monkeypatch.setattr(ResNet18_Weights, "get_state_dict", lambda *_, **__: kept)
    words = [*SMALL, *LARGER, "model.target=torchvision.models:resnet18"]
    run = build(compose_one([*words, "model.weights=DEFAULT"]))
    assert torch.equal(run.model.conv1.weight, kept["conv1.weight"])
    assert run.model.fc.weight.shape == (4, 512)
    assert "its last layer, 'fc', is a new one of 4 outputs" in run.notices[-1]
    with pytest.raises(
        RequestError, match="must be one of IMAGENET1K_V1, DEFAULT; did you mean 'DEFAULT'"
    ) as error:
        build(compose_one([*words, "model.weights=DEFALT"]))
    assert len(str(error.value)) < 200


def test_weights_that_fix_the_classes_are_kept_with_a_new_last_layer() -> None:
    assert any("num_classes=4" in line for line in trained("asiswritten:Weights"))
    said = trained("asiswritten:Weights", "model.weights=mine")
    assert said == [
        "model.target=asiswritten:Weights: its last layer, 'classifier', is a new one of 4 outputs"
    ]


def test_the_users_own_value_replaces_that_of_the_data() -> None:
    with pytest.raises(RequestError, match=r"for a batch of 2 it gave \(2, 7\)"):
        trained("asiswritten:Classes", "model.num_classes=7")


def test_the_taken_tensor_trains_as_the_module_that_returns_it_alone() -> None:
    losses = []
    for name in ("Pair", "Frozen"):
        run = build(compose_one([*SMALL, f"model.target=asiswritten:{name}"]))
        run.model.body.requires_grad_(False)
        losses.append([end.row.val_loss for end in loop.train(run)])
    assert losses[0] == losses[1]
