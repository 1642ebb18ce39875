"""Steps as CUDA graphs: on a CPU a stand-in records the step and calls it again, on a GPU a real one."""

import logging
from dataclasses import replace

import pytest
import torch
from torch import nn

from dlx.augment.transforms import Augment, GaussianNoise
from dlx.data.dataset import Dataset, Split
from dlx.engine import cuda_graph, loop, stacked
from dlx.engine.cuda_graph import GraphedStep, may_capture
from dlx.engine.probes import Probes, StepProbe
from dlx.engine.side_effects import side_effects
from dlx.execution import Execution
from dlx.loss.custom import custom
from dlx.optimizer.optimizers import optimizers

CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
# Where there is a GPU, torch warns that it makes a context for it, and that the stand-in captures nothing.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Attempting to run cuBLAS"),
    pytest.mark.filterwarnings("ignore:This instance was constructed with capturable=True"),
]
LR = 0.0625  # has the same value in float32, which a graph reads
ADAM = {"lr": LR, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.0}
KINDS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}
SGD = {"lr": LR, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}


class Recorded:
    """Calls again what it has recorded; the results are then where the first ones were."""

    def __init__(self):
        self.replays = 0

    def warm_up(self, work):
        work()

    def capture(self, work, generators):
        self.work, self.generators = work, generators
        self.results = work()
        return self.results

    def replay(self):
        self.replays += 1
        for kept, result in zip(self.results, self.work(), strict=True):
            kept.copy_(result)


@pytest.fixture
def recorded(monkeypatch):
    """Let dlx take all steps as recorded ones, and return the list of graphs that it makes."""
    made = []

    def make():
        made.append(Recorded())
        return made[-1]

    monkeypatch.setattr(cuda_graph, "may_capture", lambda *_: True)
    monkeypatch.setattr(cuda_graph, "CudaGraph", make)
    return made


def without_graphs(monkeypatch, train, *arguments):
    with monkeypatch.context() as patch:
        patch.setattr(cuda_graph, "may_capture", lambda *_: False)
        return rows(train(*arguments))


def built(run, name, settings):
    """As dlx builds them on a GPU; on a CPU, its Adam counts the steps in other tensors each time."""
    made = KINDS[name](run.model.parameters(), **settings, fused=True)
    for group in made.param_groups:
        group["initial_lr"] = group["lr"]
    return replace(run, optimizers=[made])


def make_runs(make_run, count, optimizer="adam", exponential=None, **changes):
    settings = {"adam": ADAM, "adamw": ADAM, "sgd": SGD}[optimizer]
    runs = [
        built(
            make_run(
                init_seed=seed,
                model_arguments={"sizes": [8], "dropout": 0.3, "norm": "batch"},
                augment=Augment({"noise": GaussianNoise(0.1)}),
                **changes,
            ),
            optimizer,
            settings,
        )
        for seed in range(count)
    ]
    data = runs[0].data
    return [replace(run, data=data, schedule=exponential or run.schedule) for run in runs]


def rows(epochs):
    return [
        {index: replace(end.row, time=0.0) for index, end in ends.items()}
        if isinstance(ends, dict)
        else replace(ends.row, time=0.0)
        for ends in epochs
    ]


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_recorded_steps_of_the_loop_train_the_same_numbers(
    make_run, exponential, optimizer, recorded, monkeypatch
):
    (run,), (again,) = (make_runs(make_run, 1, optimizer, exponential) for _ in range(2))
    plain = without_graphs(monkeypatch, loop.train, run)
    assert recorded == []
    assert rows(loop.train(again)) == plain
    # A comparison, then 5 full batches and one short one in each of 3 epochs.
    assert [graph.replays for graph in recorded] == [1 + 15, 1 + 3]
    assert all(map(torch.equal, run.model.state_dict().values(), again.model.state_dict().values()))


def test_recorded_steps_of_a_stack_train_the_same_numbers(make_run, exponential, recorded, monkeypatch):
    runs, again = (make_runs(make_run, 3, "adam", exponential) for _ in range(2))
    for each in (runs, again):
        each[1] = built(each[1], "adam", ADAM | {"lr": LR / 2})  # steps alone
    plain = without_graphs(monkeypatch, stacked.train, runs, {0, 1, 2})
    assert rows(stacked.train(again, {0, 1, 2})) == plain
    assert [graph.replays for graph in recorded] == [16, 4]
    assert all(
        torch.equal(one, other)
        for mine, its in zip(runs, again, strict=True)
        for one, other in zip(mine.model.state_dict().values(), its.model.state_dict().values(), strict=True)
    )


class Residual(nn.Module):
    """Has no stacked layer of dlx's own, so its stack is vmap's."""

    def __init__(self, seed):
        super().__init__()
        self.layer, self.norm, self.output = nn.Linear(5, 5), nn.BatchNorm1d(5), nn.Linear(5, 3)
        draws = torch.Generator().manual_seed(seed)
        for parameter in self.parameters():
            parameter.data.normal_(generator=draws)

    def forward(self, x):
        return self.output(x + self.norm(self.layer(x)).relu())


def test_recorded_steps_through_vmap_train_the_same_numbers(make_run, recorded, monkeypatch):
    def residuals():
        runs = [built(make_run(model=Residual(seed)), "sgd", SGD) for seed in range(2)]
        return [replace(run, data=runs[0].data) for run in runs]

    plain = without_graphs(monkeypatch, stacked.train, residuals(), {0, 1})
    assert rows(stacked.train(residuals(), {0, 1})) == plain
    assert [graph.replays for graph in recorded] == [16, 4]


