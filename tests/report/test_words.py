"""Every word of the reports exists in both languages, takes the same values, and is used."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fiscotool.consistency.findings import InvariantClass, Verdict
from fiscotool.errors import UsageError
from fiscotool.report import words
from fiscotool.report.words import Speech, all_keys, both
from tests.support.shared import ROOT

CHINESE = re.compile("[\u3400-\u9fff]")
HALF_WIDTH = re.compile("[\u3400-\u9fff][,:;?()]|[,:;?()][\u3400-\u9fff]")
SAME_IN_BOTH = {"brand", "none", "col_rto", "col_rpo", "sentence_gap"}
"""A name, abbreviations and punctuation."""


@pytest.mark.parametrize("key", all_keys())
def test_each_word_is_said_in_both_languages_with_the_same_values(key: str) -> None:
    english, chinese = both(key)
    assert set(re.findall(r"\{(\w+)\}", english)) == set(re.findall(r"\{(\w+)\}", chinese))
    assert not CHINESE.search(english)
    if key not in SAME_IN_BOTH:
        assert CHINESE.search(re.sub(r"\{\w+\}", "", chinese)) or "{" in chinese, f"{key} is not translated"
        assert english != chinese
    assert not HALF_WIDTH.search(chinese), "Chinese sentences take Chinese punctuation"


def test_no_word_is_left_over() -> None:
    package = Path(words.__file__).parent
    sources = [*package.glob("*.py"), *(package / "templates").iterdir()]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources if path.name != "words.py")
    made = {"kind_", "role_", "col_", "chart_"}
    verdicts = {verdict.value for verdict in Verdict}
    classes = {kind.value for kind in InvariantClass} | {f"{kind.value}_means" for kind in InvariantClass}
    records = {"sample_word", "block_word", "tx_word", "fault_word"}
    unused = [
        key
        for key in all_keys()
        if f'"{key}"' not in text
        and f"'{key}'" not in text
        and key not in verdicts | classes | records
        and not any(key.startswith(prefix) for prefix in made)
    ]
    assert unused == []


def test_an_unknown_language_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match="'fr'") as caught:
        Speech("fr")
    assert "en, zh" in caught.value.hint


def test_a_fault_we_have_no_word_for_is_shown_as_recorded() -> None:
    assert Speech("zh").fault_kind("meteor") == "meteor"
    assert Speech("en").fault_kind("SIGSTOP") == "freeze"
    assert Speech("zh").fault_role("") == ""


def test_the_package_ships_its_templates() -> None:
    assert (ROOT / "fiscotool" / "report" / "templates" / "report.html.j2").is_file()
    from fiscotool.report.html import template_text

    for name in ("report.html.j2", "chart.svg.j2", "report.css", "report.js"):
        assert len(template_text(name)) > 500, name
