"""Committed blocks are executed and written to the ledger one after the other, in the order of the branch.

A block's signers are those of the certificate that its child carries.

Sources: Yin et al., PODC 2019, algorithm 4 `onCommit`; `pbft.effects` (Execute, CommitBlock).
"""

from __future__ import annotations

from dataclasses import replace

from fiscotool.pbft.effects import CommitBlock, Effect, Execute, SetTimer
from fiscotool.pbft.events import Executed, LedgerAdvanced, TimerName
from fiscotool.pbft.messages import Proposal
from fiscotool.pbft.types import Height, NodeIndex, Ticks
from fiscotool.protocols.hotstuff.state import ReplicaState
from fiscotool.protocols.words import RETRY_TICKS


def _next(state: ReplicaState) -> Proposal | None:
    """The committed block above the ledger."""
    for node in reversed(state.log):
        if node.index <= state.height:
            return None
        if node.index == state.height + 1 and node.proposal is not None:
            return node.proposal
    return None


def _signatures(state: ReplicaState, height: Height) -> tuple[tuple[NodeIndex, bytes], ...]:
    """Who voted for the block of that height, by the certificate of its child; an aggregate stands with each of them."""
    nodes = (*state.log, *state.tree)
    node = next(node for node in reversed(state.log) if node.index == height and node.proposal is not None)
    child = next((child for child in nodes if child.justify.digest == node.digest), None)
    if child is None:
        return ()
    proofs = child.justify.proofs
    each = proofs if len(proofs) == len(child.justify.signers) else (b"".join(proofs[:1]),) * len(child.justify.signers)
    return tuple(zip(child.justify.signers, each, strict=True))


def apply_more(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """Execute the next committed block, unless one is being executed."""
    if state.executing > state.height:
        return state
    proposal = _next(state)
    if proposal is None:
        return state
    out.append(Execute(proposal))
    return replace(state, executing=proposal.index)


def on_executed(state: ReplicaState, event: Executed, out: list[Effect]) -> ReplicaState:
    """Write it, or try again in a moment."""
    proposal = _next(state)
    if proposal is None or (event.index, event.digest) != (proposal.index, proposal.digest):
        return state
    if event.block_hash is None:
        out.append(SetTimer(TimerName.EXECUTE_RETRY, event.index, Ticks(RETRY_TICKS)))
    else:
        out.append(CommitBlock(event.index, event.digest, event.block_hash, _signatures(state, event.index)))
    return state


def on_retry(state: ReplicaState, epoch: int) -> ReplicaState:
    """The pause after a failed execution is over."""
    is_due = epoch == state.executing and state.executing > state.height
    return replace(state, executing=Height(0)) if is_due else state


def on_ledger_advanced(state: ReplicaState, event: LedgerAdvanced) -> ReplicaState:
    """A committed block is in the ledger. Blocks that came by synchronisation were not asked for and change nothing here."""
    proposal = _next(state)
    if proposal is None or event.index != proposal.index:
        return state
    return replace(state, height=event.index, block_hash=event.block_hash, executing=Height(0))
