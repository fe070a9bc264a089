"""The number of sealers of a 2.x chain, from what nodes tell of votes and leaders."""

from __future__ import annotations

from pathlib import Path

from fiscotool.observer.logs.collect import Source
from fiscotool.observer.logs.evidence import evidence_of
from fiscotool.observer.logs.sealers import Sightings, sealer_counts
from fiscotool.pbft.trace import Act, TraceRecord


def chain(counts: dict[int, int], last: int, wrong: int = -1) -> Sightings:
    """Heights 1 to `last`; from each height of `counts` on there are so many sealers. `wrong`: a height led by another."""
    seen, number = Sightings(), 0
    for height in range(1, last + 1):
        number = counts.get(height, number)
        leader = (height - 1 + (height == wrong)) % number
        records = [TraceRecord("node0", 0, height, float(height), Act.SEND_PREPARE, height=height, view=0, sender=leader, index=0)]
        records += [
            TraceRecord("node0", 0, height, float(height), Act.RECEIVE_PREPARE, height=height, sender=sender) for sender in range(number)
        ]
        seen.note(records)
    return seen


def test_a_sealer_that_joins_and_leaves_is_found_at_its_heights() -> None:
    assert sealer_counts(chain({1: 4, 30: 5, 50: 4}, 80)) == [(0, 4), (30, 5), (50, 4)]


def test_a_wrong_leader_is_no_change_of_the_members() -> None:
    assert sealer_counts(chain({1: 4}, 40, wrong=20)) == [(0, 4)]


def test_a_node_that_is_no_sealer_counts_for_nothing() -> None:
    seen = chain({1: 4}, 20)
    seen.note([TraceRecord("node4", 0, 0, 1.0, Act.EXECUTED, height=7, index=0xFFFF)])
    assert sealer_counts(seen) == [(0, 4)]
    assert sealer_counts(Sightings()) == []


def test_a_sealer_that_is_silent_for_long_stays_one() -> None:
    """The last of five votes at the first heights alone; the others' leaders tell that it is still counted."""
    seen = chain({1: 5}, 60)
    for height in range(10, 61):
        seen.at_least[height] = 4
    assert sealer_counts(seen) == [(0, 5)]


def test_a_chain_of_3x_tells_its_number_with_each_head(tmp_path: Path) -> None:
    """A fifth sealer joins at block 30 and leaves at block 50, in a log that begins in the middle."""
    lines = [
        f"info|2026-11-21 05:{height:02d}:00.000000|0x01|[CONSENSUS][PBFT][METRIC]resetConfig,committedIndex={height},leaderPeriod=1,consensusNodesSize={count}"
        for height, count in ((12, 4), (28, 4), (29, 5), (48, 5), (49, 4), (55, 4))
    ]
    log = tmp_path / "log_2026112105.00.log"
    log.write_text("\n".join(lines) + "\n", encoding="utf-8")
    context = evidence_of([Source("node0", (log,))]).context
    assert [(members.since, members.count) for members in context.members] == [(0, 4), (30, 5), (50, 4)]
    assert context.members_told
    log.write_text("", encoding="utf-8")
    assert not evidence_of([Source("node0", (log,))]).context.members_told
