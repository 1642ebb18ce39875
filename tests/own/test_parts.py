"""The user's own optimizer, loss, data and transform, each named by GROUP.target, beside a reference.

Axes: N samples, B of a batch, K outputs.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from dlx.build import build
from dlx.cli import main
from dlx.compose.composer import config_folder
from dlx.compose.fingerprints import fingerprints_of, look_again
from dlx.compose.request import compose, compose_one
from dlx.engine import loop, stacked
from dlx.engine.run import Run
from dlx.errors import RequestError
from dlx.run.identity import identity
from dlx.run.paths import find_runs
from dlx.run.result import read_result

CODE = """
import random
import numpy as np
import torch
from torch import nn
import torch.nn.functional as F

class Momentum(torch.optim.Optimizer):
    def __init__(self, params, lr, mu: float = 0.9):
        super().__init__(params, {"lr": lr, "mu": mu})
    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                v = self.state[p].setdefault("v", torch.zeros_like(p))
                v.mul_(group["mu"]).add_(p.grad)
                p.sub_(group["lr"] * v)

def no_rate(params):
    optimizer = torch.optim.SGD(params, lr=0.1)
    del optimizer.param_groups[0]["lr"]
    return optimizer

def others(params):
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)

def nothing(params):
    return None

class Breaks(torch.optim.SGD):
    def step(self):
        raise KeyError("beta")

def smooth(outputs, labels, share=0.1):
    return F.cross_entropy(outputs, labels, label_smoothing=share)

class Each(nn.Module):
    def __init__(self, power=2):
        super().__init__()
        self.power = power
    def forward(self, outputs, labels):
        targets = F.one_hot(labels, outputs.shape[1])
        return (outputs - targets).abs().pow(self.power).mean(1)

class Centres(nn.Module):
    def __init__(self):
        super().__init__()
        self.centres = nn.Parameter(torch.zeros(3))

def by_output(outputs, labels):
    return outputs

def a_number(outputs, labels):
    return 1.0

def breaks(outputs, labels):
    return outputs[labels]["no"]

def arrays(samples=120, classes=3):
    labels = np.arange(samples) % classes
    return np.random.normal(size=(samples, 4)).astype(np.float32) + labels[:, None], labels

def four(order="pairs"):
    (x, y), (x_test, y_test) = arrays(), arrays(30)
    return (x, y, x_test, y_test) if order == "pairs" else (x, x_test, y[:, None], y_test[:, None])

def named():
    (x, y), (x_test, y_test) = arrays(), arrays(30)
    test = {"test_inputs": x_test, "test_labels": y_test}
    return {"inputs": x, "labels": y, "classes": ["a", "b", "c"], **test}

class Pairs(torch.utils.data.Dataset):
    def __init__(self, samples=90):
        self.samples = samples
    def __len__(self):
        return self.samples
    def __getitem__(self, index):
        return np.full((6, 5, 3), index, dtype=np.uint8), "cat" if index % 2 else "dog"

def datasets(root):
    return Pairs(60), Pairs(20)

def ragged():
    return [(np.zeros(3), 0), (np.zeros(4), 1)]

def shapes():
    return np.zeros((5, 2)), np.zeros(4)

def unknown_label():
    return np.zeros((6, 2)), np.arange(6) % 2, np.zeros((2, 2)), np.array([0, 7])

def noisy(images, generator, sigma=1.0):
    return images + sigma * torch.randn(images.shape, generator=generator)

def drawn(images):
    return images + torch.randn_like(images) + random.random() + np.random.random()

class Scale:
    def __init__(self, by):
        self.by = by
    def __call__(self, image):
        assert image.dim() == 3
        return image * self.by

def smaller(images):
    return images[:, :, 1:]
