"""Writes the generated parts of docs/reference/: `make reference`.

A page holds `<!-- generated: NAME -->` ... `<!-- end -->`, and what lies between is made here: from the
schema of a run (dlx/config.py), the signatures of registered classes, the comments of conf/ and the parsers
of the verbs.
"""

import html
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from dlx.commands.parser import Parser
from dlx.commands.verbs import VERBS
from dlx.completion.settings import REGISTRIES
from dlx.config import Component, EngineSettings, Settings
from dlx.launchers import LAUNCHERS
from tests.docs.conf import Choice, Key, choice, choices, keys_of
from tests.docs.kinds import kind

PAGES = Path(__file__).resolve().parents[2] / "docs" / "reference"
PART = re.compile(r"(<!-- generated: ([\w ]+) -->\n).*?(<!-- end -->)", re.DOTALL)
OWN_TRANSFORM = {"target": "text", "per_image": "`true` or `false`"}  # of augment=custom, which has no class
COMMON_DATA = (
    "root",
    "train_size",
    "val_size",
    "test_size",
    "val_from",
    "split_seed",
    "stratify",
    "standardise",
)


def main() -> int:
    """Write every page again; name those that changed."""
    for page in sorted(PAGES.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        if (made := regenerated(text)) != text:
            page.write_text(made, encoding="utf-8")
            print(f"wrote {page}")
    return 0


def regenerated(text: str) -> str:
    """Return a page with its generated parts made again."""
    return PART.sub(lambda part: f"{part[1]}\n{generate(part[2])}\n\n{part[3]}", text)


def generate(name: str) -> str:
    """Return the part that a page calls `name`: "run", "choices", "group model", "run probes"."""
    what, _, argument = name.partition(" ")
    parts: dict[str, Callable[..., str]] = {
        "run": _run_keys,
        "choices": _all_choices,
        "group": _group,
        "data": _data_defaults,
        "verbs": _verbs,
        "commands": _commands,
    }
    return parts[what](*argument.split())


# --- keys of a run


def _run_keys(*sections: str) -> str:
    """Return the table of the top-level keys, or of those below `sections`: "probes", "seeds"."""
    keys = {key.name: key for key in keys_of("train")}
    rows = []
    for name, schema in schema_of_run():
        first = name.partition(".")[0]
        if (first in sections) if sections else (first not in _sections()):
            rows.append(_row(keys[name], kind(schema), prefix=""))
    return _table(("key", "type and range", "default", "meaning"), rows)


def _sections() -> set[str]:
    """The keys that have a table of their own."""
    return {"data", "probes", "grid", "cases"}


def schema_of_run() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every key of a run that is not in a group, dotted, with its JSON schema."""
    schema = Settings.model_json_schema()
    known = schema["$defs"]
    for name, each in schema["properties"].items():
        inner = known.get(each.get("$ref", "").rpartition("/")[2])
        if inner is None:
            if name != "augment":
                yield name, each
        elif inner["title"] in (
            "SeedSettings",
            "EarlyStoppingSettings",
            "CheckpointSettings",
            "ProbeSettings",
        ):
            yield from ((f"{name}.{key}", value) for key, value in inner["properties"].items())
        elif inner["title"] == "DataSettings":  # those that no data set has in its file
            set_here = {key.name for key in keys_of("train")}
            dotted = {f"{name}.{key}": value for key, value in inner["properties"].items()}
            yield from ((key, value) for key, value in dotted.items() if key in set_here)


# --- groups


def _all_choices() -> str:
    rows = []
    for group in (*REGISTRIES, "engine", "launcher"):
        default = dict(keys_of("train", defaults=True))[group]
        names = sorted(choices(group), key=lambda name: (name != default, name))
        rows.append((f"`{group}`", " ".join(f"`{name}`" for name in names)))
    return _table(("group", "choices, the default first"), rows)


def _group(group: str) -> str:
    """Return a section for each choice of a group."""
    return "\n\n".join(_choice(choice(group, name)) for name in choices(group))


def _choice(each: Choice) -> str:
    lines = [f"### `{each.name}`", "", _escaped(each.sentence), "", f"```console\n$ {each.command}\n```"]
    hidden = COMMON_DATA if each.group == "data" else ()
    shown = [key for key in each.keys if key.name != "name" and key.name not in hidden]
    if each.base and each.group != "data":
        own = ", ".join(f"`{each.group}.{key.name}={key.default}`" for key in each.own)
        return "\n".join([*lines, "", f"It is `{each.base}` with {own}; the keys are the same."])
    if not shown:
        return "\n".join(lines)
    kinds = kinds_of(each)
    rows = [_row(key, kinds.get(key.name, "any"), prefix=f"{each.group}.") for key in shown]
    return "\n".join([*lines, "", _table(("key", "type and range", "default", "meaning"), rows)])


def kinds_of(each: Choice) -> dict[str, str]:
    """Return the type and range of each key of a choice, in words."""
    schemas: dict[str, Any] = {}
    if each.group in ("engine", "launcher"):
        model = EngineSettings if each.group == "engine" else LAUNCHERS[each.name]
        schemas = model.model_json_schema()["properties"]
    else:
        fields = Settings.model_json_schema()["$defs"]
        for settings in (Component, *_group_settings(each.group)):
            schemas |= fields.get(settings.__name__, {}).get("properties", {})
        schemas |= dict(_arguments(each))
    kinds = {name: kind(schema) for name, schema in schemas.items()}
    return OWN_TRANSFORM | kinds if each.group == "augment" else kinds


def _group_settings(group: str) -> list[type]:
    annotation = Settings.model_fields[group].annotation
    return [annotation] if inspect.isclass(annotation) else []


def _arguments(each: Choice) -> Iterator[tuple[str, Any]]:
    """Yield the arguments of the class that a choice selects, with their JSON schemas."""
    _, registry = REGISTRIES[each.group]
    modules = {
        "data": "dlx.data.source",
        "loss": "dlx.loss.losses",
        "model": "dlx.model.models",
        "optimizer": "dlx.optimizer.optimizers",
        "schedule": "dlx.optimizer.schedule",
        "augment": "dlx.augment.transforms",
    }
    builders = getattr(import_module(modules[each.group]), registry).builders()
    if each.group == "augment":
        wanted = [builders[key.name] for key in each.keys if key.name in builders]
    else:
        wanted = [builders[each.registered]] if each.registered in builders else []
    names = {key.name for key in each.keys}
    for builder in wanted:
        for name, parameter in inspect.signature(builder, eval_str=True).parameters.items():
            if name in names and parameter.annotation is not parameter.empty:
                yield name, TypeAdapter(parameter.annotation).json_schema()


def _data_defaults() -> str:
    """Return the table of what each data set sets for the keys that all of them have."""
    shown = [name for name in COMMON_DATA if name not in ("root", "val_from", "stratify")]
    allowed = Settings.model_json_schema()["$defs"]["DataSettings"]["properties"]
    rows = [("*allowed*", *(kind(allowed[key]) for key in shown))]
    for name in choices("data"):
        values = {key.name: key.default for key in choice("data", name).keys}
        rows.append((f"`{name}`", *(f"`{values[key]}`" if key in values else "" for key in shown)))
    return _table(("data set", *(f"`{key}`" for key in shown)), rows)


# --- verbs


def _verbs() -> str:
    rows = [(f"[`dlx {verb}`](#dlx-{verb})", f"{does[0].upper()}{does[1:]}.") for verb, does in VERBS.items()]
    return _table(("command", "what it does"), rows)


def _commands() -> str:
    """Return a section for each verb: what it does, and the words that it takes."""
    sections = []
    for verb in VERBS:
        parser = parser_of(verb)
        about = _escaped(" ".join((parser.description or "").split()))
        sections.append(f"## `dlx {verb}`\n\n{about}\n\n{_options(parser)}")
    return "\n\n".join(sections)


def _options(parser: Parser) -> str:
    """Return the table of what a verb takes."""
    rows = []
    for action in parser._actions:  # argparse has no public list of them
        if action.dest in ("help", "version"):
            continue
        value = action.metavar or ("" if action.nargs == 0 else action.dest.upper())
        value = " ".join(value) if isinstance(value, tuple) else value
        repeated = (
            " ..." if action.nargs in ("*", "+") and "..." not in value and not action.option_strings else ""
        )
        if action.option_strings:
            words = ", ".join(
                f"`{option}`" for option in sorted(action.option_strings, key=len, reverse=True)
            )
            words += f" `{value}`" if value else ""
        else:
            words = f"`{value}{repeated}`"
        meaning = parser._get_formatter()._expand_help(action) if action.help else ""
        rows.append((words.replace("|", "\\|"), _escaped(meaning)))
    return _table(("word", "meaning"), rows) if rows else "It takes no words."


def parser_of(verb: str) -> Parser:
    """Return the parser of a verb."""
    module = "train_flags" if verb == "train" else verb
    parser: Parser = import_module(f"dlx.commands.{module}")._parser()
    return parser


# --- Markdown


def _row(key: Key, type_and_range: str, prefix: str) -> tuple[str, ...]:
    followed = re.fullmatch(r"\$\{([\w.]+)\}", key.default)
    shown = f"as `{followed[1]}`" if followed else "required" if key.default == "???" else f"`{key.default}`"
    meaning = _escaped(key.meaning)
    return f"`{prefix}{key.name}`", type_and_range, shown, meaning


def _escaped(text: str) -> str:
    """Keep the characters of a comment that Markdown would read, except those in backticks."""
    parts = text.split("`")
    parts[::2] = [
        re.sub(r"([*|\[\]]|(?<!\w)_|_(?!\w))", r"\\\1", html.escape(part, quote=False)) for part in parts[::2]
    ]
    return "`".join(parts)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    sys.exit(main())
