"""No step waits for the device: on a CPU by what would make a GPU wait, on a GPU by torch's own check."""

from contextlib import ExitStack
from dataclasses import replace

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from dlx.augment.transforms import Augment, GaussianNoise
from dlx.data.dataset import Dataset, Split
from dlx.engine import loop, stacked
from dlx.engine.probes import GradientProbe, LayerProbe, Probes, StepProbe
from dlx.execution import Execution
from dlx.loss.losses import losses

CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
# Calls that bring a number to Python, and operations that bring one to the device (lift_fresh: torch.tensor).
TO_PYTHON = {
    *(torch.Tensor.item, torch.Tensor.tolist, torch.Tensor.cpu, torch.Tensor.numpy, torch.Tensor.nonzero),
    *(torch.Tensor.__bool__, torch.Tensor.__float__, torch.Tensor.__int__, torch.Tensor.__index__),
    *(torch.equal, torch.nonzero, torch.masked_select),
}
COPIES = {"aten::_local_scalar_dense", "aten::lift_fresh", "aten::nonzero", "aten::masked_select"}


class _Calls(TorchFunctionMode):
    def __init__(self, seen):
        super().__init__()
        self.seen = seen

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function in TO_PYTHON:
            self.seen.append(function.__name__)
        return function(*args, **kwargs or {})


class _Operations(TorchDispatchMode):
    def __init__(self, seen):
        super().__init__()
        self.seen = seen

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function.name().partition(".")[0] in COPIES:
            self.seen.append(function.name())
        return function(*args, **kwargs or {})


class BetweenSteps:
    """Watches an epoch from its second step to its last: what comes between steps is watched too."""

    def __init__(self, steps, enter):
        self.steps, self.enter, self.count, self.watching = steps, enter, 0, ExitStack()

    def __call__(self):
        self.count += 1
        if self.count % self.steps == 2:
            self.enter(self.watching)
        elif self.count % self.steps == 0:
            self.watching.close()


def waits_of(train, *arguments):
    seen = []

    def enter(stack):
        stack.enter_context(_Calls(seen))
        stack.enter_context(_Operations(seen))

    before_step = BetweenSteps(6, enter)
    for _ in train(*arguments, before_step=before_step):
        pass
    assert before_step.count == 18, "all three epochs of 6 steps were watched"
    return seen


def smooth():
    return losses.build("cross_entropy", {"reduction": "mean", "label_smoothing": 0.1})


def augmented_runs(make_run, device="cpu"):
    """Three runs with dropout and augmentation, one of them with another loss; a short last batch.

    Adam is torch's own: on a CPU, dlx's counts steps in Python.
    """
    runs = [
        make_run(
            init_seed=seed,
            model_arguments={"sizes": [8], "dropout": 0.3, "norm": "batch"},
            augment=Augment({"noise": GaussianNoise(0.1)}),
            **({"loss": smooth()} if seed == 2 else {}),
        )
        for seed in range(3)
    ]
    data = runs[0].data
    splits = [
        Split(part.inputs.to(device), part.labels.to(device)) for part in (data.train, data.val, data.test)
    ]
    data = Dataset(data.name, data.classes, *splits)
    for run in runs:
        run.model.to(device)
    return [
        replace(run, data=data, device=torch.device(device), optimizers=[adam(run.model)]) for run in runs
    ]


def adam(model):
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05, fused=True)
    optimizer.param_groups[0]["initial_lr"] = 0.05
    return optimizer


def test_a_step_of_the_loop_waits_for_nothing(make_run):
    assert waits_of(loop.train, augmented_runs(make_run)[0]) == []


def test_a_step_of_a_stack_waits_for_nothing(make_run):
    assert waits_of(stacked.train, augmented_runs(make_run), {0, 1, 2}) == []


def test_probes_leave_their_numbers_on_the_device(make_run):
    run = augmented_runs(make_run)[0]
    probes = Probes(
        layers=LayerProbe(run.model),
        gradients=GradientProbe(dict(run.model.named_parameters())),
        steps=StepProbe(),
    )
    assert waits_of(loop.train, replace(run, probes=probes)) == []


def test_a_model_that_looks_at_a_number_is_seen(make_run):
    class Looking(torch.nn.Linear):
        def forward(self, x):
            assert float(x.detach().abs().sum()) > 0
            return super().forward(x[[*range(len(x))]])

    seen = waits_of(loop.train, make_run(model=Looking(5, 3)))
    assert set(seen) >= {"__float__", "aten::_local_scalar_dense", "aten::lift_fresh"}


def test_a_stacks_epoch_is_fetched_in_one_copy(make_run, monkeypatch):
    copies = []
    tolist = torch.Tensor.tolist
    monkeypatch.setattr(
        torch.Tensor, "tolist", lambda tensor: copies.append(tensor.numel()) or tolist(tensor)
    )
    for epoch, ends in enumerate(stacked.train(augmented_runs(make_run), {0, 1, 2})):
        assert len({end.row.val_loss for end in ends.values()}) == 3
        if epoch > 0:
            assert copies == [12], "loss and accuracy of 3 runs, in training and on validation"
        copies.clear()


@pytest.fixture
def sync_debug_mode():
    """Return a function that sets torch's check for calls that wait for the device."""
    yield torch.cuda.set_sync_debug_mode
    torch.cuda.set_sync_debug_mode("default")


@CUDA
@pytest.mark.filterwarnings("ignore:Attempting to run cuBLAS", "ignore:Synchronization debug mode")
@pytest.mark.parametrize("cuda_graphs", [False, True])
@pytest.mark.parametrize("engine", ["loop", "stacked"])
def test_no_step_waits_for_a_gpu(make_run, engine, cuda_graphs, sync_debug_mode):
    def enter(stack):
        stack.callback(sync_debug_mode, "default")
        sync_debug_mode("error")

    runs, before_step = augmented_runs(make_run, "cuda"), BetweenSteps(6, enter)
    runs = [replace(run, execution=Execution(cuda_graphs=cuda_graphs)) for run in runs]
    trained = (
        loop.train(runs[0], before_step=before_step)
        if engine == "loop"
        else stacked.train(runs, {0, 1, 2}, before_step=before_step)
    )
    assert len(list(trained)) == 4
    assert before_step.count == 18
