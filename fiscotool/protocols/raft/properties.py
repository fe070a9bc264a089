"""The properties of Raft's figure 3, and what they rest on, looked at in every step of every correct replica.

    election-safety        at most one leader a term, elected by a majority
    append-only            a leader never changes or drops an entry of its own log
    log-matching           one block for an index and term, after one and the same term before it
    leader-completeness    what was committed is in the log of every later leader
    state-machine-safety   no two replicas commit or write different blocks at one height
    one-vote               one vote a term, in all lives
    own-term               a leader counts replicas only for entries of its own term
    persist-first          what changed of the record is durable before a message leaves
    monotone               term and commit index do not go back within a life

Sources: Ongaro & Ousterhout, USENIX ATC 2014, figure 3, sections 5.2-5.4.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fiscotool.pbft.effects import Broadcast, CommitBlock, Effect, Remember, Send
from fiscotool.pbft.events import Event
from fiscotool.pbft.properties import Violation
from fiscotool.pbft.types import Digest, Height, NodeIndex, View
from fiscotool.protocols.raft.messages import RequestVote, VoteReply
from fiscotool.protocols.raft.state import ReplicaState, Role, is_majority, term_at
from fiscotool.protocols.words import message_of


@dataclass(slots=True)
class History:
    """What correct replicas did so far. `check` adds one step and tells what it violates."""

    leaders: dict[View, str] = field(default_factory=dict)
    votes: dict[tuple[str, View], NodeIndex] = field(default_factory=dict)
    entries: dict[tuple[Height, View], tuple[Digest, View | None]] = field(default_factory=dict)
    committed: dict[Height, tuple[View, Digest, str]] = field(default_factory=dict)
    committed_in: dict[Height, View] = field(default_factory=dict)
    written: dict[Height, tuple[Digest, str]] = field(default_factory=dict)

    def check(
        self, node: str, before: ReplicaState, event: Event, after: ReplicaState, effects: tuple[Effect, ...], *, done: int | None = None
    ) -> list[Violation]:
        """Violations shown by this step of `node`; `done` is how many of the effects happened before a crash, all when None."""
        assert event is not None
        found = _monotone(node, before, after) + _persist_first(node, before, after, effects)
        if after.role is Role.LEADER and (before.role is not Role.LEADER or before.term != after.term):
            found += self._elected(node, after)
        if after.log is not before.log:
            found += self._logged(node, before, after)
        if after.commit > before.commit:
            found += self._committed(node, before, after)
        for effect in effects[:done]:
            found += self._voted(node, before, effect)
            if isinstance(effect, CommitBlock):
                found += self._written(node, effect)
        return found

    def _elected(self, node: str, after: ReplicaState) -> list[Violation]:
        """A new leader: the only one of its term, by a majority, with all that was committed before."""
        first = self.leaders.setdefault(after.term, node)
        found = []
        if first != node:
            found.append(Violation("election-safety", node, after.height, f"term {after.term} has the leader {first} already"))
        if not is_majority(after.votes, after.rules):
            found.append(Violation("election-safety", node, after.height, f"elected by {list(after.votes)}, which is no majority"))
        for index, (term, digest, _) in self.committed.items():
            place = index - after.base - 1
            if place < 0 or self.committed_in[index] >= after.term:
                continue
            mine = after.log[place] if place < len(after.log) else None
            if mine is None or mine.term != term or mine.proposal.digest != digest:
                found.append(Violation("leader-completeness", node, index, f"leads term {after.term} without the committed block"))
                break
        return found

    def _logged(self, node: str, before: ReplicaState, after: ReplicaState) -> list[Violation]:
        """Entries that are new in a log."""
        same = 0
        for old, new in zip(before.log, after.log, strict=False):
            if old is not new and old != new:
                break
            same += 1
        found = []
        if same < len(before.log) and before.role is Role.LEADER and after.role is Role.LEADER and before.term == after.term:
            found.append(Violation("append-only", node, after.height, "a leader changed its own log"))
        for place in range(same, len(after.log)):
            index, entry = Height(after.base + place + 1), after.log[place]
            fact = (entry.proposal.digest, term_at(after, Height(index - 1)))
            if self.entries.setdefault((index, entry.term), fact) != fact:
                found.append(Violation("log-matching", node, index, f"another block or predecessor for index {index} of term {entry.term}"))
        return found

    def _committed(self, node: str, before: ReplicaState, after: ReplicaState) -> list[Violation]:
        """Entries that a replica has come to know as committed."""
        found = []
        for index in range(before.commit + 1, after.commit + 1):
            place = index - after.base - 1
            if not 0 <= place < len(after.log):
                found.append(Violation("state-machine-safety", node, Height(index), "committed what it does not have"))
                continue
            entry = after.log[place]
            term, digest, first = self.committed.setdefault(Height(index), (entry.term, entry.proposal.digest, node))
            self.committed_in.setdefault(Height(index), after.term)
            if digest != entry.proposal.digest:
                text = f"committed another block than {first} did (of term {term})"
                found.append(Violation("state-machine-safety", node, Height(index), text))
        if after.role is Role.LEADER and term_at(after, after.commit) != after.term:
            found.append(Violation("own-term", node, after.commit, "counted replicas for an entry of an earlier term"))
        return found

    def _voted(self, node: str, before: ReplicaState, effect: Effect) -> list[Violation]:
        """Votes that leave: for another, or for oneself as a candidate."""
        message = message_of(effect)
        if isinstance(message, VoteReply) and message.is_granted and isinstance(effect, Send):
            choice = effect.to
        elif isinstance(message, RequestVote):
            choice = message.sender
        else:
            return []
        first = self.votes.setdefault((node, message.view), choice)
        wrong = Violation("one-vote", node, before.height, f"voted for {first} and {choice} in term {message.view}")
        return [] if first == choice else [wrong]

    def _written(self, node: str, effect: CommitBlock) -> list[Violation]:
        """One hash a height in all ledgers."""
        digest, first = self.written.setdefault(effect.index, (effect.block_hash, node))
        wrong = Violation("state-machine-safety", node, effect.index, f"wrote another block than {first}")
        return [] if digest == effect.block_hash else [wrong]


def _monotone(node: str, before: ReplicaState, after: ReplicaState) -> list[Violation]:
    """What never goes back within a life."""
    if after.term >= before.term and after.commit >= before.commit and after.height >= before.height:
        return []
    return [Violation("monotone", node, after.height, "term, commit index or height went back")]


def _persist_first(node: str, before: ReplicaState, after: ReplicaState, effects: tuple[Effect, ...]) -> list[Violation]:
    """A changed record is durable before the first message of the step."""
    if before.term == after.term and before.voted_for == after.voted_for and before.log is after.log:
        return []
    for effect in effects:
        if isinstance(effect, Remember):
            return []
        if isinstance(effect, Broadcast | Send):
            break
    return [Violation("persist-first", node, after.height, "term, vote or log changed and was not made durable before speaking")]
