"""HTML, Markdown, JSON and JUnit say the same, in both languages, of good, open and broken runs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest

from fiscotool.consistency.findings import Judgement, Verdict
from fiscotool.consistency.observations import Observations
from fiscotool.report.content import started_text
from fiscotool.report.html import render_html
from fiscotool.report.json import SCHEMA, render_json
from fiscotool.report.junit import render_junit
from fiscotool.report.markdown import escaped, fenced, render_markdown
from fiscotool.report.story import lost_count
from tests.report import runs
from tests.report.runs import HOSTILE, Run

RUNS = [runs.good, runs.open_run, runs.broken]
VERDICTS = {"good": "holds", "open_run": "inconclusive", "broken": "violated"}
every_run = pytest.mark.parametrize("make", RUNS, ids=lambda make: str(make.__name__))


class Text(HTMLParser):
    """The page as text, its elements, its attributes, and the rows of its tables."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.words: list[str] = []
        self._skipped = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in {"style", "script"}:
            self._skipped = tag
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"} and self.rows:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == self._skipped:
            self._skipped = ""

    def handle_data(self, data: str) -> None:
        if self._skipped:
            return
        self.words.append(data)
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


def junit(seen: Observations, judgement: Judgement) -> ET.Element:
    return ET.fromstring(render_junit(seen, judgement))  # noqa: S314  what we wrote ourselves a moment ago


def verdicts(judgement: Judgement) -> dict[str, str]:
    return {finding.invariant.id: finding.verdict.value for finding in judgement.findings}


@every_run
def test_all_formats_give_every_invariant_the_same_verdict(make: Callable[[], Run]) -> None:
    seen, judgement = make()
    expected = verdicts(judgement)
    assert judgement.verdict.value == VERDICTS[make.__name__]

    page = Text(render_html(seen, judgement))
    from_html = {str(a["id"])[2:]: a["data-verdict"] for tag, a in page.tags if tag == "tr" and "data-verdict" in a}
    assert from_html == expected
    assert [a["class"] for tag, a in page.tags if a.get("id") == "verdict"] == [f"hero {judgement.verdict.value}"]

    document = json.loads(render_json(seen, judgement))
    assert {each["invariant"]["id"]: each["verdict"] for each in document["findings"]} == expected
    assert document["verdict"] == judgement.verdict.value

    marks = {"✔": "holds", "✘": "violated", "?": "inconclusive"}
    from_markdown = re.findall(r"^### (.) .* \(([\w\\-]+)\)$", render_markdown(seen, judgement), re.MULTILINE)
    assert {name.replace("\\", ""): marks[mark] for mark, name in from_markdown} == expected

    cases = {case.get("name"): case for case in junit(seen, judgement).iter("testcase")}
    told = {
        name: "violated" if c.find("failure") is not None else "inconclusive" if c.find("skipped") is not None else "holds"
        for name, c in cases.items()
    }
    assert told.pop("verdict") == judgement.verdict.value
    assert told == expected


@every_run
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_summaries_evidence_and_recoveries_stand_in_all_of_them(make: Callable[[], Run], lang: str) -> None:
    seen, judgement = make()
    page = Text(render_html(seen, judgement, lang=lang)).text
    paper = render_markdown(seen, judgement, lang=lang)
    document = render_json(seen, judgement)
    xml = "".join(junit(seen, judgement).itertext())
    for finding in judgement.findings:
        zh = lang == "zh"
        rule = finding.invariant
        for text in (
            finding.summary_zh if zh else finding.summary,
            rule.title_zh if zh else rule.title,
            rule.definition_zh if zh else rule.definition,
            rule.source,
        ):
            assert " ".join(text.split()) in page
            assert escaped(text) in paper
            assert json.dumps(text, ensure_ascii=False)[1:-1] in document
        for fact in finding.evidence:
            assert " ".join((fact.text_zh if zh else fact.text).split()) in page
            assert escaped(fact.text_zh if zh else fact.text) in paper
            assert fact.text in xml or finding.verdict is Verdict.VIOLATED
    for each in judgement.recoveries:
        if each.rto_s is not None:
            figure = f"{each.rto_s:.2f} ± {each.error_s:.2f}"
            assert figure in page
            assert figure in paper
            assert f"RTO {each.rto_s:.2f} s ± {each.error_s:.2f} s" in xml
    for problem in seen.problems:
        assert problem in page
        assert escaped(problem) in paper


def test_a_violated_cases_evidence_is_in_its_junit_failure() -> None:
    seen, judgement = runs.broken()
    cases = {case.get("name"): case for case in junit(seen, judgement).iter("testcase")}
    for finding in judgement.findings:
        if finding.verdict is Verdict.VIOLATED:
            failure = cases[finding.invariant.id].find("failure")
            assert failure is not None
            assert failure.get("message") == finding.summary
            assert all(fact.text in (failure.text or "") for fact in finding.evidence)


