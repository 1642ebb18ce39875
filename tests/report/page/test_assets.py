"""The page's script: every file beside it is in it, and only that text may run."""

from importlib.resources import files

from dlx.report.page.assets import SCRIPTS, policy, script


def test_every_file_is_part_of_the_script() -> None:
    names = [file.name for file in files("dlx.report.page").iterdir()]
    assert {each for each in names if each.endswith(".js")} == {f"{name}.js" for name in SCRIPTS}


def test_the_script_holds_nothing_that_ends_its_element() -> None:
    text = script("")
    assert "</script" not in text
    assert "<!--" not in text
    assert "\r" not in text  # a browser would change it, and the hash with it


def test_a_page_without_a_script_allows_none() -> None:
    assert "script-src" not in policy()
    assert policy("a") != policy("b")
