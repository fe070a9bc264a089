"""The HTML file stands alone: nothing is loaded, its policy names exactly what it carries, and it stays small."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest

from fiscotool.report.html import render_html
from fiscotool.report.json import render_json
from tests.report import runs
from tests.report.test_formats import Text

MIB = 1024 * 1024


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_nothing_is_loaded_from_anywhere(lang: str) -> None:
    page = render_html(*runs.broken(), lang=lang)
    for tag, attributes in Text(page).tags:
        for name in ("src", "href", "data", "action", "poster", "srcset", "xlink:href"):
            value = attributes.get(name)
            assert value is None or value.startswith("#") or value == "data:,", (tag, name, value)
    assert "@import" not in page
    assert not re.search(r"url\((?!#)", page)
    assert not re.search(r"https?://", page)


def test_the_policy_allows_the_carried_style_and_script_and_nothing_else() -> None:
    page = render_html(*runs.good())
    policy = next(str(a["content"]) for tag, a in Text(page).tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    for name in ("style", "script"):
        carried = re.search(rf"<{name}>(.*?)</{name}>", page, re.DOTALL)
        assert carried is not None
        digest = base64.b64encode(hashlib.sha256(carried.group(1).encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy


def test_the_verdict_comes_first_and_the_page_says_its_language() -> None:
    page = Text(render_html(*runs.good()))
    headings = [(tag, a) for tag, a in page.tags if tag in {"h1", "h2"}]
    assert headings[0][0] == "h1"
    assert [tag for tag, _ in headings].count("h1") == 1
    assert next(a["lang"] for tag, a in page.tags if tag == "html") == "en"
    assert next(a["lang"] for tag, a in Text(render_html(*runs.good(), lang="zh")).tags if tag == "html") == "zh-CN"


def test_charts_and_icons_are_named_or_hidden_for_those_who_listen() -> None:
    tags = Text(render_html(*runs.broken())).tags
    for tag, attributes in tags:
        if tag == "svg":
            assert attributes.get("aria-hidden") == "true" or attributes.get("role") == "img" or attributes.get("class") == "key"
        if tag == "th":
            assert attributes.get("scope") in {"col", "row", "rowgroup"}


def test_a_run_of_thirty_thousand_samples_gives_a_small_file_with_its_extremes() -> None:
    seen, judgement = runs.long_run()
    page = render_html(seen, judgement)
    assert len(page.encode()) < MIB
    assert len(render_json(seen, judgement).encode()) < MIB
    highest = max(sample.height or 0 for sample in seen.samples)
    largest_view = max(sample.view or 0 for sample in seen.samples)
    told = page[page.index('id="series"') :]
    assert re.search(rf", {highest}\]", told)
    assert re.search(rf", {largest_view}\]", told)


def test_thousands_of_problems_are_counted_not_listed() -> None:
    from dataclasses import replace

    seen, judgement = runs.good()
    page = render_html(replace(seen, problems=tuple(f"line {n}: not JSON" for n in range(5000))), judgement)
    assert page.count(": not JSON") == 200
    assert "4800 more" in page
