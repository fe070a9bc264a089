"""What a reader wants first, in words: the verdict as a sentence, six figures, and what happened in order.

Rule 1. The sentence says no more than the findings: a run that leaves a required rule open is never called good.
Rule 2. A loss that could not be counted is called unknown, never 0.

Sources: docs/report.md.
"""

from __future__ import annotations

import dataclasses
import itertools

from fiscotool.consistency.findings import Finding, InvariantClass, Judgement, Recovery, Verdict
from fiscotool.consistency.observations import Observations
from fiscotool.consistency.timeline import Timeline
from fiscotool.report.rows import Reason, StoryItem, Tile
from fiscotool.report.told_by_logs import view_changes_told
from fiscotool.report.words import Speech


def _violated(judgement: Judgement) -> list[Finding]:
    """Violated findings, the worst class first."""
    order = [InvariantClass.SAFETY, InvariantClass.DURABILITY, InvariantClass.LIVENESS, InvariantClass.CONFORMANCE]
    broken = [finding for finding in judgement.findings if finding.verdict is Verdict.VIOLATED]
    return sorted(broken, key=lambda finding: order.index(finding.invariant.kind))


def headline(say: Speech, judgement: Judgement) -> str:
    """The verdict on the run as one plain sentence."""
    if judgement.verdict is Verdict.VIOLATED:
        broken = _violated(judgement)
        title = say.pick(broken[0].invariant.title, broken[0].invariant.title_zh)
        return say("violated_sentence", title=title) if len(broken) == 1 else say("violated_sentence_many", count=len(broken), title=title)
    return say("holds_sentence") if judgement.verdict is Verdict.HOLDS else say("inconclusive_sentence")


def reasons(say: Speech, judgement: Judgement) -> tuple[Reason, ...]:
    """What the verdict rests on: every broken rule, or every required one that was left open; none for a good run."""
    if judgement.verdict is Verdict.VIOLATED:
        decisive = _violated(judgement)
    elif judgement.verdict is Verdict.INCONCLUSIVE:
        decisive = [finding for finding in judgement.findings if _is_missed(finding)]
    else:
        decisive = []
    return tuple(
        Reason(f.invariant.id, say.pick(f.invariant.title, f.invariant.title_zh), say.pick(f.summary, f.summary_zh)) for f in decisive
    )


def _is_missed(finding: Finding) -> bool:
    """Whether the run is inconclusive because of it (as Judgement.verdict has it)."""
    must_be_known = finding.invariant.kind in {InvariantClass.SAFETY, InvariantClass.DURABILITY} and finding.invariant.is_required
    return must_be_known and finding.verdict is Verdict.INCONCLUSIVE


def count_line(say: Speech, judgement: Judgement) -> str:
    """How many rules were decided, and how."""
    count = {verdict.value: sum(finding.verdict is verdict for finding in judgement.findings) for verdict in Verdict}
    return say("count_line", total=len(judgement.findings), **count)


def tiles(say: Speech, observations: Observations, judgement: Judgement, series: Timeline) -> tuple[Tile, ...]:
    """Six figures."""
    tested = sum(finding.verdict is not Verdict.INCONCLUSIVE for finding in judgement.findings)
    held = sum(finding.verdict is Verdict.HOLDS for finding in judgement.findings)
    low, high = _range(series, "heights")
    _, view_high = _range(series, "views")
    outcomes = [tx.outcome for tx in observations.txs]
    return (
        Tile(
            say("tile_invariants"),
            f"{held} / {tested}",
            say("tile_invariants_note", untested=len(judgement.findings) - tested),
            "bad" if held < tested else "good",
        ),
        _rto_tile(say, judgement.recoveries),
        _rpo_tile(say, observations, judgement),
        Tile(say("tile_blocks"), f"{high - low}", say("tile_blocks_note", low=low, high=high)),
        Tile(say("tile_views"), f"{_view_changes(series)}", say("tile_views_note", high=view_high)),
        Tile(
            say("tile_txs"),
            f"{len(outcomes)}",
            say(
                "tile_txs_note",
                committed=outcomes.count("committed"),
                unknown=outcomes.count("unknown"),
                refused=outcomes.count("refused"),
            ),
        ),
    )


