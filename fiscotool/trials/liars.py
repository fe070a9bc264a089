"""Byzantine replicas that go for one bug each, beside those of `sim.adversary`.

They sign for themselves only, and show real certificates or too few signatures; what they say is authentic, and wrong.

    Stutter    as a leader proposes two blocks, both to everyone
    Usurper    leaves out of its NewViews what was prepared
    Impostor   proposes out of turn
    FarView    asks for a view far away
    FarBlock   proposes for heights and views far away
    Rotten     proposes blocks that nobody can execute
    Forger     shows a certificate that it signed alone, of a block nobody prepared
    Repeater   makes a NewView of its own view change, repeated
    Redater    shows the certificates it holds as ones of a later view
    Parrot     sends every vote twice, and votes in the names of sealers that do not exist
    Puller     answers every question for a committed proposal with another block, and names its result
    Hasty      proposes for the next view before that has come
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from fiscotool.pbft.messages import (
    CheckPoint,
    Commit,
    CommittedProposalResponse,
    Message,
    NewView,
    Prepare,
    PreparedCertificate,
    PrePrepare,
    ViewChange,
)
from fiscotool.pbft.quorum import leader_of
from fiscotool.pbft.types import Height, NodeIndex, View
from fiscotool.sim import chain
from fiscotool.sim.adversary import Honest, Sent, others
from fiscotool.sim.replica import Replica
from fiscotool.sim.world import World

FAR_VIEW: Final = 1_000
FAR_BLOCKS: Final = 500


def _to_all(replica: Replica, *messages: Message) -> Sent:
    return [(to, message) for to in others(replica) for message in messages]


class Stutter(Honest):
    """Two blocks to everyone."""

    def broadcast(self, world: World, replica: Replica, message: Message) -> Sent:
        """The twin follows."""
        assert world.replicas
        if not isinstance(message, PrePrepare) or not message.proposal.data:
            return _to_all(replica, message)
        twin = chain.make_proposal(message.index, replica.index, chain.transactions_of(message.proposal), salt="twin")
        return _to_all(replica, message, chain.sign(replace(message, digest=twin.digest, proposal=twin), replica.rules))


class Usurper(Honest):
    """Leaves out of its NewViews what was prepared."""

    def broadcast(self, world: World, replica: Replica, message: Message) -> Sent:
        """Nothing to propose again."""
        assert world.replicas
        return _to_all(replica, replace(message, preprepares=()) if isinstance(message, NewView) else message)


class Impostor(Honest):
    """Proposes out of turn."""

    def broadcast(self, world: World, replica: Replica, message: Message) -> Sent:
        """A block of its own with everything it says; a NewView with every view change."""
        state = replica.state
        assert world.replicas
        assert state is not None
        block = chain.make_proposal(Height(replica.height + 1), replica.index, ("impostor",), salt=str(message.index))
        forged: list[Message] = [PrePrepare(state.view, block.index, block.digest, replica.index, block)]
        if isinstance(message, ViewChange):
            shown = tuple(vc for vc in getattr(state, "view_changes", ()) if vc.view == message.view)
            forged.append(NewView(message.view, message.index, replica.index, (*shown, message)))
        return _to_all(replica, message, *forged)


class FarView(Honest):
    """Asks for a view far away, with a real signature."""

    def broadcast(self, world: World, replica: Replica, message: Message) -> Sent:
        """Its view changes name another view."""
        assert world.replicas
        return _to_all(replica, replace(message, view=View(FAR_VIEW)) if isinstance(message, ViewChange) else message)


class FarBlock(Honest):
    """Proposes for heights and views far away."""

    def broadcast(self, world: World, replica: Replica, message: Message) -> Sent:
        """Both, whenever it says something."""
        state = replica.state
        assert world.replicas
        assert state is not None
        rules, height = replica.rules, Height(replica.height + FAR_BLOCKS)
        while leader_of(height, state.view, rules) != replica.index:
            height = Height(height + 1)
        view = View(state.view + FAR_VIEW)
        while leader_of(Height(replica.height + 1), view, rules) != replica.index:
            view = View(view + 1)
        high = chain.make_proposal(height, replica.index, ("far",))
        late = chain.make_proposal(Height(replica.height + 1), replica.index, ("far",))
        return _to_all(
            replica,
            message,
            PrePrepare(state.view, height, high.digest, replica.index, high),
            PrePrepare(view, late.index, late.digest, replica.index, late),
        )


class Rotten(Honest):
    """Proposes blocks that nobody can execute: their header names another height."""

    def broadcast(self, world: World, replica: Replica, message: Message) -> Sent:
        """Every third of its proposals is rotten."""
        assert world.replicas
        if not isinstance(message, PrePrepare) or not message.proposal.data:
            return _to_all(replica, message)
        wrong = chain.make_proposal(Height(message.index + 7), replica.index, chain.transactions_of(message.proposal))
        rotten = replace(wrong, index=message.index)
        return _to_all(replica, chain.sign(replace(message, digest=rotten.digest, proposal=rotten), replica.rules))


class Forger(Honest):
    """Shows a certificate that it signed alone, of a block nobody prepared."""

    def broadcast(self, world: World, replica: Replica, message: Message) -> Sent:
        """In every view change."""
        assert world.replicas
        if not isinstance(message, ViewChange) or message.view < 1:
            return _to_all(replica, message)
        made = chain.make_proposal(Height(message.index + 1), replica.index, ("forged",))
        view = View(message.view - 1)
        signed = ((replica.index, chain.proof_signature(replica.rules, replica.index, view, made.index, made.digest)),)
        return _to_all(replica, replace(message, prepared=(PreparedCertificate(view, replace(made, data=b""), signed),)))


class Repeater(Honest):
    """Makes a NewView of its own view change, repeated."""

    def broadcast(self, world: World, replica: Replica, message: Message) -> Sent:
        """As soon as it would lead the view."""
        assert world.replicas
        if not isinstance(message, ViewChange):
            return _to_all(replica, message)
        view = message.view
        while leader_of(Height(message.index + 1), view, replica.rules) != replica.index:
            view = View(view + 1)
        mine = replace(message, view=view, prepared=())
        return _to_all(replica, message, NewView(view, message.index, replica.index, (mine,) * replica.rules.node_count))


class Redater(Honest):
    """Shows the certificates it holds as ones of the latest possible view."""

    def broadcast(self, world: World, replica: Replica, message: Message) -> Sent:
        """Certificates get the view before the one asked for."""
        assert world.replicas
        if not isinstance(message, ViewChange):
            return _to_all(replica, message)
        later = tuple(replace(cert, view=View(message.view - 1)) for cert in message.prepared)
        return _to_all(replica, replace(message, prepared=later))


class Parrot(Honest):
    """Sends every vote three times, and votes in the names of sealers that do not exist."""

    def broadcast(self, world: World, replica: Replica, message: Message) -> Sent:
        """Each vote, and two more of strangers."""
        assert world.replicas
        if not isinstance(message, Prepare | Commit | CheckPoint):
            return _to_all(replica, message)
        n = replica.rules.node_count
        strange = [chain.sign(replace(message, sender=NodeIndex(n + k)), replica.rules) for k in range(2)]
        return _to_all(replica, message, message, message, *strange)


class Puller(Honest):
    """Answers every question for a committed proposal with another block, and names its result in its checkpoints."""

    def broadcast(self, world: World, replica: Replica, message: Message) -> Sent:
        """Checkpoints of a block that was never agreed, early and to everyone."""
        assert world.replicas
        if not isinstance(message, Prepare | ViewChange):
            return _to_all(replica, message)
        other = chain.make_proposal(Height(replica.height + 1), replica.index, ("pulled",))
        result = chain.execute(other, replica.head_hash)
        return _to_all(replica, message, chain.sign(CheckPoint(message.view, other.index, result, replica.index), replica.rules))

    def send(self, world: World, replica: Replica, to: int, message: Message) -> Sent:
        """The other block."""
        assert world.replicas
        if not isinstance(message, CommittedProposalResponse):
            return [(to, message)]
        other = chain.make_proposal(message.index, replica.index, ("pulled",))
        return [(to, replace(message, proposal=other))]


class Hasty(Honest):
    """Proposes for a later view before that has come."""

    def broadcast(self, world: World, replica: Replica, message: Message) -> Sent:
        """With every pre-prepare and vote."""
        state = replica.state
        assert world.replicas
        assert state is not None
        index = Height(replica.height + 1)
        block = chain.make_proposal(index, replica.index, ("hasty",), salt=str(message.index))
        view = View(state.view + replica.rules.node_count)
        return _to_all(replica, PrePrepare(view, index, block.digest, replica.index, block), message)


LIARS: Final[dict[str, type[Honest]]] = {
    liar.__name__.lower(): liar
    for liar in (Stutter, Usurper, Impostor, FarView, FarBlock, Rotten, Forger, Repeater, Redater, Parrot, Puller, Hasty)
}
"""By name."""
