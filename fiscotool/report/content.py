"""What a report says, in one language, before it is HTML or Markdown: rows, sentences and figures.

Rule 1. The renderers add form, never content; so all formats say the same.

Sources: docs/report.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from fiscotool.consistency.findings import Finding, Judgement, Recovery
from fiscotool.consistency.judge import excluded_witnesses
from fiscotool.consistency.observations import LEADER_STAYS_BLOCKS, NodeIdentity, Observations
from fiscotool.consistency.timeline import NodeSeries, Timeline, timeline
from fiscotool.report.citations import citations_of
from fiscotool.report.rows import Content, EvidenceRow, FindingRow, NodeRow, RecoveryRow
from fiscotool.report.story import count_line, headline, reasons, story, tiles
from fiscotool.report.words import Speech

BUCKETS_MAX: Final = 120
"""Into how many stretches transactions are counted at most."""
PROBLEMS_MAX: Final = 200
"""How many unreadable lines a report lists."""


def content_of(observations: Observations, judgement: Judgement, lang: str) -> Content:
    """Everything the report says."""
    say = Speech(lang)
    series = timeline(observations, bucket_count=_bucket_count(observations))
    findings = tuple(_finding_row(say, finding) for finding in judgement.findings)
    citations, left_out = citations_of(observations, judgement.findings)
    verdict = judgement.verdict
    return Content(
        lang=say.lang,
        verdict=verdict.value,
        verdict_word=say.verdict(verdict),
        headline=headline(say, judgement),
        reasons=reasons(say, judgement),
        count_line=count_line(say, judgement),
        tiles=tiles(say, observations, judgement, series),
        story=story(say, observations, judgement, series),
        recoveries=tuple(_recovery_row(say, recovery) for recovery in judgement.recoveries),
        findings=findings,
        nodes=_node_rows(say, observations, series),
        environment=_environment(say, observations, series),
        configuration=tuple(_flat(observations.run.config)),
        command=observations.run.command,
        started=started_text(observations.run.started_wall),
        problems=_problems(say, observations.problems),
        citations=citations,
        citations_left_out=left_out,
        has_excluded=bool(excluded_witnesses(observations)),
        chart_alt=say(
            "chart_alt", nodes=len(series.nodes), seconds=f"{series.end_s - series.start_s:.0f}", faults=len(observations.faults)
        ),
        timeline=series,
    )


def _recovery_row(say: Speech, recovery: Recovery) -> RecoveryRow:
    def seconds(value: float | None, missing: str, digits: int = 2) -> str:
        return say(missing) if value is None else say("seconds", value=f"{value:.{digits}f}")

    rto = seconds(recovery.rto_s, "not_seen")
    if recovery.rto_s is not None:
        rto = f"{recovery.rto_s:.2f} ± {recovery.error_s:.2f}"
        rto = say("seconds", value=rto)
    is_beyond = recovery.bound_s is not None and recovery.rto_s is not None and recovery.rto_s - recovery.error_s > recovery.bound_s
    share = min(1.0, recovery.rto_s / recovery.bound_s) if recovery.rto_s is not None and recovery.bound_s else None
    return RecoveryRow(
        kind=say.fault_kind(recovery.kind),
        node=recovery.node,
        role=say.fault_role(recovery.role, short=True),
        injected=seconds(recovery.injected_s, "none", 1),
        healed=seconds(recovery.healed_s, "none", 1),
        rto=rto,
        bound=seconds(recovery.bound_s, "none", 1),
        node_rto=seconds(recovery.node_rto_s, "not_seen") if recovery.healed_s is not None else say("none"),
        rpo=say("none") if recovery.rpo_txs is None else str(recovery.rpo_txs),
        note=say.pick(recovery.note, recovery.note_zh) or (say("beyond") if is_beyond else say("within") if share is not None else ""),
        share=share,
        is_beyond=is_beyond,
    )


def _finding_row(say: Speech, finding: Finding) -> FindingRow:
    rule = finding.invariant
    return FindingRow(
        id=rule.id,
        verdict=finding.verdict.value,
        verdict_word=say.verdict(finding.verdict),
        kind=rule.kind.value,
        kind_word=say.kind(rule.kind),
        title=say.pick(rule.title, rule.title_zh),
        summary=say.pick(finding.summary, finding.summary_zh),
        definition=say.pick(rule.definition, rule.definition_zh),
        source=rule.source,
        checked_count=finding.checked_count,
        evidence=tuple(EvidenceRow(say.pick(e.text, e.text_zh), e.node, e.height, e.lines) for e in finding.evidence),
    )


def _bucket_count(observations: Observations) -> int:
    """Transactions are counted by the second, in long runs by more."""
    times = [sample.got_s for sample in observations.samples]
    return min(BUCKETS_MAX, max(1, round(max(times) - min(times)))) if times else 1


def started_text(told: str) -> str:
    """The recording's start as people write it, in UTC; as it was told if it is no time."""
    try:
        moment = datetime.fromisoformat(told)
    except ValueError:
        return told
    if moment.tzinfo is None:
        return told
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Sections of a configuration as `section.key`, in order."""
    for key in sorted(config, key=str):
        value = config[key]
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", _plain(value)


def _problems(say: Speech, problems: tuple[str, ...]) -> tuple[str, ...]:
    """The first of them, and how many more there are."""
    left_out = len(problems) - PROBLEMS_MAX
    return problems if left_out <= 0 else (*problems[:PROBLEMS_MAX], say("more_problems", count=left_out))


def _node_rows(say: Speech, observations: Observations, series: Timeline) -> tuple[NodeRow, ...]:
    lists = [block.sealer_list for block in sorted(observations.blocks, key=lambda block: block.number) if block.sealer_list]
    sealers = [node_id.lower().removeprefix("0x") for node_id in lists[-1]] if lists else []
    by_name = {node.node: node for node in series.nodes}
    return tuple(_node_row(say, node, index, sealers, by_name.get(node.name)) for index, node in enumerate(observations.run.nodes))


def _node_row(say: Speech, node: NodeIdentity, color: int, sealers: list[str], series: NodeSeries | None) -> NodeRow:
    node_id = node.node_id.lower().removeprefix("0x")
    role = say("sealer_role", index=sealers.index(node_id)) if node_id in sealers else (say("observer_role") if sealers else say("none"))
    answered = "–"
    last = "–"
    if series is not None and series.sample_count:
        answered = f"{100 * (series.sample_count - series.error_count) / series.sample_count:.0f} %"
        height = series.heights[-1][1] if series.heights else "–"
        last = f"{height} / {series.views[-1][1] if series.views else '–'}"
    ports = " / ".join(str(port) if port else "–" for port in (node.p2p_port, node.rpc_port, node.web3_port))
    byzantine = say("byzantine", mode=node.byzantine) if node.byzantine else ""
    return NodeRow(node.name, color, role, byzantine, node.host, ports, node.node_id, answered, last, node.directory)


def _environment(say: Speech, observations: Observations, series: Timeline) -> tuple[tuple[str, str], ...]:
    run = observations.run
    errors = sum(node.error_count for node in series.nodes)
    rows = [
        ("drill", run.drill),
        ("engine", run.engine),
        ("node_version", run.node_version),
        ("tool_version", run.tool_version),
        ("chain", " / ".join(part for part in (run.chain_id, run.group_id) if part)),
        ("started", started_text(run.started_wall)),
        ("length", say("seconds", value=f"{series.end_s - series.start_s:.1f}")),
        ("protocol", run.protocol if run.engine == "embedded" else ""),
        ("leader_period", say("blocks", value=run.leader_period_blocks) if run.leader_period_blocks < LEADER_STAYS_BLOCKS else ""),
        ("timeout_base", say("seconds", value=f"{run.timeout_base_s:g}")),
        ("min_seal", say("seconds", value=f"{run.min_seal_time_s:g}")),
        ("samples", say("samples_value", count=len(observations.samples), errors=errors)),
    ]
    return tuple((say(key), value) for key, value in rows if value)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
