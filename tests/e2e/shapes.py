"""The shape of a timeline: what a fault looks like from outside. One set of statements for real chains' recordings and for drills here.

Source: recordings v3/OBSERVED.md, section 6; bounds are its figures and the sampling of 0.25 s.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from fiscotool.consistency.observations import FaultSeen, Observations, Sample

SAMPLING_S = 0.5
"""Two samples: what happened between them is not seen."""
BUSY_S = 20.0
"""What a machine that does other things may add to a drill here (`slack_s`). Recordings of real chains are held to their figures."""


def of(seen: Observations, *, nodes: Sequence[str] = (), after_s: float = 0.0, before_s: float = 1e9) -> list[Sample]:
    """Answered samples of these nodes (none named: all) asked within the times."""
    return [
        sample
        for sample in seen.samples
        if (not nodes or sample.node in nodes) and after_s <= sample.sent_s and sample.got_s <= before_s and not sample.error
    ]


def others(seen: Observations, *broken: FaultSeen) -> list[str]:
    hit = {fault.node for fault in broken}
    return [node.name for node in seen.run.nodes if node.name not in hit]


def end_of(fault: FaultSeen) -> float:
    """When its repair was done; these faults are all repaired."""
    assert fault.healed_s is not None
    return fault.healed_s


def growth(samples: Sequence[Sample]) -> list[tuple[float, int]]:
    """(time, height) whenever the highest block known to any of them rose."""
    top, steps = -1, []
    for sample in sorted(samples, key=lambda each: each.got_s):
        if sample.height is not None and sample.height > top:
            top = sample.height
            steps.append((sample.got_s, top))
    return steps


def longest_gap_s(samples: Sequence[Sample], *, until_s: float | None = None) -> float:
    """The longest time without a new block, within and (with `until_s`) after these samples."""
    times = [at_s for at_s, _ in growth(samples)] + ([] if until_s is None else [until_s])
    return max((later - earlier for earlier, later in itertools.pairwise(times)), default=0.0)


def blocks_made(samples: Sequence[Sample]) -> int:
    steps = growth(samples)
    return steps[-1][1] - steps[0][1] if steps else 0


def views(samples: Sequence[Sample]) -> list[int]:
    return [sample.view for sample in samples if sample.view is not None]


def first_s(samples: Sequence[Sample], condition: Callable[[Sample], bool]) -> float | None:
    return next((sample.got_s for sample in samples if condition(sample)), None)


def a_killed_leader_costs_one_time_out(seen: Observations, fault: FaultSeen, *, slack_s: float = 0) -> None:
    """One gap of about 3.75 s, one view more; the peers see the connection go within a moment."""
    alive = of(seen, nodes=others(seen, fault), after_s=fault.injected_s - 2 * SAMPLING_S, before_s=end_of(fault))
    gap_s = longest_gap_s(alive)
    if slack_s and gap_s < 2.5:
        # The next block came between the question who leads and the blow, so that the node was no leader any more.
        a_dead_follower_costs_views_not_time(seen, fault, slack_s=slack_s)
        return
    assert 2.5 < gap_s < 7 + slack_s, f"a gap of {gap_s:.2f} s"
    assert max(views(alive)) >= min(views(alive)) + 1
    missed_s = first_s([s for s in alive if s.sent_s > fault.injected_s], lambda sample: sample.connected_count == len(seen.run.nodes) - 1)
    assert missed_s is not None
    assert missed_s - fault.injected_s < 2.5 + slack_s


def a_dead_follower_costs_views_not_time(seen: Observations, fault: FaultSeen, *, slack_s: float = 0) -> None:
    """No stall to speak of; about one view every three blocks, at once, so that no node's timer gets to a second round."""
    alive = of(seen, nodes=others(seen, fault), after_s=fault.injected_s + SAMPLING_S, before_s=end_of(fault))
    assert longest_gap_s(alive) < 3 + slack_s, "shorter than a time-out"
    made, gained = blocks_made(alive), max(views(alive)) - min(views(alive))
    assert made >= 4
    assert made / 6 <= gained <= made / 2 + 1, f"{gained} views in {made} blocks"
    assert max(sample.change_cycle or 0 for sample in alive) <= 1


