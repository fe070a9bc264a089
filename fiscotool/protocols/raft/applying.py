"""Committed entries go to the state machine: executed and written to the ledger one after the other, in the order of the log.

Sources: Ongaro & Ousterhout, USENIX ATC 2014, figure 2 "Rules for servers"; `pbft.effects` (Execute, CommitBlock).
"""

from __future__ import annotations

from dataclasses import replace

from fiscotool.pbft.effects import CommitBlock, Effect, Execute, SetTimer
from fiscotool.pbft.events import Executed, LedgerAdvanced, TimerName
from fiscotool.pbft.types import Height, Ticks
from fiscotool.protocols.raft.messages import Entry
from fiscotool.protocols.raft.state import ReplicaState
from fiscotool.protocols.words import RETRY_TICKS


def _next(state: ReplicaState) -> Entry | None:
    """The entry above the ledger, if it is committed."""
    place = state.height - state.base
    return state.log[place] if state.height < state.commit and 0 <= place < len(state.log) else None


def apply_more(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """Execute the next committed entry, unless one is being executed."""
    entry = _next(state)
    if entry is None or state.executing > state.height:
        return state
    out.append(Execute(entry.proposal))
    return replace(state, executing=entry.proposal.index)


def on_executed(state: ReplicaState, event: Executed, out: list[Effect]) -> ReplicaState:
    """Write it, or try again in a moment."""
    entry = _next(state)
    if entry is None or (event.index, event.digest) != (entry.proposal.index, entry.proposal.digest):
        return state
    if event.block_hash is None:
        out.append(SetTimer(TimerName.EXECUTE_RETRY, event.index, Ticks(RETRY_TICKS)))
    else:
        out.append(CommitBlock(event.index, event.digest, event.block_hash, ()))
    return state


def on_retry(state: ReplicaState, epoch: int, out: list[Effect]) -> ReplicaState:
    """The pause after a failed execution is over."""
    if epoch != state.executing or state.executing <= state.height:
        return state
    return apply_more(replace(state, executing=Height(0)), out)


def on_ledger_advanced(state: ReplicaState, event: LedgerAdvanced, out: list[Effect]) -> ReplicaState:
    """A block of the log is in the ledger. Blocks that came by synchronisation were not asked for and change nothing here."""
    if event.index != state.height + 1 or event.index > state.commit:
        return state
    return apply_more(replace(state, height=event.index, block_hash=event.block_hash, executing=Height(0)), out)
