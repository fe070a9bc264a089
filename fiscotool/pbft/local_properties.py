"""What one correct replica may do in one step, judged from that step alone.

Written a second time and differently from the handlers on purpose: a rule that is wrong in the handlers is not wrong here too.

    durable   votes and results are made durable before the message that depends on them
    leader    a pre-prepare that is accepted comes from the leader of its height and view, or from a NewView
    locked    a replica locked on one block accepts another only with a NewView that shows a later certificate for it
    committed a height is agreed with Commits of a quorum of distinct sealers for its block, in the view of its certificate
    window    nothing is kept further than two pipelines above the ledger, or for a view further than n ahead
    executed  only the next height is executed; a pulled proposal's result is signed only when f+1 checkpoints name it
    joined    a replica follows others' view changes when f+1 weight asks for one view, and only then
    calm      who asks for another view sends no Commit
    recovered a view is recovered by answers of a quorum of others that name it
    timer     the view timer runs T * 1.5**min(k, 10); nobody asks for a view while executing

Sources: spec 3.x 1.8-1.12, 1.17; OSDI'99 section 4.2, 4.4.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from fiscotool.pbft.effects import Broadcast, Effect, Execute, ExecutedRecord, Persist, SetTimer, VoteRecord
from fiscotool.pbft.events import Event, LedgerAdvanced, Received, TimerFired, TimerName
from fiscotool.pbft.messages import CheckPoint, Commit, NewView, Prepare, PrePrepare, RecoverResponse, ViewChange
from fiscotool.pbft.rules import Quirk
from fiscotool.pbft.state import ReplicaState, Slot
from fiscotool.pbft.types import Height

Found = Iterator[tuple[str, Height, str]]
"""(property, height, what was seen)."""


def local_violations(before: ReplicaState, event: Event, after: ReplicaState, effects: tuple[Effect, ...]) -> Found:
    """Everything in this step that a correct replica may not do."""
    assert before.rules.node_count > 0
    if effects:
        kinds = {type(effect) for effect in effects}
        if Broadcast in kinds:
            yield from _durable(before, after, effects)
            if before.in_timeout and after.in_timeout:
                yield from _calm(before, effects)
        if Broadcast in kinds or Execute in kinds:
            yield from _executed(before, after, effects)
        if SetTimer in kinds:
            yield from _armed(before, after, effects)
    if isinstance(event, TimerFired):
        yield from _patient(before, event, after)
    if isinstance(event, Received) and isinstance(event.message, ViewChange | RecoverResponse):
        yield from _views(before, event, after)
    elif isinstance(event, LedgerAdvanced) and event.by_sync and after.to_view > before.to_view and after.view == before.view:
        senders = {vc.sender for vc in before.view_changes if vc.view == after.to_view}
        if sum(after.rules.weights[sender] for sender in senders) < (sum(after.rules.weights) - 1) // 3 + 1:
            yield "joined", after.height, f"asked for view {after.to_view} because of a block it fetched"
    if after.slots is not before.slots:
        yield from _accepted(before, event, effects, after)
        yield from _kept(before, after)


def _calm(before: ReplicaState, effects: tuple[Effect, ...]) -> Found:
    """Who asks for another view, before the step and after it, neither precommits nor commits in the old one (spec 3.x 6.2)."""
    assert before.in_timeout
    for effect in effects:
        if isinstance(effect, Broadcast) and isinstance(effect.message, Commit):
            yield "calm", effect.message.index, f"committed in view {before.view} while asking for view {before.to_view}"


def _durable(before: ReplicaState, after: ReplicaState, effects: tuple[Effect, ...]) -> Found:
    """Order of effects: what must be on disk when a message leaves."""
    votes: dict[Height, VoteRecord] = {}
    results: dict[Height, ExecutedRecord] = {}
    assert effects
    for effect in effects:
        if isinstance(effect, Persist):
            if isinstance(effect.record, VoteRecord):
                votes[effect.record.index] = effect.record
            else:
                results[effect.record.proposal.index] = effect.record
        if not isinstance(effect, Broadcast):
            continue
        message = effect.message
        if isinstance(message, Prepare | Commit) and not after.rules.has(Quirk.AMNESIA):
            record = votes.get(message.index)
            is_bound = record is not None and record.digest == message.digest
            if not is_bound or (isinstance(message, Commit) and (record is None or record.certificate is None)):
                yield "durable", message.index, f"{type(message).__name__} left before its record"
        elif isinstance(message, CheckPoint):
            slot = next((slot for slot in before.slots if slot.height == message.index), None)
            is_resent = slot is not None and slot.block_hash == message.digest
            if not is_resent and message.index not in results:
                yield "durable", message.index, "CheckPoint left before its record"


def _kept(before: ReplicaState, after: ReplicaState) -> Found:
    """What this step agreed on or put away for later."""
    passed = after.height - before.height
    if len(after.slots) > 2 * after.rules.pipeline_blocks:
        yield "window", after.slots[-1].height, f"keeps {len(after.slots)} heights"
    for place, slot in enumerate(after.slots):
        known = before.slots[place + passed] if place + passed < len(before.slots) else None
        if slot is known:
            continue
        if slot.later and slot.later[-1].view > after.view + after.rules.node_count:
            yield "window", slot.height, f"keeps a proposal of view {slot.later[-1].view} in view {after.view}"
        was_agreed = known is not None and (known.agreed is not None or known.is_restored)
        if slot.agreed is not None and not slot.is_pulled and not was_agreed:
            yield from _committed(after, slot)


def _committed(after: ReplicaState, slot: Slot) -> Found:
    """A height that this step agreed on."""
    weights, total = after.rules.weights, sum(after.rules.weights)
    view = -1 if slot.cert is None else slot.cert.view
    any_view = after.rules.has(Quirk.STALE_VOTE_KEPT)
    named = (slot.cert.proposal.digest if slot.cert else b"",)
    backers = {vote.sender for vote in slot.commits if vote.digest in named and (any_view or vote.view == view)}
    if sum(weights[backer] for backer in backers if backer < len(weights)) < total - (total - 1) // 3:
        yield "committed", slot.height, f"agreed in view {view} with Commits of {sorted(backers)}"


def _accepted(before: ReplicaState, event: Event, effects: tuple[Effect, ...], after: ReplicaState) -> Found:
    """Pre-prepares that this step began to verify or accepted; what was being verified already was judged then."""
    passed = after.height - before.height
    assert after.rules.node_count > 0
    for place, slot in enumerate(after.slots):
        known = before.slots[place + passed] if place + passed < len(before.slots) else Slot(slot.height)
        if slot is known:
            continue
        if slot.pre is known.pre and slot.checking is known.checking:
            continue
        new_view = _new_view(event, effects)
        judged = {(pre.view, pre.digest) for pre in (known.pre, known.checking) if pre is not None}
        for pre in (slot.pre, slot.checking):
            if pre is not None and (pre.view, pre.digest) not in judged:
                yield from _taken(after, new_view, known, pre)


def _taken(after: ReplicaState, new_view: NewView | None, known: Slot, pre: PrePrepare) -> Found:
    """A proposal this replica lets in: from its leader, and not against its lock."""
    shown = _shown(new_view, known.height, pre.digest)
    leader = (known.height // after.rules.leader_period_blocks + pre.view) % after.rules.node_count
    if pre.sender != leader and shown is None:
        yield "leader", known.height, f"accepted a proposal of {pre.sender}, leader is {leader}"
    lock = known.cert
    assert lock is None or lock.view >= 0
    if lock is not None and lock.proposal.digest != pre.digest and (shown is None or shown <= lock.view):
        yield "locked", known.height, f"gave up a lock of view {lock.view} in view {pre.view}"


def _new_view(event: Event, effects: tuple[Effect, ...]) -> NewView | None:
    """The NewView this step enters: another's that arrived, or the own one that leaves."""
    assert event is not None
    if isinstance(event, Received) and isinstance(event.message, NewView):
        return event.message
    sent = (effect.message for effect in effects if isinstance(effect, Broadcast))
    return next((message for message in sent if isinstance(message, NewView)), None)


