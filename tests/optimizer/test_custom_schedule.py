"""The user's own schedule by target: its values, its arguments, stacks, and what is refused."""

import math
from pathlib import Path

import pytest

from dlx.cli import main
from dlx.compose.request import compose_one
from dlx.errors import RequestError
from dlx.optimizer.schedule import build_schedule
from dlx.run.history import read_last
from dlx.run.paths import find_runs

CODE = """
import math

def halves(step, total, power=1.0):
    return (0.5 * (1 + math.cos(math.pi * step / total))) ** power

def stairs(steps_per_epoch, every: int):
    return lambda step: 0.5 ** (step // (every * steps_per_epoch))

class Constant:
    def __call__(self, step):
        return 1.0

def negative(step):
    return -1.0

def nothing(every=1):
    return every

def fails(step):
    return 1 / 0
"""
LENGTH = {"warmup_epochs": 0.0, "epochs": 4, "steps_per_epoch": 5}


@pytest.fixture(autouse=True)
def _beside_own_code(tmp_path, monkeypatch):
    (tmp_path / "rates.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)


def own(name, **arguments):
    return build_schedule("custom", {"target": f"rates:{name}"} | arguments, **LENGTH)


def values(schedule):
    return [schedule(step) for step in range(20)]


def test_a_function_of_the_step_is_the_schedule():
    assert values(own("halves")) == pytest.approx(values(build_schedule("cosine", {"final": 0.0}, **LENGTH)))
    assert own("halves", power=2.0)(7) == pytest.approx(own("halves")(7) ** 2)


def test_a_function_or_class_that_returns_one_is_called_once_with_its_arguments():
    reference = build_schedule("step", {"every": 2, "factor": 0.5}, **LENGTH)
    assert values(own("stairs", every=2)) == values(reference)
    assert values(own("Constant")) == [1.0] * 20


def test_equal_schedules_are_equal_so_that_a_stack_steps_their_runs_together():
    assert own("halves") == own("halves")
    assert hash(own("halves")) == hash(own("halves"))
    assert own("halves") != own("halves", power=2.0)


def test_warm_up_comes_before_it():
    schedule = build_schedule("custom", {"target": "rates:halves"}, **(LENGTH | {"warmup_epochs": 1.0}))
    assert [schedule(0), schedule(4)] == pytest.approx([0.2, 1.0])
    assert schedule(5) == 1.0


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("negative", {}, r"schedule\.target=rates:negative: gives -1 at step 0; .* must be 0 or more"),
        ("nothing", {}, r"schedule\.target=rates:nothing: returned a int, not a function of the step"),
        ("fails", {}, r"schedule\.target=rates:fails: step 0: ZeroDivisionError: .* \(rates\.py, line \d+"),
        ("stairs", {}, r"schedule\.every: 'stairs' needs a value for it"),
        ("stairs", {"every": "a"}, r"schedule\.every='a'"),
        ("halves", {"pwr": 1}, r"schedule\.pwr: 'halves' takes no such setting; did you mean 'power'\?"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(name, arguments, message):
    with pytest.raises(RequestError, match=message):
        own(name, **arguments)


def test_a_scheduler_of_torch_is_refused_with_what_to_do():
    target = "torch.optim.lr_scheduler:StepLR"
    with pytest.raises(
        RequestError, match=r"StepLR: is a scheduler of torch, .* give a function of the step"
    ):
        build_schedule("custom", {"target": target}, **LENGTH)


def test_the_target_alone_chooses_it_and_the_history_has_its_rates():
    settings = compose_one(["schedule.target=rates:halves"])
    assert settings.targets == {"schedule.target": "rates:halves"}
    words = ["data.train_size=64", "data.val_size=20", "epochs=2", "model=linear", "name=s"]
    assert main(["train", *words, "schedule.target=rates:halves", "schedule.power=1,2"]) == 0
    rates = sorted(read_last(run / "history.csv")["lr"] for run in find_runs(Path("outputs/s")))
    last = 0.5 * (1 + math.cos(math.pi * 3 / 4))
    assert rates == pytest.approx([0.001 * last**2, 0.001 * last])
