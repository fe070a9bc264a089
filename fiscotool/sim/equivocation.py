"""The second story of a liar in Raft and HotStuff: the same place in the chain, another block.

Source: the adversary of `adversary.Equivocate`; its PBFT messages are told twice there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from fiscotool.pbft.messages import Message, Proposal
from fiscotool.pbft.rules import Rules
from fiscotool.pbft.types import Digest, NodeIndex
from fiscotool.protocols.hotstuff.messages import Generic, Vote, make_node
from fiscotool.protocols.raft.messages import AppendEntries, Entry
from fiscotool.sim import chain

Twins = dict[Digest, Digest]
"""The other of two digests that a liar showed at one place."""


def _twin(proposal: Proposal, me: NodeIndex) -> Proposal:
    return chain.make_proposal(proposal.index, me, chain.transactions_of(proposal), salt="twin")


def other_story(message: Message, me: NodeIndex, rules: Rules, twins: Twins) -> Message | None:
    """What half of the others are told instead, or None where there is only one story. Votes for a node of two are told to everyone."""
    told = cast("object", message)
    if isinstance(told, AppendEntries) and told.entries:
        entries = tuple(Entry(entry.term, _twin(entry.proposal, me)) for entry in told.entries)
        return cast("Message", replace(told, entries=entries))
    if isinstance(told, Generic) and told.node.proposal is not None:
        node = told.node
        twin = make_node(node.view, node.index, node.justify, _twin(told.node.proposal, me))
        twins[node.digest] = twin.digest
        return cast("Message", replace(told, node=twin))
    if isinstance(told, Vote) and told.digest in twins:
        return chain.sign(cast("Message", replace(told, digest=twins[told.digest])), rules)
    return None


def is_vote(message: Message) -> bool:
    """Whether both stories go to the one who collects."""
    return isinstance(cast("object", message), Vote)
