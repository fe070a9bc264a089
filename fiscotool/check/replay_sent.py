"""Who sent what: every message of an honest node that somebody received must have been sent by it, and before.

Rule 1. A message is known by its content without signatures; what a node broadcasts or sends in a step counts as sent at that step.
Rule 2. `sent`: a message received from an honest node with a complete trace is among what it sent. Of a liar's messages the parts that
        others signed are looked at: view changes, and the votes of certificates.
Rule 3. `before`: program order in all lives of a node, together with sent before received, has no circle. The nodes' steps are taken in
        any order in which nobody receives what was not sent yet; if all wait, there is a circle.

Theory. docs/trace-checking.md: with a network that only grows, this and the replay of each life for itself are all there is to check.

Sources: observables 4; Lamport (1978).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fiscotool.check.replay_verdict import Finding
from fiscotool.pbft.messages import (
    CheckPoint,
    Commit,
    Message,
    NewView,
    Prepare,
    PreparedCertificate,
    PreparedProposalResponse,
    PrePrepare,
    ViewChange,
)
from fiscotool.pbft.render import render_message
from fiscotool.pbft.types import View

__all__ = ["Book", "Move", "Place"]

Place = tuple[int, int]
"""(life, step)."""


@dataclass(frozen=True, slots=True)
class Move:
    """What of a step concerns others: `heard` is (signer's node id, key) or None, `sent` the keys of what left."""

    place: Place
    heard: tuple[bytes, int] | None
    sent: tuple[int, ...]


def unsigned(message: Message) -> Any:
    """The content of a message without signatures: equal for what was sent and what was received."""
    if isinstance(message, Prepare | Commit | CheckPoint):  # Most are.
        return (type(message).__name__, message.view, message.index, message.digest, message.sender)
    match message:
        case PrePrepare():
            return replace(message, signature=b"") if message.signature else message
        case ViewChange(stable=stable) if stable:
            # A checkpoint signs its digest; the view it was sent in does not travel with the proof.
            return replace(message, stable=tuple(replace(vote, view=View(0)) for vote in stable))
        case NewView():
            entries = tuple(replace(entry, signature=b"") if entry.signature else entry for entry in message.preprepares)
            return replace(message, preprepares=entries, view_changes=tuple(map(unsigned, message.view_changes)))
        case _:
            return message


@dataclass(slots=True)
class Book:
    """All messages of a run. `names` are the nodes with traces by node id, `liars` the node ids of those that may do anything.

    `partial` are nodes of which something is missing: what is not found of them is believed, and counted.
    """

    names: dict[bytes, str]
    liars: frozenset[bytes]
    partial: set[bytes] = field(default_factory=set)
    counters: Counter[str] = field(default_factory=Counter)
    moves: dict[bytes, list[Move]] = field(default_factory=dict)
    _keys: dict[Any, int] = field(default_factory=dict)
    _texts: dict[int, str] = field(default_factory=dict)
    _sent: dict[bytes, set[int]] = field(default_factory=dict)
    _nested: list[tuple[bytes, Place, bytes, tuple[Any, ...], str]] = field(default_factory=list)

    def key(self, message: Message) -> int:
        """The number of a message's content."""
        content = unsigned(message)
        number = self._keys.get(content)
        if number is None:
            number = self._keys[content] = len(self._keys)
        return number

    def sent(self, message: Message) -> tuple[int, ...]:
        """The numbers of a message that leaves; a pre-prepare, alone or in a NewView, is its leader's vote as well."""
        number = self.key(message)
        if isinstance(message, Prepare | Commit):
            return (number,)
        if isinstance(message, CheckPoint):
            return number, self._keys.setdefault(_bare(message), len(self._keys))
        entries = message.preprepares if isinstance(message, NewView) else (message,) if isinstance(message, PrePrepare) else ()
        votes = [("PrePrepare", entry.view, entry.index, entry.digest, entry.sender) for entry in entries]
        return (number, *(self._keys.setdefault(vote, len(self._keys)) for vote in votes))

    def heard(self, node: bytes, place: Place, message: Message, members: Sequence[bytes]) -> tuple[bytes, int] | None:
        """Take note of a message that `node` received; what a `Move` says of it."""
        sender = members[message.sender] if 0 <= message.sender < len(members) else b""
        if sender in self.liars or sender not in self.names:
            self.counters["believed"] += 1
            self._look_inside(node, place, message, members)
            return None
        return sender, self.key(message)

    def moved(self, node: bytes, move: Move) -> None:
        """Take note of a step."""
        self.moves.setdefault(node, []).append(move)
        if move.sent:
            self._sent.setdefault(node, set()).update(move.sent)

    def _look_inside(self, node: bytes, place: Place, message: Message, members: Sequence[bytes]) -> None:
        """The parts of a liar's message that others signed."""
        for sender, contents, words in _parts(message):
            who = members[sender] if 0 <= sender < len(members) else b""
            if who in self.names and who not in self.liars:
                self._nested.append((node, place, who, contents, words))

    def findings(self) -> list[Finding]:
        """What the rules of this module are against."""
        found = list(self._never_sent())
        found += self._shown_never_sent()
        if not found:
            found += self._circle()
        return found

    def _shown_never_sent(self) -> Iterator[Finding]:
        for node, (life, step), signer, contents, words in self._nested:
            sent = self._sent.get(signer, set())
            self.counters["shown"] += 1
            if signer in self.partial or any(self._keys.get(content) in sent for content in contents):
                continue
            text = f"was shown {words}, which {self.names[signer]} never sent"
            yield Finding("sent", self.names[node], life, step, text, event=words)

    def _never_sent(self) -> Iterator[Finding]:
        contents: list[Any] = []
        told: set[tuple[bytes, tuple[bytes, int]]] = set()
        for node, moves in self.moves.items():
            for move in moves:
                if move.heard is None:
                    continue
                sender, key = move.heard
                if key in self._sent.get(sender, ()):
                    self.counters["found sent"] += 1
                elif sender in self.partial:
                    self.counters["believed"] += 1
                elif (node, move.heard) not in told:
                    told.add((node, move.heard))
                    contents = contents or list(self._keys)
                    text = f"received {_words(contents[key])}, which {self.names[sender]} never sent"
                    yield Finding("sent", self.names[node], *move.place, text, event=_words(contents[key]))

    def _circle(self) -> list[Finding]:
        """Rule 3: whether all steps can be taken in one order."""
        done: dict[bytes, set[int]] = {node: set() for node in self.names}
        at = dict.fromkeys(self.moves, 0)
        waiting: dict[tuple[bytes, int], list[bytes]] = {}
        ready = list(self.moves)
        while ready:
            node = ready.pop()
            moves, place = self.moves[node], at[node]
            while place < len(moves):
                move = moves[place]
                if move.heard is not None:
                    sender, key = move.heard
                    if key not in done[sender] and key in self._sent.get(sender, ()):
                        waiting.setdefault(move.heard, []).append(node)
                        break
                for key in move.sent:
                    if key not in done[node]:
                        done[node].add(key)
                        ready += waiting.pop((node, key), ())
                place += 1
            at[node] = place
        stuck = [(node, self.moves[node][place]) for node, place in at.items() if place < len(self.moves[node])]
        contents = list(self._keys) if stuck else []
        return [
            Finding(
                "before",
                self.names[node],
                *move.place,
                f"received {_words(contents[move.heard[1]])}, which {self.names[move.heard[0]]} sent only after what follows from it",
            )
            for node, move in stuck
            if move.heard is not None
        ]


def _words(content: Any) -> str:
    if isinstance(content, tuple):
        name, view, index, digest, sender = content
        return f"{name}(v={view} h={index} {digest.hex()[:8]}) of sealer {sender}"
    return f"{render_message(content)} of sealer {content.sender}"


def _parts(message: Message) -> Iterator[tuple[int, tuple[Any, ...], str]]:
    """(signer, contents of which it must have sent one, words) of what is signed inside a message."""
    match message:
        case NewView(view_changes=changes):
            for change in changes:
                yield change.sender, (unsigned(change),), f"{render_message(change)} of sealer {change.sender}"
                yield from _parts(change)
        case ViewChange(prepared=prepared, stable=stable):
            for cert in prepared:
                yield from _votes(cert)
            for vote in stable:
                yield vote.sender, (_bare(vote),), f"{render_message(vote)} of sealer {vote.sender}"
        case PreparedProposalResponse(certificate=PreparedCertificate() as cert):
            yield from _votes(cert)
        case _:
            return


def _bare(vote: CheckPoint) -> tuple[str, int, bytes, int]:
    """What a checkpoint's signature binds."""
    return "CheckPoint", vote.index, vote.digest, vote.sender


def _votes(cert: PreparedCertificate) -> Iterator[tuple[int, tuple[Any, ...], str]]:
    """The votes of a certificate. In classic the leader's pre-prepare is its vote."""
    proposal = cert.proposal
    for signer, _ in cert.signatures:
        vote = ("Prepare", cert.view, proposal.index, proposal.digest, signer)
        led = ("PrePrepare", cert.view, proposal.index, proposal.digest, signer)
        yield signer, (vote, led), f"a vote of sealer {signer} for {proposal.index} {proposal.digest.hex()[:8]} in view {cert.view}"
