"""Every schedule of the abstract fisco3 model, view by view and phase by phase: for bounds that a plain walk cannot finish.

Votes of a view are counted in that view alone, and a replica's view never goes back while nobody crashes. So the steps of any schedule
can be put in this order without changing what anybody knows in the end: those of view 0 before those of view 1, and within a view, for
each height, proposing before accepting before preparing before agreeing before writing; time-outs last. A step moved forward never
depends on one it overtakes: an accept reads proposals of its view, a certificate prepares of its view, and so on. (Communication-closed
rounds: Elrad and Francez 1982; Damian, Dragoi, Militaru, Widder, CAV'19.) The sweep takes layer after layer of that order: each part of a
layer may take any number of steps, or none. Everything a plain walk would reach is reached, once the rest of its steps is sorted behind
it.

What makes it small is forgetting, and asking at once (`_ask`). Once a view is over nobody reads its votes again; of them only this is
kept: which certificates exist (a liar may show them), which values were named, and what each replica is locked on, agreed on and has
written. States that differ in nothing else become one.

One dependency crosses views: a block decided in a later view is written, or pulled, by a replica that lags behind. It does so in the
first layer that allows it, in whichever view it is, and asks for views after that one; what it might ask for of views that all other
honest replicas have left is left out. Without crashes that is the only omission (`tests/check/test_sweep.py` compares with the plain walk
where that can finish). With crashes views go back, so the sweep refuses them.

Laws: a layer's states contain those of the layer before, up to what is forgotten; every state kept is the image of a reachable one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from fiscotool.check.budget import INTERRUPTED, STATES, Pause, Spent, go_on
from fiscotool.check.explore import Progress
from fiscotool.check.fisco3_bounds import FILLER, Limits, Slot
from fiscotool.check.fisco3_frame import OF_A_HEIGHT
from fiscotool.check.fisco3_packed import PackedFisco3
from fiscotool.check.fisco3_places import EVERYONE, HEIGHT_BITS, OWN_BITS, VALUE_BITS, VIEW_BITS
from fiscotool.check.howard_bits import bits_at
from fiscotool.check.packed import Moves, expand

LEDGER: Final = "ledger"
"""Pulling and writing, by all replicas, until nothing changes."""

FORGETTING: Final = OF_A_HEIGHT[2:]
"""Kinds of layers after which proposals, then Prepares, then Commits of a height are not read any more."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: a kind of step, in a view, at a height (0: at none)."""

    kind: str
    view: int
    height: int = 0


@dataclass
class Swept:
    """What a sweep found.

    generated       states generated, self-loops and repetitions included
    distinct        states made that the layer did not have already, over all layers, and the first one
    widths          states known at the end of each layer, before anything is forgotten
    bad             a state in which the property does not hold, or None
    ended           what ended it before all was seen, in words, where no violation did
    """

    generated: int = 1
    distinct: int = 1
    widths: list[int] = field(default_factory=list)
    taken: dict[str, int] = field(default_factory=dict)
    decided: dict[str, int] = field(default_factory=dict)
    bad: int | None = None
    is_complete: bool = True
    ended: str = ""
    last: frozenset[int] = frozenset()

    @property
    def never(self) -> tuple[str, ...]:
        """Actions never taken."""
        return tuple(name for name, count in self.taken.items() if not count)

    @property
    def undecided(self) -> tuple[str, ...]:
        """Conjuncts that never refused a step alone."""
        return tuple(name for name, count in self.decided.items() if not count)


def layers_of(limits: Limits) -> Iterator[Layer]:
    """The order of a sweep."""
    for view in range(limits.view_max + 1):
        if view:
            yield Layer("new view", view)
            yield Layer("enter view", view)
            yield Layer(LEDGER, view)
        for h in range(1, limits.heights + 1):
            for kind in OF_A_HEIGHT:
                yield Layer(kind, view, h)
            yield Layer(LEDGER, view)
        for _ in range(limits.heights + 1 if view < limits.view_max else 0):
            yield Layer("time out", view)
            yield Layer(LEDGER, view)


def sweep(
    limits: Limits,
    holds: Callable[[PackedFisco3], Callable[[int], bool]] | None = None,
    *,
    reduces: bool = True,
    states_max: int | None = None,
    on_layer: Progress | None = None,
    pause: Pause = go_on,
) -> Swept:
    """Sweeps within the limits. `holds` makes the property to ask of every state from the model; agreement when None.

    Raises ValueError when the limits allow crashes.
    """
    if limits.crashes:
        raise ValueError("a crash takes a replica back to view 0, so views cannot be swept in order")
    model = PackedFisco3(limits)
    asks = model.agrees if holds is None else holds(model)
    found = Swept(taken=dict.fromkeys(model.actions, 0), decided=dict.fromkeys(model.guards, 0))
    states = {model.initial()}
    try:
        for number, layer in enumerate(layers_of(limits), 1):
            model.only_view = layer.view
            parts = [part for part, (_, kind, h) in enumerate(model.part_names) if _is_in(layer, kind, h)]
            if layer.kind == "time out" and reduces:
                states = _ask(model, parts, states, found)
            else:
                _close(model, parts, states, found, asks, pause)
            found.widths.append(len(states))
            if on_layer:
                on_layer(number, found.distinct, found.generated)
            if found.bad is not None or (states_max is not None and found.distinct >= states_max):
                found.ended = STATES if found.bad is None else ""
                found.is_complete = False
                break
            if reduces:
                states = _forget(model, layer, states)
            pause()
    except (Spent, KeyboardInterrupt) as early:
        found.is_complete, found.ended = False, str(early) or INTERRUPTED
    found.last = frozenset(states)
    return found


