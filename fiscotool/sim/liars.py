"""Byzantine replicas that go for one bug each, beside those of `adversary`; simulated replicas and embedded nodes lie by them alike.

They sign for themselves only, and show real certificates or too few signatures; what they say is authentic, and wrong. What they say
beside what a correct replica says does no harm to correct ones, so several can be had in one (`Babble`).

    Parrot       sends every vote three times, and votes in the names of sealers that do not exist
    Early        votes for later views, too
    Impostor     proposes out of turn, and makes NewViews that others must make
    Hasty        proposes for a later view before that has come
    FarBlock     proposes for heights and views far away
    FarView      asks for a view far away
    Eager        asks for the next views long before anybody else, once in a while
    Topmost      asks for the largest view there is; f+1 of these have to be believed
    Repeater     makes a NewView of its own view change, repeated
    Forger       shows a certificate that it signed alone, of a block nobody prepared
    Redater      shows the certificates it holds as ones of a later view
    Puller       answers every question for a committed proposal with another block, and names its result
    Babble       all of these but FarView, Topmost and Redater, one after the other (`liars_leading`, as those below)

    Stutter      as a leader proposes two blocks, both to everyone
    Usurper      leaves out of its NewViews what was prepared
    Rotten       proposes blocks that nobody can execute
    Isolate      lets one replica prepare a block alone, which the others' next view does not know of
    Saboteur     commits too late, and as a leader of new views says first what is wrong, then too late what is right, and that again
    Fickle       proposes to one replica only, and something else with every answer to that
    Gaps         as a leader of several heights leaves out the first

Sources: observables 2.1, 2.2, 4.1, for the bugs they go for; OSDI'99 section 4.5.1.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Protocol

from fiscotool.pbft.messages import (
    CheckPoint,
    Commit,
    CommittedProposalResponse,
    Message,
    NewView,
    Prepare,
    PreparedCertificate,
    PrePrepare,
    Proposal,
    ViewChange,
)
from fiscotool.pbft.quorum import leader_of
from fiscotool.pbft.rules import Rules
from fiscotool.pbft.types import Digest, Height, NodeIndex, View
from fiscotool.sim import chain
from fiscotool.sim.adversary import Honest, Sent, others
from fiscotool.sim.replica import Replica
from fiscotool.sim.world import World

FAR_VIEW, FAR_BLOCKS, TOP_VIEW = 1_000, 500, 2**63 - 1


class Craft(Protocol):
    """What a liar makes with its own hands, in the form of the chain it is in."""

    def block(self, replica: Replica, index: Height, name: str) -> Proposal:
        """A block of its own; other names, other blocks."""

    def twin(self, proposal: Proposal) -> Proposal:
        """A block just as good with the same transactions."""

    def sign(self, message: Any, rules: Rules) -> Any:
        """The message as the liar signs it."""

    def proof(self, replica: Replica, view: View, proposal: Proposal) -> bytes:
        """What its own Prepare would contribute to a certificate."""

    def result(self, replica: Replica, proposal: Proposal) -> Digest:
        """The hash of the block after execution, or any other."""


class SimulatedCraft:
    """The craft of the simulator's chain."""

    def block(self, replica: Replica, index: Height, name: str) -> Proposal:
        """See Craft."""
        return chain.make_proposal(index, replica.index, (name.partition("/")[0],), salt=name)

    def twin(self, proposal: Proposal) -> Proposal:
        """See Craft."""
        return chain.make_proposal(proposal.index, proposal.sealer, chain.transactions_of(proposal), salt="twin")

    def sign(self, message: Any, rules: Rules) -> Any:
        """See Craft."""
        return chain.sign(message, rules)

    def proof(self, replica: Replica, view: View, proposal: Proposal) -> bytes:
        """See Craft."""
        return chain.proof_signature(replica.rules, replica.index, view, proposal.index, proposal.digest)

    def result(self, replica: Replica, proposal: Proposal) -> Digest:
        """See Craft."""
        return chain.execute(proposal, replica.head_hash)


class Liar(Honest):
    """Says what an honest replica says, and `more`."""

    craft: Craft = SimulatedCraft()

    def broadcast(self, world: World, replica: Replica, message: Message) -> Sent:
        """The truth first."""
        del world
        return to_all(replica, message, *self.more(replica, message))

    def more(self, replica: Replica, message: Message) -> list[Message]:
        """What it says beside."""
        del replica, message
        return []

    def heard(self, replica: Replica, message: Message) -> Sent:
        """What it says to what it hears, whatever its own core thinks of that; asked by embedded nodes only."""
        del replica, message
        return []


def to_all(replica: Replica, *messages: Message) -> Sent:
    """To every other sealer."""
    return [(to, message) for to in others(replica) for message in messages]


def _led_by(replica: Replica, index: Height, view: int) -> View:
    """The first view from this one on in which the replica leads the height."""
    while leader_of(index, View(view), replica.rules) != replica.index:
        view += 1
    return View(view)


def _view(replica: Replica) -> View:
    assert replica.state is not None
    return View(replica.state.view)


class Parrot(Liar):
    """Repeats its votes, and votes for strangers."""

    def more(self, replica: Replica, message: Message) -> list[Message]:
        """Twice more, and two strangers."""
        if not isinstance(message, Prepare | Commit | CheckPoint):
            return []
        n = replica.rules.node_count
        strange = [self.craft.sign(replace(message, sender=NodeIndex(n + k)), replica.rules) for k in range(2)]
        return [message, message, *strange]


class Early(Liar):
    """Votes for later views, too."""

    def more(self, replica: Replica, message: Message) -> list[Message]:
        """Each vote once more for each of the next two views."""
        if not isinstance(message, Prepare | Commit):
            return []
        return [self.craft.sign(replace(message, view=View(message.view + k)), replica.rules) for k in (1, 2)]


