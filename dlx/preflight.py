"""Tries a run's parts on a few samples before it trains, because a user's own code may do anything."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dlx import rng
from dlx.config import Settings
from dlx.data.dataset import Dataset
from dlx.device import describe_device
from dlx.engine.evaluation import evaluation_batch
from dlx.engine.model_summary import LayerSummary, summarise_layers, watch_layers
from dlx.engine.run import Run
from dlx.engine.signature import signature
from dlx.engine.stacked_model import UnstackableError
from dlx.errors import RequestError
from dlx.execution import Execution, operation_without
from dlx.loss.losses import Loss
from dlx.model.custom import SOFTMAX_TWICE, are_probabilities, take_one_tensor
from dlx.model.models import use_generator
from dlx.optimizer.optimizers import build_optimizers
from dlx.own.target import one_line


@dataclass(frozen=True)
class Preflight:
    """What a run is tried on, and with. `outputs`: how many the model must give for each sample."""

    settings: Settings
    data: Dataset
    loss: Loss
    outputs: int
    execution: Execution

    @torch.no_grad()
    def try_model(self, model: nn.Module, notices: list[str]) -> Sequence[LayerSummary]:
        """Try the model on two samples; return its layers, and add to `notices` what a user should know.

        Raises RequestError if it fails, or if its outputs have another shape than the loss needs.
        """
        inputs, labels = self.data.train.slice(0, 2)
        shapes: dict[str, tuple[int, ...] | None] = {}

        def on_output(layer: str, output: Tensor) -> None:
            by_sample = output.shape[:1] == labels.shape[:1]
            shapes.setdefault(layer, tuple(output.shape[1:]) if by_sample else None)

        where, dropout = part_of(self.settings, "model"), self.settings.seeds.dropout
        try:
            model.eval()
            use_generator(model, rng.generator(dropout, "try", device=inputs.device))
            if self.settings.model.is_own and (
                taken := take_one_tensor(model, model(inputs.clone()), (len(labels), self.outputs))
            ):
                notices.append(f"{where}: returns several things; {taken} is used, the only one of its shape")
            with rng.global_state(dropout, "try"), watch_layers(model, on_output):
                outputs = self.execution.outputs(model, inputs)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a user's code may raise anything, and sys.exit
            if operation_without(error):
                raise _failure(where, "", inputs.device, error) from error
            raise RequestError(
                f"{where}: it cannot take a batch of shape {tuple(inputs.shape)}: {one_line(error)}; "
                f"a sample of data={self.settings.data.name} is {'x'.join(map(str, inputs.shape[1:]))}"
            ) from error
        self._check_outputs(outputs, len(labels))
        if (
            self.settings.model.is_own
            and self.settings.loss.name == "cross_entropy"
            and are_probabilities(outputs)
        ):
            notices.append(f"{where}: {SOFTMAX_TWICE}")
        return summarise_layers(model, shapes)

    def try_steps(self, model: nn.Module) -> None:
        """Try a module on batches of the sizes that it will be given, in training and in evaluation.

        A copy is tried, because a step changes running statistics. Raises RequestError.
        """
        settings, data = self.settings, self.data
        samples, batch = len(data.train), settings.batch_size
        last = 0 if settings.drop_last else samples % batch
        sizes = [(batch, True), (last, True), (len(data.val) % evaluation_batch(data.input_shape), False)]
        try:
            copied = copy.deepcopy(model)
        except Exception:  # noqa: BLE001 - such a module trains all the same
            return
        for size, training in (pair for pair in sizes if pair[0] > 0):
            part = (data.train if training else data.val).slice(0, size)
            blamed = ["model"]
            try:
                with rng.global_state(settings.seeds.dropout, "try"):
                    use_generator(copied, rng.generator(settings.seeds.dropout, "try", device=part[0].device))
                    self._try_step(copied.train(training), part, blamed)
            except (RequestError, KeyboardInterrupt):
                raise
            except (MemoryError, torch.OutOfMemoryError):  # of the copy, without which it may well fit
                return
            except BaseException as error:
                what = f"{'a training step on' if training else 'evaluating'} a batch of {size} fails"
                raise _failure(part_of(settings, blamed[-1]), what, part[0].device, error) from error

    def takes_equal_steps(self, model: nn.Module, like: Run) -> bool:
        """Return whether the run's steps differ from those of `like` only in numbers.

        Trying them took half of the time to build another seed of a user's module: 8 of 16 ms.
        """
        ours = (self.settings.batch_size, self.settings.drop_last, self.execution)
        if self.data is not like.data or type(self.loss) is not type(like.loss):
            return False
        if ours != (like.batch_size, like.drop_last, like.execution):
            return False
        try:
            return signature(model) == signature(like.model)
        except UnstackableError:  # they cannot be compared
            return False

    def _try_step(self, model: nn.Module, batch: tuple[Tensor, Tensor], blamed: list[str]) -> None:
        """Try a step, or an evaluation if the model is in that mode; add own parts to `blamed` in turn."""
        inputs, labels = batch
        outputs = self.execution.outputs(model, inputs)
        self._check_outputs(outputs, len(labels))
        blamed += ["loss"] if self.settings.loss.is_own else []
        losses = self.loss.reduce(self.loss.per_sample(outputs, labels))
        if not model.training:
            return
        losses.backward()  # type: ignore[no-untyped-call]
        if self.settings.optimizer.is_own:
            blamed.append("optimizer")
            own = self.settings.optimizer
            for optimizer in build_optimizers(own.name, own.arguments, model):
                optimizer.step()

    def _check_outputs(self, outputs: object, samples: int) -> None:
        alone = isinstance(outputs, Tensor)
        got = tuple(outputs.shape) if isinstance(outputs, Tensor) else f"a {type(outputs).__name__}"
        if got != (samples, self.outputs):
            raise RequestError(
                f"{part_of(self.settings, 'model')}: {self.data.describe_labels()} under "
                f"{self.settings.loss.name} need outputs of shape (batch, {self.outputs}); for a batch of "
                f"{samples} it gave {got}{'' if alone else '; return that tensor alone from its forward'}"
            )


def part_of(settings: Settings, group: str) -> str:
    """Return the word that chose a part: that of the user's own, if it is one."""
    key = f"{group}.target"
    return (
        f"{key}={settings.targets[key]}"
        if key in settings.targets
        else f"{group}.name={getattr(settings, group).name}"
    )


def _failure(where: str, what: str, device: torch.device, error: BaseException) -> RequestError:
    """Return the error for a part that does not work: the operation to blame, if torch names one."""
    if operation := operation_without(error):
        return RequestError(
            f"deterministic=true: {operation} has no deterministic version on {describe_device(device)}; "
            "set deterministic=false or use another layer"
        )
    return RequestError(f"{where}: {what}: {one_line(error)}")
