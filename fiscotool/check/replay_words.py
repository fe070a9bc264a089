"""Events, effects and their differences in words."""

from __future__ import annotations

from collections.abc import Sequence

from fiscotool.pbft import effects as do
from fiscotool.pbft import events as ev
from fiscotool.pbft.codec_life import Refused
from fiscotool.pbft.messages import Message
from fiscotool.pbft.render import render_message, short_hash

__all__ = ["difference", "effect_words", "event_words", "told_words"]


def _of(message: Message) -> str:
    return f"{render_message(message)} of sealer {message.sender}"


def event_words(event: ev.Event) -> str:
    """What happened to the replica."""
    match event:
        case ev.Received(message=message):
            return f"received {_of(message)}"
        case ev.Proposed(proposal=proposal):
            return f"its sealer made block {proposal.index} {short_hash(proposal.digest)}"
        case ev.Verified(index=index, digest=digest, is_valid=is_valid):
            return f"proposal {index} {short_hash(digest)} verified: {'valid' if is_valid else 'not valid'}"
        case ev.FillersBuilt(view=view, proposals=proposals):
            return f"{len(proposals)} empty blocks built for view {view}"
        case ev.Executed(index=index, digest=digest, block_hash=block_hash):
            return f"executed {index} {short_hash(digest)}: {'failed' if block_hash is None else short_hash(block_hash)}"
        case ev.LedgerAdvanced(index=index, block_hash=block_hash, by_sync=by_sync):
            return f"block {index} {short_hash(block_hash)} is in the ledger{', by synchronisation' if by_sync else ''}"
        case ev.TimerFired(name=name, epoch=epoch):
            return f"timer {name.value} {epoch} ran out"
        case ev.PoolSize(count=count):
            return f"the pool holds {count} transactions"
        case ev.SyncTarget(index=index):
            return f"synchronisation fetches up to {index}"
        case ev.PeersChanged(connected=connected, faulty=faulty):
            return f"connected are {sorted(connected)}, faulty {sorted(faulty)}"
        case ev.Started():
            return "started"


def effect_words(effect: do.Effect | Refused) -> str:
    """What a replica does."""
    match effect:
        case Refused(reason=reason):
            return f"refuses it: {reason.value}"
        case do.Reject(message=message, reason=reason):
            return f"refuses {_of(message)}: {reason.value}"
        case do.Broadcast(message=message):
            return f"sends {render_message(message)} to all"
        case do.Send(to=to, message=message):
            return f"sends {render_message(message)} to sealer {to}"
        case do.Persist(record=do.VoteRecord(index=index, view=view, digest=digest, certificate=cert)):
            lock = "" if cert is None else f", prepared in view {cert.view}"
            return f"makes its vote durable (view {view}, height {index}, {short_hash(digest)}{lock})"
        case do.Persist(record=done):
            assert isinstance(done, do.ExecutedRecord)
            return f"makes the result of {done.proposal.index} durable ({short_hash(done.block_hash)})"
        case do.Remember(record=stand):
            return f"makes its stand durable (view {stand.view}{', changing' if stand.is_changing else ''})"
        case do.VerifyProposal(proposal=proposal):
            return f"has proposal {proposal.index} {short_hash(proposal.digest)} verified"
        case do.BuildFillers(view=view, indexes=indexes):
            return f"has empty blocks built for {list(indexes)} in view {view}"
        case do.Execute(proposal=proposal):
            return f"executes {proposal.index} {short_hash(proposal.digest)}"
        case do.CommitBlock(index=index, block_hash=block_hash, signatures=signatures):
            return f"writes block {index} {short_hash(block_hash)}, signed by {[signer for signer, _ in signatures]}"
        case do.SealRange(first=first, last=last, view=view):
            return f"lets its sealer make {first} to {last} in view {view}" if first <= last else "stops its sealer"
        case do.ReleaseTransactions(proposal=proposal):
            return f"releases the transactions of {proposal.index} {short_hash(proposal.digest)}"
        case do.AgreedIndex(index=index):
            return f"tells synchronisation of height {index}"
        case do.SetTimer(name=name, epoch=epoch, after_ticks=ticks):
            return f"sets timer {name.value} {epoch} to {ticks} ms"
        case do.CancelTimer(name=name):
            return f"stops timer {name.value}"


def told_words(told: tuple[int, int, int, bool, int]) -> str:
    """A status."""
    height, view, to_view, in_timeout, cycle = told
    return f"height {height}, view {view}, {f'asking for view {to_view}' if in_timeout else 'calm'}, change cycle {cycle}"


def difference(due: Sequence[do.Effect | Refused], done: Sequence[do.Effect | Refused]) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """(in words, what is due and not done, what is done and not due) of two lists of effects that differ."""
    rest = list(done)
    missing = []
    for effect in due:
        if effect in rest:
            rest.remove(effect)
        else:
            missing.append(effect)
    due_words, done_words = tuple(map(effect_words, missing)), tuple(map(effect_words, rest))
    if not missing and not rest:
        at = next(place for place, (one, other) in enumerate(zip(due, done, strict=True)) if one != other)
        text = f"does what the protocol does in another order: first {effect_words(done[at])}, where the protocol {effect_words(due[at])}"
    elif not rest:
        text = f"due and not done: {_and(due_words)}"
    elif not missing:
        text = f"done and not due: {_and(done_words)}"
    else:
        text = f"the protocol {_and(due_words)}; the node {_and(done_words)}"
    return text, due_words, done_words


def _and(words: Sequence[str], most: int = 3) -> str:
    shown = "; ".join(words[:most])
    return shown if len(words) <= most else f"{shown}; and {len(words) - most} more"
