"""What models must have in common to train as one: modules, settings, shapes; not the tensors' values.

A forward may read any attribute of its module. All of them are therefore described, with their values, except
parameters and buffers, of which each member of a stack has its own.
"""

import hashlib
import types
import weakref
from collections.abc import Iterable, Iterator
from enum import Enum
from functools import partial

import torch
from torch import Tensor, nn

from dlx.engine.stacked_model import UnstackableError
from dlx.model.models import Dropout

PLAIN = (bool, int, float, complex, str, bytes, Enum, torch.dtype, torch.device, torch.layout)
NAMED = (type, types.BuiltinFunctionType, types.ModuleType)
EMPTY = vars(nn.Module())  # what a module has before anything is set
TENSORS_AND_CHILDREN = ("_parameters", "_buffers", "_modules")


def signature(model: nn.Module) -> str:
    """Return a description that is equal for models that can be stacked.

    Dropout probabilities may differ. Raises UnstackableError for an attribute that cannot be described.
    """
    return "\n".join(_Description(model).lines())


class _Description:
    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._names: dict[int, str] = {}  # of the model's own modules and tensors, by id: each by its first
        self._open: list[int] = []  # the values being described, from the outermost inwards

    def lines(self) -> Iterator[str]:
        modules = list(self._model.named_modules(remove_duplicate=False))
        tensors = [
            (f"{name}.{key}", value)
            for name, module in modules
            for key, value in {**module._parameters, **module._buffers}.items()
            if value is not None
        ]
        for name, value in (*modules, *tensors):
            self._names.setdefault(id(value), name or "the model")
        for name, module in modules:
            yield f"{name} is {self._names[id(module)]}: {self._module(module, name)}"
        for name, tensor in tensors:
            facts = f"{tuple(tensor.shape)} {tensor.dtype} {tensor.requires_grad}"
            yield f"{name} is {self._names[id(tensor)]}: {type(tensor).__name__} {facts}"

    def _module(self, module: nn.Module, name: str) -> str:
        facts = []
        for key, value in vars(module).items():
            if key in TENSORS_AND_CHILDREN or (key in EMPTY and value == EMPTY[key]) or key == "training":
                continue
            if isinstance(module, Dropout) and key in ("p", "generator"):
                continue
            if key in EMPTY and isinstance(value, dict):  # hooks, by numbers that are the process's
                value = list(value.values())  # noqa: PLW2901
            try:
                facts.append(f"{key}={self._value(value)}")
            except Exception as error:  # pickling may run the user's code
                where = f"{name or 'the model'} ({type(module).__name__})"
                what = f"'{key}' ({type(value).__name__}) cannot be compared between runs"
                raise UnstackableError(f"{where}: its attribute {what}") from error
        return f"{_qualified(type(module))}({', '.join(facts)})"

    def _value(self, value: object) -> str:
        if id(value) in self._names:
            return self._names[id(value)]
        if value is None or isinstance(value, PLAIN):
            return repr(value)
        if isinstance(value, NAMED):
            return _qualified(value)
        if id(value) in self._open:  # it holds itself
            return "..."
        self._open.append(id(value))
        try:
            return self._compound(value)
        finally:
            self._open.pop()

    def _compound(self, value: object) -> str:
        if isinstance(value, Tensor):
            content = value.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes()
            return f"tensor {tuple(value.shape)} {value.dtype} {hashlib.sha256(content).hexdigest()}"
        if isinstance(value, dict):
            return self._join(value, (f"{self._value(k)}: {self._value(v)}" for k, v in value.items()))
        if isinstance(value, list | tuple):
            return self._join(value, map(self._value, value))
        if isinstance(value, set | frozenset):
            return self._join(value, sorted(map(self._value, value)))
        if isinstance(value, partial):
            return f"partial{self._value((value.func, value.args, value.keywords))}"
        if isinstance(value, weakref.ReferenceType):
            return self._value(value())
        if isinstance(value, types.MethodType):
            return f"{value.__name__} of {self._value(value.__self__)}"
        if isinstance(value, types.FunctionType):
            cells = [cell.cell_contents for cell in value.__closure__ or ()]
            inside = (value.__code__, value.__defaults__, value.__kwdefaults__, cells)
            return f"{_qualified(value)}{self._value(inside)}"
        if isinstance(value, types.CodeType):
            return self._value((value.co_code, value.co_names, value.co_consts))
        # Whatever else pickle could write: the parts that it would put it together from.
        parts = value.__reduce_ex__(4)
        return parts if isinstance(parts, str) else self._value(tuple(_listed(part) for part in parts))

    def _join(self, value: object, parts: Iterable[str]) -> str:
        return f"{_qualified(type(value))}({', '.join(parts)})"


def _listed(part: object) -> object:
    """Return the items of an iterator, which pickle reads a container's content from."""
    return list(part) if isinstance(part, Iterator) else part


def _qualified(value: object) -> str:
    return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', repr(value))}"
