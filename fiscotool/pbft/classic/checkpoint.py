"""Checkpoints: agree on the state every K numbers, then forget what led there.

Rule 1. After executing a number divisible by K a replica multicasts a checkpoint with its state's digest.
Rule 2. Checkpoints of a quorum with the own digest make it stable: they are the proof; the log up to there is discarded, the water
        marks move.
Rule 3. A replica that lacks the state learns it by state transfer (block synchronisation here) and then becomes stable, too. One that
        still sends checkpoints of the past is sent the own last stable one (retransmission).

Sources: OSDI'99 section 4.3; Castro, PhD thesis, section 5.2.
"""

from __future__ import annotations

from fiscotool.pbft.classic import normal, timers
from fiscotool.pbft.classic.state import CHECKPOINT_BLOCKS, LOG_BLOCKS, ReplicaState, find_slot, is_quorum
from fiscotool.pbft.effects import Broadcast, Effect, Reject, RejectReason, Remember, Send, StandRecord
from fiscotool.pbft.events import LedgerAdvanced
from fiscotool.pbft.messages import CheckPoint
from fiscotool.pbft.quorum import join_weight, quorum_weight
from fiscotool.pbft.rules import Quirk
from fiscotool.pbft.types import Digest, Height, NodeIndex


def on_ledger_advanced(state: ReplicaState, event: LedgerAdvanced, out: list[Effect]) -> ReplicaState:
    """A block was written: take a checkpoint when it is due, go on with the next. Membership is static (C6): new rules only set weights."""
    if event.index <= state.height:
        return state
    total = sum(event.rules.weights)
    state = state._replace(
        rules=event.rules,
        me=event.me,
        quorum_weight=quorum_weight(total),
        join_weight=join_weight(total),
        height=event.index,
        block_hash=event.block_hash,
        is_executing=False,
        change_cycle=state.change_cycle if state.in_timeout else 0,
    )
    if event.index % CHECKPOINT_BLOCKS == 0:
        state = take(state, event.index, event.block_hash, out)
    if not state.in_timeout:
        state = timers.refresh(state, out)
    state = collect_garbage(state, out)
    return normal.seal(normal.try_execute(state, out), out)


def take(state: ReplicaState, index: Height, digest: Digest, out: list[Effect]) -> ReplicaState:
    """Rule 1."""
    if index <= state.low:
        return state
    if state.me is not None:
        out.append(Broadcast(CheckPoint(state.view, index, digest, state.me)))
    return state._replace(results=(*state.results, (index, digest)))


def on_checkpoint(state: ReplicaState, message: CheckPoint, out: list[Effect]) -> ReplicaState:
    """Count it; also in a view change. Kept up to twice the log ahead, one a number and sender."""
    reason = None
    if message.index <= state.low:
        reason = RejectReason.STALE_INDEX
    elif message.index > state.height + 2 * LOG_BLOCKS or message.index % CHECKPOINT_BLOCKS:
        reason = RejectReason.TOO_FAR
    elif any((known.index, known.sender) == (message.index, message.sender) for known in state.checkpoints):
        reason = RejectReason.DUPLICATE
    if reason is not None:
        if message.sender != state.me:
            out.append(Reject(message, reason))
        if message.index < state.low and state.me is not None and state.stable:
            out.append(Send(message.sender, CheckPoint(state.view, state.low, state.stable[0].digest, state.me)))
        return state
    kept = sorted((*state.checkpoints, message), key=_place)
    state = state._replace(checkpoints=tuple(kept))
    after = collect_garbage(state, out)
    return after if after is state else normal.seal(after, out)


def collect_garbage(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """Rule 2, for the highest number that is stable."""
    for index, digest in reversed(state.results):
        proof = tuple(known for known in state.checkpoints if (known.index, known.digest) == (index, digest))
        if is_quorum(state, tuple(known.sender for known in proof)):
            return settle(state, proof, out)
    return state


def learn(state: ReplicaState, proof: tuple[CheckPoint, ...], out: list[Effect]) -> ReplicaState:
    """A proof shown by others: stable at once when the state is here, else as soon as it has been transferred."""
    if not proof or proof[0].index <= state.low:
        return state
    known = {(entry.index, entry.sender) for entry in state.checkpoints}
    kept = sorted((*state.checkpoints, *(entry for entry in proof if (entry.index, entry.sender) not in known)), key=_place)
    return collect_garbage(state._replace(checkpoints=tuple(kept)), out)


def settle(state: ReplicaState, proof: tuple[CheckPoint, ...], out: list[Effect]) -> ReplicaState:
    """The proven checkpoint is the last stable one now; its proof is durable before anything relies on it."""
    low = proof[0].index
    assert state.low < low <= state.height
    if not state.rules.has(Quirk.AMNESIA):
        out.append(Remember(StandRecord(state.to_view if state.in_timeout else state.view, state.in_timeout, proof)))
    return state._replace(
        low=low,
        stable=proof,
        slots=state.slots[low - state.low :],
        checkpoints=tuple(known for known in state.checkpoints if known.index > low),
        results=tuple(entry for entry in state.results if entry[0] > low),
    )


def is_proof(state: ReplicaState, index: Height, digest: Digest, proof: tuple[CheckPoint, ...]) -> bool:
    """Whether these checkpoints of a quorum of distinct replicas prove (index, digest); number 0 needs none."""
    senders = tuple(known.sender for known in proof)
    if index == 0:
        return not proof
    same = all((known.index, known.digest) == (index, digest) for known in proof)
    return same and len(set(senders)) == len(senders) and is_quorum(state, senders)


def resend(state: ReplicaState, out: list[Effect]) -> None:
    """Own checkpoints that are not stable yet."""
    me = state.me
    if me is not None:
        out.extend(Broadcast(CheckPoint(state.view, index, digest, me)) for index, digest in state.results)
    assert find_slot(state, state.low) is None


def _place(entry: CheckPoint) -> tuple[Height, NodeIndex]:
    """Where it stands among the checkpoints held."""
    return entry.index, entry.sender