def _shown(new_view: NewView | None, height: Height, digest: bytes) -> int | None:
    """The view of the latest certificate for this block in the NewView that is being entered; -1 for a filler, None outside one."""
    assert height > 0
    if new_view is None:
        return None
    certs = [cert for vc in new_view.view_changes for cert in vc.prepared]
    views = [cert.view for cert in certs if (cert.proposal.index, cert.proposal.digest) == (height, digest)]
    return max(views, default=-1)


def _past_system(after: ReplicaState, index: Height) -> Found:
    """What a system block may change is in force in the ledger only: nothing above it is executed before."""
    for slot in after.slots:
        if slot.height < index and slot.agreed is not None and slot.agreed.is_system:
            yield "executed", index, f"executed above the system block {slot.height}, which is not in the ledger"


def _executed(before: ReplicaState, after: ReplicaState, effects: tuple[Effect, ...]) -> Found:
    """Execution and its results."""
    expected = before.expected
    assert expected > 0
    for effect in effects:
        if isinstance(effect, Execute) and effect.proposal.index > expected + 1:
            yield "executed", effect.proposal.index, f"executed out of order: {expected} is next"
        if isinstance(effect, Execute):
            yield from _past_system(after, effect.proposal.index)
        if isinstance(effect, Broadcast) and isinstance(effect.message, CheckPoint):
            message = effect.message
            slot = next((slot for slot in before.slots if slot.height == message.index), None)
            if slot is None or not slot.is_pulled or before.rules.has(Quirk.PULL_WITHOUT_PROOF):
                continue
            backers = {vote.sender for vote in slot.checkpoints if vote.digest == message.digest}
            if sum(before.rules.weights[backer] for backer in backers) * 3 < sum(before.rules.weights):
                yield "executed", message.index, "signed the result of a pulled proposal that less than f+1 executed"


