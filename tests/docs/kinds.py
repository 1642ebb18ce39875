"""A JSON schema in words: "whole number, at least 1", "`true` or `false`"."""

from collections.abc import Mapping
from typing import Any

SIMPLE = {"integer": "whole number", "number": "number", "boolean": "`true` or `false`", "string": "text"}
LARGEST = 2**63  # the first number that no seed may be; nobody needs to read it


def kind(schema: Mapping[str, Any]) -> str:
    """Return what a value of this schema may be."""
    if "anyOf" in schema:
        parts = list(dict.fromkeys(kind(each) for each in schema["anyOf"]))
        if {"whole number", "number"} <= set(parts):
            parts.remove("whole number")
        return " or ".join(parts)
    if "enum" in schema or "const" in schema:
        values = schema.get("enum") or [schema["const"]]
        return ", ".join(f"`{value}`" for value in values)
    what = schema.get("type")
    if what == "null":
        return "`null`"
    if what == "array":
        return _list(schema)
    if what == "object":
        return "mapping"
    return ", ".join([SIMPLE.get(str(what), "any"), *_range(schema)])


def _range(schema: Mapping[str, Any]) -> list[str]:
    low, above = schema.get("minimum"), schema.get("exclusiveMinimum")
    high, below = schema.get("maximum"), schema.get("exclusiveMaximum")
    if low is not None and high is not None:
        return [f"{low:,} to {high:,}"]
    said = [f"at least {low:,}"] if low is not None else []
    said += [f"above {above:,}"] if above is not None else []
    said += [f"at most {high:,}"] if high is not None else []
    said += [f"below {below:,}"] if below is not None and below < LARGEST else []
    return [" and ".join(said)] if said else []


def _list(schema: Mapping[str, Any]) -> str:
    if "prefixItems" in schema:
        return f"list of {len(schema['prefixItems'])}: {kind(schema['prefixItems'][0])}"
    return f"list: {kind(schema.get('items', {}))}"