def without_a_quorum_nothing_moves_and_timers_back_off(seen: Observations, *faults: FaultSeen, slack_s: float = 0) -> None:
    """Height and view freeze on the survivors; changeCycle counts 1, 2, … at intervals of 3 · 1.5^k s."""
    lost_s, back_s = max(fault.injected_s for fault in faults), min(end_of(fault) for fault in faults) - 1
    for node in others(seen, *faults):
        samples = of(seen, nodes=[node], after_s=lost_s + 1, before_s=back_s)
        assert len({sample.height for sample in samples if sample.height is not None}) == 1, node
        assert len(set(views(samples))) == 1, node
        reached = {
            cycle: at_s
            for cycle in range(1, 5)
            if (at_s := first_s(samples, lambda sample, cycle=cycle: (sample.change_cycle or 0) >= cycle)) is not None  # type: ignore[misc]
        }
        assert len(reached) >= 2, f"{node} reached {reached}"
        assert any(sample.timeout for sample in samples)
        for cycle in range(2, max(reached) + 1):
            took_s = reached[cycle] - reached[cycle - 1]
            expected_s = 3 * 1.5 ** (cycle - 1)
            assert -0.15 * expected_s - 2 * SAMPLING_S < took_s - expected_s < 0.15 * expected_s + 2 * SAMPLING_S + slack_s, (
                f"{node}: cycle {cycle} after {took_s:.2f} s"
            )


def a_frozen_node_costs_a_time_out_a_turn(seen: Observations, fault: FaultSeen, *, slack_s: float = 0) -> None:
    """Its connections stay, its RPC is silent, and each of its turns is a gap of about 3.5 s."""
    alive = of(seen, nodes=others(seen, fault), after_s=fault.injected_s + SAMPLING_S, before_s=end_of(fault))
    counts = [sample.connected_count for sample in alive if sample.connected_count is not None]
    assert counts.count(len(seen.run.nodes)) > 0.9 * len(counts), "nobody misses it"
    assert 2.5 < longest_gap_s(alive, until_s=end_of(fault)) < 7 + slack_s
    assert max(views(alive)) > min(views(alive))
    silent = [s for s in seen.samples if s.node == fault.node and fault.injected_s + 0.1 < s.sent_s and s.got_s < end_of(fault)]
    assert silent
    assert {sample.error.split(":")[0] for sample in silent} == {"timeout"}


def a_restarted_node_finds_the_view_after_a_time_out(seen: Observations, fault: FaultSeen, *, slack_s: float = 0) -> None:
    """It begins at view 0 in time-out, and is in the others' view some 3 s after its RPC answers."""
    mine = [sample for sample in of(seen, nodes=[fault.node], after_s=fault.injected_s + SAMPLING_S) if sample.timeout is not None]
    assert mine[0].timeout is True
    assert mine[0].view == 0
    joined_s = first_s(mine, lambda sample: sample.timeout is False and bool(sample.view))
    assert joined_s is not None
    # A busy machine asks late; what comes before the first answer is not seen.
    assert (0 if slack_s else 1) < joined_s - mine[0].got_s < 9 + slack_s, f"{fault.node} joined after {joined_s - mine[0].got_s:.2f} s"


def after_stopping_all_views_begin_anew_and_heights_stay(seen: Observations, *faults: FaultSeen) -> None:
    """Views are near 3 again, whatever they were; no height is lower than before."""
    stopped_s = max(fault.injected_s for fault in faults)
    for fault in faults:
        before = of(seen, nodes=[fault.node], before_s=min(each.injected_s for each in faults))
        after = of(seen, nodes=[fault.node], after_s=stopped_s + SAMPLING_S)
        assert min(s.height for s in after if s.height is not None) >= max(s.height for s in before if s.height is not None)
        settled = [sample.view for sample in after if sample.timeout is False and sample.view]
        assert settled, fault.node
        assert 3 <= settled[0] <= 6, f"{fault.node} is at view {settled[0]} first"
