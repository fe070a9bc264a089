"""docs/doctor.md lists every finding as the code words it."""

from __future__ import annotations

import pytest

from fiscotool.chain.findings import Words
from fiscotool.chain.lint_words import WORDS as LINT
from fiscotool.doctor.words import WORDS as DOCTOR
from tests.support.shared import ROOT


@pytest.mark.parametrize(("name", "words"), [*LINT.items(), *DOCTOR.items()])
def test_the_page_lists_it(name: str, words: Words) -> None:
    page = (ROOT / "docs/doctor.md").read_text(encoding="utf-8")
    cells = (f"`{name}`", words.severity.name.lower(), words.fact_en, words.remedy_en)
    assert "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |" in page
