"""What must be true of correct replicas at every step, whatever the network and up to f faulty weight do.

The checks look at one step of one correct replica against what all correct replicas did before. They know no schedule and no
clock, so a simulator, a model checker and a log can all use them.

    agreement     no two correct replicas write different blocks at one height, or agree on different ones under the same rules
    one-prepare   a replica prepares one digest a height and view, in all its lives
    one-result    a replica signs one executed hash a height, in all its lives
    certificate   a certificate has a quorum of distinct signers, and one height and view has certificates of one digest only
    lock          once a height is agreed in view u, no certificate for another digest exists in a later view
    order         blocks are written in order, each with distinct checkpoint signers of a quorum
    monotone      height and view do not go back within a life; out of timeout, to_view is view; change_cycle is at most 10
    new-view      a NewView that a correct replica issues or enters follows from a quorum of distinct view changes
    local         what one replica may do in one step, whatever the others did: `local_properties`

Sources: Castro & Liskov, OSDI'99, section 4.5.1; spec 3.x 1.17; Howard et al., pbft-tlaplus `CommittedInv` (the lock property).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fiscotool.pbft.effects import Broadcast, CommitBlock, Effect
from fiscotool.pbft.events import Event, Received
from fiscotool.pbft.local_properties import local_violations
from fiscotool.pbft.messages import CheckPoint, Commit, NewView, Prepare, PreparedCertificate, Proposal
from fiscotool.pbft.quorum import quorum_weight, weight_of
from fiscotool.pbft.rules import Rules
from fiscotool.pbft.state import NO_VIEW, ReplicaState, Slot
from fiscotool.pbft.types import NO_DIGEST, Digest, Height, NodeIndex, View


@dataclass(frozen=True, slots=True)
class Violation:
    """A property that does not hold. `node` names the replica whose step showed it (a name of the driver's choice)."""

    rule: str
    node: str
    height: Height
    detail: str


@dataclass(slots=True)
class History:
    """What correct replicas did so far. `check` adds one step and tells what it violates."""

    written: dict[Height, tuple[str, Digest]] = field(default_factory=dict)
    agreed: dict[tuple[Height, Rules], tuple[str, Digest, View]] = field(default_factory=dict)
    prepared: dict[tuple[str, Height, View], Digest] = field(default_factory=dict)
    results: dict[tuple[str, Height], Digest] = field(default_factory=dict)
    certified: dict[tuple[Height, Rules], dict[View, Digest]] = field(default_factory=dict)

    def check(
        self, node: str, before: ReplicaState, event: Event, after: ReplicaState, effects: tuple[Effect, ...], *, done: int | None = None
    ) -> list[Violation]:
        """Violations shown by this step of `node`; `node` is the same name after a restart.

        `done` is how many of the effects happened before a crash; all when None. What never left, nobody can hold against it.
        """
        if not effects and isinstance(event, Received) and _only_counts(before, after):
            return []
        found: list[Violation] = []
        if after.height != before.height or not _is_calm(before, after):
            found += _monotone(node, before, after)
        found += [Violation(rule, node, height, text) for rule, height, text in local_violations(before, event, after, effects)]
        if isinstance(event, Received) and isinstance(event.message, NewView) and after is not before:
            found += _new_view(node, before, event.message)
            if after.view == before.view:
                found.append(Violation("new-view", node, after.height, f"entered view {after.view} again"))
        for effect in effects[:done]:
            if isinstance(effect, CommitBlock):
                found += _order(node, before, after, effect)
            elif isinstance(effect, Broadcast):
                found += self._message(node, before, effect)
        if after.slots is not before.slots:
            found += self._slots(node, before, after)
        if after.height != before.height:
            found += self._written(node, after.height, after.block_hash)
        return found

    def _message(self, node: str, before: ReplicaState, effect: Broadcast) -> list[Violation]:
        """Votes and new views that leave a correct replica."""
        message = effect.message
        found: list[Violation] = []
        if isinstance(message, Prepare):
            known = self.prepared.setdefault((node, message.index, message.view), message.digest)
            if known != message.digest:
                found.append(Violation("one-prepare", node, message.index, f"prepared two digests in view {message.view}"))
        elif isinstance(message, CheckPoint):
            known = self.results.setdefault((node, message.index), message.digest)
            if known != message.digest:
                found.append(Violation("one-result", node, message.index, "signed two executed hashes"))
        elif isinstance(message, Commit) and message.view < before.view:
            found.append(Violation("monotone", node, message.index, "committed in a past view"))
        elif isinstance(message, NewView):
            found += _new_view(node, before, message)
        assert len(found) <= 1
        return found

    def _slots(self, node: str, before: ReplicaState, after: ReplicaState) -> list[Violation]:
        """Certificates and agreements that a correct replica got in this step; those it had were looked at then."""
        found: list[Violation] = []
        passed = after.height - before.height
        assert passed >= 0
        for place, slot in enumerate(after.slots):
            old = before.slots[place + passed] if place + passed < len(before.slots) else Slot(slot.height)
            if slot is old or (slot.cert is old.cert and slot.agreed is old.agreed and slot.is_pulled == old.is_pulled):
                continue
            if slot.cert is not None and slot.cert is not old.cert:
                found += self._certified(node, after.rules, slot, slot.cert)
            if slot.agreed is not None and not slot.is_pulled:
                found += self._agreed(node, after, slot, slot.agreed)
        return found

    def _certified(self, node: str, rules: Rules, slot: Slot, cert: PreparedCertificate) -> list[Violation]:
        """A certificate: of a quorum, the only digest of its view, and not against what was agreed before its view."""
        digest = cert.proposal.digest
        found = _certificate(node, rules, slot.height, cert.signatures)
        if self.certified.setdefault((slot.height, rules), {}).setdefault(cert.view, digest) != digest:
            found.append(Violation("certificate", node, slot.height, f"two digests certified in view {cert.view}"))
        decided = self.agreed.get((slot.height, rules))
        if decided is not None and cert.view > decided[2] and decided[1] != digest:
            found.append(Violation("lock", node, slot.height, f"certified another digest in view {cert.view}"))
        return found

    def _agreed(self, node: str, after: ReplicaState, slot: Slot, agreed: Proposal) -> list[Violation]:
        """An agreement: the first at its height, or the same as the first; nothing else certified in a later view."""
        cert = slot.cert
        view = cert.view if cert is not None and cert.proposal.digest == agreed.digest else after.view
        place = (slot.height, after.rules)
        is_first = place not in self.agreed
        first = self.agreed.setdefault(place, (node, agreed.digest, view))
        if first[1] != agreed.digest:
            return [Violation("agreement", node, slot.height, f"agreed otherwise than {first[0]}")]
        later = self.certified.get(place, {}).items() if is_first else ()
        against = [other for other, digest in later if other > view and digest != agreed.digest]
        return [Violation("lock", node, slot.height, f"another digest had been certified in view {other}") for other in against]

    def _written(self, node: str, height: Height, block_hash: Digest) -> list[Violation]:
        """One hash a height in all correct ledgers."""
        first = self.written.setdefault(height, (node, block_hash))
        assert height > 0
        return [] if first[1] == block_hash else [Violation("agreement", node, height, f"wrote another block than {first[0]}")]


_SLOTS_AT = ReplicaState._fields.index("slots")
_VOTES_AT = Slot._fields.index("prepares")
_VOTES_END = Slot._fields.index("checkpoints") + 1
assert Slot._fields[_VOTES_AT:_VOTES_END] == ("prepares", "commits", "checkpoints")


def _only_counts(before: ReplicaState, after: ReplicaState) -> bool:
    """Whether a step without effects did nothing but count votes at known heights, as most do: no property looks at those alone."""
    old_slots, slots = before.slots, after.slots
    if len(slots) != len(old_slots) or before[:_SLOTS_AT] != after[:_SLOTS_AT] or before[_SLOTS_AT + 1 :] != after[_SLOTS_AT + 1 :]:
        return False
    for slot, old in zip(slots, old_slots, strict=True):
        if slot is not old and (slot[:_VOTES_AT] != old[:_VOTES_AT] or slot[_VOTES_END:] != old[_VOTES_END:]):
            return False
    return True


def _is_calm(before: ReplicaState, after: ReplicaState) -> bool:
    """Whether nothing that `_monotone` looks at has changed: in most steps."""
    assert after is not None
    return (
        after.view == before.view
        and after.to_view == before.to_view
        and after.in_timeout == before.in_timeout
        and after.change_cycle == before.change_cycle
    )


def _monotone(node: str, before: ReplicaState, after: ReplicaState) -> list[Violation]:
    """What never goes back within a life (spec 1.17, 8-10)."""
    wrong = []
    if after.height < before.height or after.view < before.view:
        wrong.append("height or view went back")
    if not after.in_timeout and after.to_view != after.view:
        wrong.append("out of timeout, but asking for another view")
    if not 0 <= after.change_cycle <= 10:  # noqa: PLR2004 (the exponent's cap, spec 1.10)
        wrong.append("change cycle out of bounds")
    assert after.view > NO_VIEW
    return [Violation("monotone", node, after.height, text) for text in wrong]


def _order(node: str, before: ReplicaState, after: ReplicaState, effect: CommitBlock) -> list[Violation]:
    """A block is written next, with a quorum of distinct checkpoint signers (spec 1.17, 6)."""
    assert effect.block_hash != NO_DIGEST
    found = []
    if effect.index != after.height + 1 or after.height < before.height:
        found.append(Violation("order", node, effect.index, "written out of order"))
    return found + _certificate(node, after.rules, effect.index, effect.signatures)


def _certificate(node: str, rules: Rules, height: Height, signatures: tuple[tuple[NodeIndex, bytes], ...]) -> list[Violation]:
    """Distinct signers, sorted, with the weight of a quorum."""
    signers = [signer for signer, _ in signatures]
    assert rules.node_count > 0
    if signers != sorted(set(signers)) or weight_of(signers, rules.weights) < quorum_weight(sum(rules.weights)):
        return [Violation("certificate", node, height, f"signers {signers} are no quorum of distinct sealers")]
    return []


def _new_view(node: str, before: ReplicaState, message: NewView) -> list[Violation]:
    """What a correct leader proposes again follows from what it shows (OSDI'99 section 4.4)."""
    senders = [vc.sender for vc in message.view_changes]
    weight = weight_of(senders, before.rules.weights)
    assert message.view >= before.view
    certs = [cert for vc in message.view_changes for cert in vc.prepared]
    proven = all(not _certificate(node, before.rules, cert.proposal.index, cert.signatures) for cert in certs)
    if not proven or not _follows(message) or len(set(senders)) != len(senders) or weight < quorum_weight(sum(before.rules.weights)):
        return [Violation("new-view", node, message.index, f"view {message.view} does not follow from view changes of {senders}")]
    return []


def _follows(message: NewView) -> bool:
    """The set O of OSDI'99 section 4.4, computed the slow way and not with `newview.reproposals_of`."""
    floor = max((vc.index for vc in message.view_changes), default=-1)
    certs = [cert for vc in message.view_changes for cert in vc.prepared if cert.proposal.index > floor]
    top = max((cert.proposal.index for cert in certs), default=floor)
    assert top >= floor
    if [entry.index for entry in message.preprepares] != list(range(floor + 1, top + 1)):
        return False
    for entry in message.preprepares:
        here = [cert for cert in certs if cert.proposal.index == entry.index]
        latest = [cert.proposal.digest for cert in here if all(cert.view >= other.view for other in here)]
        if here and entry.digest not in latest:
            return False
        if not here and not entry.proposal.is_filler:
            return False
    return True