class Impostor(Liar):
    """Proposes out of turn."""

    def more(self, replica: Replica, message: Message) -> list[Message]:
        """A block of its own with everything it says; a NewView with every view change."""
        view = _view(replica)
        block = self.craft.block(replica, Height(replica.height + 1), f"impostor/{message.index}")
        forged: list[Message] = [self.craft.sign(PrePrepare(view, block.index, block.digest, replica.index, block), replica.rules)]
        if isinstance(message, ViewChange):
            shown = tuple(vc for vc in getattr(replica.state, "view_changes", ()) if vc.view == message.view)
            forged.append(NewView(message.view, message.index, replica.index, (*shown, message)))
        return forged


class Hasty(Liar):
    """Proposes for a later view before that has come."""

    def more(self, replica: Replica, message: Message) -> list[Message]:
        """With every pre-prepare and vote."""
        index = Height(replica.height + 1)
        block = self.craft.block(replica, index, f"hasty/{message.index}")
        view = View(_view(replica) + replica.rules.node_count)
        return [PrePrepare(view, index, block.digest, replica.index, block)]


class FarBlock(Liar):
    """Proposes for heights and views far away."""

    def more(self, replica: Replica, message: Message) -> list[Message]:
        """Both, whenever it says something."""
        del message
        view, height = _view(replica), Height(replica.height + FAR_BLOCKS)
        while leader_of(height, view, replica.rules) != replica.index:
            height = Height(height + 1)
        index = Height(replica.height + 1)
        late_view = _led_by(replica, index, view + FAR_VIEW)
        high, late = self.craft.block(replica, height, "far"), self.craft.block(replica, index, "far")
        return [
            PrePrepare(view, height, high.digest, replica.index, high),
            PrePrepare(late_view, late.index, late.digest, replica.index, late),
        ]


class FarView(Liar):
    """Asks for a view far away, with a real signature."""

    def broadcast(self, world: World, replica: Replica, message: Message) -> Sent:
        """Its view changes name another view."""
        del world
        return to_all(replica, replace(message, view=View(FAR_VIEW)) if isinstance(message, ViewChange) else message)


class Eager(Liar):
    """Asks for the next views long before anybody else, once in a while."""

    EVERY_BLOCKS: ClassVar[int] = 4

    def __init__(self) -> None:
        self._asked = -self.EVERY_BLOCKS

    def more(self, replica: Replica, message: Message) -> list[Message]:
        """View changes of its own for the views to come, when it votes."""
        if replica.height < self._asked + self.EVERY_BLOCKS or not isinstance(message, Prepare):
            return []
        self._asked = replica.height
        view = _view(replica)
        return [ViewChange(View(view + k), replica.height, replica.head_hash, replica.index) for k in (1, 2, 3)]


class Topmost(Liar):
    """Asks for the largest view there is."""

    def more(self, replica: Replica, message: Message) -> list[Message]:
        """With every Prepare and view change."""
        if not isinstance(message, Prepare | ViewChange):
            return []
        return [ViewChange(View(TOP_VIEW), replica.height, replica.head_hash, replica.index)]


class Repeater(Liar):
    """Makes a NewView of its own view change, repeated."""

    def more(self, replica: Replica, message: Message) -> list[Message]:
        """As soon as it would lead the view."""
        if not isinstance(message, ViewChange):
            return []
        view = _led_by(replica, Height(message.index + 1), message.view)
        mine = self.craft.sign(replace(message, view=view, prepared=()), replica.rules)
        return [NewView(view, message.index, replica.index, (mine,) * replica.rules.node_count)]


class Forger(Liar):
    """Shows a certificate that it signed alone, of a block nobody prepared."""

    def broadcast(self, world: World, replica: Replica, message: Message) -> Sent:
        """In every view change."""
        del world
        return to_all(replica, self.forged(replica, message))

    def forged(self, replica: Replica, message: Message) -> Message:
        """The view change with it."""
        if not isinstance(message, ViewChange) or message.view < 1:
            return message
        made = self.craft.block(replica, Height(message.index + 1), "forged")
        view = View(message.view - 1)
        signed = ((replica.index, self.craft.proof(replica, view, made)),)
        shown = (PreparedCertificate(view, replace(made, data=b""), signed),)
        return ViewChange(message.view, message.index, message.digest, message.sender, shown)


class Redater(Liar):
    """Shows the certificates it holds as ones of the latest possible view."""

    def broadcast(self, world: World, replica: Replica, message: Message) -> Sent:
        """Certificates get the view before the one asked for; without Commits there are some."""
        del world
        if not isinstance(message, ViewChange):
            return [] if isinstance(message, Commit) else to_all(replica, message)
        later = tuple(replace(cert, view=View(message.view - 1)) for cert in message.prepared)
        return to_all(replica, replace(message, prepared=later))


class Puller(Liar):
    """Answers every question for a committed proposal with another block, and names its result in its checkpoints."""

    def more(self, replica: Replica, message: Message) -> list[Message]:
        """Checkpoints of a block that was never agreed, early and to everyone."""
        if not isinstance(message, Prepare | ViewChange):
            return []
        other = self.craft.block(replica, Height(replica.height + 1), "pulled")
        false = CheckPoint(_view(replica), other.index, self.craft.result(replica, other), replica.index)
        return [self.craft.sign(false, replica.rules)]

    def send(self, world: World, replica: Replica, to: int, message: Message) -> Sent:
        """The other block."""
        del world
        if not isinstance(message, CommittedProposalResponse):
            return [(to, message)]
        return [(to, replace(message, proposal=self.craft.block(replica, message.index, "pulled")))]
