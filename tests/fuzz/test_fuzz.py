"""A short search with the same examples every time; `python -m tests.fuzz --minutes 10` searches on."""

import pytest

from tests.fuzz.properties import PROPERTIES
from tests.fuzz.search import offline, search


@pytest.fixture(scope="module", autouse=True)
def _in_a_folder_of_its_own(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch, offline():
        patch.chdir(tmp_path_factory.mktemp("fuzz"))
        yield


@pytest.mark.parametrize("name", [name for name, one in PROPERTIES.items() if one.tests])
def test_every_input_is_answered_in_a_line_or_two(name):
    search(PROPERTIES[name], PROPERTIES[name].tests)
