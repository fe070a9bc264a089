"""A counterexample of the abstract fisco3 model, executed on the core itself: each of its steps by the events that make a replica take it.

A step of the model says what a replica did, not what it heard before. So for "holds a prepared" all Prepares that were sent arrive, for
"asks for view 3" its timer runs out until it does, and so on. Where the core needs something the model does without (a new leader that is
itself in timeout; view changes that a forged new view shows), it happens as well; the steps stay in their order.

A step that the core refuses ends the replay with `NotTakenError`: with the sound rules that is where a hole is closed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import Final

from fiscotool.check.core_world import GENESIS, CoreWorld, block, hash_of, value_of
from fiscotool.check.fisco3_bounds import FILLER, NAMES, Changed, Lock, leader_of
from fiscotool.check.fisco3_views import chosen_again, told_again
from fiscotool.pbft import messages as msg
from fiscotool.pbft.events import PoolSize
from fiscotool.pbft.rules import Quirk
from fiscotool.pbft.state import slot_at
from fiscotool.pbft.types import Digest, Height, NodeIndex, View

STEP: Final = re.compile(
    r"node(?P<i>\d+) (?P<what>[a-z]+)(?: on)? (?P<value>a|b|empty) at height (?P<h>\d+)(?: in view (?P<v>\d+))?(?P<rest>.*)$"
)
OF_VIEW: Final = re.compile(r"node(\d+) (asks for|shows|enters) view (\d+)(?:: (.*))?$")
EXPIRIES_MAX: Final = 8
QUORUM: Final = 3


class NotTakenError(AssertionError):
    """The core did not take a step. `number` counts from 1."""

    def __init__(self, number: int, label: str) -> None:
        super().__init__(f"step {number}, {label!r}, was not taken by the core")
        self.number = number
        self.label = label


class CoreReplay:
    """Takes labelled steps on a world of the core."""

    def __init__(self, world: CoreWorld) -> None:
        self.world = world

    def run(self, labels: Sequence[str]) -> None:
        """All steps, in order. Raises NotTakenError."""
        for number, label in enumerate(labels, 1):
            if not self._take(label, labels[number:]):
                raise NotTakenError(number, label)

    def forks(self) -> list[str]:
        """Heights at which honest replicas agreed on or wrote different blocks."""
        found: dict[int, dict[int, list[int]]] = {}
        for i in self.world.honest:
            told = dict(enumerate(self.world.durable[i].ledger, 1))
            told |= {slot.height: value_of(slot.agreed.digest) for slot in self.world.state[i].slots if slot.agreed is not None}
            for h, value in told.items():
                found.setdefault(h, {}).setdefault(value, []).append(i)
        return [
            f"height {h}: " + ", ".join(f"{NAMES[value]} at {who}" for value, who in sorted(values.items()))
            for h, values in found.items()
            if len(values) > 1
        ]

    def _take(self, label: str, later: Sequence[str]) -> bool:
        """One step; whether it was taken."""
        about_view = OF_VIEW.match(label)
        if about_view:
            i, view = int(about_view[1]), int(about_view[3])
            if about_view[2] == "asks for":
                return self._ask(i, view)
            if about_view[2] == "shows":
                return self._show(i, view, about_view[4] or "")
            return self._enter(i, view, later)
        found = STEP.match(label)
        if found is None or "starts again" in label:
            return self._of_one(int(label.removeprefix("node")[0]), label)
        value = NAMES.index(found["value"])
        is_again = "again" in found["rest"]
        return self._vote(int(found["i"]), found["what"], int(found["v"] or 0), int(found["h"]), value, is_again=is_again)

    def _of_one(self, i: int, label: str) -> bool:
        """Crashes, blocks."""
        world = self.world
        if "starts again" in label:
            world.crash(i, loses="loses power" in label)
        elif "is sent an empty block" in label:
            world.write(i, FILLER, by_sync=True)
        else:
            value = NAMES.index(label.rsplit(" ", 1)[1])
            chain = (*world.durable[i].ledger, value)
            self._hear(i, msg.CheckPoint, lambda one: one.digest == hash_of(chain))
            world.write(i, value, by_sync=world.stable[i].get(len(chain)) != value)
        return True

    def _hear(self, i: int, kind: type[msg.Message], fits: object) -> None:
        """All messages of one kind that fit arrive."""
        assert callable(fits)
        for to, message in list(self.world.sent):
            if to == i and isinstance(message, kind) and fits(message):
                self.world.deliver(i, message)

    def _vote(self, i: int, what: str, view: int, h: int, value: int, *, is_again: bool) -> bool:
        """A proposal, or one of the three phases; whether it shows in the replica's state."""
        world, digest = self.world, block(h, value).digest

        def fits(one: msg.Message) -> bool:
            assert isinstance(one, msg.PrePrepare | msg.Prepare | msg.Commit)
            return (one.view, one.digest) == (view, digest)

        if what == "proposes":
            world.propose(i, h, value)
        elif what == "accepts" and not is_again:
            if leader_of(h, view) == world.byzantine:
                world.deliver(i, world.pre_prepare(view, h, value))
            self._hear(i, msg.PrePrepare, fits)
        elif what == "accepts":
            self._fetch(i, h, view, value)
        elif what == "holds":
            self._liar_votes(i, msg.Prepare, view, h, digest)
            self._hear(i, msg.Prepare, fits)
        elif what == "pulls":
            return False
        else:
            self._liar_votes(i, msg.Commit, view, h, digest)
            self._hear(i, msg.Commit, fits)
        slot = slot_at(world.state[i], Height(h))
        if what in {"proposes", "accepts"}:
            return (slot.voted_view, slot.voted_digest) == (view, digest)
        if what == "holds":
            return slot.cert is not None and (slot.cert.view, slot.cert.proposal.digest) == (view, digest)
        return slot.agreed is not None and slot.agreed.digest == digest

    def _liar_votes(self, i: int, kind: type[msg.Prepare | msg.Commit], view: int, h: int, digest: Digest) -> None:
        if self.world.byzantine is not None:
            self.world.deliver(i, self.world.sign(kind(View(view), Height(h), digest, NodeIndex(self.world.byzantine))))

    def _fetch(self, i: int, h: int, view: int, value: int) -> None:
        """What a new view proposed again is accepted once its content is here: ask whoever reported it."""
        world = self.world
        for to, message in list(world.sent):
            if isinstance(message, msg.PreparedProposalRequest) and message.sender == i and message.index == h:
                world.deliver(to, message)
        for to, message in list(world.sent):
            if to == i and isinstance(message, msg.PreparedProposalResponse) and message.index == h:
                world.deliver(i, message)
        if world.byzantine is not None:
            for made_in in range(view):
                cert = replace(world.certificate(made_in, h, value), proposal=block(h, value))
                world.deliver(i, msg.PreparedProposalResponse(Height(h), NodeIndex(world.byzantine), cert))

    def _ask(self, i: int, view: int) -> bool:
        """Its timer runs out until it asks for the view."""
        world = self.world
        for _ in range(EXPIRIES_MAX):
            state = world.state[i]
            if state.in_timeout and state.to_view >= view:
                break
            if not state.timer_on:
                world.give(i, PoolSize(0))
                world.give(i, PoolSize(1))
            world.expire(i)
        return bool(world.state[i].in_timeout and world.state[i].to_view == view)

    def _show(self, i: int, view: int, told: str) -> bool:
        """View changes with which the new view is the one told arrive at its leader, which asks for that view too."""
        if not self._ask(i, view):
            return False
        world = self.world
        own = self._changes(view, i)
        others = [self._changes(view, j) for j in world.honest if j != i]
        lies = list(self._lies(view)) if world.byzantine is not None else []
        for chosen in product(*([None, *given] for given in (*others, lies))):
            shown = [one for one in (*own[-1:], *chosen) if one is not None]
            if len(shown) >= QUORUM and told_again(chosen_again(view, tuple(map(_changed, shown)))) == told:
                for one in shown:
                    world.deliver(i, one)
                return bool(world.state[i].view == view)
        return False

    def _changes(self, view: int, sender: int) -> list[msg.ViewChange]:
        return list(
            dict.fromkeys(one for _, one in self.world.sent if isinstance(one, msg.ViewChange) and (one.view, one.sender) == (view, sender))
        )

    def _lies(self, view: int) -> Iterator[msg.ViewChange]:
        """View changes of the liar: nothing, or what was prepared, also shown as of a later view."""
        world = self.world
        assert world.byzantine is not None
        empty = msg.ViewChange(View(view), Height(0), GENESIS, NodeIndex(world.byzantine))
        yield empty
        for made_in in range(view):
            for value in (*range(1, FILLER), FILLER):
                cert = world.certificate(made_in, 1, value)
                if len(cert.signatures) >= QUORUM:
                    for dated in range(made_in, view):
                        yield replace(empty, prepared=(replace(cert, view=View(dated)),))

    def _enter(self, i: int, view: int, later: Sequence[str]) -> bool:
        """A new view arrives: an honest leader's, or one that the liar makes of the view changes there are and of what it wants."""
        world = self.world
        self._hear(i, msg.NewView, lambda one: one.view == view)
        if world.state[i].view < view and world.byzantine is not None:
            for j in world.honest if not world.rules.has(Quirk.DUPLICATE_SIGNERS) else ():
                if any(label.startswith(f"node{j} enters view {view}") for label in later) or j == i:
                    self._ask(j, view)
            world.deliver(i, self._forged(i, view, later))
        return bool(world.state[i].view == view)

    def _forged(self, i: int, view: int, later: Sequence[str]) -> msg.NewView:
        """With the view changes of those who asked last, and what this replica accepts again later."""
        world = self.world
        assert world.byzantine is not None
        liar, again = NodeIndex(world.byzantine), []
        for label in later:
            found = STEP.match(label)
            if found and found["what"] == "accepts" and found["v"] == str(view) and "again" in found["rest"] and int(found["i"]) == i:
                again.append(block(int(found["h"]), NAMES.index(found["value"])))
        asked = [self._changes(view, j)[-1:] for j in world.honest]
        shown = sorted((one for given in asked for one in given), key=lambda one: len(one.prepared))[: QUORUM - 1]
        own = msg.ViewChange(View(view), world.state[i].height, world.state[i].block_hash, liar)
        shown.append(own)
        if world.rules.has(Quirk.DUPLICATE_SIGNERS):
            proofs = [((liar, world.proof(liar, view - 1, one.digest)),) * QUORUM for one in again]
            certs = [
                msg.PreparedCertificate(View(view - 1), replace(one, data=b""), proof) for one, proof in zip(again, proofs, strict=True)
            ]
            shown = [replace(own, prepared=tuple(certs))] * QUORUM
        entries = tuple(msg.PrePrepare(View(view), one.index, one.digest, liar, one) for one in again)
        return msg.NewView(View(view), world.state[i].height, liar, tuple(shown), entries)


def on_core(way: Sequence[str], byzantine: int | None, holes: Iterable[str]) -> str:
    """What a way comes to on the core with the quirks of these names: the fork, the step it refuses, or "no fork"."""
    quirks = frozenset(quirk for quirk in Quirk if quirk.value in set(holes))
    replay = CoreReplay(CoreWorld(byzantine=byzantine, quirks=quirks))
    try:
        replay.run(way)
    except NotTakenError as error:
        return f"refused at step {error.number}"
    return "; ".join(replay.forks()) or "no fork"


def _changed(message: msg.ViewChange) -> Changed:
    """A view change as the model tells it."""
    locks = tuple(Lock(cert.proposal.index, cert.view, value_of(cert.proposal.digest)) for cert in message.prepared)
    return Changed(message.view, message.sender, message.index, locks)
