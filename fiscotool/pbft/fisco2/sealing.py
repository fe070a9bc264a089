"""Leading: whose turn it is to propose, and what becomes of a proposal.

Rule 1. The leader of the next height seals once a view. Holding a lock it proposes the locked block again, with the new view and its own
        index, and never a fresh one (`rehandleCommittedPrepare`).
Rule 2. A leader without transactions for a whole block time has an empty block made (`timers.await_transactions`).
Rule 3. Who stops leading tells its sealer so.

Sources: libconsensus/pbft `PBFTSealer.cpp`, `PBFTEngine.cpp` `shouldSeal`, `generatePrepare`, `addRawPrepare`; spec 2.x 1.4, 1.11.
"""

from __future__ import annotations

from fiscotool.pbft.effects import Broadcast, Effect, Execute, ReleaseTransactions, SealRange
from fiscotool.pbft.fisco2 import timers
from fiscotool.pbft.fisco2.state import Phase, ReplicaState, leader, lock_at_next
from fiscotool.pbft.messages import PrePrepare, Proposal
from fiscotool.pbft.types import NO_DIGEST, Digest, Height


def lead(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """After a start, a view or a block: seal, propose the lock again, or be told to stop (rule 1)."""
    if state.me is None or leader(state) != state.me:
        if state.has_range:
            out.append(SealRange(Height(state.height + 1), state.height, state.view))
        return timers.stop_waiting(state._replace(has_range=False), out)
    if state.raw is not None:
        return state
    lock = lock_at_next(state)
    if lock is not None:
        return propose(state, lock.proposal, out)
    first = Height(state.height + 1)
    out.append(SealRange(first, first, state.view))
    return timers.await_transactions(state._replace(has_range=True), out)


def propose(state: ReplicaState, proposal: Proposal, out: list[Effect]) -> ReplicaState:
    """Broadcast it and handle it like another's."""
    assert state.me is not None
    pre = PrePrepare(state.view, proposal.index, proposal.digest, state.me, proposal)
    out.append(Broadcast(pre))
    state = timers.stop_waiting(state._replace(has_range=False), out)
    return execute(take(state, pre, out), out)


def drop(state: ReplicaState, out: list[Effect], kept: Digest = NO_DIGEST) -> ReplicaState:
    """Forget the accepted proposal; its transactions may be sealed again unless this replica is locked on it, or it is `kept`."""
    raw, lock = state.raw, lock_at_next(state)
    if raw is None:
        return state
    if raw.digest != kept and (lock is None or lock.proposal.digest != raw.digest) and state.phase is not Phase.FAILED:
        out.append(ReleaseTransactions(raw.proposal))
    return state._replace(raw=None, phase=Phase.NONE, executed_hash=NO_DIGEST, is_saving=False)


def take(state: ReplicaState, pre: PrePrepare, out: list[Effect]) -> ReplicaState:
    """`addRawPrepare`: this is the view's proposal now."""
    state = drop(state, out, kept=pre.digest)
    return timers.restart(state._replace(raw=pre), out, base_ticks=state.rules.timeout_base_ticks)


def execute(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """Hold the engine's lock and execute."""
    assert state.raw is not None
    out.append(Execute(state.raw.proposal))
    return state._replace(phase=Phase.EXECUTING)
