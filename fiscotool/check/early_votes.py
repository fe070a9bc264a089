"""H5, on the core itself: in which orders may votes and a new view arrive so that votes are lost?

Replica 3 of four has accepted a block of view 0 and hears one more Prepare of view 0, the NewView of view 1, which proposes the block
again, and two Prepares of view 1. With its own that is a quorum in view 1, whatever the order. All orders are tried: 24. The sound core
holds the block prepared in every one; with `stale-vote-kept` the first vote of a sender for a block wins, and entering the view deletes it.

Source: observables.md H5.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations
from typing import Final, NamedTuple

from fiscotool.check.core_world import GENESIS, CoreWorld, block
from fiscotool.pbft.messages import Message, NewView, Prepare, PreparedCertificate, PrePrepare, ViewChange
from fiscotool.pbft.rules import Quirk
from fiscotool.pbft.state import slot_at
from fiscotool.pbft.types import Height, NodeIndex, View

ME: Final = 3
OTHERS: Final = (0, 1, 2)
LEADER: Final = 2
"""Of height 1 in view 1."""


class Order(NamedTuple):
    """An order of arrivals, and whether the block was prepared in the new view after all of them."""

    arrivals: tuple[str, ...]
    is_prepared: bool


def arrivals(quirks: frozenset[Quirk]) -> Iterator[Order]:
    """Every order and its outcome."""
    told = dict(_messages())
    for order in permutations(told):
        world = CoreWorld(quirks=quirks)
        world.deliver(ME, world.pre_prepare(0, 1, 1))
        for name in order:
            _hear(world, told[name])
        cert = slot_at(world.state[ME], Height(1)).cert
        yield Order(order, cert is not None and cert.view == 1)


def _hear(world: CoreWorld, message: Message) -> None:
    """A message arrives; the votes in certificates were cast before this story begins."""
    for sender in OTHERS:
        vote = Prepare(View(0), Height(1), block(1, 1).digest, NodeIndex(sender))
        world.sent[ME, world.sign(vote)] = None
    world.deliver(ME, world.sign(message))


def _messages() -> Iterator[tuple[str, Message]]:
    """What arrives, by name."""
    proposal = block(1, 1)
    digest, world = proposal.digest, CoreWorld()
    signed = tuple((NodeIndex(i), world.proof(i, 0, digest)) for i in OTHERS)
    cert = PreparedCertificate(View(0), replace(proposal, data=b""), signed)
    shown = (
        ViewChange(View(1), Height(0), GENESIS, NodeIndex(0)),
        ViewChange(View(1), Height(0), GENESIS, NodeIndex(1)),
        ViewChange(View(1), Height(0), GENESIS, NodeIndex(LEADER), (cert,)),
    )
    again = PrePrepare(View(1), Height(1), digest, NodeIndex(LEADER), replace(proposal, data=b""))
    yield f"node{ME} hears node0's Prepare of view 0", Prepare(View(0), Height(1), digest, NodeIndex(0))
    yield f"node{ME} hears node0's Prepare of view 1", Prepare(View(1), Height(1), digest, NodeIndex(0))
    yield f"node{ME} hears node1's Prepare of view 1", Prepare(View(1), Height(1), digest, NodeIndex(1))
    yield f"node{ME} enters view 1, which proposes the block again", NewView(View(1), Height(0), NodeIndex(LEADER), shown, (again,))