def test_a_step_that_cannot_be_recorded_is_taken_without(make_run, recorded, monkeypatch, caplog):
    def capture(*_):
        raise RuntimeError("operation not permitted when stream is capturing\nand more")

    (run,), (again,) = make_runs(make_run, 1), make_runs(make_run, 1)
    monkeypatch.setattr(Recorded, "capture", capture)
    with caplog.at_level(logging.WARNING):
        trained = rows(loop.train(again))
    said = "training goes on without CUDA graphs: operation not permitted when stream is capturing"
    assert [record.message for record in caplog.records] == [said]
    assert trained == without_graphs(monkeypatch, loop.train, run)


def test_a_graph_that_computes_something_else_is_not_used(make_run, recorded, monkeypatch, caplog):
    """As one would that reads a batch where it no longer is."""
    (run,), (again,) = make_runs(make_run, 1), make_runs(make_run, 1)

    def replay(graph):
        with torch.no_grad():
            next(again.model.parameters()).add_(0.01)

    monkeypatch.setattr(Recorded, "replay", replay)
    trained = rows(loop.train(again))
    assert "without CUDA graphs: a step would differ by" in caplog.text
    assert trained == without_graphs(monkeypatch, loop.train, run)


def test_a_step_that_puts_other_tensors_in_place_is_not_recorded(make_run, recorded, monkeypatch, caplog):
    """dlx's Adam does on a CPU, where a recorded step would count from the same number again and again."""
    run, again = (
        replace(run, optimizers=optimizers.build("adam", ADAM, parameters=list(run.model.parameters())))
        for run in make_runs(make_run, 2)
    )
    for each in (run, again):
        each.optimizers[0].param_groups[0]["initial_lr"] = LR
    again.model.load_state_dict(run.model.state_dict())
    trained = rows(loop.train(again))
    assert "without CUDA graphs: a step replaces tensors instead of changing them" in caplog.text
    assert trained == without_graphs(monkeypatch, loop.train, run)


def test_while_a_step_is_recorded_its_optimizer_reads_tensors(make_run):
    seen = []
    (run,) = make_runs(make_run, 1)
    group = run.optimizers[0].param_groups[0]

    def step(inputs, labels):
        seen.append((torch.is_tensor(group["lr"]), group["capturable"]))
        return inputs.sum(1), labels == 0

    graphed = GraphedStep(step, [run.model], run.optimizers, [], Recorded)
    graphed(*run.data.train.slice(0, 4))
    assert seen == [(False, False), (True, True), (False, False), (False, False)]
    assert group["lr"] == LR
    assert not group["capturable"]


def test_only_what_a_graph_can_hold_is_recorded(make_run):
    """The device is the last condition that a machine without a GPU can be asked about."""
    (run,) = make_runs(make_run, 1)
    on_gpu = replace(run, device=torch.device("cuda"), execution=Execution())
    assert not may_capture([run], run.optimizers)
    assert may_capture([on_gpu, on_gpu], run.optimizers)
    for refused in (
        replace(on_gpu, execution=Execution(cuda_graphs=False)),
        replace(on_gpu, execution=Execution(compile=True)),
        replace(on_gpu, execution=Execution("float64")),
        replace(on_gpu, probes=Probes(steps=StepProbe())),
        replace(on_gpu, loss=custom(target="torch.nn:CrossEntropyLoss")),
    ):
        assert not may_capture([refused, refused], run.optimizers)
    rmsprop = torch.optim.RMSprop(run.model.parameters())  # counts its steps on the CPU
    assert not may_capture([on_gpu, on_gpu], [rmsprop])


class Counting(nn.Linear):
    calls = 0

    def forward(self, x):
        self.calls += 1
        return super().forward(x)


class Replacing(nn.Linear):
    def __init__(self):
        super().__init__(5, 3)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls = self.calls + 1
        return super().forward(x)


class Drawing(nn.Linear):
    def forward(self, x):
        return super().forward(x + torch.rand(5))


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (Counting(5, 3), "changes one of its attributes"),
        (Replacing(), "replaces one of its buffers"),
        (Drawing(5, 3), "draws random numbers (rand)"),
        (nn.Sequential(nn.Linear(5, 3), nn.BatchNorm1d(3)), ""),
    ],
)
def test_a_forward_with_side_effects_is_not_recorded(make_run, model, reason):
    said = side_effects(make_run(model=model))
    assert reason in said
    assert bool(said) == bool(reason)


def test_dropout_that_has_a_generator_of_its_own_is_no_side_effect(make_run):
    run = make_run(model_arguments={"sizes": [8], "dropout": 0.5})
    before = torch.get_rng_state()
    assert side_effects(run) == ""
    assert torch.equal(torch.get_rng_state(), before)


@CUDA
@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("count", [1, 3])
def test_cuda_graphs_train_the_same_numbers(make_run, exponential, optimizer, count, caplog):
    trained = []
    for cuda_graphs in (True, False):
        runs = make_runs(
            make_run, count, optimizer, exponential, execution=Execution(cuda_graphs=cuda_graphs)
        )
        data = runs[0].data
        splits = (Split(s.inputs.cuda(), s.labels.cuda()) for s in (data.train, data.val, data.test))
        on_gpu = Dataset(data.name, data.classes, *splits)
        for run in runs:
            run.model.cuda()
        runs = [replace(run, data=on_gpu, device=torch.device("cuda")) for run in runs]
        ends = loop.train(runs[0]) if count == 1 else stacked.train(runs, set(range(count)))
        last = list(ends)[-1]
        trained.append([end.row.val_loss for end in (last.values() if count > 1 else [last])])
    assert caplog.text == ""
    assert trained[0] == pytest.approx(trained[1], rel=1e-4)