def _rto_tile(say: Speech, found: tuple[Recovery, ...]) -> Tile:
    label = say("tile_rto")
    measured = [each for each in found if each.rto_s is not None]
    if not found:
        return Tile(label, say("none"), say("tile_rto_none"))
    if not measured:
        return Tile(label, say("none"), say("tile_rto_never"))
    worst = max(measured, key=lambda each: each.rto_s or 0.0)
    is_beyond = worst.bound_s is not None and (worst.rto_s or 0.0) - worst.error_s > worst.bound_s
    return Tile(
        label, say("seconds", value=f"{worst.rto_s:.1f}"), say("tile_rto_note", error=f"{worst.error_s:.2f}"), "bad" if is_beyond else ""
    )


def _rpo_tile(say: Speech, observations: Observations, judgement: Judgement) -> Tile:
    acknowledged = sum(tx.outcome == "committed" for tx in observations.txs)
    lost = lost_count(judgement)
    note = say("tile_rpo_note", count=acknowledged)
    if lost is None:
        return Tile(say("tile_rpo"), say("none"), say("tile_rpo_unknown"))
    return Tile(say("tile_rpo"), f"{lost}", note, "bad" if lost else "good")


def lost_count(judgement: Judgement) -> int | None:
    """Acknowledged transactions lost, as the finding says; None if it could not be checked."""
    finding = next((f for f in judgement.findings if f.invariant.id == "tx-durable"), None)
    if finding is None or finding.verdict is Verdict.INCONCLUSIVE:
        return None
    return 0 if finding.verdict is Verdict.HOLDS else sum(bool(e.data.get("tx_hash")) for e in finding.evidence)


def _range(series: Timeline, field: str) -> tuple[int, int]:
    values = [value for node in series.nodes for _, value in getattr(node, field)]
    return (min(values), max(values)) if values else (0, 0)


def _view_changes(series: Timeline) -> int:
    """How far the views climbed, on the node that saw most of it."""
    best = 0
    for node in series.nodes:
        values = [value for _, value in node.views]
        best = max(best, sum(max(0, later - earlier) for earlier, later in itertools.pairwise(values) if earlier))
    return best


def story(say: Speech, observations: Observations, judgement: Judgement, series: Timeline) -> tuple[StoryItem, ...]:
    """What happened, in order of time."""
    low, high = _range(series, "heights")
    views = [node.views[0][1] for node in series.nodes if node.views]
    last_views = [node.views[-1][1] for node in series.nodes if node.views]
    seconds = f"{series.end_s - series.start_s:.0f}"
    items = [
        StoryItem(series.start_s, say("story_start", nodes=len(series.nodes), seconds=seconds, height=low, view=max(views, default=0)))
    ]
    for recovery in judgement.recoveries:
        items += _story_of(say, recovery)
    items += view_changes_told(say, observations)
    sent, committed = len(observations.txs), sum(tx.outcome == "committed" for tx in observations.txs)
    view = max(last_views, default=0)
    if sent:
        lost = lost_count(judgement)
        words = say("unknown_number") if lost is None else lost
        items.append(StoryItem(series.end_s, say("story_end", height=high, view=view, sent=sent, committed=committed, lost=words)))
    else:
        items.append(StoryItem(series.end_s, say("story_end_plain", height=high, view=view)))
    return tuple(sorted(items, key=lambda item: item.at_s))


def _story_of(say: Speech, recovery: Recovery) -> list[StoryItem]:
    gap = say("sentence_gap")
    text = say("story_fault", kind=say.fault_kind(recovery.kind), node=recovery.node, role=say.fault_role(recovery.role))
    is_late = recovery.bound_s is not None and recovery.rto_s is not None and recovery.rto_s - recovery.error_s > recovery.bound_s
    if recovery.rto_s is not None:
        bound = say("story_bound", bound=f"{recovery.bound_s:.1f}") if recovery.bound_s is not None else ""
        text += gap + say("story_rto", rto=f"{recovery.rto_s:.2f}", error=f"{recovery.error_s:.2f}", bound=bound)
    elif note := say.pick(recovery.note, recovery.note_zh):
        text += gap + say("story_no_rto", note=note)
    items = [StoryItem(recovery.injected_s, text, "bad" if is_late else "fault")]
    if recovery.healed_s is None:
        items[0] = dataclasses.replace(items[0], text=text + gap + say("story_never_healed", node=recovery.node))
    elif recovery.node_rto_s is None:
        items.append(StoryItem(recovery.healed_s, say("story_node_not_back", node=recovery.node), "heal"))
    else:
        items.append(StoryItem(recovery.healed_s, say("story_node_rto", node=recovery.node, seconds=f"{recovery.node_rto_s:.1f}"), "heal"))
    return items
