"""Says in one plain line what pydantic found wrong with a value, and checks that numbers are finite."""

import math
import re

from pydantic import ValidationError

from dlx.errors import RequestError, nearest

# pydantic appends the failing member of a union as if it were a key: data.train_size.constrained-int.
UNION_TAG = re.compile(r"^(constrained-)?(int|float|str|bool|none)$|[\[(]")
SPAN = re.compile(r"\d+ ?(-|:|\.\.+) ?\d+")  # 0-4, 0:5 and 0..4, as other programs write several numbers
# By pydantic's type of an error: what is allowed, with the limits that its context holds.
ALLOWED = {
    "greater_than_equal": "must be {ge} or more",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be {le} or less",
    "less_than": "must be less than {lt}",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "string_too_short": "must not be empty",
    "list_type": "must be a list, such as [1,2]",
    "tuple_type": "must be a list, such as [1,2]",
    "model_type": "has keys of its own; set one of them, as in {key}.KEY=VALUE",
    "dict_type": "has keys of its own; set one of them, as in {key}.KEY=VALUE",
    "too_long": "must have at most {max_length} values",
    "too_short": "must not be empty",
    "extra_forbidden": "there is no such key",
    "missing": "needs a value",
}


def check_finite(value: object, key: str = "") -> None:
    """Raise RequestError for a setting that is, or holds, an infinity or NaN; `value` may be a whole group.

    No setting means anything with one, JSON has no word for either, and NaN is not equal to itself, so that a
    run could not be found again.
    """
    if isinstance(value, dict):
        for name, item in value.items():
            check_finite(item, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list):
        for item in value:
            check_finite(item, key)
    elif isinstance(value, float) and not math.isfinite(value):
        raise RequestError(f"{key}={value}: must be a finite number")


def describe(error: ValidationError, where: str = "") -> str:
    """Return the first of pydantic's errors as one line: key=value, the problem and what is allowed."""
    first = error.errors(include_url=False)[0]
    parts = [str(part) for part in first["loc"] if not UNION_TAG.search(str(part))]
    kind, given = first["type"], first["input"]
    if kind == "missing" and parts and parts[-1].isdigit():  # of a list that should hold so many
        *parts, last = parts
        return f"{'.'.join([where, *parts] if where else parts)}: must have at least {int(last) + 1} values"
    key = ".".join([where, *parts] if where else parts)
    if kind in ("literal_error", "enum"):
        names = re.findall(r"'([^']*)'", first["ctx"]["expected"])
        message = f"must be one of {', '.join(names)}{nearest(str(given), names)}"
    elif kind in ALLOWED:
        limits = {
            name: f"{limit:g}" if isinstance(limit, float) else limit
            for name, limit in first.get("ctx", {}).items()
        }
        message = ALLOWED[kind].format(key=key, **limits)
    else:
        message = first["msg"].removeprefix("Value error, ")
        message = message[:1].lower() + message[1:]
    if kind == "int_type" and isinstance(given, str) and SPAN.fullmatch(given):
        message += f"; for several, write {key}=0,1,2 or '{key}=range(3)'"
    if not key or kind == "missing":
        return f"{key}: {message}".removeprefix(": ")
    if message.startswith(f"{key}."):  # of a whole group, whose check names the key itself
        return message
    return f"{key}={as_typed(given)}: {message}"


def as_typed(value: object) -> str:
    """Write a value as it is typed on the command line: null, true, [1,2], 'text'."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{','.join(map(as_typed, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{key}:{as_typed(item)}' for key, item in value.items())}}}"
    return repr(value)
