"""Starting and catching up: how a replica that knows no view finds the others', and what a new block changes.

Rule 1. A started replica asks for a view twice at once (upstream does, before its network is up), then at every timeout.
Rule 2. Recover responses of a quorum of *other* sealers that name one view above 0 put a replica in timeout into it. With f = 0, or
        with two of four restarted, that can never be (spec 1.12): a transaction has to make the others change view.
Rule 3. Proposals executed before the restart are verified and executed again, and their checkpoints sent again.
Rule 4. A new block ends everything at or below it, resets or stops the timer, and may open barriers.
Rule 5. When the block changes members or weights, everything above it that was not executed starts afresh: votes were weighed
        under the old list. What this replica voted for stays remembered.

Sources: bcos-pbft `PBFTCacheProcessor.cpp` `checkAndTryToRecover`, `PBFTEngine.cpp` `start`, `restart`, `recoverState`,
`finalizeConsensus`, `PBFTConfig.cpp` `resetConfig`; spec 3.x 1.8 (14), 1.10, 1.12-1.16, 1.19.
"""

from __future__ import annotations

from fiscotool.pbft import checkpoint, newview, normal, sealing, timers, viewchange
from fiscotool.pbft.effects import Effect, Reject, RejectReason, ReleaseTransactions, VerifyProposal
from fiscotool.pbft.events import LedgerAdvanced, PeersChanged, SyncTarget
from fiscotool.pbft.messages import RecoverResponse
from fiscotool.pbft.quorum import join_weight, quorum_weight, weight_of
from fiscotool.pbft.rules import Quirk
from fiscotool.pbft.state import NO_VIEW, RECENT_BLOCKS, ReplicaState, Slot
from fiscotool.pbft.types import NO_DIGEST, Height, NodeIndex, View


