"""The optimizer steps of a stack: one call of torch.optim's for all neighbours of equal hyperparameters.

A rule that treats each number by itself gives a member the step that its own optimizer would: it takes rows a
to b of a stacked tensor [R, ...] for one parameter. By any other rule, and where hyperparameters are a run's
own, the run's optimizer steps the views of its row. 8 runs of 784-128-64-10: Adam took 97 us a run-step one
by one, 59 together.
"""

import copy
from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from itertools import groupby

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dlx.engine.stack import Stack

ELEMENTWISE = (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW, torch.optim.RMSprop, torch.optim.Adagrad)


def likeness(optimizers: Sequence[Optimizer]) -> Hashable | None:
    """Return what is equal for runs whose optimizers may step as one; None if these step by themselves."""
    if not all(type(optimizer) in ELEMENTWISE for optimizer in optimizers):
        return None
    return tuple(
        (type(optimizer).__name__, str({key: value for key, value in group.items() if key != "params"}))
        for optimizer in optimizers
        for group in optimizer.param_groups
    )


class JointSteps:
    """Steps the members of `stack` until `part`; `own[r]` are the optimizers of row r.

    Neighbours of one key in `likenesses` [R] step together; None steps alone. Learning rates are read from
    the runs' own optimizers at each step.
    """

    def __init__(
        self, stack: Stack, own: Sequence[Sequence[Optimizer]], likenesses: Sequence[Hashable | None]
    ) -> None:
        self._stack = stack
        self._whole = {id(view): whole for whole, views in stack.shares for view in views}
        self._teams = [
            _Joint([own[row][place] for row in rows], rows, self._whole)
            for rows in _neighbours(likenesses)
            for place in range(len(own[rows[0]]))
        ]

    def hand_out_gradients(self) -> None:
        """Give the optimizers' parameters their rows of the stack's gradients, which are then cleared."""
        gradients = {id(whole): whole.grad for whole, _ in self._stack.shares}
        for whole, _ in self._stack.shares:
            whole.grad = None
        for team in self._teams:
            team.take(gradients)

    def step(self) -> None:
        """Take every member's step."""
        for team in self._teams:
            team.step()

    def part(self) -> None:
        """Leave every run's own optimizer in the state it would have alone."""
        for team in self._teams:
            team.part()


class _Joint:
    """The optimizer of `rows` of a stack: the run's own for one row, else one that goes on for them all."""

    def __init__(self, own: Sequence[Optimizer], rows: Sequence[int], whole: dict[int, nn.Parameter]) -> None:
        self._own, self._rows = own, slice(rows[0], rows[-1] + 1)
        # By parameter: the members' own, and what is stacked of them all.
        members = [list(parts) for parts in zip(*map(_parameters, own), strict=True)]
        wholes = [whole[id(parts[0])] for parts in members]
        joined = [self._part_of(each.data) for each in wholes] if len(own) > 1 else [p[0] for p in members]
        self._parameters = list(zip(joined, wholes, members, strict=True))
        self._optimizer = _join(own, joined) if len(own) > 1 else own[0]

    def take(self, gradients: dict[int, Tensor | None]) -> None:
        """Take the rows of the stacked gradients, by the stacked parameter's id."""
        for joined, whole, _ in self._parameters:
            gradient = gradients[id(whole)]
            # None where the step did not reach the parameter: an earlier step's would be taken again.
            joined.grad = None if gradient is None else self._part_of(gradient)

    def step(self) -> None:
        """Step all rows, at the learning rates that the first run's own optimizer has now."""
        for group, of_run in zip(self._optimizer.param_groups, self._own[0].param_groups, strict=True):
            group["lr"] = of_run["lr"]
        self._optimizer.step()

    def part(self) -> None:
        """Give each run's own optimizer its rows of the state."""
        if len(self._own) == 1:
            return
        for joined, _, members in self._parameters:
            for row, (optimizer, parameter) in enumerate(zip(self._own, members, strict=True)):
                optimizer.state[parameter] = {
                    key: value[row] if _by_row(value, joined) else copy.copy(value)
                    for key, value in self._optimizer.state[joined].items()
                }

    def _part_of(self, stacked: Tensor) -> Tensor:
        return stacked[self._rows] if len(self._own) > 1 else stacked[self._rows.start]


def _join(own: Sequence[Optimizer], joined: Sequence[Tensor]) -> Optimizer:
    """Return an optimizer of the kind and in the state of `own`, for parameters [R, ...] in their order."""
    optimizer = copy.copy(own[0])
    optimizer.state = defaultdict(dict)
    rest = iter(joined)
    optimizer.param_groups = [
        group | {"params": [next(rest) for _ in group["params"]]} for group in own[0].param_groups
    ]
    for place, parameter in enumerate(joined):
        states = [each.state[_parameters(each)[place]] for each in own]
        optimizer.state[parameter] = {
            key: torch.stack([state[key] for state in states])
            if _by_row(value, parameter[0])
            else copy.copy(value)
            for key, value in states[0].items()
        }
    return optimizer


def _parameters(optimizer: Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _by_row(value: object, parameter: Tensor) -> bool:
    """Say whether part of a parameter's state has a number for each of its own; a count of steps has not."""
    return isinstance(value, Tensor) and value.shape == parameter.shape


def _neighbours(likenesses: Sequence[Hashable | None]) -> Iterator[list[int]]:
    keys = [("alone", row) if key is None else ("like", key) for row, key in enumerate(likenesses)]
    for _, rows in groupby(range(len(keys)), key=keys.__getitem__):
        yield list(rows)
