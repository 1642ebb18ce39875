"""One registry of builders per group: `optimizer.name=adam` finds the function registered as "adam".

Modules in the group's package register their builders with a decorator, and all of them are imported when a
name is looked up: to add something, write one file and one YAML. The signature is the schema of the YAML:
every key must be a keyword argument, of the annotated type and within the annotated range.
"""

import functools
import importlib
import inspect
import json
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import UnionType
from typing import Annotated, Any, Generic, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, create_model

from dlx.errors import RequestError, nearest, unknown
from dlx.validation import describe

T = TypeVar("T")


class Registry(Generic[T]):
    """The named builders of one group; they register in the modules or packages called `searched`."""

    def __init__(self, group: str, *searched: str) -> None:
        self.group = group
        self.searched = searched
        self._builders: dict[str, Callable[..., T]] = {}

    def register(self, name: str) -> Callable[[Callable[..., T]], Callable[..., T]]:
        """Register the decorated class or function under `name`, by which YAML files select it."""

        def add(builder: Callable[..., T]) -> Callable[..., T]:
            assert name not in self._builders, f"{self.group} '{name}' is registered twice"
            self._builders[name] = builder
            return builder

        return add

    def builders(self) -> Mapping[str, Callable[..., T]]:
        """Return every builder by name, after importing the modules that register them."""
        for name in self.searched:
            module = importlib.import_module(name)
            for inner in pkgutil.iter_modules(getattr(module, "__path__", []), f"{name}."):
                importlib.import_module(inner.name)
        return self._builders

    def build(self, name: str, arguments: Mapping[str, Any], **given: Any) -> T:
        """Call the builder `name` with the user's `arguments` and dlx's own, `given`.

        Raises RequestError for an unknown name or argument, and for a wrong type or value, before the call.
        """
        builders = self.builders()
        if name not in builders:
            raise unknown(f"{self.group}.name", name, builders)
        builder = builders[name]
        return builder(**given, **check_arguments(builder, arguments, set(given), self.group))


@dataclass(frozen=True, eq=False)
class Signature:
    """What a builder is called, and its parameters."""

    name: str
    parameters: Mapping[str, inspect.Parameter]


def check_arguments(
    builder: Callable[..., Any] | Signature, arguments: Mapping[str, Any], given: set[str], where: str
) -> dict[str, Any]:
    """Return the `arguments` for `builder`, checked against its signature; dlx passes those in `given`.

    Types and ranges come from the annotations (`Annotated[float, Field(ge=0)]`); a parameter without an
    annotation takes anything. Raises RequestError that names `where`.key.
    """
    signature = builder if isinstance(builder, Signature) else _signature(builder)
    parameters = {key: parameter for key, parameter in signature.parameters.items() if key not in given}
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    named = {k: p for k, p in parameters.items() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    for key in arguments:
        if key in given:
            raise RequestError(f"{where}.{key}: dlx passes this to '{signature.name}' itself")
        if key not in named and not takes_any:
            hint = f"{nearest(key, named)} (allowed: {', '.join(sorted(named)) or 'none'})"
            raise RequestError(f"{where}.{key}: '{signature.name}' takes no such setting{hint}")
    missing = [k for k, p in named.items() if p.default is p.empty and k not in arguments]
    if missing:
        raise RequestError(f"{where}.{missing[0]}: '{signature.name}' needs a value for it")
    checked = _validate(signature, tuple(k for k in arguments if k in named), arguments, where)
    return {**arguments, **checked}


@functools.lru_cache(maxsize=128)
def _signature(builder: Callable[..., Any]) -> Signature:
    try:
        parameters = inspect.signature(builder, eval_str=True).parameters
    except (NameError, SyntaxError, AttributeError, TypeError):
        # A user's annotation may not exist at run time, because it is imported only for type checking.
        parameters = inspect.signature(builder).parameters
    return Signature(builder.__name__, parameters)


def _validate(
    signature: Signature, keys: tuple[str, ...], arguments: Mapping[str, Any], where: str
) -> dict[str, Any]:
    try:
        # As JSON, because in pydantic's strict mode a list then stands for a tuple and 1 for 1.0, but "1" is
        # not a number and true is not an integer, as the author of a YAML file expects.
        values = _schema(signature, keys).model_validate_json(
            json.dumps({key: arguments[key] for key in keys})
        )
    except ValidationError as error:
        raise RequestError(describe(error, where)) from error
    return {key: getattr(values, f"field{index}") for index, key in enumerate(keys)}


@functools.lru_cache(maxsize=128)  # pydantic takes 0.6 ms per class, and a grid's runs need the same eight
def _schema(signature: Signature, keys: tuple[str, ...]) -> type[BaseModel]:
    """Create the class that checks the parameters `keys` of a builder; its fields are field0, field1, ..."""
    fields: dict[str, Any] = {}
    for index, key in enumerate(keys):
        annotation = signature.parameters[key].annotation
        if annotation is inspect.Parameter.empty or isinstance(annotation, str):
            annotation = Any
        # The alias allows any parameter name: pydantic reserves some ("model_...", "_...").
        fields[f"field{index}"] = (_with_names(annotation), Field(alias=key))
    config = ConfigDict(strict=True, arbitrary_types_allowed=True)
    return create_model("Arguments", __config__=config, **fields)


def _with_names(annotation: Any) -> Any:
    """Let members of an Enum be given by name; torchvision's weights are members that no YAML can write."""
    if inspect.isclass(annotation) and issubclass(annotation, Enum):
        return Annotated[Any, BeforeValidator(functools.partial(_member, annotation))]
    if get_origin(annotation) in (Union, UnionType):
        return Union[tuple(map(_with_names, get_args(annotation)))]  # noqa: UP007 - of as many as there are
    return annotation


def _member(members: type[Enum], value: object) -> Enum:
    """Return the member of this name or value; raises ValueError for any other."""
    if str(value) in members.__members__:
        return members[str(value)]
    try:
        return members(value)
    except ValueError:
        names = list(members.__members__)
        raise ValueError(f"must be one of {', '.join(names)}{nearest(str(value), names)}") from None
