"""The timers of 2.x: one for the view, one for the empty block of a leader without transactions.

Rule 1. A view lasts 3000 * 1.5**min(c, 20) ticks since the latest of: commit, view reached, Sign quorum, end of execution. A replica
        always runs this timer, idle or not.
Rule 2. From accepting a proposal until its execution ends the base is the system configuration `consensus_timeout`
        (`Rules.timeout_base_ticks`) instead, counted from the acceptance.
Rule 3. While a proposal executes the engine's lock is held, so nothing times out; a time that passed meanwhile counts only when the
        execution fails.
Rule 4. A leader that had no transactions for 1000 ticks proposes an empty block (`omitEmptyBlock`), which changes the view at once.

Upstream looks at the clock every 5 ms; here a timer is armed for the exact time.

Sources: libconsensus/pbft `TimeManager.h`, `PBFTEngine.cpp` `checkTimeout`, `PBFTSealer.h`; spec 2.x 1.4, 1.8, 1.10.
"""

from __future__ import annotations

from typing import Final

from fiscotool.pbft.effects import CancelTimer, Effect, SetTimer
from fiscotool.pbft.events import TimerName
from fiscotool.pbft.fisco2.state import ReplicaState
from fiscotool.pbft.rules import Rules
from fiscotool.pbft.types import Ticks

CHANGE_CYCLE_MAX: Final = 20
"""Cap of the exponent and of the change cycle (`TimeManager.h`): 2 h 46 min at most."""

VIEW_TIMEOUT_TICKS: Final = 3000
"""3 * the empty block time; fixed upstream."""

EMPTY_BLOCK_TICKS: Final = Ticks(1000)
"""The empty block time (`c_intervalBlockTime`)."""


def timeout_ticks(rules: Rules, change_cycle: int) -> Ticks:
    """How long a view without a proposal in execution lasts: 3000, 4500, 6750, 10125, ... The rules have no say (rule 1)."""
    assert rules.node_count > 0
    return grown_ticks(VIEW_TIMEOUT_TICKS, change_cycle)


def grown_ticks(base_ticks: int, change_cycle: int) -> Ticks:
    """`base_ticks` * 1.5**min(c, 20), cut to a whole number."""
    assert change_cycle >= 0
    exponent = min(change_cycle, CHANGE_CYCLE_MAX)
    return Ticks(base_ticks * 3**exponent // 2**exponent)


def restart(state: ReplicaState, out: list[Effect], *, base_ticks: int = VIEW_TIMEOUT_TICKS) -> ReplicaState:
    """Arm the view timer anew."""
    epoch = state.timer_epoch + 1
    out.append(SetTimer(TimerName.VIEW, epoch, grown_ticks(base_ticks, state.change_cycle)))
    return state._replace(timer_epoch=epoch, is_due=False)


def await_transactions(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """Arm the timer of rule 4; its epoch is odd while it runs."""
    epoch = state.empty_epoch + 2 if state.empty_epoch % 2 else state.empty_epoch + 1
    out.append(SetTimer(TimerName.EMPTY_BLOCK, epoch, EMPTY_BLOCK_TICKS))
    assert epoch % 2 == 1
    return state._replace(empty_epoch=epoch)


def stop_waiting(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """Disarm it."""
    if state.empty_epoch % 2 == 0:
        return state
    out.append(CancelTimer(TimerName.EMPTY_BLOCK))
    return state._replace(empty_epoch=state.empty_epoch + 1)
