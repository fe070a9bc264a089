"""Who seals what: which heights the own sealer may propose now.

Rule 1. Only leader(i, view) seals i; it is told after each block, each agreed proposal (so it seals ahead) and each new view.
Rule 2. Nothing is sealed while a system proposal (`wait_seal_until`) or a re-proposal (`wait_reseal_until`) is not committed.
Rule 3. The range ends with the leader's period and one below the high water mark, c + 1 + pipeline. It is told again only when
        its end moves, and then from the first height not proposed yet.
Rule 4. A leader that is locked on a block at the next height proposes that block again instead of sealing one that those who
        are locked with it would refuse. (Upstream seals a new one and waits for the next view: D10 of docs/pbft.md.)

Recovery by responses tells the sealer nothing (spec 1.12): such a replica first leads after the next block.

Sources: bcos-pbft `PBFTConfig.cpp` `notifySealer`, `reNotifySealer`, `PBFTEngine.cpp` `onRecvProposal`; spec 3.x 1.8 (1, 3).
"""

from __future__ import annotations

from fiscotool.pbft.effects import Effect, ReleaseTransactions, SealRange
from fiscotool.pbft.events import Proposed
from fiscotool.pbft.messages import PrePrepare, Proposal
from fiscotool.pbft.quorum import leader_of
from fiscotool.pbft.state import ReplicaState, barrier, find_slot, slot_at
from fiscotool.pbft.types import Height
from fiscotool.pbft.voting import accept, conflict


def next_to_seal(state: ReplicaState) -> Height:
    """The lowest height above the ledger that is neither agreed nor executed."""
    index = state.expected
    while (slot := find_slot(state, index)) is not None and slot.agreed is not None:
        index = Height(index + 1)
    assert index > state.height
    return index


def notify(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """Give the own sealer its next range, when this replica leads and nothing bars it (`notifySealer`)."""
    if state.me is None or not state.recovered:
        return state
    if state.wait_seal_until > state.height or state.wait_reseal_until > state.height:
        return state
    index = next_to_seal(state)
    if leader_of(index, state.view, state.rules) != state.me:
        return state
    state = _propose_lock(state, index, out)
    period = state.rules.leader_period_blocks
    last = min((index // period + 1) * period - 1, state.height + state.rules.pipeline_blocks)
    first: int = index
    while first <= last and _is_taken(state, Height(first)):
        first += 1
    last = next((i for i in range(first, last + 1) if _is_taken(state, Height(i))), last + 1) - 1
    if last <= state.seal_last or first > last:
        return state
    assert first >= state.expected
    out.append(SealRange(Height(first), Height(last), state.view))
    return state._replace(seal_last=Height(last))


def on_proposed(state: ReplicaState, event: Proposed, out: list[Effect]) -> ReplicaState:
    """The own sealer made a block: propose it, or give its transactions back when the turn has passed (`onRecvProposal`)."""
    proposal = event.proposal
    index = proposal.index
    mine = state.me is not None and index > state.height and leader_of(index, state.view, state.rules) == state.me
    in_reach = state.syncing_until < index <= state.height + state.rules.pipeline_blocks and index >= state.expected
    if not mine or not in_reach or not state.recovered or barrier(state, index):
        return _give_back(state, proposal, out)
    assert state.me is not None
    pre = PrePrepare(state.view, index, proposal.digest, state.me, proposal)
    slot = slot_at(state, index)
    if conflict(state, slot, pre) is not None:
        return _give_back(state, proposal, out)
    return accept(state, slot, pre, out, is_own=True)


def _give_back(state: ReplicaState, proposal: Proposal, out: list[Effect]) -> ReplicaState:
    """The proposal is not used; its height may be given to the sealer again."""
    out.append(ReleaseTransactions(proposal))
    seal_last = Height(max(state.height, min(state.seal_last, proposal.index - 1)))
    assert seal_last <= max(state.seal_last, state.height)
    return state if seal_last == state.seal_last else state._replace(seal_last=seal_last)


def _is_taken(state: ReplicaState, index: Height) -> bool:
    """Whether a new block at `index` would be refused here: voted in this view already, or locked."""
    slot = find_slot(state, index)
    return slot is not None and (slot.cert is not None or slot.agreed is not None or slot.voted_view >= state.view)


def _propose_lock(state: ReplicaState, index: Height, out: list[Effect]) -> ReplicaState:
    """Rule 4: propose the block this replica is locked on, if that is what `index` needs."""
    slot = find_slot(state, index)
    if slot is None or slot.cert is None or state.me is None:
        return state
    proposal = slot.cert.proposal
    pre = PrePrepare(state.view, index, proposal.digest, state.me, proposal)
    if conflict(state, slot, pre) is not None:
        return state
    assert proposal.index == index
    return accept(state, slot, pre, out, is_own=True)
