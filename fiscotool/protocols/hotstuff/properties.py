"""What must be true of correct HotStuff replicas at every step, whatever the network and up to f faulty weight do.

    agreement      no two correct replicas commit different nodes at one place, or write different blocks at one height
    one-vote       a replica votes for one node a view, and in no earlier view than before, in all its lives
    one-proposal   a leader proposes one node a view, in all its lives
    lock           a vote is for a node on top of the locked one, or with a newer certificate; a lock does not go back, in all lives
    certificate    a certificate has a quorum of distinct signers, and one view has certificates of one node only
    commit-rule    what is committed has three certificates in a row, of views that follow each other
    order          blocks are written in order
    persist-first  what must not be forgotten is durable before a message leaves
    monotone       view, height and committed branch do not go back within a life

Sources: Yin et al., PODC 2019, section 4.5 (lemmas 1-4), algorithm 4.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fiscotool.pbft.effects import Broadcast, CommitBlock, Effect, Remember, Send
from fiscotool.pbft.events import Event
from fiscotool.pbft.properties import Violation
from fiscotool.pbft.quorum import quorum_weight
from fiscotool.pbft.rules import Rules
from fiscotool.pbft.types import Digest, Height, View
from fiscotool.protocols.hotstuff.messages import Certificate, Generic, Node, Vote
from fiscotool.protocols.hotstuff.state import ReplicaState
from fiscotool.protocols.words import message_of


@dataclass(slots=True)
class History:
    """What correct replicas did so far. `check` adds one step and tells what it violates."""

    committed: dict[int, tuple[Digest, str]] = field(default_factory=dict)
    written: dict[Height, tuple[Digest, str]] = field(default_factory=dict)
    voted: dict[str, tuple[View, Digest]] = field(default_factory=dict)
    proposed: dict[tuple[str, View], Digest] = field(default_factory=dict)
    locked: dict[str, View] = field(default_factory=dict)
    certified: dict[View, Digest] = field(default_factory=dict)

    def check(
        self, node: str, before: ReplicaState, event: Event, after: ReplicaState, effects: tuple[Effect, ...], *, done: int | None = None
    ) -> list[Violation]:
        """Violations shown by this step of `node`; `done` is how many of the effects happened before a crash, all when None."""
        assert event is not None
        found = _monotone(node, before, after) + _persist_first(node, before, after, effects)
        for effect in effects[:done]:
            message = message_of(effect)
            if isinstance(message, Vote):
                found += self._voted(node, before, after, message)
            elif isinstance(message, Generic):
                found += self._proposed(node, message)
            elif isinstance(effect, CommitBlock):
                found += self._written(node, before, effect)
            elif isinstance(effect, Remember):
                found += self._locked(node, after)
        if after.high is not before.high:
            found += self._certified(node, after, after.high)
        if after.log is not before.log:
            found += self._committed(node, before, after)
        return found

    def _voted(self, node: str, before: ReplicaState, after: ReplicaState, vote: Vote) -> list[Violation]:
        """A vote that leaves. A step that adds many nodes may vote first and lock a node of that view or a later one after that."""
        locked = after.locked if after.locked.view < vote.view else before.locked
        found = []
        view, digest = self.voted.get(node, (View(0), vote.digest))
        if vote.view < view or (vote.view == view and vote.digest != digest):
            found.append(Violation("one-vote", node, vote.index, f"voted in view {vote.view} after a vote in view {view}"))
        self.voted[node] = (vote.view, vote.digest)
        chosen = next((each for each in (*after.tree, *after.log) if each.digest == vote.digest), None)
        if chosen is None or not (chosen.justify.view > locked.view or _stands_on(after, chosen, locked)):
            found.append(Violation("lock", node, vote.index, f"voted against its lock of view {locked.view}"))
        return found

    def _proposed(self, node: str, message: Generic) -> list[Violation]:
        """A proposal that leaves."""
        first = self.proposed.setdefault((node, message.view), message.digest)
        return [] if first == message.digest else [Violation("one-proposal", node, message.index, f"two nodes in view {message.view}")]

    def _locked(self, node: str, after: ReplicaState) -> list[Violation]:
        """A lock that became durable."""
        last = self.locked.get(node, View(0))
        self.locked[node] = max(last, after.locked.view)
        return [] if after.locked.view >= last else [Violation("lock", node, after.height, f"lock fell from view {last}")]

    def _certified(self, node: str, after: ReplicaState, certificate: Certificate) -> list[Violation]:
        """The highest certificate of a correct replica."""
        found = []
        signers = certificate.signers
        if list(signers) != sorted(set(signers)) or _weight(signers, after.rules) < quorum_weight(sum(after.rules.weights)):
            found.append(Violation("certificate", node, after.height, f"signers {list(signers)} are no quorum of distinct replicas"))
        if self.certified.setdefault(certificate.view, certificate.digest) != certificate.digest:
            found.append(Violation("certificate", node, after.height, f"two nodes certified in view {certificate.view}"))
        return found

    def _committed(self, node: str, before: ReplicaState, after: ReplicaState) -> list[Violation]:
        """Nodes that a replica committed."""
        found = []
        for place in range(len(before.log), len(after.log)):
            each = after.log[place]
            digest, first = self.committed.setdefault(place, (each.digest, node))
            if digest != each.digest:
                found.append(Violation("agreement", node, each.index, f"committed another node than {first}"))
        if after.log and len(after.log) > len(before.log) and not _has_three_chain(after, after.log[-1]):
            found.append(Violation("commit-rule", node, after.log[-1].index, "no three certificates in a row"))
        return found

    def _written(self, node: str, before: ReplicaState, effect: CommitBlock) -> list[Violation]:
        """A block for the ledger."""
        digest, first = self.written.setdefault(effect.index, (effect.block_hash, node))
        found = [] if effect.index == before.height + 1 else [Violation("order", node, effect.index, "written out of order")]
        return (
            found
            if digest == effect.block_hash
            else [*found, Violation("agreement", node, effect.index, f"wrote another block than {first}")]
        )


def _weight(signers: tuple[int, ...], rules: Rules) -> int:
    """Weight of distinct signers, added up without `pbft.quorum`."""
    return sum(weight for index, weight in enumerate(rules.weights) if index in signers)


def _stands_on(state: ReplicaState, node: Node, ancestor: Certificate) -> bool:
    """Whether the ancestor is on the branch of `node`, computed without `tree`."""
    by_digest = {each.digest: each for each in (*state.log, *state.tree)}
    here: Node | None = node
    while here is not None and here.digest != ancestor.digest:
        if here.justify.digest == ancestor.digest:
            return True
        here = by_digest.get(here.justify.digest)
    return here is not None


def _has_three_chain(state: ReplicaState, last: Node) -> bool:
    """Whether children and grandchildren of the following views stand on `last`, the grandchild with a certificate."""
    certified = {state.high.digest, *(each.justify.digest for each in state.tree)}
    for first in state.tree:
        if first.justify.digest != last.digest or first.view != last.view + 1:
            continue
        for second in state.tree:
            if second.justify.digest == first.digest and second.view == first.view + 1 and second.digest in certified:
                return True
    return False


def _monotone(node: str, before: ReplicaState, after: ReplicaState) -> list[Violation]:
    """What never goes back within a life."""
    is_longer = after.log is before.log or after.log[: len(before.log)] == before.log
    if after.view >= before.view and after.height >= before.height and after.high.view >= before.high.view and is_longer:
        return []
    return [Violation("monotone", node, after.height, "view, height, certificate or committed branch went back")]


def _persist_first(node: str, before: ReplicaState, after: ReplicaState, effects: tuple[Effect, ...]) -> list[Violation]:
    """A changed record is durable before the first message of the step."""
    same = before.voted_view == after.voted_view and before.proposed_view == after.proposed_view
    if same and before.locked is after.locked and before.log is after.log:
        return []
    for effect in effects:
        if isinstance(effect, Remember):
            return []
        if isinstance(effect, Broadcast | Send):
            break
    return [Violation("persist-first", node, after.height, "vote, proposal, lock or branch was not made durable before speaking")]
