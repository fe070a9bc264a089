"""`check --explain`: why logs or a trace are no run of the protocol, for people, as data and as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fiscotool.cli.explain_words import GUARDS_ZH
from fiscotool.errors import EnvironmentFailure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fiscotool.check.explain import Explanation
    from fiscotool.check.explain_switch import Suspect
    from fiscotool.check.trace import TraceContext, TraceVerdict
    from fiscotool.pbft.trace import TraceRecord

__all__ = ["explanation_data", "explanation_text", "with_explanation", "write_space_time"]

EVENTS_MAX = 15
"""Records of the evidence that are printed; all are in --json and in the picture."""

_WORDS = {
    "en": {
        "first": "first record that no rule explains",
        "guard": "guard not met",
        "margin": "missed by {by}: {need} needed, {have} there",
        "enabled": "possible instead",
        "core": "smallest evidence that still shows it ({count} records{minimal}, found in {checks} judgements)",
        "minimal": ", none can be left out",
        "more": "… and {count} more",
        "legal": "behaves as if {name}: {title}; that one switch would make all {total} breaches legal",
        "near": "nearest single switch: {name}: {title}; it explains {explained} of {total} breaches",
        "other": "also possible: {name}: {title} ({explained} of {total})",
        "none": "no single switch explains it",
    },
    "zh": {
        "first": "第一条无法解释的记录",
        "guard": "未满足的条件",
        "margin": "相差 {by}：需要 {need}，实际 {have}",
        "enabled": "此处允许的动作",
        "core": "仍能说明问题的最小证据（{count} 条记录{minimal}，经 {checks} 次判定得到）",
        "minimal": "，缺一不可",
        "more": "……另有 {count} 条",
        "legal": "表现如同 {name}：{title}；仅此一处改动即可使全部 {total} 处违反成为合法",
        "near": "最接近的单一改动：{name}：{title}；可解释 {total} 处违反中的 {explained} 处",
        "other": "也可能是：{name}：{title}（{explained}/{total}）",
        "none": "没有任何单一改动能够解释",
    },
}


def with_explanation(
    records: Sequence[TraceRecord],
    context: TraceContext,
    verdict: TraceVerdict,
    *,
    data: dict[str, object],
    text: str,
    lang: str,
    svg: Path | None,
) -> tuple[dict[str, object], str]:
    """The verdict's data and text with the explanation in them; as they are when there is nothing to explain."""
    from fiscotool.check.explain import explain

    explanation = explain(records, context, verdict)
    if explanation is None:
        return {**data, "explanation": None}, text
    if svg is not None:
        write_space_time(explanation, records, svg, lang=lang)
    return {**data, "explanation": explanation_data(explanation)}, f"{text}\n{explanation_text(explanation, lang=lang)}"


def explanation_text(explanation: Explanation, *, lang: str) -> str:
    """A screen: the record, the guard and its margin, the evidence, the nearest switch."""
    words, breach, core = _WORDS[lang], explanation.breach, explanation.core
    says = GUARDS_ZH.get(breach.guard, explanation.says) if lang == "zh" else explanation.says
    lines = [
        "",
        f"{words['first']}:",
        f"  {record_line(breach.record)}",
        f"{words['guard']}: {breach.guard} ({breach.rule}): {says}",
    ]
    lines.append(f"  {breach.text}")
    if explanation.margin is not None:
        lines.append("  " + words["margin"].format(by=abs(explanation.margin), need=breach.need, have=breach.have))
    if breach.enabled:
        lines.append(f"{words['enabled']}: {', '.join(act.value for act in breach.enabled)}")
    minimal = words["minimal"] if core.is_minimal else ""
    lines.append(words["core"].format(count=len(core.records), minimal=minimal, checks=core.checks) + ":")
    lines += [f"  {record_line(record)}" for record in core.records[:EVENTS_MAX]]
    if len(core.records) > EVENTS_MAX:
        lines.append("  " + words["more"].format(count=len(core.records) - EVENTS_MAX))
    return "\n".join([*lines, *_suspect_lines(explanation, words, lang)])


def _suspect_lines(explanation: Explanation, words: dict[str, str], lang: str) -> list[str]:
    if not explanation.suspects:
        return [words["none"]]
    first, *others = explanation.suspects
    lines = [words["legal" if first.makes_legal else "near"].format(**_told(first, lang))]
    return lines + [f"  {words['other'].format(**_told(each, lang))}" for each in others if each.makes_legal == first.makes_legal]


def _told(suspect: Suspect, lang: str) -> dict[str, object]:
    switch = suspect.switch
    title = switch.title_zh if lang == "zh" else switch.title
    return {"name": switch.name, "title": title, "explained": suspect.explained, "total": suspect.total}


def record_line(record: TraceRecord) -> str:
    """One record: when, who, what, about what."""
    parts = [f"{record.at_s:12.6f}", f"{record.replica}.{record.life}", record.act.value]
    if record.height is not None:
        parts.append(f"height {record.height}")
    if record.view is not None:
        parts.append(f"view {record.view}")
    if record.digest:
        parts.append(record.digest[:8])
    if record.sender is not None:
        parts.append(f"from {record.sender}")
    if record.weight is not None:
        parts.append(f"weight {record.weight}")
    return " ".join(parts)


def explanation_data(explanation: Explanation) -> dict[str, Any]:
    """The explanation as plain data."""
    return {
        "guard": explanation.breach.guard,
        "says": explanation.says,
        "margin": explanation.margin,
        "evidence": [_record_data(record) for record in explanation.core.records],
        "evidence_is_minimal": explanation.core.is_minimal,
        "judgements": explanation.core.checks,
        "switches": [
            {**_told(suspect, "en"), "title_zh": suspect.switch.title_zh, "makes_legal": suspect.makes_legal}
            for suspect in explanation.suspects
        ],
    }


def _record_data(record: TraceRecord) -> dict[str, Any]:
    told = {name: getattr(record, name) for name in record.__slots__}
    return {name: value for name, value in (told | {"act": record.act.value}).items() if value not in (None, "")}


def write_space_time(explanation: Explanation, everything: Sequence[TraceRecord], path: Path, *, lang: str) -> None:
    """The evidence, with the sending of what it counts, as a space-time diagram (SVG). Raises EnvironmentFailure if it cannot be."""
    from fiscotool.sim.story_charts import SENT, space_time

    core, title = explanation.core.records, explanation.breach.sentence
    wanted = {(SENT[record.act], record.sender, record.height, record.view) for record in core if record.act in SENT}
    sent = [record for record in everything if (record.act, record.index, record.height, record.view) in wanted and record not in core]
    records = [*sent, *core]
    nodes = sorted({record.replica for record in records})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(space_time(records, nodes, title=title, language=lang), encoding="utf-8")
    except OSError as problem:
        raise EnvironmentFailure(f"{path} cannot be written: {problem.strerror}", hint="choose another place for --svg") from problem
