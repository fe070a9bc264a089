"""The protocol in words: messages, events and effects as one-line texts, and a step as the few lines worth reading.

For transcripts, logs and explanations; nobody parses these texts. `naming` gives hashes readable names.

Sources: spec 3.x 5.2 for what an operator of the real node sees of the same moments.
"""

from __future__ import annotations

from collections.abc import Callable

from fiscotool.pbft.effects import Broadcast, BuildFillers, CommitBlock, Effect, Reject, RejectReason, SealRange, Send
from fiscotool.pbft.events import Event, LedgerAdvanced, Received, Started, TimerFired
from fiscotool.pbft.messages import (
    Commit,
    CommittedProposalRequest,
    CommittedProposalResponse,
    Message,
    NewView,
    PreparedCertificate,
    PreparedProposalRequest,
    PreparedProposalResponse,
    PrePrepare,
    RecoverResponse,
    ViewChange,
)
from fiscotool.pbft.state import ReplicaState, Slot
from fiscotool.pbft.types import NO_DIGEST, Digest

Naming = Callable[[Digest], str]
"""From a hash to what people call it."""

ORDINARY = frozenset(
    {
        RejectReason.DUPLICATE,
        RejectReason.STALE_INDEX,
        RejectReason.STALE_VIEW,
        RejectReason.NOT_IN_TIMEOUT,
        RejectReason.NOT_ASKED,
    }
)
"""Refusals that happen all the time and mean nothing."""


def short_hash(digest: Digest) -> str:
    """The first eight hex digits, as the real node's logs show it."""
    assert len(digest) >= 0
    return digest.hex()[:8] or "-"


def render_certificate(cert: PreparedCertificate, naming: Naming = short_hash) -> str:
    """`12:A@v3` : height, block, view in which it was prepared."""
    assert cert.view >= 0
    return f"{cert.proposal.index}:{naming(cert.proposal.digest)}@v{cert.view}"


def render_message(message: Message, naming: Naming = short_hash) -> str:
    """A message with what matters in it; its sender is not repeated."""
    name = type(message).__name__
    assert name
    match message:
        case ViewChange(view=view, index=index, prepared=prepared):
            certs = " ".join(render_certificate(cert, naming) for cert in prepared) or "nothing"
            return f"ViewChange(v={view} h={index} prepared: {certs})"
        case NewView(view=view, view_changes=view_changes):
            shown = ",".join(str(vc.sender) for vc in view_changes)
            return f"NewView(v={view} view changes of {shown}; again: {render_entries(message, naming)})"
        case RecoverResponse(view=view, index=index):
            return f"RecoverResponse(v={view} h={index})"
        case CommittedProposalRequest(index=index):
            return f"{name}(h={index})"
        case CommittedProposalResponse(index=index, proposal=proposal):
            return f"{name}(h={index} {naming(proposal.digest) if proposal else 'nothing'})"
        case PreparedProposalRequest(index=index, digest=digest):
            return f"{name}(h={index} {naming(digest)})"
        case PreparedProposalResponse(index=index, certificate=cert):
            return f"{name}(h={index} {render_certificate(cert, naming) if cert else 'nothing'})"
        case _:
            return f"{name}(v={message.view} h={message.index} {naming(message.digest)})"


def render_entries(new_view: NewView, naming: Naming = short_hash) -> str:
    """What a NewView proposes again: `12:A 13:empty`, or `nothing`."""
    entries = new_view.preprepares
    assert len({entry.index for entry in entries}) == len(entries)
    return " ".join(f"{e.index}:{'empty' if e.proposal.is_filler else naming(e.digest)}" for e in entries) or "nothing"


def narrate(before: ReplicaState, event: Event, after: ReplicaState, effects: tuple[Effect, ...], naming: Naming = short_hash) -> list[str]:
    """What a reader should know of this step; nothing for the many steps that only count a vote."""
    assert before.height <= after.height
    lines = [text for effect in effects if (text := _told(effect, naming))]
    if after.to_view != before.to_view and after.in_timeout:
        lines.insert(0, f"asks for view {after.to_view} ({_cause(event)}, change cycle {after.change_cycle})")
    if after.view != before.view or (before.in_timeout and not after.in_timeout):
        lines.insert(0, f"enters view {after.view} by {_entry(event)}")
    if isinstance(event, LedgerAdvanced) and after.height != before.height:
        how = "takes" if event.by_sync else "writes"
        lines.insert(0, f"{how} block {after.height}{' by synchronisation' if event.by_sync else ''}")
    known = {slot.height: slot for slot in before.slots}
    for slot in after.slots:
        lines += _slot_lines(known.get(slot.height, Slot(slot.height)), slot, naming)
    return lines


def _slot_lines(before: Slot, after: Slot, naming: Naming) -> list[str]:
    """What became of one height."""
    if before is after:
        return []
    assert before.height == after.height
    lines = []
    if after.pre is not None and after.pre is not before.pre:
        lines.append(f"accepts {after.height}:{naming(after.pre.digest)} in view {after.pre.view}, sends Prepare")
    if after.cert is not None and after.cert is not before.cert:
        signers = ",".join(str(signer) for signer, _ in after.cert.signatures)
        lines.append(f"is prepared on {render_certificate(after.cert, naming)} by {signers}, sends Commit")
    if after.agreed is not None and before.agreed is None:
        lines.append(f"{'has pulled' if after.is_pulled else 'agrees on'} {after.height}:{naming(after.agreed.digest)}")
    if after.block_hash != NO_DIGEST and before.block_hash == NO_DIGEST:
        lines.append(f"executed {after.height}, sends CheckPoint")
    return lines


def _told(effect: Effect, naming: Naming) -> str:
    """An effect worth a line of its own."""
    assert effect is not None
    match effect:
        case Broadcast(message=PrePrepare() | NewView() as message):
            return f"broadcasts {render_message(message, naming)}"
        case Broadcast(message=ViewChange() as message) if message.prepared:
            return f"broadcasts {render_message(message, naming)}"
        case Send(to=to, message=message) if not isinstance(message, RecoverResponse):
            return f"sends to node{to} {render_message(message, naming)}"
        case CommitBlock(index=index, signatures=signatures):
            return f"block {index} is stable: checkpoints of {','.join(str(signer) for signer, _ in signatures)}"
        case BuildFillers(indexes=indexes):
            return f"needs empty blocks for {','.join(str(index) for index in indexes)}"
        case SealRange(first=first, last=last, view=view) if first <= last:
            return f"may seal {first}..{last} in view {view}"
        case Reject(message=message, reason=reason) if reason not in ORDINARY:
            return f"refuses {render_message(message, naming)} of node{message.sender}: {reason.value}"
        case _:
            return ""


def _cause(event: Event) -> str:
    """Why a replica asks for a view."""
    assert event is not None
    match event:
        case TimerFired():
            return "timeout"
        case Started():
            return "start"
        case Received(message=ViewChange()):
            return "f+1 ask for it"
        case Received(message=Commit()) | LedgerAdvanced() | Received():
            return "the next leader is down"
        case _:
            return "progress"


def _entry(event: Event) -> str:
    """How a replica got into a view."""
    assert event is not None
    match event:
        case Received(message=NewView(sender=sender)):
            return f"NewView of node{sender}"
        case Received(message=RecoverResponse()):
            return "recover responses of a quorum"
        case _:
            return "its own NewView"
