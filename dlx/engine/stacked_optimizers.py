"""The optimizer steps of a stacked model: one call of torch.optim for neighbours of equal hyperparameters.

An update rule that treats each number by itself can take rows a to b of a stacked tensor [R, ...] as one
parameter: every member gets the step of its own optimizer. With any other rule, and for a run with different
hyperparameters, the run's own optimizer steps the views of its row. For 8 runs of 784-128-64-10, Adam took
97 us a run-step one by one and 59 together.
"""

import copy
from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from itertools import groupby

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dlx.engine.stacked_model import StackedModel
from dlx.optimizer.eager import eager

RULES = (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW, torch.optim.RMSprop, torch.optim.Adagrad)
ELEMENTWISE = (*RULES, *map(eager, RULES))


def joint_step_key(optimizers: Sequence[Optimizer]) -> Hashable | None:
    """Return what must be equal for runs' optimizers to step together; None if these must step alone."""
    if not all(type(optimizer) in ELEMENTWISE for optimizer in optimizers):
        return None
    return tuple(
        (type(optimizer).__name__, str({key: value for key, value in group.items() if key != "params"}))
        for optimizer in optimizers
        for group in optimizer.param_groups
    )


class StackedOptimizers:
    """Steps the members of `model`; `own[r]` are the optimizers of row r, current after `restore_states`.

    Neighbours with equal `keys` [R] step together; a row whose key is None steps alone. `set_learning_rates`
    reads those of the own optimizers of `first_rows`, the first of the rows that step together.
    """

    def __init__(
        self, model: StackedModel, own: Sequence[Sequence[Optimizer]], keys: Sequence[Hashable | None]
    ) -> None:
        self._model, self._restored = model, True
        stacked = {id(view): parameter for parameter, views in model.shares for view in views}
        together = list(_neighbours(keys))
        self.first_rows = [rows[0] for rows in together]
        self._optimizers = [
            _RowsOptimizer([own[row][index] for row in rows], rows, stacked)
            for rows in together
            for index in range(len(own[rows[0]]))
        ]

    @property
    def stepping(self) -> list[Optimizer]:
        """The optimizers that take the steps: runs' own ones, and joint ones."""
        return [optimizer.stepping for optimizer in self._optimizers]

    def take_gradients(self) -> None:
        """Hand each optimizer its rows of the stack's gradients, and clear the stack's."""
        gradients = {id(parameter): parameter.grad for parameter, _ in self._model.shares}
        for parameter, _ in self._model.shares:
            parameter.grad = None
        for optimizer in self._optimizers:
            optimizer.take(gradients)

    def set_learning_rates(self) -> None:
        """Take over the learning rates of the runs' own optimizers, for a step that is to come."""
        self._restored = False
        for optimizer in self._optimizers:
            optimizer.set_learning_rates()

    def step(self) -> None:
        """Take every member's step."""
        for optimizer in self._optimizers:
            optimizer.stepping.step()

    def restore_states(self) -> None:
        """Leave each run's own optimizer in the state that it would have alone."""
        if self._restored:
            return
        self._restored = True
        for optimizer in self._optimizers:
            optimizer.restore_states()


class _RowsOptimizer:
    """Steps `rows` of a stack: one row with the run's own optimizer, several with a joint one."""

    def __init__(
        self, own: Sequence[Optimizer], rows: Sequence[int], stacked: dict[int, nn.Parameter]
    ) -> None:
        self._own = own
        # For each parameter: the members' own tensors, and the stacked one that they are views of.
        members = [list(views) for views in zip(*map(_parameters, own), strict=True)]
        wholes = [stacked[id(views[0])] for views in members]
        self._rows: int | slice
        if len(own) == 1:
            self._rows, self.stepping = rows[0], own[0]
            stepped = [views[0] for views in members]
        else:
            self._rows = slice(rows[0], rows[-1] + 1)
            stepped = [whole.data[self._rows] for whole in wholes]
            self.stepping = _join(own, stepped)
        self._parameters = list(zip(stepped, wholes, members, strict=True))

    def take(self, gradients: dict[int, Tensor | None]) -> None:
        """Take these rows of the gradients, given by the id of the stacked parameter."""
        for stepped, whole, _ in self._parameters:
            gradient = gradients[id(whole)]
            # None if the backward pass did not reach the parameter: it must not reuse an old gradient.
            stepped.grad = None if gradient is None else gradient[self._rows]

    def set_learning_rates(self) -> None:
        """Take over the current learning rates of the first run's own optimizer."""
        for group, of_run in zip(self.stepping.param_groups, self._own[0].param_groups, strict=True):
            group["lr"] = of_run["lr"]

    def restore_states(self) -> None:
        """Give each run's own optimizer its row of the state."""
        if len(self._own) == 1:
            return
        for stepped, _, members in self._parameters:
            for row, (optimizer, parameter) in enumerate(zip(self._own, members, strict=True)):
                optimizer.state[parameter] = {
                    key: value[row] if _has_rows(value, stepped) else copy.copy(value)
                    for key, value in self.stepping.state[stepped].items()
                }


def _join(own: Sequence[Optimizer], joined: Sequence[Tensor]) -> Optimizer:
    """Return an optimizer of the same kind and state as `own`, for the parameters `joined` [R, ...]."""
    optimizer = copy.copy(own[0])
    optimizer.state = defaultdict(dict)
    remaining = iter(joined)
    optimizer.param_groups = [
        group | {"params": [next(remaining) for _ in group["params"]]} for group in own[0].param_groups
    ]
    for index, parameter in enumerate(joined):
        states = [each.state[_parameters(each)[index]] for each in own]
        optimizer.state[parameter] = {
            key: torch.stack([state[key] for state in states])
            if _has_rows(value, parameter[0])
            else copy.copy(value)
            for key, value in states[0].items()
        }
    return optimizer


def _parameters(optimizer: Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _has_rows(value: object, parameter: Tensor) -> bool:
    """Return whether part of the state has a value for each number of a parameter, unlike a step count."""
    return isinstance(value, Tensor) and value.shape == parameter.shape


def _neighbours(keys: Sequence[Hashable | None]) -> Iterator[list[int]]:
    """Yield the rows of neighbours with equal keys; a row whose key is None is alone."""
    unique = [("alone", row) if key is None else ("joint", key) for row, key in enumerate(keys)]
    for _, rows in groupby(range(len(unique)), key=unique.__getitem__):
        yield list(rows)
