"""What a judge of full traces says.

Rule 1. VIOLATION: some honest node did what the protocol does not do in its place, or did not do what it does; or no run of all nodes
        together has these traces. CONSISTENT: every step of every life was taken again with the same result, and the lives fit together.
        INCONCLUSIVE: nothing speaks against it, but steps are missing. VACUOUS: no step was told.
Rule 2. A life is judged up to its first difference: from there on the protocol's replica and the node are in different states.

Sources: observables 3.3; docs/trace-checking.md.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from fiscotool.check.trace_verdict import Verdict

__all__ = ["Finding", "ReplayVerdict", "Suspicion", "Verdict"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not what PBFT does. `rule` is one of `RULES`; `sequence` the step of the life at which it shows.

    `event` is what happened to the node, `due` what the protocol does then and the node did not, `done` what the node did instead.
    """

    rule: str
    node: str
    life: int
    sequence: int
    text: str
    event: str = ""
    due: tuple[str, ...] = ()
    done: tuple[str, ...] = ()
    at_ms: int = 0

    @property
    def sentence(self) -> str:
        """All of it in one line."""
        where = f"{self.node} (life {self.life}, step {self.sequence})"
        return f"{self.rule}: {where}: {self.text}"


RULES = {
    "step": "each step does what the protocol does with the same event in the same state",
    "status": "what a node says of itself is the state the protocol is in",
    "rules": "the rules a node uses are those of its configuration and the chain",
    "sent": "a message that is received was sent before by the one who signed it",
    "before": "sent before received: no circle",
    "answered": "what the core asks for is done, and timers run out",
    "asked": "what happens to the core was asked for: results, timers, blocks",
    "durable": "what was written before a crash is there after it",
    "synced": "a block that comes by synchronisation is signed by a quorum that made its signatures",
    "agreement": "one block a height in all honest ledgers",
}
"""Which rules there are, in words."""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A switch under which the steps are legal. `legal` of `lives` lives with a difference have none with it.

    `until` is how many steps after its first difference the worst life stays legal, -1 when it is not even explained. `about` names the
    life it is about (`node0 (life 1)`) where no switch explains all of them, and is empty otherwise.
    """

    name: str
    title: str
    legal: int
    lives: int
    until: int = -1
    about: str = ""

    @property
    def is_full(self) -> bool:
        """Whether nothing is left unexplained."""
        return self.legal == self.lives


@dataclass(frozen=True, slots=True)
class ReplayVerdict:
    """The judgement. `findings` are in the order of the nodes and of their steps, the first differences in front.

    `counters` say how much was judged: lives, steps, events and effects by name, messages found sent, believed, and so on.
    `suspicions` are the switches that explain it best, best first.
    """

    verdict: Verdict
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    dialect: str = ""
    counters: Counter[str] = field(default_factory=Counter)
    suspicions: tuple[Suspicion, ...] = ()

    @property
    def first(self) -> Finding | None:
        """What to look at."""
        return self.findings[0] if self.findings else None

    @property
    def behaves_as(self) -> str:
        """The one switch under which everything would be legal, or an empty text."""
        best = self.suspicions[0] if self.suspicions else None
        return best.name if best is not None and best.is_full and not best.about else ""

    @property
    def behaves_as_by_life(self) -> dict[str, str]:
        """`node0 (life 1)` → the best switch under which that life would be legal, where different ones explain different lives."""
        return {each.about: each.name for each in reversed(self.suspicions) if each.about and each.is_full}
