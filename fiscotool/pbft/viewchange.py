"""View change: how a chain replaces a leader that does not deliver.

Rule 1. On expiry a replica asks for the view after the one it asked for last; while a proposal is executing it only waits on.
Rule 2. f+1 weight asking for one view above the own target makes a replica join it at once, without counting a timeout. The f+1
        must ask for the *same* view (FISCO PR #2212; OSDI'99 section 4.5.2 counts different views: D4).
Rule 3. A leader that block synchronisation calls faulty is voted out without waiting (D5), at most n times in a row (FIB-115).
Rule 4. A ViewChange is also a question where the others are: a replica in a view answers with its view, one in timeout that is
        further ahead answers with its own ViewChange (spec 1.11, 2 and 3). One of a shorter ledger gets no answer.
Rule 5. The leader of (height + 1, to_view) with a quorum of view changes issues the NewView, once, after `BuildFillers` gave it
        empty blocks for gaps.

Sources: Castro & Liskov, OSDI'99, section 4.4, 4.5.2; bcos-pbft `PBFTEngine.cpp` `onTimeout`, `triggerTimeout`,
`handleViewChangeMsg`, `PBFTCacheProcessor.cpp` `tryToTriggerFastViewChange`, `checkAndTryIntoNewView`, `resetTimer`,
`PBFTConfig.cpp` `tryTriggerFastViewChange`; spec 3.x 1.10, 1.11.
"""

from __future__ import annotations

from typing import Final

from fiscotool.pbft import newview, timers
from fiscotool.pbft.effects import AgreedIndex, Broadcast, BuildFillers, Effect, Reject, RejectReason, Send
from fiscotool.pbft.events import FillersBuilt
from fiscotool.pbft.messages import NewView, PreparedCertificate, Proposal, RecoverResponse, ViewChange
from fiscotool.pbft.quorum import leader_of
from fiscotool.pbft.reproposal import reproposals_of
from fiscotool.pbft.rules import Quirk
from fiscotool.pbft.state import ReplicaState, Slot
from fiscotool.pbft.types import Height, NodeIndex, View

VIEW_MAX: Final = 2**63 - 1
"""The largest view that fits into a message. Nobody is followed there (`PBFTEngine.h` `MaxView`, FISCO PR #2311)."""

VIEW_CHANGES_KEPT: Final = 8
"""How many view changes of one sender are kept, latest views first; an honest one asks for a single view at a time (D8)."""


def begin(state: ReplicaState, out: list[Effect], *, is_timeout: bool) -> ReplicaState:
    """Ask for the next view (`triggerTimeout`). `is_timeout` counts it in `change_cycle`, which lengthens the next wait."""
    assert state.me is not None
    cycle = min(state.change_cycle + 1, timers.CHANGE_CYCLE_MAX) if is_timeout else state.change_cycle
    state = state._replace(
        in_timeout=True,
        to_view=next_view(state),
        change_cycle=cycle,
        view_changes=current(state, state.height, state.view),
    )
    state = timers.restart(state, out)
    out.append(AgreedIndex(state.height))
    out.append(Broadcast(own_view_change(state)))
    return state


def next_view(state: ReplicaState) -> View:
    """The view to ask for. Quirk.VIEW_OVERFLOW: as a signed 64-bit number, which ends at `VIEW_MAX`."""
    view = max(state.to_view, state.view) + 1
    return View(view - 2 * (VIEW_MAX + 1)) if view > VIEW_MAX and state.rules.has(Quirk.VIEW_OVERFLOW) else View(view)


def own_view_change(state: ReplicaState) -> ViewChange:
    """What this replica says when it asks for `to_view`: its ledger and its certificates, without block content."""
    assert state.me is not None
    prepared = tuple(
        PreparedCertificate(cert.view, _without_data(cert.proposal), cert.signatures)
        for cert in (slot.cert for slot in state.slots)
        if cert is not None
    )
    return ViewChange(state.to_view, state.height, state.block_hash, state.me, prepared)


def current(state: ReplicaState, height: Height, above: View) -> tuple[ViewChange, ...]:
    """View changes that are of use once the ledger ends at `height`: for views after `above`, of ledgers that are not shorter."""
    expired_too = state.rules.has(Quirk.EXPIRED_COUNTED)
    return tuple(vc for vc in state.view_changes if vc.view > above and (expired_too or vc.index >= height))