def _views(before: ReplicaState, event: Received, after: ReplicaState) -> Found:
    """Joining a view change, and recovering a view."""
    message = event.message
    weights = before.rules.weights
    total = sum(weights)
    assert total > 0
    if isinstance(message, ViewChange) and message.sender != before.me and after.to_view > before.to_view and after.view == before.view:
        senders = {vc.sender for vc in (*before.view_changes, message) if vc.view == after.to_view}
        if sum(weights[sender] for sender in senders) < (total - 1) // 3 + 1:
            yield "joined", after.height, f"asked for view {after.to_view} after {sorted(senders)}"
    if isinstance(message, ViewChange) and message.sender != before.me:
        yield from _left_behind(before, message, after)
    if isinstance(message, RecoverResponse) and before.in_timeout and not after.in_timeout:
        answers = {**dict(before.recoveries), message.sender: message.view}
        backers = [sender for sender, view in answers.items() if view == after.view and sender != before.me]
        if sum(weights[sender] for sender in backers) < total - (total - 1) // 3 or after.view == 0:
            yield "recovered", after.height, f"recovered view {after.view} from {sorted(backers)}"


def _left_behind(before: ReplicaState, message: ViewChange, after: ReplicaState) -> Found:
    """A replica that was just told by f+1 to come along, and stays. It may wait for a block that is being written."""
    is_new = after.view_changes is not before.view_changes and after.view == before.view and after.to_view == before.to_view
    is_writing = bool(before.slots) and before.slots[0].is_stable
    if not is_new or is_writing or message.view <= before.to_view:
        return
    weights = before.rules.weights
    senders = {vc.sender for vc in after.view_changes if vc.view == message.view}
    if sum(weights[sender] for sender in senders) >= (sum(weights) - 1) // 3 + 1:
        yield "joined", after.height, f"did not follow {sorted(senders)} to view {message.view}"


@lru_cache(256)
def _wait_ticks(base_ticks: int, change_cycle: int) -> int:
    """How long the view timer runs."""
    return int(base_ticks * 1.5 ** min(change_cycle, 10))


def _armed(before: ReplicaState, after: ReplicaState, effects: tuple[Effect, ...]) -> Found:
    """The view timer's length: that of the change cycle before this step or after it."""
    base_ticks, cycles = after.rules.timeout_base_ticks, (before.change_cycle, after.change_cycle)
    assert after.change_cycle >= 0
    for effect in effects:
        if isinstance(effect, SetTimer) and effect.name is TimerName.VIEW:
            ticks = effect.after_ticks
            if ticks != _wait_ticks(base_ticks, cycles[1]) and ticks != _wait_ticks(base_ticks, cycles[0]):
                yield "timer", after.height, f"{ticks} ticks at change cycle {after.change_cycle}"


def _patient(before: ReplicaState, event: TimerFired, after: ReplicaState) -> Found:
    """Nobody asks for a view while a proposal is executing."""
    assert event.epoch >= 0
    if event.name is TimerName.VIEW and after.to_view > before.to_view and any(slot.is_executing for slot in before.slots):
        yield "timer", after.height, "asked for a view while executing"
