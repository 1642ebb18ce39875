"""The page in a browser: it draws, sorts, filters and picks by mouse and keyboard, and asks for nothing."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.report.browser.conftest import SHOWN, SIZES, Open

sync_api = pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.slow

CURVES = '[data-chart="accuracy"]'
SETTINGS = 'table[data-table="settings"] tbody tr'
RUNS = 'table[data-table="runs"] tbody tr'


def unfold(page: Any, heading: str) -> None:
    """Open a folded part of the page, by its key: a chart drawn meanwhile moves it from under a pointer."""
    page.locator("summary", has=page.get_by_role("heading", name=heading, exact=True)).press("Enter")


def drawn(page: Any) -> Any:
    """Return the accuracy chart, scrolled to and drawn by the script."""
    page.locator(CURVES).scroll_into_view_if_needed()
    return page.wait_for_selector(f"{CURVES}[data-ready] svg")


def draw(page: Any, chart: str) -> None:
    """Scroll to a chart until it is drawn: charts above it are drawn meanwhile, and may move it."""
    for _ in range(200):
        page.locator(chart).scroll_into_view_if_needed()
        if page.locator(f"{chart} >> .vega-embed svg").count():
            return
        page.wait_for_timeout(300)
    raise AssertionError(f"{chart} was not drawn within a minute")


def coloured(page: Any, count: int) -> None:
    """Wait until that many settings are in the chart's legend."""
    sync_api.expect(page.locator(f"{CURVES} .role-legend-label text")).to_have_count(count)


def legend(page: Any) -> list[str]:
    return page.locator(f"{CURVES} .role-legend-label text").all_text_contents()


def shown(page: Any, rows: str) -> int:
    return page.locator(f"{rows}:not([hidden])").count()


def column(page: Any, rows: str, index: int) -> list[str]:
    return page.locator(f"{rows}:not([hidden]) > :nth-child({index})").all_inner_texts()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_the_page_fits_every_window_in_either_colour_scheme(visit: Open, size: str, scheme: str) -> None:
    page = visit(size, scheme)
    for fold in page.locator("details.fold > summary").all():
        fold.press("Enter")
    charts = page.locator("[data-chart]")
    assert charts.count() >= 4
    for index in range(charts.count()):
        draw(page, f"[data-chart] >> nth={index}")
    assert page.evaluate("document.documentElement.scrollWidth") == SIZES[size][0]
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(map(int, re.findall(r"\d+", ground)[:3])) / 3
    assert (brightness < 60) == (scheme == "dark")
    page.get_by_role("button", name="Theme: auto").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(251, 251, 250)"


def test_the_first_screen_is_the_answer(visit: Open, eight: Path) -> None:
    page = visit(file=eight)
    draw(page, '[data-chart="answer"]')
    parts = [".answer", "#answer", "#important", "table", "#curves", ".fold"]
    tops = [page.locator(part).first.bounding_box()["y"] for part in parts]
    assert tops == sorted(tops)
    assert tops[parts.index("table")] < 1100
    important = page.locator("#important").bounding_box()
    assert important["y"] + important["height"] < 900
    assert not page.locator("details[open]").count()
    words = page.locator('[data-chart="answer"] svg text').all_text_contents()
    assert {"Scored best", "Undecided: not shown to be worse (1)", "Worse (6)"} <= set(words)


@pytest.mark.parametrize("size", ["phone", "desktop"])
def test_a_folded_chart_is_drawn_as_wide_as_its_room_when_it_opens(
    visit: Open, eight: Path, size: str
) -> None:
    page = visit(size, file=eight)
    chart = page.locator('[data-chart="differences"]')
    draw(page, '[data-chart="answer"]')
    page.set_viewport_size({"width": SIZES[size][0] - 20, "height": SIZES[size][1]})
    assert not page.locator('[data-chart="differences"] .vega-embed').count()
    unfold(page, "Differences")
    draw(page, '[data-chart="differences"]')
    room, svg = chart.bounding_box(), chart.locator("svg").first.bounding_box()
    assert 0.5 * room["width"] < svg["width"] <= room["width"] + 1
    assert page.evaluate("document.documentElement.scrollWidth") == SIZES[size][0] - 20


def test_names_too_long_for_a_phone_stand_above_their_rows(visit: Open, report: Path) -> None:
    page = visit("phone")
    draw(page, '[data-chart="answer"]')
    names = page.locator('[data-chart="answer"] .role-axis-label text').all_text_contents()
    assert "width 16, norm none, lr 0.0001" in names


def test_links_open_the_fold_they_lead_into(visit: Open, eight: Path) -> None:
    page = visit(file=eight)
    sentence = page.get_by_text("sgd, lr 0.1 is worse than adam, lr 1", exact=False).first
    assert not sentence.is_visible()
    page.get_by_role("link", name="How this was compared").click()
    assert sentence.is_visible()
    assert page.locator("#comparisons").bounding_box()["y"] < SIZES["desktop"][1]
    assert visit(file=eight, anchor="#findings").locator("#findings").is_visible()


def test_folds_stay_open_when_the_page_reloads(visit: Open, eight: Path) -> None:
    page = visit(file=eight)
    unfold(page, "Runs")
    sync_api.expect(page.locator(RUNS).first).to_be_visible()
    page.reload()
    page.wait_for_selector("html[data-ready]")
    assert page.locator(RUNS).first.is_visible()
    assert page.locator("details.fold[open]").count() == 1


def test_words_filter_settings_and_runs_and_the_count_is_announced(visit: Open) -> None:
    page = visit()
    assert (shown(page, SETTINGS), shown(page, RUNS)) == (12, 22)
    page.get_by_label("Find").fill("RUN3-1 width")
    assert (shown(page, SETTINGS), shown(page, RUNS)) == (1, 1)
    assert page.locator("output[aria-live=polite]").inner_text() == "1 of 12 settings, 1 of 22 runs"
    page.get_by_role("button", name="Clear filter").click()
    assert (shown(page, SETTINGS), shown(page, RUNS)) == (12, 22)


