"""How torch's CUDA graphs are called, seen by a stand-in; rates, saved state and results around them."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch

from dlx.engine import cuda_graph
from dlx.engine.cuda_graph import CudaGraph, GraphedStep, _Changed, _difference, _Rates, as_graphs
from dlx.optimizer.eager import eager


@pytest.fixture
def calls(monkeypatch):
    """The calls of torch.cuda, in their order."""
    noted = []

    def stream(name):
        return SimpleNamespace(name=name, wait_stream=lambda other: noted.append((name, "waits", other.name)))

    class Graph:
        def register_generator_state(self, generator):
            noted.append(("register", generator))

        def replay(self):
            noted.append("replay")

    @contextmanager
    def within(kind, what):
        noted.append((kind, "begins"))
        try:
            yield
        finally:
            noted.append((kind, "ends"))

    current = stream("current")
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "Stream", lambda: stream("own"))
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: current)
    monkeypatch.setattr(torch.cuda, "stream", lambda given: within(given.name, given))
    monkeypatch.setattr(torch.cuda, "graph", lambda given: within("graph", given))
    monkeypatch.setattr(torch.cuda, "set_stream", lambda given: noted.append(("set", given.name)))
    return noted


def test_the_first_step_runs_on_a_stream_of_its_own_between_what_came_before_and_after(calls):
    CudaGraph().warm_up(lambda: calls.append("work"))
    assert calls == [
        ("own", "waits", "current"),
        ("own", "begins"),
        "work",
        ("own", "ends"),
        ("current", "waits", "own"),
    ]


def test_a_capture_knows_its_generators_and_returns_what_the_work_does(calls):
    result = (torch.ones(1),)

    def work():
        calls.append("work")
        return result

    graph = CudaGraph()
    assert graph.capture(work, ["dropout", "noise"]) is result
    graph.replay()
    assert calls == [
        ("register", "dropout"),
        ("register", "noise"),
        ("graph", "begins"),
        "work",
        ("graph", "ends"),
        ("set", "current"),
        "replay",
    ]


def test_after_a_failed_capture_generators_and_stream_are_as_before(calls):
    class Generator:
        device = "cpu"

        def graphsafe_set_state(self, state):
            calls.append(("state", state))

    def work():
        raise RuntimeError("not permitted")

    class Fresh:
        def __init__(self, device):
            assert device == "cpu"

        def graphsafe_get_state(self):
            return "fresh"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "Generator", Fresh)
        with pytest.raises(RuntimeError, match="not permitted"):
            CudaGraph().capture(work, [Generator()])
    assert calls[-2:] == [("state", "fresh"), ("set", "current")]


def test_only_nets_with_dropout_hand_their_generators_to_a_graph(make_run, monkeypatch):
    monkeypatch.setattr(cuda_graph, "may_capture", lambda *_: True)
    generators = [torch.Generator()]
    for dropout, handed in ((0.0, []), (0.5, generators)):
        run = make_run(model_arguments={"sizes": [8], "dropout": dropout})
        graphed = as_graphs(None, [make_run(), run], run.optimizers, generators)
        assert graphed._changed.generators == handed
    monkeypatch.setattr(cuda_graph, "may_capture", lambda *_: False)
    assert as_graphs(test_only_nets_with_dropout_hand_their_generators_to_a_graph, [], [], []) is (
        test_only_nets_with_dropout_hand_their_generators_to_a_graph
    )


def optimizer_of(*rates):
    groups = [{"params": [torch.zeros(1, requires_grad=True)], "lr": rate} for rate in rates]
    return eager(torch.optim.Adam)(groups)


def test_rates_are_tensors_while_a_step_is_captured_and_follow_the_schedule():
    adam, sgd = optimizer_of(0.1, 0.2), eager(torch.optim.SGD)([torch.zeros(1, requires_grad=True)], lr=0.3)
    rates = _Rates([adam, sgd])
    with rates.as_tensors():
        tensors = [group["lr"] for each in (adam, sgd) for group in each.param_groups]
        assert [float(tensor) for tensor in tensors] == pytest.approx([0.1, 0.2, 0.3])
        assert all(tensor.dtype == torch.float32 and tensor.shape == () for tensor in tensors)
        assert [group["capturable"] for group in adam.param_groups] == [True, True]
        assert "capturable" not in sgd.param_groups[0]
    assert [group["lr"] for each in (adam, sgd) for group in each.param_groups] == [0.1, 0.2, 0.3]
    assert not adam.param_groups[1]["capturable"]
    adam.param_groups[1]["lr"], sgd.param_groups[0]["lr"] = 0.5, 0.25
    rates.update()
    assert [float(tensor) for tensor in tensors] == pytest.approx([0.1, 0.5, 0.25])
    tensors[1].fill_(7.0)
    rates.update()  # a rate that has not changed is not written again
    assert float(tensors[1]) == 7.0


def test_what_a_step_changes_is_saved_and_restored_and_new_state_is_zero():
    model = torch.nn.BatchNorm1d(3)
    adam = eager(torch.optim.Adam)(model.parameters())
    draws = torch.Generator().manual_seed(3)
    changed = _Changed([model], [adam], [draws])
    saved, before, first = changed.save(), {k: v.clone() for k, v in model.state_dict().items()}, None
    for _ in range(2):
        model(torch.randn(4, 3)).square().sum().backward()
        adam.step()
        drawn = torch.rand(2, generator=draws)
        first = drawn if first is None else first
        assert torch.equal(drawn, first)
        changed.restore(saved)
        assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
        states = [value for state in adam.state.values() for value in state.values()]
        assert len(states) == 6
        assert all(not value.any() for value in states)
    assert len(changed.tensors()) == 2 + 3 + 6


@pytest.mark.parametrize(
    ("expected", "got", "difference"),
    [
        ([1.0, -4.0], [1.0, -4.0], 0.0),
        ([1.0, -4.0], [1.0, -3.0], 0.25),
        ([1.0, -4.0], [3.0, -4.0], 0.5),
        ([0.0, 2.0], [float("nan"), 2.0], 0.0),
        ([float("nan"), 2.0], [1.0, 2.0], 0.5),
        ([0.0], [1.0], 1e30),
    ],
)
def test_a_difference_is_relative_to_the_largest_value(expected, got, difference):
    assert _difference(torch.tensor(expected), torch.tensor(got)) == pytest.approx(difference)


class Replayed:
    """Records a step and calls it again into the same results."""

    def __init__(self):
        self.replays = 0

    def warm_up(self, work):
        work()

    def capture(self, work, generators):
        self.work, self.results = work, work()
        return self.results

    def replay(self):
        self.replays += 1
        for kept, result in zip(self.results, self.work(), strict=True):
            kept.copy_(result)


def test_each_shape_of_batch_has_a_graph_and_results_are_copies():
    graphs = []

    def make():
        graphs.append(Replayed())
        return graphs[-1]

    def step(inputs, labels):
        return inputs.sum(1), inputs * labels[:, None]

    graphed = GraphedStep(step, [], [optimizer_of(0.1)], [], make)
    batches = [(torch.randn(size, 3), torch.arange(size)) for size in (4, 4, 2, 4)]
    got = [graphed(*batch) for batch in batches]
    for (losses, outputs), (inputs, labels) in zip(got, batches, strict=True):
        assert torch.equal(losses, inputs.sum(1))
        assert torch.equal(outputs, inputs * labels[:, None])
    assert [graph.replays for graph in graphs] == [1 + 3, 1 + 1]


@pytest.mark.parametrize(("off", "replayed"), [(0.9e-4, True), (1.1e-4, False)])
def test_a_graph_may_differ_by_rounding(caplog, off, replayed):
    factor = [1.0]

    class Off(Replayed):
        def replay(self):
            factor[0] = 1 + off
            super().replay()
            factor[0] = 1.0

    def step(inputs, labels):
        return factor[0] * inputs.sum(1).double(), labels.clone()

    graphed = GraphedStep(step, [], [optimizer_of(0.1)], [], Off)
    losses, _ = graphed(torch.tensor([[1.0, 2.0]]), torch.tensor([1]))
    assert float(losses) == pytest.approx(3.0 * (1 + off if replayed else 1.0), rel=1e-9)
    assert ("a step would differ by 0.00011" in caplog.text) is not replayed