def on_started(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """Rules 1 and 3. A sealer that is a quorum by itself asks once: its own ViewChange suffices (spec 1.14)."""
    assert not state.recovered
    state = checkpoint.arm_resend(state, out)
    out.extend(VerifyProposal(slot.pulling, slot.pulling.sealer, is_certified=True) for slot in state.slots if slot.pulling is not None)
    me = state.me
    if me is None:
        return timers.restart(state._replace(to_view=View(state.to_view + 2)), out)
    state = viewchange.begin(state, out, is_timeout=False)
    if state.rules.weights[me] >= state.quorum_weight:
        return state
    return viewchange.begin(state, out, is_timeout=False)


def on_recover_response(state: ReplicaState, message: RecoverResponse, out: list[Effect]) -> ReplicaState:
    """Rule 2 (`checkAndTryToRecover`). Of each sender the last answer counts."""
    if message.sender == state.me or not state.in_timeout:
        out.append(Reject(message, RejectReason.NOT_IN_TIMEOUT))
        return state
    others = tuple(entry for entry in state.recoveries if entry[0] != message.sender)
    answers = tuple(sorted((*others, (message.sender, message.view))))
    if answers != state.recoveries:
        state = state._replace(recoveries=answers)
    view = _recoverable_view(state, answers)
    if view is None:
        return state
    assert view >= state.view
    return viewchange.settle(newview.enter(state, view, out), out)


def on_ledger_advanced(state: ReplicaState, event: LedgerAdvanced, out: list[Effect]) -> ReplicaState:
    """Rules 4 and 5: block `event.index` is durable."""
    if event.index <= state.height:
        return state
    passed = event.index - state.height
    for slot in state.slots[:passed]:
        _release_losers(slot, event, out)
    done = tuple(slot.agreed for slot in state.slots[:passed] if slot.agreed is not None and slot.block_hash != NO_DIGEST)
    old = state
    state = state._replace(
        height=event.index,
        block_hash=event.block_hash,
        expected=Height(max(state.expected, event.index + 1)),
        slots=state.slots[passed:],
        recent=(*state.recent, *done)[-RECENT_BLOCKS:],
        seal_last=Height(max(state.seal_last, event.index)),
        view_changes=viewchange.current(state, event.index, NO_VIEW),
        issued_view=NO_VIEW,
        is_overtaken=False,
        fillers_asked=(NO_VIEW, ()),
    )
    if event.rules != state.rules or event.me != state.me:
        state = _change_rules(state, event)
    assert state.expected > state.height
    state = _refresh_timer(state, old, event, out)
    state = normal.replay_kept(state, out)
    state = checkpoint.try_execute(state, out)
    state = checkpoint.try_stable(state, out)
    state = sealing.notify(state, out)
    is_asked = not event.by_sync or state.rules.has(Quirk.SYNCING_CHANGES_VIEW)
    state = viewchange.settle(state, out, is_final=True) if is_asked else state
    return state if state.in_timeout or not state.view_changes else viewchange.join(state, out)


def on_sync_target(state: ReplicaState, event: SyncTarget) -> ReplicaState:
    """Block synchronisation names what it fetches; the value is overtaken, never lowered (spec 1.16)."""
    if event.index <= state.syncing_until:
        return state
    assert event.index > 0
    return state._replace(syncing_until=event.index, syncing_from=state.height)


def on_peers_changed(state: ReplicaState, event: PeersChanged) -> ReplicaState:
    """Remember who is there. Nothing else happens now: the question is asked after progress (`viewchange.settle`)."""
    if event.connected == state.connected and event.faulty == state.faulty:
        return state
    assert state.me not in event.connected
    return state._replace(connected=event.connected, faulty=event.faulty)


def _recoverable_view(state: ReplicaState, answers: tuple[tuple[NodeIndex, View], ...]) -> View | None:
    """The highest view that answers of a quorum of others name; never 0, never one that is past."""
    found = None
    for view in {view for _, view in answers}:
        weight = weight_of((sender for sender, named in answers if named == view), state.rules.weights)
        if weight >= state.quorum_weight and view >= max(state.view, 1) and (found is None or view > found):
            found = view
    assert found is None or found >= 1
    return found


def _release_losers(slot: Slot, event: LedgerAdvanced, out: list[Effect]) -> None:
    """Transactions of a proposal that did not become the block of its height may be sealed again."""
    if slot.height == event.index and slot.block_hash == event.block_hash:
        return
    if slot.block_hash != NO_DIGEST and slot.height < event.index:
        return
    known = (slot.pre.proposal if slot.pre else None, slot.cert.proposal if slot.cert else None)
    released: set[bytes] = set()
    for proposal in known:
        if proposal is not None and proposal.digest not in released:
            released.add(proposal.digest)
            out.append(ReleaseTransactions(proposal))
    assert len(released) <= len(known)


def _change_rules(state: ReplicaState, event: LedgerAdvanced) -> ReplicaState:
    """Take the rules for the next block; a new list of members or weights voids what was weighed with the old one (rule 5)."""
    rules = event.rules
    total = sum(rules.weights)
    changed = rules.weights != state.rules.weights or rules.members != state.rules.members or event.me != state.me
    joining = state.join_weight if rules.has(Quirk.THRESHOLDS_KEPT) else join_weight(total)
    state = state._replace(rules=rules, me=event.me, quorum_weight=quorum_weight(total), join_weight=joining)
    if not changed:
        return state
    keeps_certificates = rules.has(Quirk.OLD_CERTIFICATES)
    assert event.me is None or event.me < rules.node_count
    slots = tuple(
        Slot(
            height=slot.height,
            voted_view=slot.voted_view,
            voted_digest=slot.voted_digest,
            cert=slot.cert if keeps_certificates else None,
            agreed=slot.agreed if slot.block_hash != NO_DIGEST else None,
            block_hash=slot.block_hash,
        )
        for slot in state.slots
    )
    return state._replace(slots=slots, view_changes=(), recoveries=(), wait_reseal_until=state.height, faulty=frozenset())


def _refresh_timer(state: ReplicaState, old: ReplicaState, event: LedgerAdvanced, out: list[Effect]) -> ReplicaState:
    """`freshTimer` after a block.

    At the end of a synchronisation of several blocks a replica in timeout goes on asking, after one of a single block it stays
    silent until transactions or others' view changes come (spec 1.10, the derived quirk).
    """
    was_long = old.syncing_until - old.syncing_from > 1
    if event.by_sync and state.in_timeout and was_long and event.index >= old.syncing_until:
        return timers.restart(state, out)
    assert state.height == event.index
    return timers.stop(state, out) if state.rules.has(Quirk.TIMER_STOPPED) and not event.by_sync else timers.refresh(state, out)