def test_values_and_statuses_filter_settings_and_runs(visit: Open) -> None:
    page = visit()
    page.get_by_label("width", exact=True).select_option(label="16")
    assert set(column(page, SETTINGS, 2)) == {"16"}
    page.get_by_role("button", name="Clear filter").click()
    page.get_by_label("status").select_option(label="diverged")
    assert (shown(page, SETTINGS), shown(page, RUNS)) == (1, 1)


def test_a_heading_sorts_up_and_down_by_mouse_and_keyboard(visit: Open) -> None:
    page = visit()
    heading = page.locator('table[data-table="settings"] th', has=page.get_by_role("button", name="lr"))
    index = 1 + heading.evaluate("cell => cell.cellIndex")
    heading.get_by_role("button").click()
    rates = [float(text) for text in column(page, SETTINGS, index)]
    assert rates == sorted(rates)
    assert heading.get_attribute("aria-sort") == "ascending"
    heading.get_by_role("button").press("Enter")
    assert [float(text) for text in column(page, SETTINGS, index)] == sorted(rates, reverse=True)
    assert heading.get_attribute("aria-sort") == "descending"
    accuracy = page.get_by_role("button", name="val accuracy").first
    for _ in range(2):  # what diverged has none, and is last either way
        accuracy.click()
        assert column(page, SETTINGS, index)[-1] == "2"


def test_selected_settings_are_drawn_in_colour(visit: Open) -> None:
    page = visit()
    drawn(page)
    assert len(legend(page)) == 8
    box = page.locator(f"{SETTINGS} input").nth(2)
    box.press("Space")
    label = box.get_attribute("aria-label").removeprefix("Draw the runs of ")
    coloured(page, 1)
    assert legend(page) == [label]
    assert page.get_by_text("1 setting selected").is_visible()
    assert "1 setting in colour, 11 in grey, 2 single runs" in page.locator("[data-shown]").first.inner_text()
    page.locator(SETTINGS).nth(3).locator("td").last.click()
    assert page.get_by_text("2 settings selected").is_visible()
    page.get_by_role("button", name="Show the curves").click()
    sync_api.expect(page.locator(CURVES)).to_be_in_viewport()
    page.get_by_role("button", name="Clear selection").click()
    coloured(page, 8)


def test_a_selected_run_has_its_own_curve(visit: Open) -> None:
    page = visit()
    drawn(page)
    unfold(page, "Runs")
    row = page.locator(RUNS, has=page.get_by_role("button", name="run4-1", exact=True))
    row.locator("input").check()
    coloured(page, 1)
    box = drawn(page).bounding_box()
    told = set()
    for across in range(60, int(box["width"]), 12):
        for down in range(20, 200, 12):
            page.mouse.move(box["x"] + across, box["y"] + down)
            told.add(page.locator("#tip").text_content())
    own = {text for text in told if text.startswith("run4-1\n")}
    assert "epoch 3: 0.8300" in {text.split("\n")[1] for text in own}
    assert any("mean of 2 runs, 0.8200 to 0.8300" in text for text in told)


def test_curves_show_only_filtered_settings(visit: Open) -> None:
    page = visit()
    drawn(page)
    page.get_by_label("status").select_option(label="diverged")
    coloured(page, 1)
    assert legend(page) == ["width 8, norm none, lr 2"]


def test_the_dialog_of_a_run_has_its_settings_command_and_files(visit: Open) -> None:
    page = visit()
    unfold(page, "Runs")
    page.get_by_role("button", name="run0-0", exact=True).press("Enter")
    dialog = page.get_by_role("dialog", name="run0-0")
    text = dialog.inner_text()
    assert "completed · width 8, norm none, lr 1" in text
    assert "dlx train name=study optimizer.lr=6" in text
    link = dialog.get_by_role("link", name="history.csv")
    assert link.get_attribute("href") == "../run0-0/history.csv"
    page.keyboard.press("Escape")
    assert not dialog.is_visible()


@pytest.mark.parametrize("size", ["phone", "desktop"])
def test_hostile_names_are_text_in_tables_charts_and_dialogs(visit: Open, size: str) -> None:
    page = visit(size)
    assert SHOWN in page.locator(SETTINGS).first.inner_text()
    drawn(page)
    page.get_by_label("Find").fill("onerror")
    coloured(page, 1)
    unfold(page, "Runs")
    page.get_by_role("button", name=SHOWN.replace("/", ""), exact=True).click()
    assert SHOWN in page.get_by_role("dialog").inner_text()
    page.keyboard.press("Escape")
    box = drawn(page).bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 60)
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 80)
    page.locator("#tip", has_text="onerror").wait_for()
    assert page.locator("body img, #tip *").count() == 0
    assert page.title() == "page <b> · dlx report"


def test_without_scripts_the_page_shows_the_same(visit: Open) -> None:
    page = visit(java_script_enabled=False)
    assert page.locator(SETTINGS).count() == 12
    assert page.locator(f"{CURVES} > svg").is_visible()
    assert not page.locator("form.filter").is_visible()
    assert page.get_by_role("button").count() == 0
    assert "dlx train name=study" in page.locator("#reproduce").text_content()


def test_print_has_no_controls_and_a_white_background(visit: Open) -> None:
    page = visit(scheme="dark")
    page.locator(f"{SETTINGS} input").first.check()
    page.emulate_media(media="print", color_scheme="dark")
    for control in ("form.filter", ".theme", ".bar", ".pick"):
        assert not page.locator(control).first.is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
