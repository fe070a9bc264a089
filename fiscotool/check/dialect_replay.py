"""A way through the abstract model of fisco2 or classic, executed on the core itself: each step by the events that make a replica take it.

As `core_replay` for fisco3: what a step needs to have been heard arrives first, and whether the step was taken shows in the replica. A step
that the core refuses ends the replay (`NotTakenError`): with the sound rules that is where a hole is closed.

A replica of classic that enters a view accepts at once what that proposes again and what it has the content of.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any, Final

from fiscotool.check.core_replay import EXPIRIES_MAX, NotTakenError
from fiscotool.check.core_world import block, value_of
from fiscotool.check.dialect_world import DialectWorld
from fiscotool.check.fisco3_bounds import FILLER, NAMES
from fiscotool.pbft import events as ev
from fiscotool.pbft import messages as msg
from fiscotool.pbft.dialects import Dialect
from fiscotool.pbft.reproposal import reproposals_of
from fiscotool.pbft.rules import Quirk
from fiscotool.pbft.types import Digest, Height, NodeIndex, View

VOTE: Final = re.compile(
    r"node(?P<i>\d) (?P<what>proposes|accepts again|accepts|locks|holds|decides) (?P<value>a|b|empty) at height (?P<h>\d) in view (?P<v>\d)"
)
BLOCK: Final = re.compile(r"node(?P<i>\d) (?P<what>writes|is sent) block (?P<h>\d) = (?P<value>a|b|empty)")
OF_VIEW: Final = re.compile(
    r"node(?P<i>\d) (?P<what>asks for|joins those who ask for|enters|shows|sees the empty block of) view (?P<v>\d)(?:: (?P<told>.*))?$"
)
EMPTY: Final = re.compile(r"node(?P<i>\d) proposes an empty block")
ENOUGH: Final = 3


class DialectReplay:
    """Takes labelled steps on a world. `blocks_need`: signatures that make a block for whom it is sent to, `shown`: of which messages."""

    def __init__(self, world: DialectWorld, *, blocks_need: int = ENOUGH, shown: tuple[type[msg.Message], ...] = (msg.Commit,)) -> None:
        self.world = world
        self._blocks_need = blocks_need
        self._shown = shown

    def run(self, labels: Sequence[str]) -> None:
        """All steps, in order. Raises NotTakenError."""
        for number, label in enumerate(labels, 1):
            if not self._take(label):
                raise NotTakenError(number, label)

    def forks(self) -> list[str]:
        """Heights at which honest replicas have different blocks."""
        found: dict[int, dict[int, list[int]]] = {}
        for i in self.world.honest:
            for h, value in enumerate(self.world.durable[i].ledger, 1):
                found.setdefault(h, {}).setdefault(value, []).append(i)
        return [
            f"height {h}: " + ", ".join(f"{NAMES[value]} at {who}" for value, who in sorted(values.items()))
            for h, values in found.items()
            if len(values) > 1
        ]

    def _take(self, label: str) -> bool:
        """One step; whether it was taken."""
        world = self.world
        if label.endswith("crashes and starts again"):
            world.crash(int(label[4]))
            return True
        if found := EMPTY.match(label):
            state = world.state[int(found["i"])]
            world.give(int(found["i"]), ev.TimerFired(ev.TimerName.EMPTY_BLOCK, state.empty_epoch))
            return bool(world.state[int(found["i"])].in_timeout)
        if found := VOTE.match(label):
            return self._vote(int(found["i"]), found["what"], int(found["v"]), int(found["h"]), NAMES.index(found["value"]))
        if found := BLOCK.match(label):
            return self._block(int(found["i"]), int(found["h"]), NAMES.index(found["value"]), is_sent=found["what"] == "is sent")
        found = OF_VIEW.match(label)
        assert found is not None, label
        i, view, told = int(found["i"]), int(found["v"]), found["told"]
        match found["what"]:
            case "asks for":
                return self._ask(i, view)
            case "joins those who ask for":
                self._hear_asking(i, view)
                return world.state[i].to_view == view or self._ask(i, view)
            case "shows":
                return self._weigh(i, view, told)
            case "enters":
                return self._enter(i, view, told)
            case _:
                return self._see_empty(i, view)

    # Votes and blocks

    def _vote(self, i: int, what: str, view: int, h: int, value: int) -> bool:
        world, digest = self.world, block(h, value).digest
        if what == "proposes":
            world.propose(i, h, value)
        elif what == "accepts":
            if world.leader(h, view) == world.byzantine:
                world.deliver(i, world.pre_prepare(view, h, value))
            self._hear(i, msg.PrePrepare, view, digest)
        elif what == "accepts again":
            self._fetch(i, h)
        else:
            kind: type[msg.Prepare | msg.Commit] = msg.Commit if what == "decides" else msg.Prepare
            self._hear_votes(i, kind, view, h, value)
        return self._shows(i, what, view, h, digest)

    def _shows(self, i: int, what: str, view: int, h: int, digest: Digest) -> bool:
        """Whether a vote shows in the replica."""
        state = self.world.state[i]
        if not self.world.is_classic:
            at = (state.raw.view, state.raw.digest) if state.raw is not None else None
            return at == (view, digest) and (what != "locks" or state.commit_view == view)
        slot = next((one for one in state.slots if one.height == h), None)
        if slot is None:
            return False
        if what == "holds":
            return slot.cert is not None and (slot.cert.view, slot.cert.proposal.digest) == (view, digest)
        if what == "decides":
            return self._write(i, h, value_of(digest))
        return (slot.voted_view, slot.voted_digest) == (view, digest)

    def _hear(self, i: int, kind: type[msg.Message], view: int, digest: Digest) -> None:
        """All such messages arrive."""
        for to, message in list(self.world.sent):
            if to == i and isinstance(message, kind) and (getattr(message, "view", -1), getattr(message, "digest", b"")) == (view, digest):
                self.world.deliver(i, message)

    def _hear_votes(self, i: int, kind: type[msg.Prepare | msg.Commit], view: int, h: int, value: int) -> None:
        """Votes for a block arrive; the liar's, three times over and signed in three ways."""
        world, named = self.world, self.world.named(i, h, value)
        if world.byzantine is not None:
            vote = world.sign(kind(View(view), Height(h), named, NodeIndex(world.byzantine)))
            world.deliver(i, vote)
            if world.rules.has(Quirk.DUPLICATE_SIGNERS):
                for twin in (b"again", b"and again"):
                    world.deliver(i, kind(View(view), Height(h), named, NodeIndex(world.byzantine), twin))
        self._hear(i, kind, view, named)

    def _block(self, i: int, h: int, value: int, *, is_sent: bool) -> bool:
        """Written, because of Commits; or sent by somebody who has it, or who can show signatures."""
        world = self.world
        if not is_sent:
            state = world.state[i]
            self._hear_votes(i, msg.Commit, state.view, h, value)
            return self._write(i, h, value)
        has_it = any(len(durable.ledger) >= h and durable.ledger[h - 1] == value for durable in world.durable.values())
        if not has_it and len(world.committers(world.named(i, h, value), self._shown)) < self._blocks_need:
            return False
        world.write(i, value, by_sync=True)
        return True

    def _write(self, i: int, h: int, value: int) -> bool:
        """The block that consensus made goes into the ledger."""
        if self.world.stable[i].get(h) != value:
            return False
        self.world.write(i, value)
        return True

    def _fetch(self, i: int, h: int) -> None:
        """The content of what a new view proposed again arrives, from whoever reported it."""
        world = self.world
        for to, message in list(world.sent):
            if isinstance(message, msg.PreparedProposalRequest) and message.sender == i and message.index == h:
                world.deliver(to, message)
        for to, message in list(world.sent):
            if to == i and isinstance(message, msg.PreparedProposalResponse) and message.index == h:
                world.deliver(i, message)

    # Views

    def _ask(self, i: int, view: int) -> bool:
        """Its timer runs out until it asks for the view."""
        for _ in range(EXPIRIES_MAX):
            if self.world.state[i].to_view >= view and self.world.state[i].in_timeout:
                break
            self.world.expire(i)
        return bool(self.world.state[i].in_timeout and self.world.state[i].to_view == view)

    def _asking(self, view: int, sender: int) -> list[msg.ViewChange]:
        told = (one for _, one in self.world.sent if isinstance(one, msg.ViewChange) and (one.view, one.sender) == (view, sender))
        return list(dict.fromkeys(told))

    def _lies(self, i: int, view: int) -> list[msg.ViewChange]:
        """What the liar asks with: nothing, or a certificate that there is."""
        world = self.world
        if world.byzantine is None:
            return []
        state = world.state[i]
        index, digest = (Height(0), Digest(b"")) if world.is_classic else (state.height, state.block_hash)
        found = [msg.ViewChange(View(view), index, digest, NodeIndex(world.byzantine))]
        for made_in, value in product(range(view if world.is_classic else 0), range(1, FILLER)):
            cert = world.certificate(made_in, 1, value)
            if len(cert.signatures) >= ENOUGH:
                found.append(msg.ViewChange(View(view), index, digest, NodeIndex(world.byzantine), (cert,)))
        return found

    def _hear_asking(self, i: int, view: int) -> None:
        """View changes for a view arrive, the liar's last."""
        others = [one for j in self.world.honest if j != i for one in self._asking(view, j)]
        for one in [*others, *self._lies(i, view)[:1]]:
            self.world.deliver(i, one)

    def _chosen(self, i: int, view: int, told: str) -> tuple[msg.ViewChange, ...]:
        """View changes of a quorum from which follows what is told; () when there are none."""
        asked = [self._asking(view, j) for j in self.world.honest]
        for chosen in product(*([None, *given] for given in (*asked, self._lies(i, view)))):
            shown = tuple(sorted((one for one in chosen if one is not None), key=lambda one: one.sender))
            if len(shown) >= ENOUGH and _told(shown) == told:
                return shown
        return ()

    def _weigh(self, i: int, view: int, told: str) -> bool:
        """The primary hears view changes with which its new view is the one told."""
        for one in self._chosen(i, view, told):
            self.world.deliver(i, one)
        return bool(self.world.state[i].view == view)

    def _enter(self, i: int, view: int, told: str | None) -> bool:
        """Of 2.x: view changes of a quorum arrive. Of classic: a new view arrives, an honest primary's or the liar's."""
        world = self.world
        if told is None:
            self._hear_asking(i, view)
            return bool(world.state[i].view == view)
        for to, message in list(world.sent):
            if to == i and isinstance(message, msg.NewView) and message.view == view:
                world.deliver(i, message)
        if world.state[i].view < view and world.byzantine is not None:
            world.deliver(i, self._forged(i, view, told))
        return bool(world.state[i].view == view)

    def _forged(self, i: int, view: int, told: str) -> msg.NewView:
        """The liar's new view: one that follows from view changes, or else just what is told."""
        world = self.world
        assert world.byzantine is not None
        liar, shown = NodeIndex(world.byzantine), self._chosen(i, view, told)
        values = [NAMES.index(name) for name in re.findall(r"(a|b|empty) at height", told)]
        made = [block(h, value) for h, value in enumerate(values, 1)]
        entries = tuple(msg.PrePrepare(View(view), one.index, one.digest, liar, one) for one in made)
        signed = world.sign(msg.NewView(View(view), Height(0), liar, shown, entries))
        assert isinstance(signed, msg.NewView)
        return signed

    def _see_empty(self, i: int, view: int) -> bool:
        """An empty block of 2.x."""
        world = self.world
        h = len(world.durable[i].ledger) + 1
        if world.leader(h, view) == world.byzantine:
            world.deliver(i, world.pre_prepare(view, h, FILLER))
        self._hear(i, msg.PrePrepare, view, block(h, FILLER).digest)
        return bool(world.state[i].to_view == view + 1)


def _told(shown: tuple[msg.ViewChange, ...]) -> str:
    """What follows from view changes, as labels tell it."""
    again = reproposals_of(shown)
    named = [f"{NAMES[FILLER if found is None else value_of(found[0].proposal.digest)]} at height {h}" for h, found in again.items()]
    return f"proposes {', '.join(named)} again" if named else "nothing again"


def on_dialect(
    way: Sequence[str],
    dialect: Dialect,
    byzantine: int | None,
    *,
    quirks: Iterable[Quirk] = (),
    **more: Any,
) -> str:
    """What a way comes to on the core: the fork, the step it refuses, or "no fork". `dialect` may have a bug planted in it."""
    replay = DialectReplay(DialectWorld(dialect, byzantine=byzantine, quirks=frozenset(quirks)), **more)
    try:
        replay.run(way)
    except NotTakenError as error:
        return f"refused at step {error.number}"
    return "; ".join(replay.forks()) or "no fork"
