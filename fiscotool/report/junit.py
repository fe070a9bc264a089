"""The findings as JUnit XML, for build servers: one suite a class of invariants, one case an invariant.

Rule 1. Violated is a failure; inconclusive is skipped, with the reason; so a build turns red for what was seen, not for what was not.
Rule 2. A run whose whole verdict is inconclusive has one more case, `verdict`, that is skipped: it must not look all green.
Rule 3. Characters that XML 1.0 cannot hold are replaced; everything else is escaped by the XML writer.

Sources: the JUnit schema as build servers read it (testsuites, testsuite, testcase, failure, skipped, system-out); docs/report.md.
"""

from __future__ import annotations

import re
from typing import Final
from xml.etree import ElementTree as ET

from fiscotool.consistency.findings import Finding, InvariantClass, Judgement, Verdict
from fiscotool.consistency.observations import Observations
from fiscotool.report.content import content_of

_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render_junit(observations: Observations, judgement: Judgement) -> str:
    """The XML text, with a declaration."""
    content = content_of(observations, judgement, "en")
    name = observations.run.drill or "fiscotool"
    seconds = content.timeline.end_s - content.timeline.start_s
    root = ET.Element("testsuites", {"name": _text(f"fiscotool: {name}"), "time": f"{seconds:.3f}"})
    totals = [0, 0, 0]
    for kind in InvariantClass:
        found = [finding for finding in judgement.findings if finding.invariant.kind is kind]
        if found:
            _suite(root, kind.value, [_case(finding) for finding in found], totals)
    _suite(
        root,
        "run",
        [_whole(judgement, content.headline, "\n".join([*(f"{r.title}: {r.summary}" for r in content.reasons), content.count_line]))],
        totals,
    )
    for key, value in zip(("tests", "failures", "skipped"), totals, strict=True):
        root.set(key, str(value))
    root.set("errors", "0")
    _properties(root[0], observations)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(root: ET.Element, name: str, cases: list[ET.Element], totals: list[int]) -> None:
    counts = [len(cases), sum(case.find("failure") is not None for case in cases), sum(case.find("skipped") is not None for case in cases)]
    attributes = dict(zip(("tests", "failures", "skipped"), map(str, counts), strict=True))
    suite = ET.SubElement(root, "testsuite", {"name": name, **attributes, "errors": "0"})
    suite.extend(cases)
    totals[:] = [total + count for total, count in zip(totals, counts, strict=True)]


def _case(finding: Finding) -> ET.Element:
    rule = finding.invariant
    case = ET.Element("testcase", {"classname": f"fiscotool.{rule.kind.value}", "name": rule.id})
    if finding.verdict is Verdict.VIOLATED:
        failure = ET.SubElement(case, "failure", {"type": rule.kind.value, "message": _text(finding.summary)})
        failure.text = _text("\n".join(_evidence(finding)))
    elif finding.verdict is Verdict.INCONCLUSIVE:
        ET.SubElement(case, "skipped", {"message": _text(finding.summary)})
    said = [
        f"{rule.title}: {finding.summary}",
        f"checked: {finding.checked_count}",
        f"definition: {rule.definition}",
        f"source: {rule.source}",
    ]
    if finding.verdict is not Verdict.VIOLATED:
        said += _evidence(finding)
    ET.SubElement(case, "system-out").text = _text("\n".join(said))
    return case


def _evidence(finding: Finding) -> list[str]:
    return [each.text + (f" [recording lines {', '.join(map(str, each.lines))}]" if each.lines else "") for each in finding.evidence]


def _whole(judgement: Judgement, headline: str, because: str) -> ET.Element:
    case = ET.Element("testcase", {"classname": "fiscotool.run", "name": "verdict"})
    if judgement.verdict is Verdict.VIOLATED:
        ET.SubElement(case, "failure", {"type": "verdict", "message": _text(headline)}).text = _text(because)
    elif judgement.verdict is Verdict.INCONCLUSIVE:
        ET.SubElement(case, "skipped", {"message": _text(headline)})
    lines = [f"{judgement.verdict.value}: {headline}", because]
    for each in judgement.recoveries:
        rto = "not seen" if each.rto_s is None else f"{each.rto_s:.2f} s ± {each.error_s:.2f} s"
        bound = "none" if each.bound_s is None else f"{each.bound_s:.1f} s"
        lines.append(f"{each.kind} {each.node}: RTO {rto}, bound {bound}, RPO {'unknown' if each.rpo_txs is None else each.rpo_txs}")
    ET.SubElement(case, "system-out").text = _text("\n".join(lines))
    return case


def _properties(suite: ET.Element, observations: Observations) -> None:
    run = observations.run
    pairs = {
        "command": run.command,
        "drill": run.drill,
        "engine": run.engine,
        "node_version": run.node_version,
        "tool_version": run.tool_version,
        "nodes": " ".join(node.name for node in run.nodes),
        "problems": str(len(observations.problems)),
    }
    listed = ET.Element("properties")
    for key, value in pairs.items():
        if value:
            ET.SubElement(listed, "property", {"name": key, "value": _text(value)})
    suite.insert(0, listed)


def _text(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
