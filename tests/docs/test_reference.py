"""The reference is complete and up to date: keys, choices, commands, metrics, presets and public names."""

import inspect
import re

import pytest

import dlx
from dlx.commands.verbs import VERBS
from dlx.completion.settings import REGISTRIES
from dlx.config import EngineSettings, Settings
from dlx.errors import RequestError
from dlx.launchers import LAUNCHERS
from dlx.metrics.catalogue import CATALOGUE
from tests.docs.conf import choice, choices, keys_of
from tests.docs.kinds import kind
from tests.docs.reference import COMMON_DATA, PAGES, PART, kinds_of, regenerated, schema_of_run

EVERY_PAGE = "\n".join(page.read_text(encoding="utf-8") for page in PAGES.glob("*.md"))
GROUPS = (*REGISTRIES, "engine", "launcher")
CHOICES = [(group, name) for group in GROUPS for name in choices(group)]


@pytest.mark.parametrize("page", sorted(PAGES.glob("*.md")), ids=lambda page: page.name)
def test_what_is_generated_is_up_to_date(page):
    text = page.read_text(encoding="utf-8")
    assert regenerated(text) == text, "make reference"


def test_every_group_and_every_section_of_the_schema_is_on_a_page():
    parts = {name for _, name, _ in PART.findall(EVERY_PAGE)}
    assert {f"group {group}" for group in GROUPS} | {"run", "run probes", "choices", "commands"} <= parts


def test_every_key_of_the_schema_is_documented_with_its_default_and_meaning():
    explained = {key.name: key for key in keys_of("train")}
    keys = dict(schema_of_run())
    assert len(keys) > 35
    for name, schema in keys.items():
        assert f"| `{name}` | {kind(schema)} | " in EVERY_PAGE
        assert explained[name].meaning, f"conf/train.yaml: {name} has no comment"
    inner = {
        f"{name}.{key}"
        for name in ("seeds", "probes")
        for key in Settings.model_json_schema()["$defs"][f"{name.rstrip('s').title()}Settings"]["properties"]
    }
    assert inner <= keys.keys()


@pytest.mark.parametrize(("group", "name"), CHOICES)
def test_every_key_of_a_choice_has_a_type_and_a_meaning(group, name):
    each = choice(group, name)
    kinds = kinds_of(each)
    shown = [
        key for key in each.keys if key.name != "name" and not (group == "data" and key.name in COMMON_DATA)
    ]
    assert f"### `{name}`" in EVERY_PAGE
    for key in shown:
        assert kinds.get(key.name), f"{group}.{key.name} has no type"
        assert key.meaning, f"conf/{group}/{name}.yaml: {key.name} has no comment"


def test_every_setting_of_engines_and_launchers_is_in_a_file():
    fields = {"stacked": EngineSettings.model_fields} | {
        name: each.model_fields for name, each in LAUNCHERS.items()
    }
    for name, known in fields.items():
        group = "engine" if name == "stacked" else "launcher"
        assert {key.name for key in choice(group, name).keys} == set(known)


def test_every_command_has_a_section():
    assert all(f"\n## `dlx {verb}`\n" in EVERY_PAGE for verb in VERBS)


def test_the_tables_of_metrics_and_presets_are_complete():
    metrics = (PAGES / "metrics.md").read_text(encoding="utf-8")
    presets = (PAGES / "presets.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in metrics for name in CATALOGUE)
    assert all(f"`{name}`" in presets for name in choices("sweep"))
    known = set(choices("sweep"))
    rows = [row.split("|")[1] for row in presets.split("### ")[0].splitlines() if row.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} - known <= {
        "gradient_check",
        "mnist_ten_nets_classes",
        "dlx",
        "grid",
        "cases",
    }


# --- Python


def public() -> dict[str, object]:
    """Return what docs/reference/python.md documents, by its dotted name."""
    names = re.findall(r"^::: (\S+)$", (PAGES / "python.md").read_text(encoding="utf-8"), re.MULTILINE)
    return {name: _found(name) for name in names}


def _found(name: str) -> object:
    module, _, attribute = name.rpartition(".")
    return getattr(__import__(module, fromlist=[attribute]), attribute)


def test_every_public_name_is_documented():
    documented = public()
    assert {getattr(dlx, name) for name in dlx.__all__ if name != "__version__"} <= set(documented.values())
    assert RequestError in documented.values()
    for function in ("train", "load", "evaluate", "load_model"):
        returned = inspect.signature(getattr(dlx, function)).return_annotation
        named = returned if isinstance(returned, str) else returned.__name__
        assert named == "pd.DataFrame" or any(name.endswith(f".{named}") for name in documented)


@pytest.mark.parametrize(("name", "found"), public().items())
def test_a_public_name_says_what_it_takes_and_has(name, found):
    assert found.__doc__
    assert not inspect.isclass(found) or not _missing_attributes(found), name
    members = (
        [found]
        if inspect.isfunction(found)
        else [each for key, each in vars(found).items() if inspect.isfunction(each) and key[0] != "_"]
    )
    for each in members:
        assert each.__doc__, f"{name}: {each.__name__}"
        if name.startswith(("dlx.api", "dlx.results")):
            wanted = [key for key in inspect.signature(each).parameters if key != "self"]
            said = each.__doc__
            assert all(re.search(rf"^ +\*{{0,2}}{key}: ", said, re.MULTILINE) for key in wanted), (name, each)
            assert "Raises:" in said, f"{name}.{each.__name__}"


def _missing_attributes(found: type) -> list[str]:
    """Return the fields of a class that its docstring does not explain."""
    fields = list(getattr(found, "__dataclass_fields__", getattr(found, "_fields", ())))
    return [key for key in fields if not re.search(rf"(^ +|`){key}(`|: )", found.__doc__ or "", re.MULTILINE)]
