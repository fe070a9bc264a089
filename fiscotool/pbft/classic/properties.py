"""What must be true of correct replicas of the paper at every step, whatever the network and up to f faulty weight do.

    agreement     no two correct replicas write different blocks at one number, or commit different requests there
    one-vote      a replica votes for one digest a number and view, in all its lives
    certificate   certificates and checkpoint proofs have a quorum of distinct signers; a number and view has one certified digest
    lock          once a request is committed-local in view u, no other digest is certified in a later view
    durable       votes, views and proofs are durable before what depends on them leaves
    silent        in a view change no message of the three phases leaves
    water         votes lie between the water marks; checkpoints at multiples of K, with one digest a number among correct replicas
    new-view      a view is entered with a NewView that follows from a quorum of distinct view changes, never one below the target
    monotone      height, low and view do not go back in a life; low <= height
    timer         the wait is T * 2**min(k, 10)

Written a second time and differently from the handlers on purpose.

Sources: OSDI'99 sections 4.2 to 4.5.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from fiscotool.pbft.classic.state import ReplicaState
from fiscotool.pbft.effects import Broadcast, CommitBlock, Effect, Persist, Remember, SetTimer, VoteRecord
from fiscotool.pbft.events import Event, Received, TimerName
from fiscotool.pbft.messages import CheckPoint, Commit, NewView, Prepare, PrePrepare, ViewChange
from fiscotool.pbft.properties import Violation
from fiscotool.pbft.rules import Quirk, Rules
from fiscotool.pbft.types import Digest, Height, NodeIndex, View

Found = Iterator[tuple[str, str]]
"""(property, what was seen)."""

PERIOD = 5
LOG = 20
DOUBLINGS = 10


@dataclass(slots=True)
class History:
    """What correct replicas did so far. `check` adds one step and tells what it violates."""

    written: dict[Height, Digest] = field(default_factory=dict)
    committed: dict[Height, tuple[Digest, View]] = field(default_factory=dict)
    votes: dict[tuple[str, Height, View], Digest] = field(default_factory=dict)
    certified: dict[tuple[Height, View], Digest] = field(default_factory=dict)
    checkpoints: dict[Height, Digest] = field(default_factory=dict)

    def check(
        self, node: str, before: ReplicaState, event: Event, after: ReplicaState, effects: tuple[Effect, ...], *, done: int | None = None
    ) -> list[Violation]:
        """Violations shown by this step of `node`; `done` is how many effects happened before a crash."""
        found = [*_state(before, after), *self._effects(node, before, after, effects[:done])]
        if isinstance(event, Received) and after.view > before.view:
            found += _entered(before, event, after)
        if after.slots is not before.slots:
            found += self._slots(before, after)
        if after.height != before.height and self.written.setdefault(after.height, after.block_hash) != after.block_hash:
            found.append(("agreement", "wrote another block than others"))
        return [Violation(rule, node, after.height, text) for rule, text in found]

    def _effects(self, node: str, before: ReplicaState, after: ReplicaState, effects: tuple[Effect, ...]) -> Found:
        """What leaves, and in which order."""
        records: dict[Height, VoteRecord] = {}
        stood: View | None = None
        for effect in effects:
            if isinstance(effect, Persist) and isinstance(effect.record, VoteRecord):
                records[effect.record.index] = effect.record
            elif isinstance(effect, Remember):
                stood = effect.record.view
                if effect.record.stable:
                    yield from _signers(after.rules, [known.sender for known in effect.record.stable], "checkpoint proof")
            elif isinstance(effect, Broadcast):
                yield from self._message(node, before, after, effect, records, stood)
            elif isinstance(effect, CommitBlock):
                yield from _signers(after.rules, [signer for signer, _ in effect.signatures], "written block")
                if effect.index != after.height + 1:
                    yield "agreement", f"number {effect.index} written out of order"
            elif isinstance(effect, SetTimer) and effect.name is TimerName.VIEW:
                waits = {after.rules.timeout_base_ticks * 2 ** min(k, DOUBLINGS) for k in (before.change_cycle, after.change_cycle, 0)}
                if effect.after_ticks not in waits:
                    yield "timer", f"{effect.after_ticks} ticks after {after.change_cycle} view changes"

    def _message(
        self, node: str, before: ReplicaState, after: ReplicaState, effect: Broadcast, records: dict[Height, VoteRecord], stood: View | None
    ) -> Found:
        """One message that leaves."""
        message = effect.message
        is_sound = not after.rules.has(Quirk.AMNESIA)
        if isinstance(message, PrePrepare | Prepare | Commit):
            if before.in_timeout and after.in_timeout:
                yield "silent", f"{type(message).__name__} left in a view change"
            if not after.low < message.index <= after.low + LOG:
                yield "water", f"{type(message).__name__} for {message.index}, low water mark {after.low}"
            key = (node, message.index, message.view)
            if self.votes.setdefault(key, message.digest) != message.digest:
                yield "one-vote", f"voted for two digests at {message.index} in view {message.view}"
            record = records.get(message.index)
            if (
                is_sound
                and not _is_repeated(before, message)
                and (record is None or (record.view, record.digest) != (message.view, message.digest))
            ):
                yield "durable", f"{type(message).__name__} left before its record"
        elif isinstance(message, ViewChange) and is_sound and message.view not in {stood, before.to_view}:
            yield "durable", "ViewChange left before its record"
        elif isinstance(message, CheckPoint):
            if message.index % PERIOD:
                yield "water", f"checkpoint at {message.index}"
            if self.checkpoints.setdefault(message.index, message.digest) != message.digest:
                yield "water", f"two states at checkpoint {message.index}"

    def _slots(self, before: ReplicaState, after: ReplicaState) -> Found:
        """Certificates and commitments that a correct replica holds."""
        known = set(before.slots)
        for slot in after.slots:
            if slot in known:
                continue
            cert = slot.cert
            if cert is not None:
                digest = cert.proposal.digest
                yield from _signers(after.rules, [signer for signer, _ in cert.signatures], "certificate")
                if self.certified.setdefault((slot.height, cert.view), digest) != digest:
                    yield "certificate", f"two digests certified at {slot.height} in view {cert.view}"
                decided = self.committed.get(slot.height)
                if decided is not None and cert.view > decided[1] and decided[0] != digest:
                    yield "lock", f"certified another digest at {slot.height} in view {cert.view}"
            if slot.committed is not None and cert is not None:
                first = self.committed.setdefault(slot.height, (slot.committed.digest, cert.view))
                if first[0] != slot.committed.digest:
                    yield "agreement", f"committed otherwise at {slot.height}"


def _is_repeated(before: ReplicaState, message: PrePrepare | Prepare | Commit) -> bool:
    """Whether this replica had cast this vote before this step, so that its record is older."""
    slot = next((slot for slot in before.slots if slot.height == message.index), None)
    if slot is None or (slot.voted_view, slot.voted_digest) != (message.view, message.digest):
        return False
    return not isinstance(message, Commit) or (slot.cert is not None and slot.cert.view == message.view)


def _signers(rules: Rules, signers: list[NodeIndex], what: str) -> Found:
    """Distinct signers with the weight of a quorum."""
    total = sum(rules.weights)
    weight = sum(rules.weights[signer] for signer in set(signers) if 0 <= signer < len(rules.weights))
    if len(set(signers)) != len(signers) or weight < total - (total - 1) // 3:
        yield "certificate", f"{what}: signers {signers} are no quorum of distinct replicas"


def _state(before: ReplicaState, after: ReplicaState) -> Found:
    """What never goes back."""
    if after.height < before.height or after.view < before.view or after.low < before.low or after.to_view < before.to_view:
        yield "monotone", "height, low water mark or view went back"
    if after.low > after.height or after.to_view < after.view or not 0 <= after.change_cycle <= DOUBLINGS:
        yield "monotone", f"low {after.low}, height {after.height}, view {after.view}, target {after.to_view}, k {after.change_cycle}"
    if not after.in_timeout and after.to_view != after.view:
        yield "monotone", "out of a view change, but asking for another view"


def _entered(before: ReplicaState, event: Received, after: ReplicaState) -> Found:
    """The NewView of the view that is entered in this step."""
    message = event.message
    if not isinstance(message, NewView) or message.view != after.view:
        yield "new-view", f"entered view {after.view} without its NewView"
        return
    senders = [vc.sender for vc in message.view_changes]
    yield from (("new-view", text) for _, text in _signers(before.rules, senders, "NewView"))
    if after.view < before.to_view or message.sender != message.view % before.rules.node_count:
        yield "new-view", f"entered view {after.view} of {message.sender}, wanted {before.to_view}"
    if any(vc.view != message.view for vc in message.view_changes) or not _follows(message):
        yield "new-view", f"view {message.view} does not follow from its view changes"


def _follows(message: NewView) -> bool:
    """The set O of section 4.4, computed the slow way."""
    low = max((vc.index for vc in message.view_changes), default=-1)
    certs = [cert for vc in message.view_changes for cert in vc.prepared if cert.proposal.index > low]
    high = max((cert.proposal.index for cert in certs), default=low)
    if [entry.index for entry in message.preprepares] != list(range(low + 1, high + 1)):
        return False
    for entry in message.preprepares:
        here = [cert for cert in certs if cert.proposal.index == entry.index]
        latest = [cert.proposal.digest for cert in here if all(cert.view >= other.view for other in here)]
        if (here and entry.digest not in latest) or (not here and not entry.proposal.is_filler):
            return False
    return True
