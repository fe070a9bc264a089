"""What articles that compare consensus protocols say, beside what was measured.

The usual table: who may fail and how many, phases, messages for a block and for a change of leader. How a count grows is measured as the
exponent k of n**k between the smallest and the largest size.

Sources: docs/comparison.md, which says where the table is loose and why.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fiscotool.sim.costs import Cost


@dataclass(frozen=True, slots=True)
class Claim:
    """One row of the usual table; messages and signatures as powers of n."""

    protocol: str
    faults: str
    replicas: str
    phases: str
    block_power: int
    change_power: int
    change_note: str


CLAIMS: Final = (
    Claim("raft", "crashes", "2f+1", "2", 1, 1, "messages"),
    Claim("classic", "liars", "3f+1", "3", 2, 3, "signatures"),
    Claim("hotstuff", "liars", "3f+1", "3", 1, 1, "messages"),
)
"""The usual table, with PBFT as published for PBFT. Phases are the articles' word: a round trip in HotStuff, one delay in PBFT."""

KIN: Final = {"fisco3": "classic", "fisco2": "classic"}
"""Whose claim holds for which other protocol."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A claim beside what was measured: delays until the last replica has a block, and powers of n (None with one size only)."""

    protocol: str
    faults: str
    replicas: str
    claimed_phases: str
    delays: float
    claimed_block_power: int
    block_power: float | None
    claimed_change_power: int
    change_note: str
    change_power: float | None
    worst_power: float | None


def growth(costs: Sequence[Cost], field: str) -> float | None:
    """The exponent of n with which a count of one protocol grows from the smallest to the largest size; None when that says nothing."""
    first, last = min(costs, key=lambda cost: cost.nodes), max(costs, key=lambda cost: cost.nodes)
    low, high = getattr(first, field), getattr(last, field)
    if first.nodes == last.nodes or low <= 0 or high <= 0:
        return None
    return round(math.log(high / low) / math.log(last.nodes / first.nodes), 2)


def judge(costs: Sequence[Cost]) -> list[Verdict]:
    """Every measured protocol beside the claim that is made for it. The worst case counts signatures for PBFTs, messages for others."""
    claims = {claim.protocol: claim for claim in CLAIMS}
    found = []
    for protocol in dict.fromkeys(cost.protocol for cost in costs):
        claim = claims[KIN.get(protocol, protocol)]
        rows = [cost for cost in costs if cost.protocol == protocol]
        worst = "worst_verified" if claim.change_note == "signatures" else "worst_messages"
        found.append(
            Verdict(
                protocol,
                claim.faults,
                claim.replicas,
                claim.phases,
                max(cost.delays_last for cost in rows),
                claim.block_power,
                growth(rows, "messages"),
                claim.change_power,
                claim.change_note,
                growth(rows, "change_messages"),
                growth(rows, worst),
            )
        )
    return found
