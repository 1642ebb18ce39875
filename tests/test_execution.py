"""Precision, determinism and compilation: what each key does to a run, alone and in a stack."""

import json
import os

import pytest
import torch
from torch import nn

from dlx import execution
from dlx.build import build
from dlx.compose.request import compose_one
from dlx.engine import loop, stacked
from dlx.errors import RequestError
from dlx.execution import Execution, prepare
from dlx.run.identity import identity

CPU = torch.device("cpu")
SMALL = ("data=blobs", "data.train_size=40", "data.val_size=20", "epochs=2", "batch_size=16", "threads=1")


@pytest.fixture(autouse=True)
def torchs_own_switches():
    """Set what a run has set for the process back to what it was."""
    yield
    torch.set_deterministic_debug_mode("default")


def config_of(*words):
    return compose_one(words).model_dump()


def last_losses(*words, count=1):
    runs = [build(compose_one((*SMALL, *words, f"seed={seed}"))) for seed in range(count)]
    if count == 1:
        return [list(loop.train(runs[0]))[-1].row.train_loss]
    ends = list(stacked.train(runs, set(range(count))))[-1]
    return [end.row.train_loss for end in ends.values()]


@pytest.mark.parametrize(
    "words",
    [
        ("precision=float32",),
        ("deterministic=false",),
        ("compile=false",),
        ("cuda_graphs=false",),
        ("cuda_graphs=true",),
    ],
)
def test_defaults_leave_the_identity_as_it_was_before_there_were_the_keys(words):
    given = config_of(*words)
    before = {
        key: value
        for key, value in config_of().items()
        if key not in ("precision", "deterministic", "compile", "cuda_graphs")
    }
    assert identity(given) == identity(before)


@pytest.mark.parametrize("words", [("precision=bfloat16",), ("deterministic=true",), ("compile=true",)])
def test_what_may_change_bits_is_another_run(words):
    assert identity(config_of(*words)) != identity(config_of())


def test_precision_follows_dtype_in_old_configurations_too():
    from dlx.config import check_values

    values = json.loads(json.dumps(config_of("dtype=float64")))
    assert values["precision"] == "float64"
    del values["precision"]
    assert check_values(values).precision == "float64"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("precision=bfloat16", "dtype=float64"), "precision=bfloat16: does not go with dtype=float64"),
        (("precision=float64",), "precision=float64: does not go with dtype=float32"),
        (("precision=tf32", "device=cpu"), "precision=tf32: only NVIDIA GPUs have it"),
        (("compile=true", "probes.layers=true"), "set probes.layers=false"),
    ],
)
def test_keys_that_do_not_go_together_are_one_line(words, said):
    with pytest.raises(RequestError, match=said):
        compose_one(words)


def test_tf32_is_refused_where_the_device_has_none():
    with pytest.raises(RequestError, match=r"precision=tf32: cpu has no TF32.*use precision=float32"):
        prepare(Execution("tf32"), CPU)


def test_bfloat16_is_refused_where_torch_cannot_cast(monkeypatch):
    monkeypatch.setattr(torch.amp, "is_autocast_available", lambda device: False)
    with pytest.raises(RequestError, match="precision=bfloat16: cpu cannot compute in it"):
        prepare(Execution("bfloat16"), CPU)


def test_bfloat16_rounds_products_and_nothing_else():
    layer = nn.Linear(64, 8)
    x = torch.randn(4, 64, generator=torch.Generator().manual_seed(0))
    got = Execution("bfloat16").outputs(layer, x)
    by_hand = nn.functional.linear(x.bfloat16(), layer.weight.bfloat16(), layer.bias.bfloat16()).float()
    assert got.dtype == torch.float32
    assert torch.equal(got, by_hand)
    assert not torch.equal(got, layer(x))
    assert torch.equal(Execution().outputs(layer, x), layer(x))


@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
def test_in_bfloat16_a_stack_trains_what_the_loop_does(norm):
    words = (f"model.norm={norm}", "model.width=32", "model.dropout=0.2", "precision=bfloat16")
    together = last_losses(*words, count=2)
    alone = last_losses(*words)
    exact = last_losses(*words[:-1])
    assert together[0] == pytest.approx(alone[0], rel=5e-3)
    assert together[1] != together[0]
    assert alone[0] != exact[0]
    assert alone[0] == pytest.approx(exact[0], rel=5e-2)


def test_runs_of_different_precision_do_not_share_a_stack():
    runs = [build(compose_one((*SMALL, *words))) for words in ((), ("precision=bfloat16",))]
    assert stacked.cohort_key(runs[0]) != stacked.cohort_key(runs[1])


class Scattering(nn.Module):
    """Its forward calls an operation that has no deterministic version, on any device."""

    def __init__(self, input_shape, outputs):
        super().__init__()
        self.layer = nn.Linear(*input_shape, outputs)

    def forward(self, x):
        zeros = torch.zeros(len(x))
        zeros.put_(torch.arange(len(x)), torch.ones(len(x)))
        return self.layer(x) * zeros[:, None]


def test_an_operation_without_a_deterministic_version_is_named(monkeypatch):
    settings = compose_one((*SMALL, "deterministic=true"))
    monkeypatch.setattr(
        "dlx.build.models.build", lambda *_, input_shape, outputs: Scattering(input_shape, outputs)
    )
    with pytest.raises(RequestError) as raised:
        build(settings)
    assert str(raised.value) == (
        "deterministic=true: put_ has no deterministic version on cpu; "
        "set deterministic=false or use another layer"
    )
    build(settings.model_copy(update={"deterministic": False}))


def test_a_deterministic_run_trains_the_same_numbers_on_a_cpu():
    assert last_losses("deterministic=true") == last_losses()


def test_a_machine_without_a_compiler_is_one_line(monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("InvalidCxxCompiler: there is no g++\nand where it looked")

    execution._check_compiler.cache_clear()
    monkeypatch.setattr(torch, "compile", fail)
    with pytest.raises(RequestError) as raised:
        prepare(Execution(compile=True), CPU)
    assert str(raised.value) == (
        "compile=true: torch cannot compile on this machine: InvalidCxxCompiler: there is no g++"
    )


def test_compiled_code_is_kept_in_dlxs_own_folder(monkeypatch, tmp_path):
    execution._check_compiler.cache_clear()
    monkeypatch.setenv("DLX_CACHE", str(tmp_path))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "")  # so that what the test leaves there is undone
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR")
    monkeypatch.setattr(torch, "compile", lambda function, **_: function)
    prepare(Execution(compile=True), CPU)
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == str(tmp_path / "compiled")


def test_training_goes_through_the_compiled_model(monkeypatch):
    """Compiling takes too long for a test, so what torch.compile is given counts its calls instead."""
    calls = []

    def counting(model, *, dynamic):
        assert dynamic is False
        return lambda x: calls.append(len(x)) or model(x)

    plain, plain_stack = last_losses(), last_losses(count=2)
    monkeypatch.setattr(torch, "compile", counting)
    monkeypatch.setattr(execution, "_check_compiler", lambda _: None)
    assert last_losses("compile=true") == plain
    assert calls == [16, 16, 8] * 2, "all training batches, and validation without"
    calls.clear()
    assert last_losses("compile=true", count=2) == plain_stack
    assert calls == [2] * 6, "the stack's leading axis"
