"""Raft and HotStuff as dialects: what a driver takes from `pbft.dialects` for the PBFTs it takes from here for all five."""

from __future__ import annotations

from typing import Final

from fiscotool.pbft.dialects import DIALECTS, Dialect
from fiscotool.pbft.stalls import no_known_stall
from fiscotool.protocols.hotstuff import properties as hotstuff_properties
from fiscotool.protocols.hotstuff import state as hotstuff_state
from fiscotool.protocols.hotstuff import step as hotstuff_step
from fiscotool.protocols.raft import properties as raft_properties
from fiscotool.protocols.raft import state as raft_state
from fiscotool.protocols.raft import step as raft_step

RAFT: Final = Dialect(
    name="raft",
    title="Raft as published (USENIX ATC'14); crash faults only",
    step=raft_step.step,
    initial_state=raft_state.initial_state,
    status=raft_state.status,
    new_history=raft_properties.History,
    timeout_ticks=raft_state.timeout_ticks,
    change_cycle_max=raft_state.CYCLE_MAX,
    views_to_live=lambda n: n + 4,
    known_stall=no_known_stall,
)

HOTSTUFF: Final = Dialect(
    name="hotstuff",
    title="Chained HotStuff as published (PODC'19)",
    step=hotstuff_step.step,
    initial_state=hotstuff_state.initial_state,
    status=hotstuff_state.status,
    new_history=hotstuff_properties.History,
    timeout_ticks=hotstuff_state.timeout_ticks,
    change_cycle_max=hotstuff_state.CYCLE_MAX,
    views_to_live=lambda n: 2 * n + 8,
    known_stall=no_known_stall,
)

PROTOCOLS: Final[dict[str, Dialect]] = {**DIALECTS, RAFT.name: RAFT, HOTSTUFF.name: HOTSTUFF}
"""All protocols by name, the PBFTs first."""

CRASH_ONLY: Final = frozenset({RAFT.name})
"""Protocols that promise nothing when a replica lies."""

FIXED_MEMBERS: Final = frozenset({"classic", RAFT.name, HOTSTUFF.name})
"""Protocols whose members never change."""
