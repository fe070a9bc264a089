"""The report as Markdown, for a ticket or a wiki: the same content without the drawing.

Rule 1. Whatever came from outside is escaped so that it can neither open markup nor break a table row.

Sources: CommonMark 0.31 (backslash escapes); GitHub Flavored Markdown (tables); docs/report.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from fiscotool.consistency.findings import Judgement
from fiscotool.consistency.observations import Observations
from fiscotool.report.content import content_of
from fiscotool.report.rows import Content, FindingRow
from fiscotool.report.words import Speech

_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>#|~&])")
_SPACE: Final = re.compile(r"\s+")
_MARKS: Final = {"holds": "✔", "violated": "✘", "inconclusive": "?"}


def render_markdown(observations: Observations, judgement: Judgement, *, lang: str = "en") -> str:
    """The whole report as Markdown. Raises UsageError for a language there is not."""
    say = Speech(lang)
    content = content_of(observations, judgement, lang)
    parts = [
        *_verdict(say, content),
        *_story(say, content),
        *_recoveries(say, content),
        *_findings(say, content),
        *_surroundings(say, content),
        *_appendix(say, content),
    ]
    return "\n".join(parts).rstrip() + "\n"


def escaped(text: str) -> str:
    """Text as itself: no markup, no line break."""
    return _SPACE.sub(" ", _SPECIAL.sub(r"\\\1", text)).strip()


def fenced(text: str) -> list[str]:
    """A code block that the text cannot end."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return [fence, text, fence]


def _table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(headers) + " |", "|" + " --- |" * len(headers)]
    lines += ["| " + " | ".join(escaped(cell) or " " for cell in row) + " |" for row in rows]
    return [*lines, ""]


def _verdict(say: Speech, content: Content) -> list[str]:
    lines = [f"# {say('title')}", "", f"## {_MARKS[content.verdict]} {escaped(content.headline)}", ""]
    lines += [f"- **{escaped(reason.title)}** {escaped(reason.summary)}" for reason in content.reasons]
    lines += [f"- {content.count_line}"]
    return [*lines, "", *_table([escaped(tile.label) for tile in content.tiles], [[f"{t.value} ({t.note})" for t in content.tiles]])]


def _story(say: Speech, content: Content) -> list[str]:
    items = [f"- **{item.at_s:.1f} s** {escaped(item.text)}" for item in content.story]
    return [f"## {say('what_happened')}", "", *items, ""]


def _recoveries(say: Speech, content: Content) -> list[str]:
    lines = [f"## {say('recovery')}", ""]
    if not content.recoveries:
        return [*lines, say("no_faults"), ""]
    headers = ("fault", "node", "injected", "healed", "rto", "bound", "node_rto", "rpo", "note")
    rows = []
    for row in content.recoveries:
        node = f"{row.node} ({row.role})" if row.role else row.node
        rows.append((row.kind, node, row.injected, row.healed, row.rto, row.bound, row.node_rto, row.rpo, row.note))
    return [*lines, say("recovery_hint"), "", *_table([say(f"col_{key}") for key in headers], rows)]


def _findings(say: Speech, content: Content) -> list[str]:
    headers = [say(key) for key in ("col_verdict", "col_invariant", "col_finding", "col_checked")]
    rows = [(f"{_MARKS[f.verdict]} {f.verdict_word}", f"{f.title} ({f.id})", f.summary, str(f.checked_count)) for f in content.findings]
    lines = [f"## {say('invariants')}", "", say("invariants_hint"), "", *_table(headers, rows)]
    for finding in content.findings:
        lines += _finding(say, finding)
    return lines


def _finding(say: Speech, finding: FindingRow) -> list[str]:
    lines = [f"### {_MARKS[finding.verdict]} {escaped(finding.title)} ({escaped(finding.id)})", ""]
    lines += [f"- {finding.kind_word} · {finding.verdict_word}: {escaped(finding.summary)}"]
    lines += [f"- {say('definition')}: {escaped(finding.definition)}", f"- {say('source')}: {escaped(finding.source)}"]
    for row in finding.evidence:
        cited = f" ({say('lines')}: {', '.join(map(str, row.lines))})" if row.lines else ""
        lines.append(f"- {say('evidence')}: {escaped(row.text)}{cited}")
    return [*lines, ""]


def _surroundings(say: Speech, content: Content) -> list[str]:
    keys = ("node", "role", "address", "ports", "node_id", "answers", "last")
    rows = [
        (f"{node.name} {node.byzantine}".strip(), node.role, node.host, node.ports, node.node_id, node.answers, node.last)
        for node in content.nodes
    ]
    lines = [f"## {say('topology')}", "", *_table([say(f"col_{key}") for key in keys], rows)]
    if content.has_excluded:
        lines += [say("byzantine_note"), ""]
    lines += [f"## {say('environment')}", "", *(f"- {escaped(label)}: {escaped(value)}" for label, value in content.environment), ""]
    if content.configuration:
        lines += [f"## {say('configuration')}", "", *(f"- {escaped(key)}: {escaped(value)}" for key, value in content.configuration), ""]
    lines += [f"## {say('reproduce')}", "", *(fenced(content.command) if content.command else [say("no_command")]), ""]
    lines += [f"## {say('problems')}", ""]
    return [*lines, *([f"- {escaped(problem)}" for problem in content.problems] or [say("no_problems")]), ""]


def _appendix(say: Speech, content: Content) -> list[str]:
    lines = [f"## {say('appendix')}", ""]
    if not content.citations:
        return [*lines, say("no_citations"), ""]
    lines += [f"- {say('line')} {each.line} ({say(f'{each.kind}_word')}): {escaped(each.text)}" for each in content.citations]
    if content.citations_left_out:
        lines += ["", say("more_citations", count=content.citations_left_out)]
    return [*lines, ""]
