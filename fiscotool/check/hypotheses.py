"""Hypotheses about FISCO BCOS 3.16.4, put to the abstract fisco3 model: a schedule that shows the harm, and the rule that forbids it.

Each names a hole of the core. With the hole open a shortest way to the harm is looked for; where it is long, it is given
and only walked. With the hole closed the same bounds are walked as far as the limit of states allows, and the way is tried again: the
first step that is not enabled any more is where the sound rule stands.

Sources: observables.md, section 2.1; docs/pbft.md, quirks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from fiscotool.check.budget import insist
from fiscotool.check.core_replay import on_core
from fiscotool.check.early_votes import Order, arrivals
from fiscotool.check.fisco3_bounds import Limits
from fiscotool.check.fisco3_cycles import FairCycles
from fiscotool.check.fisco3_packed import PackedFisco3
from fiscotool.check.fisco3_progress import Progress
from fiscotool.check.fisco3_sweep import sweep
from fiscotool.check.packed import explore_packed
from fiscotool.check.path import NotAWayError, replay
from fiscotool.pbft.rules import Quirk


@dataclass(frozen=True)
class Hypothesis:
    """A claim. `limits` has the holes open; `harm` is "fork" or "halt".

    `given` is a way to walk instead of looking for one. `sound_views` is the last view of the walk with the hole closed, if another.
    """

    name: str
    says: str
    limits: Limits
    harm: str = "fork"
    given: tuple[str, ...] = ()
    sound_views: int | None = None


@dataclass(frozen=True)
class Decision:
    """What was found.

    way, why            steps to the harm, and for a halt the views that follow for ever; empty when there is none within the bounds
    is_complete         whether every state was seen where no harm was found with the hole open
    sound_distinct      states seen with the hole closed, without harm (of a sweep, where a walk could not see all)
    sound_complete      whether those were all
    core                what the way comes to on the core itself, with the quirks and without; empty where that is not a fork
    refused_at          the first step of the way that the sound rule does not allow; 0 when it allows all of it, yet without harm
    """

    hypothesis: Hypothesis
    way: tuple[str, ...]
    why: tuple[str, ...]
    distinct: int
    is_complete: bool
    sound_distinct: int
    sound_complete: bool
    sound_harm: bool
    refused_at: int
    core: tuple[str, str] = ("", "")

    @property
    def verdict(self) -> str:
        """In a word."""
        if self.sound_harm:
            return "the sound rule fails too"
        if self.way:
            return "confirmed"
        return "refuted within the bounds" if self.is_complete else "not found within the limit"


REPEATED: Final = (
    "node1 proposes a at height 1 in view 0",
    "node0 accepts a at height 1 in view 0",
    *(f"node{i} holds a at height 1 in view 0 prepared" for i in (0, 1)),
    "node0 agrees on a at height 1 in view 0",
    "node1 enters view 2",
    "node1 accepts b at height 1 in view 2 again",
    "node2 enters view 2",
    "node2 accepts b at height 1 in view 2",
    *(f"node{i} holds b at height 1 in view 2 prepared" for i in (1, 2)),
    "node1 agrees on b at height 1 in view 2",
)
"""The liar leads view 2 and shows its own signature three times, as a certificate of view 1 for b. A walk of
100,000 states found this way."""


REDATED: Final = (
    *(f"node{i} accepts a at height 1 in view 0" for i in (0, 2)),
    *(f"node{i} asks for view 1" for i in (0, 2, 3)),
    "node2 shows view 1: nothing again",
    *(f"node{i} enters view 1" for i in (0, 3)),
    "node2 proposes b at height 1 in view 1",
    "node0 accepts b at height 1 in view 1",
    *(f"node{i} holds b at height 1 in view 1 prepared" for i in (0, 2)),
    "node0 agrees on b at height 1 in view 1",
    *(f"node{i} asks for view 3" for i in (2, 3)),
    "node0 shows view 3: proposes a at height 1 again",
    *(f"node{i} enters view 3" for i in (2, 3)),
    *(f"node{i} accepts a at height 1 in view 3 again" for i in (2, 3)),
    *(f"node{i} holds a at height 1 in view 3 prepared" for i in (2, 3)),
    "node2 agrees on a at height 1 in view 3",
)
"""Votes of view 0 for a prove nothing against b, agreed in view 1, unless the liar shows them as votes of view 2."""


HIDDEN: Final = (
    "node1 proposes a at height 1 in view 0",
    "node0 accepts a at height 1 in view 0",
    *(f"node{i} holds a at height 1 in view 0 prepared" for i in (0, 1)),
    "node0 agrees on a at height 1 in view 0",
    "node1 crashes and starts again",
    *(f"node{i} enters view 1" for i in (1, 3)),
    *(f"node{i} accepts b at height 1 in view 1 again" for i in (1, 3)),
    *(f"node{i} holds b at height 1 in view 1 prepared" for i in (1, 3)),
    "node3 agrees on b at height 1 in view 1",
)
"""The liar leads view 1 and shows nothing of a, which node0 agreed on with node1, who has forgotten."""


LOST: Final = (
    "node1 proposes a at height 1 in view 0",
    *(f"node{i} accepts a at height 1 in view 0" for i in (0, 2)),
    *(f"node{i} holds a at height 1 in view 0 prepared" for i in (0, 1, 2)),
    "node2 agrees on a at height 1 in view 0",
    *(f"node{i} loses power and starts again" for i in (0, 1)),
    *(f"node{i} asks for view 2" for i in (0, 1, 3)),
    "node3 shows view 2: nothing again",
    *(f"node{i} enters view 2" for i in (0, 1)),
    "node3 proposes b at height 1 in view 2",
    *(f"node{i} accepts b at height 1 in view 2" for i in (0, 1)),
    *(f"node{i} holds b at height 1 in view 2 prepared" for i in (0, 1, 3)),
    "node3 agrees on b at height 1 in view 2",
)
"""q - f replicas forget what they signed, and with the one that never knew they are a quorum again."""


def _limits(byzantine: int, view_max: int, *holes: str, crashes: int = 0) -> Limits:
    return Limits(view_max=view_max, byzantine=byzantine, crashes=crashes, holes=frozenset(holes))


def _lost(crashes: int) -> Limits:
    return Limits(view_max=2 if crashes > 1 else 0, crashes=crashes, holes=frozenset({"power-loss"}))


HYPOTHESES: Final = (
    Hypothesis("H1", "a lock that is never released halts the chain", _limits(3, 1, "lock-never-released"), "halt"),
    Hypothesis("H2", "an empty block is synchronised without signatures", _limits(2, 0, "empty-block-unchecked")),
    Hypothesis("H3", "repeated signers make new views", _limits(3, 2, "duplicate-signers"), given=REPEATED),
    Hypothesis("H4", "a certificate is shown as one of a later view", _limits(1, 3, "proof-without-view"), given=REDATED, sound_views=1),
    Hypothesis("H5", "votes that arrive before their view are lost", Limits(holes=frozenset({"stale-vote-kept"})), "votes lost"),
    Hypothesis("H6", "a new view hides a lock lost in a crash", _limits(2, 1, "amnesia", "new-view-unchecked", crashes=1), given=HIDDEN),
    Hypothesis("H6 less amnesia", "unchecked new views, locks kept", _limits(2, 1, "new-view-unchecked")),
    Hypothesis("H7", "two of four lose what their disks had not kept", _lost(2), given=LOST),
    Hypothesis("H7 of one", "one of four does", _lost(1)),
)
"""H5 is about the order in which single votes arrive, which the model abstracts from: it is decided on the core itself."""


def decide(hypothesis: Hypothesis, *, states_max: int) -> Decision:
    """Looks for the harm with the hole open and closed. `states_max` bounds each walk."""
    limits = hypothesis.limits
    if hypothesis.harm == "votes lost":
        return _decide_arrivals(hypothesis)
    way, end, distinct, is_complete = _search(hypothesis, limits, states_max)
    why = Progress(limits).explain(end) if way and hypothesis.harm == "halt" else ()
    if why and FairCycles(limits).cycle_from(end):
        why = (*why, "a cycle under weak fairness of delivery and time-outs")
    closed = replace(limits, holes=frozenset())
    walked = replace(closed, view_max=limits.view_max if hypothesis.sound_views is None else hypothesis.sound_views)
    model = PackedFisco3(walked)
    sound = explore_packed(model, _property(hypothesis, walked, model), states_max=states_max)
    insist(sound.ended)
    sound_distinct, sound_complete, harm = sound.distinct, sound.is_complete, sound.violation is not None
    if not way and not is_complete and hypothesis.harm == "fork" and not limits.crashes:
        is_complete, distinct, _ = _sweep(hypothesis, limits)
    if not sound_complete and not harm and not walked.crashes:
        sound_complete, sound_distinct, harm = _sweep(hypothesis, walked)
    refused_at = 0
    try:
        replay(PackedFisco3(closed), way)
    except NotAWayError as error:
        refused_at = error.number
    core = ("", "")
    if way and hypothesis.harm == "fork":
        core = (on_core(way, limits.byzantine, limits.holes), on_core(way, limits.byzantine, ()))
    return Decision(hypothesis, way, why, distinct, is_complete, sound_distinct, sound_complete, harm, refused_at, core)


def _decide_arrivals(hypothesis: Hypothesis) -> Decision:
    """All orders in which some votes and a new view can arrive at one replica of the core."""
    opened, sound = (list(arrivals(quirks)) for quirks in (frozenset({Quirk.STALE_VOTE_KEPT}), frozenset[Quirk]()))
    lost = [order for order in opened if not order.is_prepared]
    way = lost[0].arrivals if lost else ()
    why = (
        (f"so in {len(lost)} of {len(opened)} orders: all votes of the view are there, and the replica does not hold them",) if lost else ()
    )
    harmed = [order for order in sound if not order.is_prepared]
    same: list[Order] = [order for order in sound if order.arrivals == way]
    core = ("votes lost", "prepared" if same and same[0].is_prepared else "")
    return Decision(hypothesis, way, why, len(opened), True, len(sound), True, bool(harmed), 0, core)


def _sweep(hypothesis: Hypothesis, limits: Limits) -> tuple[bool, int, bool]:
    """What a walk did not finish, view by view: (whether all was seen, states, whether there was harm)."""
    found = sweep(limits, lambda model: _property(hypothesis, limits, model))
    insist(found.ended)
    return found.is_complete, found.distinct, found.bad is not None


def _search(hypothesis: Hypothesis, limits: Limits, states_max: int) -> tuple[tuple[str, ...], int, int, bool]:
    """(labels, last state, states seen, whether all were seen)."""
    model = PackedFisco3(limits)
    if hypothesis.given:
        ends = replay(model, hypothesis.given)
        harmed = [state for state in sorted(ends) if not _property(hypothesis, limits, model)(state)]
        return (hypothesis.given, harmed[0], 0, True) if harmed else ((), model.initial(), 0, False)
    found = explore_packed(model, _property(hypothesis, limits, model), states_max=states_max)
    insist(found.ended)
    if found.violation is None:
        return (), model.initial(), found.distinct, found.is_complete
    path = found.violation.path
    return tuple(step.label for step in path), path[-1].target if path else model.initial(), found.distinct, True


def _property(hypothesis: Hypothesis, limits: Limits, model: PackedFisco3) -> Callable[[int], bool]:
    return Progress(limits).holds if hypothesis.harm == "halt" else model.agrees
