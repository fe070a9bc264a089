"""Byzantine replicas that lie when they lead, or with what they do not say. The list is in `liars`."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from fiscotool.pbft.messages import Commit, Message, NewView, Prepare, PrePrepare, ViewChange
from fiscotool.pbft.quorum import leader_of
from fiscotool.pbft.types import Digest, Height, View
from fiscotool.sim.adversary import Honest, Sent
from fiscotool.sim.liars import (
    Eager,
    Early,
    FarBlock,
    FarView,
    Forger,
    Hasty,
    Impostor,
    Liar,
    Parrot,
    Puller,
    Redater,
    Repeater,
    Topmost,
    to_all,
)
from fiscotool.sim.replica import Replica
from fiscotool.sim.world import World

WITHHELD_MAX: Final = 64
"""Votes that a saboteur keeps back, latest ones."""


def _is_block(message: Message) -> bool:
    """Whether this proposes a block with something in it."""
    return isinstance(message, PrePrepare) and bool(message.proposal.data) and not message.proposal.is_filler


class Babble(Liar):
    """Says everything that is wrong beside what is right."""

    def __init__(self) -> None:
        self._voices: tuple[Liar, ...] = (Parrot(), Early(), Impostor(), Hasty(), FarBlock(), Eager(), Repeater(), Puller())
        self._forger = Forger()

    def broadcast(self, world: World, replica: Replica, message: Message) -> Sent:
        """The truth, then what each voice has to say; a view change is forged first."""
        del world
        for voice in (*self._voices, self._forger):
            voice.craft = self.craft
        forged = self._forger.forged(replica, message)
        before = [] if forged is message else [forged]
        return to_all(replica, *before, message, *(said for voice in self._voices for said in voice.more(replica, message)))


class Stutter(Liar):
    """Two blocks to everyone."""

    def more(self, replica: Replica, message: Message) -> list[Message]:
        """The twin follows."""
        if not isinstance(message, PrePrepare) or not _is_block(message):
            return []
        twin = self.craft.twin(message.proposal)
        return [self.craft.sign(replace(message, digest=twin.digest, proposal=twin), replica.rules)]


class Usurper(Liar):
    """Leaves out of its NewViews what was prepared."""

    def broadcast(self, world: World, replica: Replica, message: Message) -> Sent:
        """Nothing to propose again."""
        del world
        return to_all(replica, replace(message, preprepares=()) if isinstance(message, NewView) else message)


class Rotten(Liar):
    """Proposes blocks that nobody can execute: their header names another height."""

    def broadcast(self, world: World, replica: Replica, message: Message) -> Sent:
        """All its proposals are rotten."""
        del world
        if not isinstance(message, PrePrepare) or not _is_block(message):
            return to_all(replica, message)
        wrong = self.craft.block(replica, Height(message.index + 7), f"rotten/{message.view}")
        rotten = replace(wrong, index=message.index)
        return to_all(replica, self.craft.sign(replace(message, digest=rotten.digest, proposal=rotten), replica.rules))


class Isolate(Liar):
    """Lets one replica prepare a block alone: shows its proposals to two, its Prepare for them to one, and commits nothing.

    That one is locked on a block of which the others have no certificate. Who leads the next view has the liar's view change as soon as
    that one votes, so that it has a quorum without the locked replica.
    """

    def __init__(self) -> None:
        self._alone: set[Digest] = set()
        self._voted: set[tuple[View, Height, Digest]] = set()

    def broadcast(self, world: World, replica: Replica, message: Message) -> Sent:
        """Two see the proposal, one the vote, nobody a Commit."""
        del world
        n, me = replica.rules.node_count, int(replica.index)
        victim, helper = (me + 2) % n, (me + 3) % n
        if isinstance(message, PrePrepare) and _is_block(message):
            self._alone.add(message.digest)
            return [(victim, message), (helper, message)]
        if isinstance(message, Commit):
            return []
        if isinstance(message, Prepare) and message.digest in self._alone:
            early = ViewChange(View(message.view + 1), replica.height, replica.head_hash, replica.index)
            return [(victim, message), *self._to_next_leader(replica, early)]
        if isinstance(message, ViewChange):
            return self._to_next_leader(replica, replace(message, prepared=()))
        return to_all(replica, message)

    def heard(self, replica: Replica, message: Message) -> Sent:
        """It prepares whatever others do, locked or not."""
        vote = (message.view, message.index, message.digest) if isinstance(message, Prepare) else None
        if vote is None or vote in self._voted or vote[2] in self._alone:
            return []
        self._voted = {known for known in self._voted if known[1] >= vote[1]} | {vote}
        return to_all(replica, self.craft.sign(Prepare(*vote, replica.index), replica.rules))

    def _to_next_leader(self, replica: Replica, message: ViewChange) -> Sent:
        leader = leader_of(Height(message.index + 1), message.view, replica.rules)
        return [(int(leader), message)] if leader != replica.index else []


class Saboteur(Liar):
    """Commits too late; as a leader of new views says first what is wrong, then what is right, too late and again and again."""

    def __init__(self) -> None:
        self._commits: list[Message] = []
        self._views: list[Message] = []
        self._is_late = True

    def broadcast(self, world: World, replica: Replica, message: Message) -> Sent:
        """Withheld Commits leave with its view changes, real NewViews with its next votes and view changes."""
        del world
        if isinstance(message, Commit):
            self._commits = [*self._commits, message][-WITHHELD_MAX:]
            return []
        if isinstance(message, NewView):
            self._views, self._is_late = [message], not self._is_late
            return to_all(replica, replace(message, preprepares=()), *([] if self._is_late else [message]))
        if isinstance(message, ViewChange):
            late, self._commits = self._commits, []
            return to_all(replica, message, *late, *self._views)
        return to_all(replica, message, *(self._views if isinstance(message, Prepare) and not self._is_late else []))


class Fickle(Liar):
    """Proposes to one replica only, and something else with every answer and vote to that one."""

    def _another(self, replica: Replica, count: int) -> Message:
        assert replica.state is not None
        index = Height(replica.height + 1)
        block = self.craft.block(replica, index, f"fickle/{count}")
        return PrePrepare(replica.state.view, index, block.digest, replica.index, block)

    def __init__(self) -> None:
        self._count = 0

    def _with_another(self, replica: Replica, to: int, message: Message) -> Sent:
        self._count += 1
        return [(to, message), (to, self._another(replica, self._count))]

    def broadcast(self, world: World, replica: Replica, message: Message) -> Sent:
        """Proposals to the one."""
        del world
        target = (int(replica.index) + 1) % replica.rules.node_count
        if _is_block(message):
            return [(target, message)]
        sent = to_all(replica, message)
        return [*sent, *self._with_another(replica, target, message)[1:]]

    def send(self, world: World, replica: Replica, to: int, message: Message) -> Sent:
        """Something else with every answer to the one."""
        del world
        is_target = to == (int(replica.index) + 1) % replica.rules.node_count
        return self._with_another(replica, to, message) if is_target else [(to, message)]


class Gaps(Liar):
    """As a leader of several heights leaves out the first: the others prepare what follows."""

    def broadcast(self, world: World, replica: Replica, message: Message) -> Sent:
        """The next height's proposal stays at home."""
        del world
        if _is_block(message) and message.index == replica.height + 1:
            return []
        return to_all(replica, message)


LIARS: Final[dict[str, type[Honest]]] = {
    liar.__name__.lower(): liar
    for liar in (
        Stutter,
        Usurper,
        Impostor,
        FarView,
        FarBlock,
        Rotten,
        Forger,
        Repeater,
        Redater,
        Parrot,
        Puller,
        Hasty,
        Early,
        Eager,
        Topmost,
        Isolate,
        Saboteur,
        Fickle,
        Gaps,
        Babble,
    )
}
"""By name."""
