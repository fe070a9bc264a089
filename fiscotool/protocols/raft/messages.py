"""What Raft's replicas say to each other, and what their logs are made of.

Sources: Ongaro & Ousterhout, USENIX ATC 2014, figure 2.
"""

from __future__ import annotations

from dataclasses import dataclass

from fiscotool.pbft.messages import Proposal
from fiscotool.pbft.types import Height, NodeIndex, View


@dataclass(frozen=True, slots=True)
class Entry:
    """One place of the log: a block, and the term in which a leader received it."""

    term: View
    proposal: Proposal


@dataclass(frozen=True, slots=True)
class RequestVote:
    """`sender` stands in `view` (the term); its log ends at `index` with an entry of `last_term`."""

    view: View
    sender: NodeIndex
    index: Height
    last_term: View


@dataclass(frozen=True, slots=True)
class VoteReply:
    """Answer of a replica whose term is `view`. `index` is the end of its log, for people only."""

    view: View
    sender: NodeIndex
    index: Height
    is_granted: bool


@dataclass(frozen=True, slots=True)
class AppendEntries:
    """The leader of term `view`: after place `index`, which has an entry of `previous_term`, the log goes on with `entries`.

    `commit` is how far the leader knows the log to be committed. Without entries it is a heartbeat, or tells of a commit.
    """

    view: View
    sender: NodeIndex
    index: Height
    previous_term: View
    entries: tuple[Entry, ...]
    commit: Height


@dataclass(frozen=True, slots=True)
class AppendReply:
    """Answer of a replica whose term is `view`: its log agrees with the leader's up to `index`, or, refused, may agree up to there."""

    view: View
    sender: NodeIndex
    index: Height
    is_success: bool


RaftMessage = RequestVote | VoteReply | AppendEntries | AppendReply
"""All that Raft's replicas exchange."""
