"""Looking for a run of all replicas together: every interleaving and every silent receive, one after the other.

The protocol is one view of one height, small enough to be tried out: accept the leader's proposal, send a Prepare, count Prepares, be
prepared on a quorum, send a Commit, count Commits, be committed on a quorum. A global state is what every replica has done and received
and what the network has; a step is the next record of some replica, or the silent receive of a message that was sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from fiscotool.pbft.trace import Act, TraceRecord

QUORUM = 3
"""Of three members, and of four."""

Message = tuple[str, int, str]
"""Kind ("O", "P", "C"), sender, digest."""


class Local(NamedTuple):
    """One replica: what it accepted, voted and has received."""

    accepted: str = ""
    lock: str = ""
    committed: str = ""
    sent: frozenset[Message] = frozenset()
    prepares: frozenset[tuple[int, str]] = frozenset()
    commits: frozenset[tuple[int, str]] = frozenset()


def explainable(
    records: Sequence[TraceRecord], leader: int, *, count: int, faulty: frozenset[int] = frozenset(), silent: bool = False
) -> bool:
    """Whether some global run has exactly these records, and silent receives if `silent`."""
    lanes = [[r for r in records if r.replica == f"node{index}" and index not in faulty] for index in range(count)]
    start = ((0,) * count, (Local(),) * count, frozenset[Message]())
    seen, stack = {start}, [start]
    while stack:
        places, locals_, network = stack.pop()
        if all(place == len(lane) for place, lane in zip(places, lanes, strict=True)):
            return True
        for index in range(count):
            for moved in _moves(index, lanes[index], places[index], locals_[index], network, leader, faulty, silent):
                place, local, sent = moved
                following = (
                    (*places[:index], place, *places[index + 1 :]),
                    (*locals_[:index], local, *locals_[index + 1 :]),
                    network | sent,
                )
                if following not in seen:
                    seen.add(following)
                    stack.append(following)
    return False


def _moves(
    index: int,
    lane: Sequence[TraceRecord],
    place: int,
    local: Local,
    network: frozenset[Message],
    leader: int,
    faulty: frozenset[int],
    silent: bool,
) -> list[tuple[int, Local, frozenset[Message]]]:
    """What replica `index` can do: its next record, and silent receives."""
    found: list[tuple[int, Local, frozenset[Message]]] = []
    if silent:
        for kind, sender, digest in network:
            if kind == "P" and (sender, digest) not in local.prepares:
                found.append((place, local._replace(prepares=local.prepares | {(sender, digest)}), frozenset()))
            if kind == "C" and (sender, digest) not in local.commits:
                found.append((place, local._replace(commits=local.commits | {(sender, digest)}), frozenset()))
        for sender in faulty:
            digest = local.accepted
            if digest and (sender, digest) not in local.prepares:
                found.append((place, local._replace(prepares=local.prepares | {(sender, digest)}), frozenset()))
            if digest and (sender, digest) not in local.commits:
                found.append((place, local._replace(commits=local.commits | {(sender, digest)}), frozenset()))
    if place == len(lane):
        return found
    own = {Act.ACCEPT_PROPOSAL: Act.PROPOSE, Act.RECEIVE_PREPARE: Act.SEND_PREPARE, Act.RECEIVE_COMMIT: Act.SEND_COMMIT}.get(
        lane[place].act
    )
    sent: frozenset[Message] = frozenset()
    if own is not None and lane[place].sender == index:
        # The own vote counted is the own vote sent, if that was not told before.
        first = _step(index, replace(lane[place], act=own), local, network, leader, faulty)
        if first is None:
            return found
        local, sent = first
    after = _step(index, lane[place], local, network | sent, leader, faulty)
    if after is not None:
        found.append((place + 1, after[0], after[1] | sent))
    return found


def _step(
    index: int, record: TraceRecord, local: Local, network: frozenset[Message], leader: int, faulty: frozenset[int]
) -> tuple[Local, frozenset[Message]] | None:
    """The record as a step of the model, or None when it is not one here."""
    digest, sender = record.digest, record.sender
    nothing: frozenset[Message] = frozenset()

    def has(kind: str) -> bool:
        assert sender is not None
        return sender in faulty or (kind, sender, digest) in network

    if record.act is Act.PROPOSE:
        again = any(kind == "O" and other != digest for kind, _, other in local.sent)
        message: Message = ("O", index, digest)
        return None if index != leader or again else (local._replace(sent=local.sent | {message}), frozenset({message}))
    if record.act is Act.ACCEPT_PROPOSAL:
        # A faulty leader has also sent the NewView, which may propose again what anybody reported.
        wrong = (leader not in faulty and (sender != leader or not has("O"))) or (local.accepted and local.accepted != digest)
        return None if wrong else (local._replace(accepted=digest), nothing)
    if record.act is Act.SEND_PREPARE:
        message = ("P", index, digest)
        wrong = local.accepted != digest or any(kind == "P" and other != digest for kind, _, other in local.sent)
        return None if wrong else (local._replace(sent=local.sent | {message}), frozenset({message}))
    if record.act is Act.RECEIVE_PREPARE:
        wrong = (sender, digest) in local.prepares or not has("P")
        return None if wrong or sender is None else (local._replace(prepares=local.prepares | {(sender, digest)}), nothing)
    if record.act is Act.PREPARED:
        votes = {other for other, voted in local.prepares if voted == digest}
        return None if local.accepted != digest or len(votes) < QUORUM else (local._replace(lock=digest), nothing)
    if record.act is Act.SEND_COMMIT:
        message = ("C", index, digest)
        return None if local.lock != digest else (local._replace(sent=local.sent | {message}), frozenset({message}))
    if record.act is Act.RECEIVE_COMMIT:
        wrong = (sender, digest) in local.commits or not has("C")
        return None if wrong or sender is None else (local._replace(commits=local.commits | {(sender, digest)}), nothing)
    assert record.act is Act.COMMITTED_LOCAL
    votes = {other for other, voted in local.commits if voted == digest}
    return None if local.lock != digest or len(votes) < QUORUM else (local._replace(committed=digest), nothing)
