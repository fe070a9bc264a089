"""Headless chromium opens the report: it shows what it should, asks the network for nothing, complains about nothing, and can be used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fiscotool.report.html import render_html
from tests.report import runs
from tests.report.browser import Page, open_browser

pytestmark = pytest.mark.browser

PNG = b"\x89PNG\r\n\x1a\n"
PAGES = {
    "good-en": (runs.good, "en"),
    "good-zh": (runs.good, "zh"),
    "broken-en": (runs.broken, "en"),
    "hostile-en": (runs.hostile, "en"),
    "hostile-zh": (runs.hostile, "zh"),
    "open-zh": (runs.open_run, "zh"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    for name, (make, lang) in PAGES.items():
        (folder / f"{name}.html").write_text(render_html(*make(), lang=lang), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def browser(folder: Path) -> Iterator[Page]:
    with open_browser(folder / "profile") as page:
        yield page


@pytest.fixture
def page(browser: Page) -> Page:
    browser.requests.clear()
    browser.complaints.clear()
    return browser


def count(page: Page, selector: str) -> int:
    return int(page.eval(f"document.querySelectorAll({selector!r}).length"))


def press(page: Page, selector: str) -> None:
    page.eval(f"document.querySelector({selector!r}).click()")


def test_the_browser_would_tell(page: Page, folder: Path) -> None:
    path = folder / "bad.html"
    path.write_text("<script>console.error('oh'); alert('ah'); nobody()</script><img src='http://127.0.0.1:9/x.png'>", encoding="utf-8")
    page.open(path)
    assert "http://127.0.0.1:9/x.png" in page.requests
    told = " ".join(page.complaints)
    assert all(word in told for word in ("oh", "ah", "nobody is not defined", "ERR_"))


@pytest.mark.parametrize("name", PAGES)
def test_the_page_loads_whole_without_a_request_or_a_complaint(page: Page, folder: Path, name: str) -> None:
    path = folder / f"{name}.html"
    page.open(path)
    assert page.requests == [path.resolve().as_uri()]
    assert page.complaints == []
    make, _ = PAGES[name]
    seen, judgement = make()
    nodes = len(seen.run.nodes)
    assert count(page, ".panel.height .series") == nodes
    assert count(page, ".panel.view .series") == nodes
    assert count(page, ".lane") == nodes
    assert count(page, ".finding") == len(judgement.findings)
    assert count(page, "g.band") == len(seen.faults)
    assert page.eval("document.querySelector('#verdict').className") == f"hero {judgement.verdict.value}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", ["good-en", "good-zh", "hostile-zh"])
def test_it_fits_wide_and_narrow_in_light_and_dark(page: Page, folder: Path, name: str, width: int, scheme: str) -> None:
    page.open(folder / f"{name}.html", width=width, scheme=scheme)
    assert page.eval("document.documentElement.scrollWidth") <= width, "the page scrolls sideways"
    ground = page.eval("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)")
    assert (sum(ground) < 3 * 80) == (scheme == "dark")
    picture = page.screenshot(folder / f"{name}-{width}-{scheme}.png", height=1500)
    assert picture.startswith(PNG)
    assert len(picture) > 20_000, "the picture is empty"


def test_lines_are_seen_and_stand_in_the_colours_of_their_nodes(page: Page, folder: Path) -> None:
    page.open(folder / "good-en.html")
    boxes: list[dict[str, Any]] = page.eval(
        "[...document.querySelectorAll('.panel .series')].map(e => {const b = e.getBoundingClientRect(), s = getComputedStyle(e);"
        " return {width: b.width, height: b.height, stroke: s.stroke, node: e.dataset.node}})"
    )
    assert all(box["width"] > 500 and box["height"] > 20 for box in boxes)
    by_node = {box["node"]: {other["stroke"] for other in boxes if other["node"] == box["node"]} for box in boxes}
    assert all(len(strokes) == 1 for strokes in by_node.values())
    assert len({next(iter(strokes)) for strokes in by_node.values()}) == 4


def test_filters_show_one_verdict_and_all_again(page: Page, folder: Path) -> None:
    page.open(folder / "broken-en.html")
    _, judgement = runs.broken()
    broken = sum(finding.verdict.value == "violated" for finding in judgement.findings)
    shown = "[...document.querySelectorAll('.finding')].filter(e => e.offsetParent !== null).length"
    press(page, "[data-filter=violated]")
    assert page.eval(shown) == broken
    press(page, "[data-filter='']")
    assert page.eval(shown) == len(judgement.findings)
    press(page, "#unfold")
    assert page.eval("[...document.querySelectorAll('.finding details')].every(e => e.open)")
    press(page, "#unfold")
    assert not page.eval("[...document.querySelectorAll('.finding details')].some(e => e.open)")
    assert page.complaints == []


def test_a_reason_leads_to_its_finding_and_the_evidence_to_the_line(page: Page, folder: Path) -> None:
    page.open(folder / "broken-en.html")
    press(page, ".reasons a")
    assert page.eval("location.hash") == "#f-agreement"
    assert page.eval("document.querySelector('#f-agreement details').open")
    press(page, "#f-agreement .cites a")
    assert page.eval("document.querySelector(':target').tagName") == "LI"
    assert page.eval("document.querySelector(':target code').textContent.includes('block_hash')")


def test_the_pointer_and_the_arrow_keys_read_values_off_the_chart(page: Page, folder: Path) -> None:
    page.open(folder / "good-en.html")
    seen, _ = runs.good()
    last = max((s for s in seen.samples if s.node == "node0" and s.got_s < 50), key=lambda s: s.got_s)
    page.eval(
        "(() => {const c = document.getElementById('chart'), b = c.getBoundingClientRect(), d = JSON.parse(series.textContent);"
        " const x = d.left + (50 - d.start) / (d.end - d.start) * (d.right - d.left);"
        " c.dispatchEvent(new PointerEvent('pointermove', {clientX: b.left + x * b.width / c.viewBox.baseVal.width, clientY: b.top + 50}))})()"
    )
    told = page.eval("document.getElementById('readout').innerText")
    assert told.startswith("50.")
    assert f"Height {last.height}" in told
    assert f"View {last.view}" in told
    page.eval("document.querySelector('.chart-scroll').dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight', shiftKey: true}))")
    assert page.eval("document.getElementById('readout').innerText").startswith("53.")
    assert page.complaints == []


def test_the_readers_choice_of_light_and_dark_wins(page: Page, folder: Path) -> None:
    page.open(folder / "good-en.html", scheme="light")
    before = page.eval("getComputedStyle(document.body).backgroundColor")
    press(page, "#theme")
    assert page.eval("getComputedStyle(document.body).backgroundColor") != before
    assert page.eval("document.getElementById('theme').getAttribute('aria-pressed')") == "true"


def test_it_prints_everything_unfolded(page: Page, folder: Path) -> None:
    page.open(folder / "broken-en.html", scheme="dark")
    paper = page.pdf()
    assert paper.startswith(b"%PDF")
    assert paper.count(b"/Type /Page\n") + paper.count(b"/Type /Page ") >= 3
    page.send("Emulation.setEmulatedMedia", media="print")
    assert page.eval("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.eval("[...document.querySelectorAll('.more')].every(e => e.getBoundingClientRect().height > 20)")
    page.send("Emulation.setEmulatedMedia", media="")


def test_without_scripts_all_of_it_can_be_read(page: Page, folder: Path) -> None:
    page.send("Emulation.setScriptExecutionDisabled", value=True)
    try:
        page.open(folder / "broken-en.html")
        assert page.complaints == []
    finally:
        page.send("Emulation.setScriptExecutionDisabled", value=False)
    _, judgement = runs.broken()
    assert count(page, ".finding") == len(judgement.findings)
    assert page.eval("[...document.querySelectorAll('.needs-js')].every(e => e.offsetParent === null)")
