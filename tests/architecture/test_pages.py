"""What a page promises is there: files, headings, tests and switches that it names; and the two READMEs say the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from fiscotool.chain.misbehaviour import BYZANTINE_MODES
from fiscotool.pbft.rules import Quirk
from tests.support.shared import ROOT

PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
READMES = ROOT / "README.md", ROOT / "README.zh-CN.md"
LINK = re.compile(r"\]\(([^)#\s]*)(#[^)\s]+)?\)")


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """The anchors that a forge makes of the page's headings."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {"#" + re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path) -> Iterator[str]:
    for target, anchor in LINK.findall(prose(page)):
        if "://" in target:
            continue
        path = (page.parent / target).resolve() if target else page
        if not path.exists():
            yield f"{page.name}: {target} is not there"
        elif anchor and anchor not in anchors(path):
            yield f"{page.name}: {target}{anchor} is no heading"


def test_links_lead_somewhere() -> None:
    assert not [broken for page in PAGES for broken in broken_links(page)]


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Here\n[a](gone.md) [b](#here) [c](#there)\n```text\n[d](in-a-block.md)\n```\n", encoding="utf-8")
    assert list(broken_links(page)) == ["page.md: gone.md is not there", "page.md: #there is no heading"]


@cache
def written_tests() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "tests").rglob("*.py")))


def test_tests_that_pages_name_are_there() -> None:
    """`test_x.py::test_y…` in a table is a test whose name begins so; `tests/…` is a file."""
    gone = []
    for page in PAGES:
        text = prose(page)
        gone += [f"{page.name}: {name}" for name in re.findall(r"\b(test_\w+)(?:…|\[|`)", text) if f"def {name}" not in written_tests()]
        gone += [f"{page.name}: {path}" for path in re.findall(r"`(tests/[\w./]+)", text) if not (ROOT / path).exists()]
    assert not gone


def rows_of(page: str) -> list[str]:
    """The first cells of the page's tables."""
    return re.findall(r"^\| ([^|]+) \|", (ROOT / "docs" / page).read_text(encoding="utf-8"), re.MULTILINE)


def test_every_hole_and_bug_has_its_row() -> None:
    named = [name for row in rows_of("pbft.md") for name in re.findall(r"`([^`]+)`", row)]
    assert [quirk.value for quirk in Quirk if named.count(quirk.value) != 1] == []
    text = (ROOT / "docs" / "pbft.md").read_text(encoding="utf-8")
    assert [f"H{number}" for number in range(1, 9) if not re.search(rf"\bH{number}\b", text)] == []
    assert [f"F{number}" for number in range(1, 19) if not re.search(rf"\b[fF]{number}\b", text)] == []


def test_every_way_to_misbehave_has_its_row() -> None:
    named = {name for row in rows_of("embedded.md") for name in re.findall(r"`([^`]+)`", row)}
    assert [mode for mode in BYZANTINE_MODES if mode not in named] == []


def outline(page: Path) -> list[str]:
    """Levels of headings, rows of tables, items of lists, links and code, in their order, whatever the language."""
    kinds = (r"#+(?= )", r"\|(?= )", r"\d+\.(?= )")
    found = []
    for line in page.read_text(encoding="utf-8").splitlines():
        found += [kind.group() for kind in (re.match(each, line) for each in kinds) if kind]
    return found


def test_the_readmes_have_one_structure() -> None:
    english, chinese = READMES
    assert outline(english) == outline(chinese)
    assert set(LINK.findall(prose(english))) ^ set(LINK.findall(prose(chinese))) == {
        ("README.md", ""), ("README.zh-CN.md", ""), ("docs/images/report.png", ""), ("docs/images/report-zh.png", ""),
    }  # fmt: skip


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_the_readme_links_every_page(readme: Path) -> None:
    linked = {target for target, _ in LINK.findall(prose(readme))}
    pages = {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md")}
    assert pages <= linked
