"""docs/invariants.md says what the rules say, and explains every word the modules refer it for."""

from __future__ import annotations

import re

import pytest

from fiscotool.consistency.judge import RULES
from tests.consistency.invariants_page import PAGE, page
from tests.support.shared import ROOT

pytestmark = pytest.mark.xdist_group("planted")


def test_the_page_is_what_the_code_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: make docs"


def test_every_invariant_has_one_section() -> None:
    sections = re.findall(r"^### (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(sections) == sorted(invariant.id for invariant, _ in RULES)


def test_what_modules_refer_to_is_there() -> None:
    text = PAGE.read_text(encoding="utf-8").lower()
    for module in (ROOT / "fiscotool" / "consistency").glob("*.py"):
        for label in re.findall(r"docs/invariants\.md (L\d)", module.read_text(encoding="utf-8")):
            assert f"**{label.lower()}" in text, (module.name, label)
        for topic in re.findall(r"docs/invariants\.md on (\w+)", module.read_text(encoding="utf-8")):
            assert re.search(rf"^## .*{topic}", text, re.MULTILINE), (module.name, topic)
