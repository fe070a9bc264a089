"""Where the nodes did what FISCO BCOS does and text-book PBFT does not: told, never failed.

Judging by FISCO's rules alone would bless whatever FISCO does; judging by the paper's alone would call every run of it wrong. So the
invariants are FISCO's, and this counts, for the same evidence, what the paper's rules would have said.

Sources: OSDI'99 4.1 (primary = v mod n), 4.2 (2f+1), 4.4 (a replica that asked for a view change accepts no more votes), 4.5.2 (waits
double); spec 3.x 1.5, 1.6, 1.10, 1.12, 1.15.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from fiscotool.consistency.examination import Words
from fiscotool.consistency.facts import FOREVER, Facts, faulty_weight_max, quorum_weight
from fiscotool.consistency.findings import Deviation
from fiscotool.consistency.generations import is_second
from fiscotool.consistency.lives import Life
from fiscotool.consistency.schedule import view_bounds

DOUBLING: Final = 2.0


def deviations(facts: Facts) -> tuple[Deviation, ...]:
    """Every text-book rule the run could have followed or not, with how often it did not. Rules never met are left out."""
    found = [_primary(facts), _quorum(facts), _forgotten_views(facts), _commits_in_time_out(facts), _waits(facts)]
    return tuple(each for each in found if each.checked_count)


def _primary(facts: Facts) -> Deviation:
    """Blocks whose view is known exactly."""
    checked, differ = 0, 0
    for number, block in () if is_second(facts) else facts.chain.items():
        if not number or not block.sealer_list or facts.is_empty(block) or facts.first_shown_s(number) == FOREVER:
            continue
        bounds = view_bounds(facts, block)
        views = {each.low for each, _ in bounds if each.low == each.high}
        if len(views) != 1 or any(each.low != each.high for each, _ in bounds):
            continue
        checked += 1
        differ += block.sealer != views.pop() % len(block.sealer_list)
    words = Words(
        "The primary of a view is v mod n for every height; FISCO's leader moves on with the height too.",
        "同一视图内主节点恒为 v mod n；FISCO 的领导者还随高度轮换。",
    )
    return Deviation("primary", words.en, words.zh, "OSDI'99 4.1; spec 3.x 1.6", checked, differ)


def _quorum(facts: Facts) -> Deviation:
    """Certificates that a quorum of 2f+1 would have made complete, or not."""
    checked, differ = 0, 0
    for number, block in facts.chain.items():
        total = sum(block.weights)
        if number and total:
            checked += 1
            differ += quorum_weight(total) != 2 * faulty_weight_max(total) + 1
    words = Words(
        "A quorum is 2f+1; FISCO's is W − f, which is more where W is not 3f+1.", "法定多数为 2f+1；FISCO 为 W − f，W ≠ 3f+1 时更大。"
    )
    return Deviation("quorum", words.en, words.zh, "OSDI'99 4.2; spec 3.x 1.5", checked, differ)


def _forgotten_views(facts: Facts) -> Deviation:
    """Starts of processes known by samples on both sides."""
    checked, differ = 0, 0
    for lives in () if is_second(facts) else facts.lives.values():
        for before, after in pairwise(lives):
            last = max((s.view or 0 for s in before.samples), default=0)
            first = next((s.view for s in after.samples if s.view is not None), None)
            if first is not None and before.incarnation is not None and after.incarnation is not None:
                checked += 1
                differ += first < last
    words = Words(
        "Views never fall; FISCO keeps them in memory only, so a new process starts at 0.",
        "视图从不回退；FISCO 仅存于内存，进程重启后从 0 开始。",
    )
    return Deviation("views-kept", words.en, words.zh, "OSDI'99 4.4; spec 3.x 1.12", checked, differ)


def _commits_in_time_out(facts: Facts) -> Deviation:
    """Two answers of one life, both in time-out and in one view, not syncing."""
    checked, differ = 0, 0
    for life in (life for lives in facts.lives.values() for life in lives):
        told = [s for s in life.samples if s.timeout is not None and s.view is not None and s.consensus_height is not None]
        for earlier, later in pairwise(told):
            if earlier.timeout and later.timeout and earlier.view == later.view and not (earlier.is_syncing or later.is_syncing):
                checked += 1
                differ += (later.consensus_height or 0) > (earlier.consensus_height or 0)
    words = Words(
        "A replica that asked for a view change takes part in nothing of the old one; FISCO's still follows blocks by their checkpoints.",
        "请求视图切换的副本不再参与旧视图；FISCO 节点仍依检查点跟随区块。",
    )
    return Deviation("silent-in-time-out", words.en, words.zh, "OSDI'99 4.4; spec 3.x 1.9, 1.15", checked, differ)


def _waits(facts: Facts) -> Deviation:
    """Climbs of changeCycle by two or more that doubling waits had no time for."""
    checked, differ = 0, 0
    for life in (life for lives in facts.lives.values() for life in lives):
        for took_s, low, high in _climbs(life):
            checked += 1
            differ += took_s < sum(facts.run.timeout_base_s * DOUBLING**cycle for cycle in range(low + 1, high))
    words = Words(
        "Waits for a view change double; FISCO's grow by half, up to the tenth.",
        "视图切换的等待时间逐次加倍；FISCO 每次增加一半，至第十次为止。",
    )
    return Deviation("waits-double", words.en, words.zh, "OSDI'99 4.5.2; spec 3.x 1.10", checked, differ)


def _climbs(life: Life) -> list[tuple[float, int, int]]:
    """Stretches in which changeCycle never falls and rises by two or more: their length in seconds at most, from where, to where."""
    found: list[tuple[float, int, int]] = []
    told = [s for s in life.samples if s.change_cycle is not None]
    start = 0
    for at in range(1, len(told) + 1):
        if at < len(told) and (told[at].change_cycle or 0) >= (told[at - 1].change_cycle or 0):
            continue
        low, high = told[start].change_cycle or 0, told[at - 1].change_cycle or 0
        if high >= low + 2:
            before = max(i for i in range(start, at) if told[i].change_cycle == low)
            after = min(i for i in range(start, at) if told[i].change_cycle == high)
            found.append((told[after].got_s - told[before].sent_s, low, high))
        start = at
    return found
