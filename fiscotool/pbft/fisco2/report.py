"""Blocks, start, synchronisation: what changes the height.

Rule 1. A new block, agreed on or fetched, puts view, target and change cycle to 0 and forgets what was of its height.
Rule 2. Members, weights and configuration of the block are in force for the next one; a changed list voids what was weighed.
Rule 3. A started replica is in view 0 and says nothing; it asks for view 1 when its timer runs out, and is then told where the others are.
Rule 4. A peer that disconnects is forgotten in `latest`, so that it may start again from a lower view.

Sources: libconsensus/pbft `PBFTEngine.cpp` `reportBlockWithoutLock`, `initPBFTEnv`, `ConsensusEngineBase.cpp` `resetConfig`;
spec 2.x 1.7, 1.11, 1.12.
"""

from __future__ import annotations

from fiscotool.pbft.effects import Effect
from fiscotool.pbft.events import LedgerAdvanced, PeersChanged, SyncTarget
from fiscotool.pbft.fisco2 import sealing, timers
from fiscotool.pbft.fisco2.state import ReplicaState
from fiscotool.pbft.quorum import join_weight, quorum_weight
from fiscotool.pbft.state import NO_VIEW
from fiscotool.pbft.types import NO_DIGEST, View


def on_started(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """Rule 3."""
    return sealing.lead(timers.restart(state, out), out)


def on_ledger_advanced(state: ReplicaState, event: LedgerAdvanced, out: list[Effect]) -> ReplicaState:
    """Rules 1 and 2 (`reportBlock`)."""
    if event.index <= state.height:
        return state
    kept = state.raw.digest if state.raw is not None and state.executed_hash == event.block_hash else NO_DIGEST
    state = sealing.drop(state, out, kept=kept)
    rules, total = event.rules, sum(event.rules.weights)
    changed = rules.weights != state.rules.weights or rules.members != state.rules.members or event.me != state.me
    height = event.index
    current = [vc for vc in state.view_changes if vc.index > height or (vc.index == height and vc.digest == event.block_hash)]
    state = state._replace(
        rules=rules,
        me=event.me,
        quorum_weight=quorum_weight(total),
        join_weight=join_weight(total),
        height=height,
        block_hash=event.block_hash,
        view=View(0),
        to_view=View(0),
        leader_failed=False,
        change_cycle=0,
        commit_view=NO_VIEW,
        signs=() if changed else tuple(vote for vote in state.signs if vote.index > height),
        commits=() if changed else tuple(vote for vote in state.commits if vote.index > height),
        view_changes=() if changed else tuple(current),
        latest=() if changed else tuple(vc for vc in state.latest if vc in current),
        future=tuple(pre for pre in state.future if pre.index > height),
        lock=state.lock if state.lock is not None and state.lock.proposal.index > height else None,
    )
    state = timers.restart(state, out)
    return sealing.lead(state, out)


def on_sync_target(state: ReplicaState, event: SyncTarget) -> ReplicaState:
    """Block synchronisation names what it fetches; the value is overtaken, never lowered."""
    return state if event.index <= state.syncing_until else state._replace(syncing_until=event.index)


def on_peers_changed(state: ReplicaState, event: PeersChanged) -> ReplicaState:
    """Rule 4."""
    if event.connected == state.connected:
        return state
    gone = state.connected - event.connected
    return state._replace(connected=event.connected, latest=tuple(vc for vc in state.latest if vc.sender not in gone))
