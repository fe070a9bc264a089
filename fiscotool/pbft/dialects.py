"""Which protocols there are behind the one contract of `step`, and what a driver must know of each.

    fisco3    PBFT of FISCO BCOS 3.x: the modules of this room itself
    fisco2    PBFT of FISCO BCOS 2.x: `pbft.fisco2`
    classic   PBFT as published (OSDI'99, with signatures): `pbft.classic`

A driver takes everything it calls from a `Dialect`, so one simulator, one embedded node and one checker serve them all. States of
different dialects are different types; what they have in common is `CommonState`.

Sources: docs/pbft.md, one table of rules and deviations for each dialect.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from fiscotool.pbft import properties, stalls, state, step, timers
from fiscotool.pbft.classic import properties as properties_classic
from fiscotool.pbft.classic import state as state_classic
from fiscotool.pbft.classic import step as step_classic
from fiscotool.pbft.classic import timers as timers_classic
from fiscotool.pbft.effects import Effect
from fiscotool.pbft.events import Event
from fiscotool.pbft.fisco2 import properties as properties2
from fiscotool.pbft.fisco2 import state as state2
from fiscotool.pbft.fisco2 import step as step2
from fiscotool.pbft.fisco2 import timers as timers2
from fiscotool.pbft.properties import Violation
from fiscotool.pbft.quorum import faulty_weight_max
from fiscotool.pbft.rules import Rules
from fiscotool.pbft.types import Height, NodeIndex, Ticks, View


class CommonState(Protocol):
    """What every dialect's replica has."""

    @property
    def rules(self) -> Rules:
        """The rules for the next block."""

    @property
    def me(self) -> NodeIndex | None:
        """Own index, None for a replica that does not vote."""

    @property
    def height(self) -> Height:
        """Last block in the ledger."""

    @property
    def view(self) -> View:
        """The view it votes in."""

    @property
    def to_view(self) -> View:
        """The view it asks for."""

    @property
    def in_timeout(self) -> bool:
        """Whether it waits for a view."""

    @property
    def change_cycle(self) -> int:
        """Consecutive own timeouts."""


class History(Protocol):
    """What correct replicas did so far, and what must be true of it."""

    def check(
        self, node: str, before: Any, event: Event, after: Any, effects: tuple[Effect, ...], *, done: int | None = None
    ) -> list[Violation]:
        """Violations shown by one step of `node`; `done` is how many of the effects happened before a crash."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """One protocol.

    `views_to_live` says after how many views, at most, n healed replicas that tolerate f must have made a block: the faulty leaders,
    those that run out while the network heals, and in fisco2 a whole turn, for only a locked leader may propose what others are
    locked on. `known_stall` names a standstill the protocol is known to allow (`stalls`). `retained_blocks` is how far below the
    ledger's head vote records are still needed after a restart. `is_commit_signed`: a Commit signs its digest, and a quorum of these
    is a block's signature list (else of checkpoints). `is_preprepare_signed`: a pre-prepare counts as its leader's Prepare and signs
    what that would.
    """

    name: str
    title: str
    step: Callable[[Any, Event], tuple[Any, tuple[Effect, ...]]]
    initial_state: Callable[..., Any]
    status: Callable[[Any], state.Status]
    new_history: Callable[[], History]
    timeout_ticks: Callable[[Rules, int], Ticks]
    change_cycle_max: int
    views_to_live: Callable[[int], int]
    known_stall: Callable[[Sequence[Any]], str | None]
    retained_blocks: int = 0
    is_commit_signed: bool = False
    is_preprepare_signed: bool = False


FISCO3: Final = Dialect(
    name="fisco3",
    title="PBFT of FISCO BCOS 3.x (3.16.4)",
    step=step.step,
    initial_state=state.initial_state,
    status=state.status,
    new_history=properties.History,
    timeout_ticks=timers.timeout_ticks,
    change_cycle_max=timers.CHANGE_CYCLE_MAX,
    views_to_live=lambda n: faulty_weight_max(n) + 4,
    known_stall=stalls.known_stall_of_fisco3,
)

FISCO2: Final = Dialect(
    name="fisco2",
    title="PBFT of FISCO BCOS 2.x (2.9.1 to 2.11.1)",
    step=step2.step,
    initial_state=state2.initial_state,
    status=state2.status,
    new_history=properties2.History,
    timeout_ticks=timers2.timeout_ticks,
    change_cycle_max=timers2.CHANGE_CYCLE_MAX,
    views_to_live=lambda n: n + faulty_weight_max(n) + 4,
    known_stall=stalls.known_stall_of_fisco2,
    is_commit_signed=True,
)

CLASSIC: Final = Dialect(
    name="classic",
    title="PBFT as published (OSDI'99, with signatures)",
    step=step_classic.step,
    initial_state=state_classic.initial_state,
    status=state_classic.status,
    new_history=properties_classic.History,
    timeout_ticks=timers_classic.timeout_ticks,
    change_cycle_max=timers_classic.CHANGE_CYCLE_MAX,
    views_to_live=lambda n: faulty_weight_max(n) + 4,
    known_stall=stalls.no_known_stall,
    retained_blocks=state_classic.LOG_BLOCKS,
    is_commit_signed=True,
    is_preprepare_signed=True,
)

DIALECTS: Final[dict[str, Dialect]] = {dialect.name: dialect for dialect in (FISCO3, FISCO2, CLASSIC)}
"""By name, as on the command line (`--dialect`)."""