def on_timer(state: ReplicaState, epoch: int, out: list[Effect]) -> ReplicaState:
    """The view timer ran out (`onTimeout`)."""
    if epoch != state.timer_epoch or not state.timer_on:
        return state
    assert epoch > 0
    state = state._replace(timer_on=False)
    if state.me is None or any(slot.is_executing for slot in state.slots):
        return timers.restart(state, out)
    return begin(state, out, is_timeout=True)


def on_view_change(state: ReplicaState, message: ViewChange, out: list[Effect]) -> ReplicaState:
    """Someone, or this replica itself, asks for a view (`handleViewChangeMsg`)."""
    if message.sender == state.me:
        stale = message.view <= state.view or message.index < state.height
        return state if stale else try_new_view(_collect(state, message), out)
    if (reason := _answer(state, message, out)) is not None:
        out.append(Reject(message, reason))
        return state
    collected = _collect(state, message)
    if collected is state:
        return state
    state = collected
    quirky = leader_of(Height(message.index + 1), View(message.index), state.rules) == message.sender
    quirky = quirky or state.rules.has(Quirk.VIEWS_POOLED)
    asking = tuple(vc for vc in state.view_changes if vc.view == message.view)
    is_writing = bool(state.slots) and state.slots[0].is_stable and message.index > state.height
    if not is_writing and (quirky or newview.weight_for(state, asking) >= state.join_weight):
        state = join(state, out)
    return try_new_view(state, out)


