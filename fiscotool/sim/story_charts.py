"""A run as pictures: a Mermaid sequence chart of its facts, and a space-time chart (SVG) of its messages.

Rule 1. The sequence chart tells facts, in the words of a language: an arrow for a proposal, a request and an announcement, a note for a
        quorum. The space-time chart shows every vote that was counted, as an arrow from where it was sent.
Rule 2. Both are bounded; what does not fit is said in the picture. Time in the space-time chart is the order of the moments, not seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, Final

from fiscotool.pbft.trace import Act, TraceRecord
from fiscotool.sim.story import Chapter, Fact
from fiscotool.sim.story_words import LANGUAGES, heading, in_order, sentence

LINES_MAX: Final = 600
RECORDS_MAX: Final = 4_000
MORE: Final = ("and {count} more", "另有 {count} 项")
STEP_PX: Final = 9
LINE_PX: Final = 90
LEFT_PX: Final = 70
TOP_PX: Final = 60

SENT: Final = {
    Act.RECEIVE_PREPARE: Act.SEND_PREPARE,
    Act.RECEIVE_COMMIT: Act.SEND_COMMIT,
    Act.RECEIVE_CHECKPOINT: Act.SEND_CHECKPOINT,
    Act.RECEIVE_VIEW_CHANGE: Act.SEND_VIEW_CHANGE,
    Act.RECEIVE_RECOVER: Act.SEND_RECOVER,
    Act.ACCEPT_PROPOSAL: Act.PROPOSE,
    Act.ACCEPT_NEW_VIEW: Act.SEND_NEW_VIEW,
}
"""What a replica receives, and as what it was sent."""

COLORS: Final = {
    Act.RECEIVE_PREPARE: "#3778c2",
    Act.RECEIVE_COMMIT: "#2e9e5b",
    Act.RECEIVE_CHECKPOINT: "#9a9a9a",
    Act.RECEIVE_VIEW_CHANGE: "#c2571a",
    Act.RECEIVE_RECOVER: "#c9a227",
    Act.ACCEPT_PROPOSAL: "#222222",
    Act.ACCEPT_NEW_VIEW: "#a02fa0",
}
MARKS: Final = {
    Act.PREPARED: "#3778c2",
    Act.COMMITTED_LOCAL: "#2e9e5b",
    Act.LEDGER_COMMIT: "#000000",
    Act.SYNCED_BLOCK: "#777777",
    Act.TIMEOUT: "#d02020",
    Act.ENTER_VIEW: "#a02fa0",
    Act.RECOVER: "#c9a227",
    Act.START: "#ffffff",
}
"""Moments of one replica, as dots."""

ARROWS: Final = {"proposes": "->>", "equivocates": "-x", "new-view": "->>", "reproposes": "->>"}


def mermaid(chapters: Sequence[Chapter], nodes: Sequence[str], *, language: str) -> str:
    """A Mermaid `sequenceDiagram`, at most `LINES_MAX` lines."""
    lines = ["sequenceDiagram", *(f"    participant {node}" for node in nodes)]
    left = 0
    for chapter in chapters:
        block = [f"    Note over {nodes[0]},{nodes[-1]}: {_plain(heading(chapter, language))}"]
        for fact in in_order(chapter.facts):
            block += _arrows(fact, nodes, language)
        if len(lines) + len(block) > LINES_MAX:
            left += 1
        else:
            lines += block
    if left:
        lines.append(f"    Note over {nodes[0]},{nodes[-1]}: {MORE[LANGUAGES.index(language)].format(count=left)}")
    return "\n".join((*lines, ""))


def _arrows(fact: Fact, nodes: Sequence[str], language: str) -> list[str]:
    """One fact: arrows from who speaks to all others, or a note over who did it."""
    text = _plain(sentence(fact, language))
    if fact.kind in ARROWS and fact.nodes:
        speaker = fact.nodes[0]
        others = [node for node in nodes if node != speaker]
        return [
            f"    {speaker}{ARROWS[fact.kind]}{others[0]}: {text}",
            *(f"    {speaker}{ARROWS[fact.kind]}{node}: …" for node in others[1:]),
        ]
    there = [node for node in nodes if node in (fact.nodes or [fact.values.get("node", "")])]
    ends = there or list(nodes)
    return [f"    Note over {ends[0]}{',' + ends[-1] if len(ends) > 1 else ''}: {text}"]


def _plain(text: str) -> str:
    """Without what means something to Mermaid."""
    return text.replace(";", ",").replace("#", "").replace("\n", " ").replace(":", " -")


def space_time(records: Iterable[TraceRecord], nodes: Sequence[str], *, title: str, language: str) -> str:
    """An SVG: a line a replica, time to the right, an arrow for each counted message, a dot for each milestone; hover tells more."""
    everything = [record for record in records if record.act in SENT or record.act in MARKS or record.act in SENT.values()]
    shown = sorted(everything[:RECORDS_MAX], key=lambda record: record.at_s)
    moments = sorted({record.at_s for record in shown})
    x_of = {at_s: LEFT_PX + STEP_PX * place for place, at_s in enumerate(moments, start=1)}
    y_of = {node: TOP_PX + LINE_PX * place for place, node in enumerate(nodes)}
    width, height = LEFT_PX + STEP_PX * (len(moments) + 2), TOP_PX + LINE_PX * len(nodes) + 20
    more = len(everything) - len(shown)
    head = title + (f" ({MORE[LANGUAGES.index(language)].format(count=more)})" if more else "")
    told = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{max(width, 400)}" height="{height}" font-family="sans-serif" font-size="11">',
        f'<rect width="100%" height="100%" fill="#fff"/><text x="10" y="18" font-size="13">{escape(head)}</text>',
        _legend(),
    ]
    told += [
        f'<text x="8" y="{y + 4}">{escape(node)}</text><line x1="{LEFT_PX}" y1="{y}" x2="{width}" y2="{y}" stroke="#ccc"/>'
        for node, y in y_of.items()
    ]
    sent_at: dict[tuple[Any, ...], float] = {}
    dots: list[str] = []
    for record in shown:
        if record.replica not in y_of:
            continue
        x, y = x_of[record.at_s], y_of[record.replica]
        if record.act in SENT.values():
            sent_at[(record.act, record.replica, record.height, record.view)] = x
        elif record.act in SENT and record.sender is not None and f"node{record.sender}" != record.replica:
            sender = f"node{record.sender}"
            origin = sent_at.get((SENT[record.act], sender, record.height, record.view))
            if origin is not None and sender in y_of:
                line = f'x1="{origin}" y1="{y_of[sender]}" x2="{x}" y2="{y}" stroke="{COLORS[record.act]}"'
                told.append(f"<line {line}><title>{_tip(record)}</title></line>")
        if record.act in MARKS:
            fill = MARKS[record.act]
            dots.append(f'<circle cx="{x}" cy="{y}" r="4" fill="{fill}" stroke="#000"><title>{_tip(record)}</title></circle>')
    return "\n".join((*told, *dots, "</svg>", ""))


def _legend() -> str:
    """What the colours of arrows mean."""
    parts = [
        f'<text x="{10 + 130 * place}" y="36" fill="{color}">{SENT[act].value}</text>' for place, (act, color) in enumerate(COLORS.items())
    ]
    return "".join(parts)


def _tip(record: TraceRecord) -> str:
    """A record in a line."""
    what = [f"{record.at_s:.3f}s", record.replica, record.act.value]
    what += [f"{name}={value}" for name, value in (("h", record.height), ("v", record.view), ("from", record.sender)) if value is not None]
    return escape(" ".join([*what, record.digest[:8]]))
