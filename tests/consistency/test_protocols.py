"""A chain of the published protocol is judged by its own leader schedule: no false alarm, and a wrong proposer is still found."""

from __future__ import annotations

from dataclasses import replace

from fiscotool.consistency.findings import Verdict
from fiscotool.consistency.judge import judge
from fiscotool.consistency.observations import LEADER_STAYS_BLOCKS, Observations
from tests.consistency import edits
from tests.consistency.planted import base

VIEW = 3


def of_classic() -> Observations:
    """The quiet chain in its one view, every block by the primary of that view, as all nodes say."""
    seen = base("quiet")
    return replace(
        seen,
        run=replace(seen.run, protocol="classic", leader_period_blocks=LEADER_STAYS_BLOCKS),
        blocks=tuple(replace(block, sealer=VIEW) if block.number else block for block in seen.blocks),
        samples=tuple(replace(sample, leader_index=VIEW) for sample in seen.samples),
    )


def violated(seen: Observations) -> set[str]:
    return {finding.invariant.id for finding in judge(seen).findings if finding.verdict is Verdict.VIOLATED}


def test_a_primary_that_stays_is_right_in_classic_and_wrong_in_fisco3() -> None:
    seen = of_classic()
    found = {finding.invariant.id: finding for finding in judge(seen).findings}
    assert violated(seen) == set()
    assert found["leader-schedule"].verdict is Verdict.HOLDS
    assert found["leader-schedule"].checked_count > 30
    assert found["timer-reset"].verdict is found["timer-backoff"].verdict is Verdict.INCONCLUSIVE
    as_fisco3 = replace(seen, run=replace(seen.run, protocol="fisco3", leader_period_blocks=1))
    assert "leader-schedule" in violated(as_fisco3)


def test_a_wrong_proposer_is_found_in_classic() -> None:
    assert violated(edits.blocks(of_classic(), 20, sealer=0)) == {"leader-schedule"}
