"""Liveness: how long a replica waits, and what it says again.

Rule 1. A replica that waits for a request to be executed runs a timer; it stops when none waits, and starts anew after each execution
        while others wait (section 4.4).
Rule 2. In a view change it waits only once a quorum asks for its view or a later one (section 4.5.2 has "for view v+1"; C3).
Rule 3. Each further view change doubles the wait (4.5.2), ten times at most; an execution sets it back.
Rule 4. What was said and may have been lost is said again: the view change, own votes for the next number, own checkpoints.

Sources: OSDI'99 sections 4.4, 4.5.2; Castro, PhD thesis, section 5.2 (retransmission).
"""

from __future__ import annotations

from typing import Final

from fiscotool.pbft.classic.state import ReplicaState
from fiscotool.pbft.effects import CancelTimer, Effect, SetTimer
from fiscotool.pbft.events import PoolSize, TimerName
from fiscotool.pbft.rules import Rules
from fiscotool.pbft.types import Ticks

CHANGE_CYCLE_MAX: Final = 10
"""How often the wait doubles at most; the paper has no bound."""


def timeout_ticks(rules: Rules, change_cycle: int) -> Ticks:
    """T, 2T, 4T, ..."""
    assert change_cycle >= 0
    return Ticks(rules.timeout_base_ticks * 2 ** min(change_cycle, CHANGE_CYCLE_MAX))


def restart(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """Arm the timer anew."""
    epoch = state.timer_epoch + 1
    out.append(SetTimer(TimerName.VIEW, epoch, timeout_ticks(state.rules, state.change_cycle)))
    return state._replace(timer_epoch=epoch, timer_on=True)


def stop(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """Disarm it."""
    if not state.timer_on:
        return state
    out.append(CancelTimer(TimerName.VIEW))
    return state._replace(timer_epoch=state.timer_epoch + 1, timer_on=False)


def refresh(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """Rule 1, after an execution or on entering a view."""
    return restart(state, out) if state.pool_count else stop(state, out)


def on_pool_size(state: ReplicaState, event: PoolSize, out: list[Effect]) -> ReplicaState:
    """Requests wait, or none does; a view change goes on either way."""
    count = min(event.count, 1)
    if count and not state.timer_on and not state.in_timeout and state.me is not None:
        state = restart(state, out)
    elif not count and not state.in_timeout:
        state = stop(state, out)
    return state if count == state.pool_count else state._replace(pool_count=count)


def arm_resend(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """Rule 4 happens at this interval, for ever."""
    epoch = state.resend_epoch + 1
    out.append(SetTimer(TimerName.CHECKPOINT_RESEND, epoch, Ticks(state.rules.checkpoint_resend_ticks)))
    return state._replace(resend_epoch=epoch)