"""
SMALL = ["data=blobs", "data.samples=120", "data.classes=3", "batch_size=25", "epochs=2", "model.sizes=[6]"]


@pytest.fixture(autouse=True)
def mycode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "mycode.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    look_again()
    yield
    sys.modules.pop("mycode", None)
    look_again()


def built(*words: str) -> Run:
    return build(compose_one([*SMALL, *words]))


def losses(run: Run) -> list[float]:
    return [end.row.val_loss for end in loop.train(run)]


def stacked_as_alone(*words: str) -> None:
    """Train two seeds alone and as a stack, to the same numbers."""
    alone = [built(*words, f"seed={seed}") for seed in (0, 1)]
    together = [built(*words, f"seed={seed}") for seed in (0, 1)]
    assert len({stacked.cohort_key(run) for run in together}) == 1
    by_run = [losses(run) for run in alone]
    ends = list(stacked.train(together, {0, 1}))
    for index in (0, 1):
        assert [end[index].row.val_loss for end in ends] == pytest.approx(by_run[index], rel=1e-5)
    assert by_run[0] != by_run[1]


@pytest.mark.parametrize("group", ["data", "model", "optimizer", "schedule", "loss", "augment"])
def test_every_group_has_a_choice_for_the_users_own(group: str) -> None:
    assert (config_folder() / group / "custom.yaml").is_file()


def test_an_own_optimizer_takes_the_steps_of_the_same_rule_in_torch() -> None:
    own = built("optimizer.target=mycode:Momentum", "optimizer.lr=0.1", "optimizer.mu=0.5")
    torchs = built("optimizer=sgd", "optimizer.lr=0.1", "optimizer.momentum=0.5")
    assert losses(own) == pytest.approx(losses(torchs), rel=1e-6)


def test_an_own_optimizer_follows_the_schedule_and_is_stacked() -> None:
    words = ["optimizer.target=mycode:Momentum", "optimizer.lr=0.1", "schedule=cosine"]
    assert losses(built(*words)) != losses(built(*words[:2]))
    stacked_as_alone(*words)


def test_an_optimizer_of_an_installed_package_needs_no_code() -> None:
    run = built("optimizer.target=torch.optim:NAdam", "optimizer.lr=0.01")
    assert isinstance(run.optimizers[0], torch.optim.NAdam)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_an_own_loss_with_a_value_for_each_sample_is_that_of_dlx(reduction: str) -> None:
    own = built("loss.target=mycode:Each", "loss.power=2", f"loss.reduction={reduction}")
    assert losses(own) == pytest.approx(
        losses(built("loss=mean_squared_error", f"loss.reduction={reduction}"))
    )
    stacked_as_alone("loss.target=mycode:Each", "loss.power=1.5")


def test_an_own_loss_that_is_a_mean_trains_as_its_parts_do() -> None:
    words = ["loss.target=mycode:smooth", "loss.share=0.2"]
    theirs = losses(built("loss=cross_entropy", "loss.label_smoothing=0.2"))
    assert losses(built(*words)) == pytest.approx(theirs, rel=1e-5)
    stacked_as_alone(*words)


def test_a_loss_of_torch_is_told_to_leave_the_mean_to_dlx() -> None:
    run = built("loss.target=torch.nn:CrossEntropyLoss", "loss.label_smoothing=0.1")
    outputs_BK, labels_B = torch.randn(5, 3), torch.arange(5) % 3
    expected = F.cross_entropy(outputs_BK, labels_B, reduction="none", label_smoothing=0.1)
    assert torch.equal(run.loss.per_sample(outputs_BK, labels_B), expected)


@pytest.mark.parametrize(
    ("target", "test", "shape"),
    [
        ("arrays", 0, (4,)),
        ("four", 30, (4,)),
        ("four data.order=split", 30, (4,)),
        ("named", 30, (4,)),
        ("Pairs", 0, (3, 6, 5)),
        ("datasets", 20, (3, 6, 5)),
    ],
)
def test_own_data_comes_as_arrays_a_dict_or_datasets(target: str, test: int, shape: tuple[int, ...]) -> None:
    run = build(compose_one([*f"data.target=mycode:{target}".split(), "batch_size=20"]))
    assert run.data.input_shape == shape
    assert len(run.data.test) == test
    if "Pairs" in target:
        assert run.data.classes == ("cat", "dog")
        raw = run.data.stored_unit(run.data.train.inputs)[:, 0, 0, 0].round()
        assert torch.equal(raw % 2 == 0, run.data.train.labels == 1)
    if target == "named":
        assert run.data.classes == ("a", "b", "c")
    assert len(losses(run)) == run.epochs + 1


def test_own_data_is_drawn_the_same_each_time_and_leaves_the_global_generators_alone() -> None:
    np.random.seed(3)  # noqa: NPY002
    first = np.random.random()  # noqa: NPY002
    np.random.seed(3)  # noqa: NPY002
    words = ["data.target=mycode:arrays", "batch_size=20"]
    one, other = (build(compose_one([*words, f"data.samples={n}"])) for n in (100, 100))
    assert torch.equal(one.data.val.inputs, other.data.val.inputs)
    assert np.random.random() == first  # noqa: NPY002


def test_an_own_transform_that_takes_the_generator_is_dlxs_noise() -> None:
    own, noise = built("augment.target=mycode:noisy", "augment.sigma=0.3"), built("augment.noise=0.3")
    assert losses(own) == losses(noise)


def test_an_own_transform_that_draws_by_itself_follows_the_seed_in_either_engine() -> None:
    words = ["augment.target=mycode:drawn"]
    assert losses(built(*words)) == losses(built(*words))
    assert losses(built(*words, "seeds.augment=1")) != losses(built(*words))
    stacked_as_alone(*words)


def test_an_own_transform_comes_after_dlxs_and_may_take_image_by_image() -> None:
    words = [
        "data=digits",
        "augment.target=mycode:Scale",
        "augment.by=2",
        "augment.per_image=true",
        "augment.flip=1",
    ]
    augment = build(compose_one(words)).augment
    assert augment is not None
    images = torch.rand(3, 1, 8, 8)
    assert torch.equal(augment(images, torch.Generator()), 2 * images.flip(-1))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("optimizer.target=mycode:Momentum", "optimizer.lr: 'Momentum' needs a value for it"),
        (
            "optimizer.target=mycode:Momentum optimizer.lr=0.1 optimizer.nu=3",
            "optimizer.nu: 'Momentum' takes no",
        ),
        (
            "optimizer.target=mycode:Momentum optimizer.lr=0.1 optimizer.mu=a",
            "optimizer.mu='a': must be a number",
        ),
        (
            "optimizer.target=mycode:no_rate",
            "optimizer.target=mycode:no_rate: a parameter group .* has no number 'lr'",
        ),
        ("optimizer.target=mycode:others", "steps other tensors than the parameters"),
        ("optimizer.target=mycode:nothing", "returned a NoneType, not a torch.optim.Optimizer"),
        (
            "optimizer.target=mycode:Breaks optimizer.lr=0.1",
            r"^optimizer.target=mycode:Breaks: a training step on .* KeyError: 'beta' \(mycode.py, line \d+",
        ),
        ("optimizer.target=torch.optim:LBFGS", "optimizer.target=torch.optim:LBFGS: .* 'closure'"),
        ("optimizer=custom", r"optimizer.target=\?\?\?|optimizer.target: "),
        ("loss.target=mycode:Centres", "has parameters of its own, which would not be trained"),
        (
            "loss.target=mycode:by_output",
            r"it gave shape \(25, 3\); return a tensor with one value, or with one",
        ),
        ("loss.target=mycode:a_number", "it gave a float; return a tensor"),
        (
            "loss.target=mycode:breaks",
            r"^loss.target=mycode:breaks: a training step .* \(mycode.py, line \d+",
        ),
        ("data.target=mycode:ragged", "data.target=mycode:ragged: "),
        ("data.target=mycode:shapes", r"inputs have shape \(5, 2\) and labels \(4,\)"),
        (
            "data.target=mycode:unknown_label",
            "its test labels range from 0 to 7, but there are 2 classes in the training samples",
        ),
        (
            "data.target=mycode:nothing",
            "data.target=mycode:nothing: .*missing 1 required|data.params: .*needs a value",
        ),
        (
            "augment.target=mycode:smaller data=digits",
            r"turns images of shape .* into \(2, 1, 7, 8\); return images",
        ),
        (
            "augment.target=mycode:noisy augment.sigmo=1",
            "augment.sigmo: 'noisy' takes no such setting; did you mean",
        ),
        ("augment.target=mycode:Nois", "has no 'Nois'; did you mean 'noisy'"),
    ],
)
def test_what_is_wrong_with_an_own_part_is_one_line(words: str, said: str) -> None:
    rest = [] if words.startswith("data.") or "data=" in words else SMALL
    with pytest.raises(RequestError, match=said) as refused:
        build(compose_one([*rest, *words.split()]))
    assert "\n" not in str(refused.value)


def test_the_code_of_every_own_part_belongs_to_the_identity(tmp_path: Path) -> None:
    words = [
        "optimizer.target=mycode:Momentum",
        "optimizer.lr=0.1",
        "loss.target=others:f",
        "augment.target=third:g",
    ]
    (tmp_path / "others.py").write_text("def f(outputs, labels): return outputs.sum()\n")
    (tmp_path / "third.py").write_text("def g(images): return images\n")

    def ids() -> tuple[str, set[str]]:
        look_again()
        run = compose([*SMALL, *words]).runs[0]
        return identity(run.config, run.fingerprints), set(fingerprints_of(run.settings).code)

    before, files = ids()
    assert files == {"mycode.py", "others.py", "third.py"}
    (tmp_path / "third.py").write_text("def g(images): return images + 1\n")
    assert ids()[0] != before


def test_a_study_of_own_parts_trains_is_found_again_and_trained_anew_after_a_change(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        *SMALL,
        "optimizer.target=mycode:Momentum",
        "optimizer.lr=0.1,0.2",
        "loss.target=mycode:smooth",
        "name=s",
    ]
    assert main(["train", *words]) == 0
    assert {read_result(folder).status for folder in find_runs(Path("outputs/s"))} == {"completed"}
    capsys.readouterr()
    assert main(["train", *words]) == 0
    assert "completed before" in capsys.readouterr().out
    (tmp_path / "mycode.py").write_text(CODE.replace("share=0.1", "share=0.3"))
    assert main(["train", *words]) == 0
    assert "mycode.py has changed" in capsys.readouterr().out
    assert len(find_runs(Path("outputs/s"))) == 4


def test_a_failure_in_training_names_the_users_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    late = CODE.replace('raise KeyError("beta")', 'self.n = getattr(self, "n", 0) + 1; assert self.n < 3')
    (tmp_path / "mycode.py").write_text(late)
    line = 1 + late[: late.index("assert self.n")].count("\n")
    assert main(["train", *SMALL, "optimizer.target=mycode:Breaks", "optimizer.lr=0.1", "name=s"]) == 1
    (folder,) = find_runs(Path("outputs/s"))
    assert read_result(folder).error.endswith(f"(mycode.py, line {line})")