def test_junit_counts_are_right() -> None:
    seen, judgement = runs.broken()
    root = junit(seen, judgement)
    for element in (root, *root.iter("testsuite")):
        cases = list(element.iter("testcase"))
        assert element.get("tests") == str(len(cases))
        assert element.get("failures") == str(sum(case.find("failure") is not None for case in cases))
        assert element.get("skipped") == str(sum(case.find("skipped") is not None for case in cases))
    assert root.get("tests") == str(len(judgement.findings) + 1)


def test_the_chinese_page_has_no_english_sentence_of_ours() -> None:
    seen, judgement = runs.broken()
    page = Text(render_html(seen, judgement, lang="zh")).text
    from fiscotool.report.words import all_keys, both

    for key in all_keys():
        english, chinese = both(key)
        if english != chinese and len(english) > 12 and "{" not in english:
            assert english not in page, key
    for finding in judgement.findings:
        assert finding.invariant.title not in page
        assert finding.summary not in page


def test_every_cited_line_is_in_the_appendix_and_every_link_leads_somewhere() -> None:
    for make in RUNS:
        page = Text(render_html(*make()))
        ids = [str(a["id"]) for _, a in page.tags if "id" in a]
        assert len(ids) == len(set(ids))
        targets = {str(a["href"])[1:] for tag, a in page.tags if tag == "a"}
        assert targets <= set(ids)
    seen, judgement = runs.broken()
    cited = {line for finding in judgement.findings for fact in finding.evidence for line in fact.lines}
    assert cited
    assert {f"L{line}" for line in cited} <= {str(a.get("id")) for _, a in Text(render_html(seen, judgement)).tags}


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_text_from_nodes_never_becomes_markup(lang: str) -> None:
    plain = Text(render_html(*runs.broken(), lang=lang))
    page = render_html(*runs.hostile(), lang=lang)
    hostile = Text(page)
    assert "<script>alert" not in page
    assert "<img" not in page
    count = [sum(tag == name for tag, _ in hostile.tags) for name in ("script", "style", "link", "img", "iframe", "meta")]
    assert count == [sum(tag == name for tag, _ in plain.tags) for name in ("script", "style", "link", "img", "iframe", "meta")]
    assert not [a for _, a in hostile.tags for name in a if name.startswith("on") or name == "style"]
    assert " ".join(HOSTILE.split()) in hostile.text


def test_hostile_text_is_harmless_in_the_other_formats_too() -> None:
    seen, judgement = runs.hostile()
    root = junit(seen, judgement)
    assert {element.tag for element in root.iter()} <= {
        "testsuites", "testsuite", "testcase", "failure", "skipped", "system-out", "properties", "property"
    }  # fmt: skip
    assert json.loads(render_json(seen, judgement))["run"]["drill"] == HOSTILE
    paper = render_markdown(seen, judgement)
    outside = re.sub(r"^(`{3,}).*?^\1$", "", paper, flags=re.MULTILINE | re.DOTALL)
    assert "<script" not in outside.replace("\\<script", "")
    assert "\n# big" not in outside
    rows = [line for line in outside.splitlines() if line.startswith("|")]
    widths = [len(re.findall(r"(?<!\\)\|", row)) for row in rows]
    assert set(widths) <= {5, 7, 8, 10}, "a row has as many cells as its table has columns"


def test_a_fence_is_longer_than_any_inside() -> None:
    assert fenced("a ```` b") == ["`````", "a ```` b", "`````"]


def test_json_is_strict_and_says_what_it_is() -> None:
    for make in (*RUNS, runs.hostile):
        document = json.loads(render_json(*make()), parse_constant=pytest.fail)
        assert document["schema"] == SCHEMA
        assert list(document)[:2] == ["schema", "verdict"]
        assert sum(document["counts"].values()) == len(document["findings"])
        assert {node["name"] for node in document["nodes"]} == {node["name"] for node in document["run"]["nodes"]}


def test_lost_transactions_are_counted_and_never_guessed() -> None:
    assert lost_count(runs.broken()[1]) == 1
    assert lost_count(runs.good()[1]) == 0
    assert lost_count(runs.open_run()[1]) is None
    assert json.loads(render_json(*runs.open_run()))["transactions"]["lost"] is None


def test_the_start_is_written_in_utc_and_nonsense_is_left_alone() -> None:
    assert started_text("2027-01-15T10:00:00.25+02:00") == "2027-01-15 08:00:00 UTC"
    assert started_text("yesterday") == "yesterday"
    assert started_text("2027-01-15T10:00:00") == "2027-01-15T10:00:00"
    assert started_text("") == ""
