"""The view timer: when it runs and for how long.

Rule 1. It runs 3000 * 1.5**min(k, 10) ticks, cut to a whole number, k being the consecutive timeouts (`changeCycle`).
Rule 2. It is restarted by an accepted pre-prepare, a local precommit or commit, and (when running) a finished execution.
Rule 3. `refresh` restarts it when the pool was last said to hold anything, and stops it otherwise: after every block and view.
Rule 4. A pool that becomes empty stops nothing by itself; a pool that becomes filled starts a stopped timer.

Sources: bcos-pbft `PBFTTimer.h`, `PBFTConfig.cpp` `freshTimer`, `setTxsSize`, `resetTimeoutState`; spec 3.x 1.10.
OSDI'99 section 4.4 doubles the timeout instead (D6 of docs/pbft.md).
"""

from __future__ import annotations

from typing import Final

from fiscotool.pbft.effects import CancelTimer, Effect, SetTimer
from fiscotool.pbft.events import PoolSize, TimerName
from fiscotool.pbft.making import make_set_timer
from fiscotool.pbft.rules import Rules
from fiscotool.pbft.state import ReplicaState, with_timer
from fiscotool.pbft.types import Ticks

_OF_TIMERS: Final = (SetTimer, CancelTimer)

CHANGE_CYCLE_MAX: Final = 10
"""The exponent's cap and the largest change cycle (`PBFTTimer.h`)."""


def timeout_ticks(rules: Rules, change_cycle: int) -> Ticks:
    """How long the view timer runs after `change_cycle` consecutive timeouts: 3000, 4500, 6750, 10125, ... 172995."""
    assert change_cycle >= 0
    if not change_cycle:
        return Ticks(rules.timeout_base_ticks)
    exponent = min(change_cycle, CHANGE_CYCLE_MAX)
    return Ticks(rules.timeout_base_ticks * 3**exponent // 2**exponent)


def restart(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """Arm the view timer anew; one effect a step is enough, so an earlier one of this step is taken back."""
    epoch = state.timer_epoch + 1
    if out:
        _take_back(out)
    out.append(make_set_timer(TimerName.VIEW, epoch, timeout_ticks(state.rules, state.change_cycle)))
    return with_timer(state, epoch, True)


def stop(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """Disarm the view timer."""
    if not state.timer_on:
        return state
    _take_back(out)
    out.append(CancelTimer(TimerName.VIEW))
    return state._replace(timer_epoch=state.timer_epoch + 1, timer_on=False)


def refresh(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """Restart when the pool holds anything, else stop (`freshTimer`)."""
    assert state.pool_count >= 0
    return restart(state, out) if state.pool_count else stop(state, out)


def restart_if_running(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """Restart, but do not start a stopped timer."""
    return restart(state, out) if state.timer_on else state


def on_pool_size(state: ReplicaState, event: PoolSize, out: list[Effect]) -> ReplicaState:
    """Remember the pool's size, as 0 or 1; a filled pool starts a stopped timer."""
    assert event.count >= 0
    count = min(event.count, 1)
    if count and not state.timer_on and state.me is not None:
        state = restart(state, out)
    return state if count == state.pool_count else state._replace(pool_count=count)


def _take_back(out: list[Effect]) -> None:
    """Remove view-timer effects of this step: only the last one means anything."""
    for position in range(len(out) - 1, -1, -1):
        effect = out[position]
        if isinstance(effect, _OF_TIMERS) and effect.name is TimerName.VIEW:
            del out[position]
