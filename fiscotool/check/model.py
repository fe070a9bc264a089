"""What an explorer needs to know of a model, and what it tells.

A model has one initial state and a successor relation. Counting follows TLC: every binding of an action's quantifiers that satisfies
the guard generates a state, also when it changes nothing and when another binding gives the same; so does the initial state.

Laws: `successors` is deterministic; states are hashable and compared by value.

Sources: observables.md section 7; Lamport, Specifying Systems, chapter 14 (what TLC counts).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, Protocol, TypeVar

State = TypeVar("State", bound=Hashable)


class Taken(NamedTuple, Generic[State]):
    """One generated state: which action of whom led to it."""

    action: str
    label: str
    target: State


class Model(Protocol[State]):
    """A specification whose schedules can be walked."""

    @property
    def actions(self) -> tuple[str, ...]:
        """Names of all actions, so that one that is never taken shows."""

    def initial(self) -> State:
        """The state everything begins in."""

    def successors(self, state: State) -> Iterable[Taken[State]]:
        """Every generated successor, self-loops and repetitions included."""

    def render(self, state: State) -> str:
        """A state in one readable line."""


@dataclass(frozen=True)
class Property(Generic[State]):
    """A question about single states.

    `always`: it must hold in each. `sometimes`: it must hold in at least one, or the model is too weak to ask.
    """

    name: str
    holds: Callable[[State], bool]
    kind: str = "always"


@dataclass(frozen=True)
class Violation(Generic[State]):
    """A shortest way from the initial state to one in which an `always` property does not hold."""

    property: str
    path: tuple[Taken[State], ...]


@dataclass(frozen=True)
class Exploration(Generic[State]):
    """What a walk found.

    generated, distinct     states, as TLC counts them
    levels                  new states by distance from the initial one; their number is TLC's depth
    taken                   how often each action generated a state
    reached                 how many states each `sometimes` property held in
    decided                 how often each conjunct of a guard alone refused a step; empty where the walk does not know guards
    represented             with symmetry: how many states those that were kept stand for
    is_complete             whether every reachable state was seen; False when a bound or a violation ended the walk
    ended                   what ended it before that, in words; empty when it is complete or found a violation
    """

    generated: int
    distinct: int
    levels: tuple[int, ...]
    taken: dict[str, int] = field(default_factory=dict)
    reached: dict[str, int] = field(default_factory=dict)
    violation: Violation[State] | None = None
    is_complete: bool = True
    represented: int | None = None
    decided: dict[str, int] = field(default_factory=dict)
    ended: str = ""

    @property
    def depth(self) -> int:
        """Levels of the walk; the initial state is the first."""
        return len(self.levels)

    @property
    def never(self) -> tuple[str, ...]:
        """Actions never taken and `sometimes` properties never reached."""
        return tuple(name for counts in (self.taken, self.reached) for name, count in counts.items() if not count)

    @property
    def undecided(self) -> tuple[str, ...]:
        """Conjuncts that never were the one that refused a step."""
        return tuple(name for name, count in self.decided.items() if not count)
