"""What must be true of correct 2.x replicas at every step, whatever the network and up to f faulty weight do.

    agreement     no two correct replicas write different blocks at one height, and no empty one
    one-lock      a replica locks one block a height, in all its lives
    locked        a locked replica signs no other block at that height
    one-sign      a replica signs one result a height and view in one life
    certificate   a lock has Signs, a written block Commits, of a quorum of distinct sealers
    durable       the lock is durable before the Commit leaves
    leader        an accepted proposal comes from the leader of its view, at a replica that knows one
    view          a view is entered with ViewChanges of a quorum for it; 0 after a block; asked for after a timeout, an empty block, or f+1
    monotone      the height, and within a height of one life the view, do not go back; change_cycle is at most 20
    timer         nobody asks for a view while executing; the timer runs T * 1.5**min(c, 20)

Written a second time and differently from the handlers on purpose.

Sources: spec 2.x 1.13 and the sections it names.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from fiscotool.pbft.effects import Broadcast, CommitBlock, Effect, Persist, SetTimer, VoteRecord
from fiscotool.pbft.events import Event, Executed, FillersBuilt, Received, Started, TimerFired, TimerName
from fiscotool.pbft.fisco2.state import Phase, ReplicaState
from fiscotool.pbft.messages import Commit, Prepare, PreparedCertificate, PrePrepare, ViewChange
from fiscotool.pbft.properties import Violation
from fiscotool.pbft.rules import Quirk, Rules
from fiscotool.pbft.types import Digest, Height, NodeIndex

Found = Iterator[tuple[str, str]]
"""(property, what was seen)."""

CYCLE_CAP = 20
EMPTY_TICKS = 1000


@dataclass(slots=True)
class History:
    """What correct replicas did so far. `check` adds one step and tells what it violates."""

    written: dict[Height, tuple[str, Digest]] = field(default_factory=dict)
    locks: dict[tuple[str, Height], Digest] = field(default_factory=dict)
    signed: dict[tuple[str, Height, int], Digest] = field(default_factory=dict)

    def check(
        self, node: str, before: ReplicaState, event: Event, after: ReplicaState, effects: tuple[Effect, ...], *, done: int | None = None
    ) -> list[Violation]:
        """Violations shown by this step of `node`; `done` is how many effects happened before a crash."""
        if isinstance(event, Started):
            self.signed = {key: digest for key, digest in self.signed.items() if key[0] != node}
        found = [*_state(before, after), *_views(before, event, after), *_timers(before, event, after, effects)]
        if after.raw is not None and after.raw is not before.raw:
            found += _accepted(before, after, after.raw)
        done_effects = effects[:done]
        found += self._effects(node, before, after, done_effects)
        if after.height != before.height:
            first = self.written.setdefault(after.height, (node, after.block_hash))
            if first[1] != after.block_hash:
                found.append(("agreement", f"wrote another block than {first[0]}"))
        return [Violation(rule, node, after.height, text) for rule, text in found]

    def _effects(self, node: str, before: ReplicaState, after: ReplicaState, effects: tuple[Effect, ...]) -> Found:
        """What leaves, and in which order."""
        durable: PreparedCertificate | None = None
        lock = before.lock
        for effect in effects:
            if isinstance(effect, Persist) and isinstance(effect.record, VoteRecord):
                durable = effect.record.certificate
                if durable is not None:
                    lock = durable
                    yield from self._locked(node, after.rules, durable)
            elif isinstance(effect, Broadcast) and isinstance(effect.message, Prepare):
                yield from self._signed(node, effect.message, lock, after)
            elif isinstance(effect, Broadcast) and isinstance(effect.message, Commit):
                if durable is None and not after.rules.has(Quirk.AMNESIA):
                    yield "durable", "Commit left before the lock was durable"
            elif isinstance(effect, CommitBlock):
                yield from _quorum(after.rules, effect.signatures, "written block")
                if effect.index != after.height + 1:
                    yield "agreement", f"height {effect.index} written out of order"
                if after.raw is not None and after.raw.proposal.is_filler:
                    yield "agreement", "an empty block is written"

    def _locked(self, node: str, rules: Rules, lock: PreparedCertificate) -> Found:
        """A lock is for good, and has a quorum behind it."""
        proposal = lock.proposal
        if self.locks.setdefault((node, proposal.index), proposal.digest) != proposal.digest:
            yield "one-lock", f"locked two blocks at height {proposal.index}"
        yield from _quorum(rules, lock.signatures, "lock")

    def _signed(self, node: str, message: Prepare, lock: PreparedCertificate | None, after: ReplicaState) -> Found:
        """A Sign that leaves."""
        if self.signed.setdefault((node, message.index, message.view), message.digest) != message.digest:
            yield "one-sign", f"signed two results at height {message.index} in view {message.view}"
        raw = after.raw
        if lock is not None and raw is not None and lock.proposal.index == raw.index and lock.proposal.digest != raw.digest:
            yield "locked", f"signed another block than the locked one at height {raw.index}"


def _quorum(rules: Rules, signatures: tuple[tuple[NodeIndex, bytes], ...], what: str) -> Found:
    """Distinct signers with the weight of a quorum."""
    signers = [signer for signer, _ in signatures]
    total = sum(rules.weights)
    weight = sum(rules.weights[signer] for signer in set(signers) if 0 <= signer < len(rules.weights))
    if len(set(signers)) != len(signers) or weight < total - (total - 1) // 3:
        yield "certificate", f"{what}: signers {signers} are no quorum of distinct sealers"


def _state(before: ReplicaState, after: ReplicaState) -> Found:
    """What never goes back."""
    if after.height < before.height or (after.height == before.height and after.view < before.view):
        yield "monotone", "height or view went back"
    if not 0 <= after.change_cycle <= CYCLE_CAP:
        yield "monotone", f"change cycle {after.change_cycle}"
    if after.to_view < after.view:
        yield "monotone", "asks for a view that is past"


def _accepted(before: ReplicaState, after: ReplicaState, raw: PrePrepare) -> Found:
    """A proposal that this step let in."""
    if raw.sender != (after.height + raw.view) % after.rules.node_count or after.leader_failed:
        yield "leader", f"accepted a proposal of {raw.sender} for view {raw.view}"
    if raw.index != after.height + 1 or raw.view != after.view:
        yield "leader", f"accepted height {raw.index} of view {raw.view} in view {after.view}"
    if raw.proposal.is_filler:
        yield "leader", "accepted an empty proposal instead of changing the view"
    if before.raw is not None and before.raw.digest != raw.digest and before.raw.view == raw.view and after.height == before.height:
        yield "leader", "accepted two blocks in one view"


def _views(before: ReplicaState, event: Event, after: ReplicaState) -> Found:
    """Views entered and asked for in this step."""
    if after.height > before.height:
        return
    messages = [*before.deferred, event.message] if isinstance(event, Received) else [*before.deferred]
    heard = {*before.view_changes, *before.latest, *(message for message in messages if isinstance(message, ViewChange))}
    weights, total = after.rules.weights, sum(after.rules.weights)
    if after.view > before.view:
        backers = {vc.sender for vc in heard if vc.view == after.view}
        if sum(weights[sender] for sender in backers) < total - (total - 1) // 3:
            yield "view", f"entered view {after.view} with {sorted(backers)}"
    proposals = [*before.future, *(message for message in messages if isinstance(message, PrePrepare))]
    is_own_reason = isinstance(event, (TimerFired, FillersBuilt, Executed)) or any(pre.proposal.is_filler for pre in proposals)
    if after.to_view > max(before.to_view, after.view) and not is_own_reason:
        backers = {vc.sender for vc in heard if vc.view > before.to_view}
        if sum(weights[sender] for sender in backers) < (total - 1) // 3 + 1:
            yield "view", f"asked for view {after.to_view} after {sorted(backers)}"


def _timers(before: ReplicaState, event: Event, after: ReplicaState, effects: tuple[Effect, ...]) -> Found:
    """The view timer's length, and its patience."""
    for effect in effects:
        if isinstance(effect, SetTimer) and effect.name is TimerName.VIEW:
            bases = {3000, after.rules.timeout_base_ticks, before.rules.timeout_base_ticks}
            allowed = {int(base * 1.5 ** min(c, CYCLE_CAP)) for base in bases for c in _cycles(before, event, after)}
            if effect.after_ticks not in allowed:
                yield "timer", f"{effect.after_ticks} ticks at change cycle {after.change_cycle}"
    is_view_timer = isinstance(event, TimerFired) and event.name is TimerName.VIEW
    if is_view_timer and before.phase is Phase.EXECUTING and after.to_view > before.to_view:
        yield "timer", "asked for a view while executing"


def _cycles(before: ReplicaState, event: Event, after: ReplicaState) -> set[int]:
    """Change cycles that were true at some moment of the step: an empty block resets it and the next request counts one."""
    known = {before.change_cycle, after.change_cycle, min(before.change_cycle + 1, CYCLE_CAP)}
    if isinstance(event, TimerFired) and event.name is TimerName.VIEW and not before.deferred:
        return known - {0} if after.to_view > before.to_view and after.change_cycle else known
    return known | {0, 1}