def try_new_view(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """Issue the NewView for `to_view` when this replica leads it and has what it needs (`checkAndTryIntoNewView`)."""
    view_changes = _usable(state)
    if not view_changes or state.rules.has(Quirk.QUORUM_IGNORED):
        return state
    gaps = tuple(index for index, found in reproposals_of(view_changes).items() if found is None)
    if not gaps:
        return _issue(state, view_changes, {}, out)
    if state.fillers_asked == (state.to_view, gaps):
        return state
    assert gaps[0] > state.height
    out.append(BuildFillers(state.to_view, gaps))
    return state._replace(fillers_asked=(state.to_view, gaps))


def on_fillers(state: ReplicaState, event: FillersBuilt, out: list[Effect]) -> ReplicaState:
    """The empty blocks for the gaps are there; more view changes may have come meanwhile, so look again."""
    if event.view != state.to_view:
        return state
    fillers = {proposal.index: proposal for proposal in event.proposals if proposal.is_filler and proposal.data}
    view_changes = _usable(state)
    if not view_changes:
        return state
    gaps = [index for index, found in reproposals_of(view_changes).items() if found is None]
    if any(index not in fillers for index in gaps):
        return state
    assert len(gaps) <= len(fillers)
    return _issue(state, view_changes, fillers, out)


def on_new_view(state: ReplicaState, message: NewView, out: list[Effect]) -> ReplicaState:
    """A leader claims a view: enter it when it can show why."""
    if message.sender == state.me:
        return state
    if (reason := newview.refuse_new_view(state, message)) is not None:
        out.append(Reject(message, reason))
        return state
    assert message.view >= state.view
    return settle(newview.enter(state, message.view, out, message), out)


def settle(state: ReplicaState, out: list[Effect], *, is_final: bool = False) -> ReplicaState:
    """After progress (`resetTimer`): with something in consensus the timer must run; with nothing, is the next leader alive?

    Real nodes were seen to ask that right after a block was finalised, with nothing agreed above it (recordings v3/logs: 499 of
    504 times after `finalizeConsensus`, the rest in a view change), 7 times although they were in timeout already: a replica that
    joined a view change with a block on its way asks again with the block, for the view after (`is_final`: called after a block).
    """
    assert state.expected > state.height
    for slot in state.slots:
        if _is_in_consensus(slot):
            return state if state.timer_on else timers.restart(state, out)
    leader = leader_of(state.expected, state.view, state.rules)
    is_busy = (state.in_timeout and not is_final) or any(slot.agreed is not None for slot in state.slots)
    if state.me is None or is_busy or not state.connected:
        return state
    for _ in range(state.rules.node_count):
        if leader == state.me or leader not in state.faulty:
            break
        state = begin(state, out, is_timeout=False)
        leader = leader_of(Height(state.height + 1), state.to_view, state.rules)
    return state


def _answer(state: ReplicaState, message: ViewChange, out: list[Effect]) -> RejectReason | None:
    """Validity of another's ViewChange, with the answers its sender gets (`isValidViewChangeMsg`)."""
    assert state.me is not None
    if message.index < state.height:
        return RejectReason.BEHIND
    if message.view >= VIEW_MAX and not state.rules.has(Quirk.VIEW_OVERFLOW):
        return RejectReason.TOO_FAR
    response = Send(message.sender, RecoverResponse(state.view, state.height, state.me, state.block_hash))
    if not state.in_timeout:
        out.append(response)
    elif message.view < state.view or message.view + 1 < state.to_view:
        out.append(Send(message.sender, own_view_change(state)))
    if message.view < state.view:
        return RejectReason.STALE_VIEW
    if (reason := newview.refuse_view_change(state, message)) is not None:
        return reason
    if not state.in_timeout:
        out.append(response)
    return None


def _collect(state: ReplicaState, message: ViewChange) -> ReplicaState:
    """Keep the first ViewChange of a sender for a view, and a bounded number of a sender."""
    if message.view <= state.view or any(vc.view == message.view and vc.sender == message.sender for vc in state.view_changes):
        return state
    kept = sorted((*state.view_changes, message), key=lambda vc: (vc.view, vc.sender))
    own = [vc for vc in kept if vc.sender == message.sender]
    if len(own) > VIEW_CHANGES_KEPT:
        kept.remove(own[0])
    assert len(kept) <= VIEW_CHANGES_KEPT * state.rules.node_count
    return state._replace(view_changes=tuple(kept))


def join(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """Rule 2: jump to the smallest view above the own target that f+1 weight asks for.

    A replica whose next block is just being written joins those who have it a moment later, with the block (D14). Upstream joins
    at once, is refused for its shorter ledger, and the chain stands still for a timeout (seen 7 times in recordings v3/logs).
    """
    if state.rules.has(Quirk.VIEWS_POOLED):
        return _join_pooled(state, out)
    for view in sorted({vc.view for vc in state.view_changes if vc.view > state.to_view}):
        asking = tuple(vc for vc in state.view_changes if vc.view == view)
        if newview.weight_for(state, asking) >= state.join_weight:
            assert view > state.view
            return begin(state._replace(to_view=View(view - 1)), out, is_timeout=False)
    return state


def _join_pooled(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """Quirk.VIEWS_POOLED: view changes for any later views are added up, and the largest is followed."""
    ahead = tuple(vc for vc in state.view_changes if vc.view > state.to_view)
    if newview.weight_for(state, ahead) < state.join_weight:
        return state
    return begin(state._replace(to_view=View(max(vc.view for vc in ahead) - 1)), out, is_timeout=False)


def _usable(state: ReplicaState) -> tuple[ViewChange, ...]:
    """The view changes with which this replica may issue the NewView for `to_view` now; empty when it may not."""
    if not state.in_timeout or state.to_view <= state.view or state.syncing_until > state.height:
        return ()
    if state.issued_view == state.to_view or not newview.leads_new_view(state, state.to_view, state.me):
        return ()
    found = tuple(vc for vc in state.view_changes if vc.view == state.to_view and vc.index >= state.height)
    found = newview.substantiated(state, found)
    assert len({vc.sender for vc in found}) == len(found)
    if state.rules.has(Quirk.EXPIRED_COUNTED):
        counted = tuple(vc for vc in state.view_changes if vc.view == state.to_view)
        return found if newview.weight_for(state, counted) >= state.quorum_weight else ()
    return found if newview.weight_for(state, found) >= state.quorum_weight else ()


def _issue(state: ReplicaState, view_changes: tuple[ViewChange, ...], fillers: dict[Height, Proposal], out: list[Effect]) -> ReplicaState:
    """Broadcast the NewView and enter the view."""
    assert state.me is not None
    entries = newview.compose(state, view_changes, fillers)
    message = NewView(state.to_view, state.height, state.me, view_changes, entries)
    out.append(Broadcast(message))
    state = state._replace(issued_view=state.to_view)
    return settle(newview.enter(state, state.to_view, out, message), out)


def _without_data(proposal: Proposal) -> Proposal:
    """The proof-only copy that travels in view changes."""
    sealer = NodeIndex(proposal.sealer)
    assert len(proposal.digest) > 0
    return Proposal(proposal.index, proposal.digest, b"", proposal.is_system, sealer, proposal.is_filler)


def _is_in_consensus(slot: Slot) -> bool:
    """Whether anything is known of the height and it is not agreed yet (upstream: an unsubmitted cache).

    A mere memory of a vote from before a restart does not count: upstream would have forgotten it.
    """
    assert slot.height > 0
    if slot.agreed is not None:
        return False
    is_proposed = slot.pre is not None or slot.checking is not None or slot.cert is not None or slot.pulling is not None
    return is_proposed or bool(slot.prepares or slot.commits or slot.checkpoints)