def _is_in(layer: Layer, kind: str, h: int) -> bool:
    if layer.kind == LEDGER:
        return kind in {"pull", "write", "sync"}
    return kind == layer.kind and h == layer.height


def _close(model: PackedFisco3, parts: list[int], states: set[int], found: Swept, asks: Callable[[int], bool], pause: Pause) -> None:
    """Adds whatever the parts of a layer can make of `states`, in any order."""
    tables: dict[int, dict[int, Moves]] = {part: {} for part in parts}
    todo = {part: set(states) for part in parts}
    while any(todo.values()):
        for part in parts:
            front, todo[part] = todo[part], set()
            while front:
                following: set[int] = set()
                found.generated += expand(model, part, tables[part], front, following, found.taken, found.decided)
                following -= states
                states |= following
                found.distinct += len(following)
                pause()
                if found.bad is None:
                    found.bad = min((state for state in following if not asks(state)), default=None)
                for other in parts:
                    if other != part:
                        todo[other] |= following
                front = following


def _ask(model: PackedFisco3, parts: list[int], states: set[int], found: Swept) -> set[int]:
    """Every state in which everybody has asked for every later view, with what it holds.

    A view change is a permission: nobody is kept from anything by one more, a leader shows those it likes, and a replica that asked may
    still enter what it is shown. So states in which fewer have asked reach nothing more, once nobody votes in this view any more.
    """
    tables: dict[int, dict[int, tuple[int, int]]] = {part: {} for part in parts}
    asked = set()
    for state in states:
        after = state
        for part in parts:
            seen = state & model.mask(part)
            told = tables[part].get(seen)
            if told is None:
                steps = model.explain(part, seen)
                bits = 0
                for _, _, difference in steps:
                    bits |= seen + difference
                told = tables[part][seen] = (len(steps), bits & model.view_messages.bits)
            found.generated += told[0]
            found.taken["time out"] += told[0]
            after |= told[1]
        asked.add(after)
    found.distinct += len(asked - states)
    return asked


def _forget(model: PackedFisco3, layer: Layer, states: set[int]) -> set[int]:
    """Without what nobody reads after a layer: see the module's head."""
    if layer.kind not in FORGETTING:
        return states
    places, messages = model.places, model.view_messages
    over = [slot for slot in places.slots if slot[0] < layer.view or (slot[0] == layer.view and slot[1] < layer.height)]
    here = [slot for slot in places.slots if slot[:2] == (layer.view, layer.height)]
    at = FORGETTING.index(layer.kind)
    proposals, prepares, commits = (over + here if at >= first else over for first in (0, 1, 2))
    votes = bits_at((places.preprepare[slot] for slot in proposals), 1)
    votes |= bits_at((places.votes["prepare"][slot] for slot in prepares), EVERYONE)
    votes |= bits_at((places.votes["commit"][slot] for slot in commits), EVERYONE)
    signed = bits_at(places.checkpoint.values(), EVERYONE)
    clear, stand = votes | signed, 0
    if layer.height == model.limits.heights:
        clear |= messages.of_view(layer.view)
    done = layer.height if at else layer.height - 1
    for i in model.limits.honest:
        own = places.replica_mask(i) & -places.replica_mask(i)
        accepted = ((1 << VIEW_BITS + VALUE_BITS) - 1) << VALUE_BITS
        clear |= sum(own * (accepted << OWN_BITS + HEIGHT_BITS * (h - 1)) for h in range(1, done + 1))
        if layer.kind == FORGETTING[-1] and layer.height == model.limits.heights:
            clear |= own * ((1 << VIEW_BITS) - 1)
            stand |= own * layer.view
    keep, known, read = ~clear, dict[int, int](), votes | signed | _named_bits(model)
    merged = set()
    for state in states:
        told = state & read
        rest = known.get(told)
        if rest is None:
            rest = known[told] = stand | _remains(model, prepares, told)
        merged.add(state & keep | rest)
    return merged


def _named_bits(model: PackedFisco3) -> int:
    """All proposals and Prepares, of which the values named at a height are known."""
    places = model.places
    return bits_at(places.preprepare.values(), 1) | bits_at(places.votes["prepare"].values(), EVERYONE) if model.limits.symmetry else 0


def _remains(model: PackedFisco3, over: list[Slot], told: int) -> int:
    """Of the votes and checkpoints: certificates, the values named, and who signed which chain."""
    places, limits = model.places, model.limits
    rest = 0
    for slot in over if limits.byzantine is not None else ():
        if places.count(told, "prepare", slot) >= limits.quorum:
            rest |= EVERYONE << places.votes["prepare"][slot]
    if limits.symmetry:
        for h in places.heights:
            rest |= sum(1 << places.preprepare[0, h, value] for value in places.used(told, h) if value != FILLER)
    for prefix, at in places.checkpoint.items():
        rest |= (EVERYONE if places.signers(told, prefix).bit_count() >= limits.quorum else told >> at & EVERYONE) << at
    return rest
