"""fisco3: bugs in records, execution, checkpoints, ledger and timers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from fiscotool.mutants.mutant import Step
from fiscotool.mutants.planter import Planter
from fiscotool.pbft import checkpoint, newview, normal, recovery, sealing, state, timers, viewchange, voting
from fiscotool.pbft.effects import Broadcast, CancelTimer, CommitBlock, Effect, Execute, Persist, SetTimer, VoteRecord
from fiscotool.pbft.events import Executed, LedgerAdvanced, TimerName
from fiscotool.pbft.messages import Commit, PrePrepare
from fiscotool.pbft.rules import Rules
from fiscotool.pbft.state import ReplicaState, Slot, put_slot
from fiscotool.pbft.types import NO_DIGEST, Digest, Ticks


def _records_after(real: Callable[..., Any], rearrange: Callable[[list[Effect]], list[Effect]]) -> Callable[..., Any]:
    def handler(state_: ReplicaState, slot: Slot, *arguments: Any, **more: Any) -> Any:
        out: list[Effect] = arguments[-1]
        known = {id(effect) for effect in out}
        new = real(state_, slot, *arguments, **more)
        mine = [effect for effect in out if id(effect) not in known]
        out[:] = [effect for effect in out if id(effect) in known] + rearrange(mine)
        return new

    return handler


def sends_before_record(plant: Planter) -> None:
    """A vote leaves before it is durable."""

    def late(effects: list[Effect]) -> list[Effect]:
        messages = [effect for effect in effects if isinstance(effect, Broadcast)]
        return messages + [effect for effect in effects if not isinstance(effect, Broadcast)]

    plant.swap(voting.accept, _records_after(voting.accept, late))


def _without_votes(effects: list[Effect]) -> list[Effect]:
    return [effect for effect in effects if not (isinstance(effect, Persist) and isinstance(effect.record, VoteRecord))]


def prepares_not_durable(plant: Planter) -> None:
    """A Prepare is never made durable."""
    plant.swap(voting.accept, _records_after(voting.accept, _without_votes))


def locks_not_durable(plant: Planter) -> None:
    """A certificate is never made durable."""
    plant.swap(normal.try_precommit, _records_after(normal.try_precommit, _without_votes))


def results_not_durable(plant: Planter) -> None:
    """What was executed is not made durable before its CheckPoint leaves."""
    real = checkpoint.on_executed

    def on_executed(state_: ReplicaState, event: Executed, out: list[Effect]) -> ReplicaState:
        new: ReplicaState = real(state_, event, out)
        out[:] = [effect for effect in out if not isinstance(effect, Persist)]
        return new

    plant.swap(real, on_executed)


def executes_out_of_order(plant: Planter) -> None:
    """M37."""

    def try_execute(state_: ReplicaState, out: list[Effect]) -> ReplicaState:
        for slot in reversed(state_.slots):
            if slot.agreed is not None and not slot.is_executing and not slot.block_hash:
                out.append(Execute(slot.agreed))
                return put_slot(state_, slot._replace(is_executing=True))
        return state_

    plant.swap(checkpoint.try_execute, try_execute)


def executes_prepared(plant: Planter) -> None:
    """A prepared proposal is executed without waiting for Commits."""
    real = normal.try_precommit

    def try_precommit(state_: ReplicaState, slot: Slot, out: list[Effect]) -> ReplicaState | None:
        new: ReplicaState | None = real(state_, slot, out)
        if new is None:
            return None
        here = state.slot_at(new, slot.height)
        if here.cert is None or here.agreed is not None or here.block_hash != NO_DIGEST:
            return new
        return checkpoint.agree(new, here, here.cert.proposal, out)

    plant.swap(real, try_precommit)


def result_differs(plant: Planter) -> None:
    """M38: executing the same block gives every replica its own result now and then."""
    real = checkpoint.on_executed

    def on_executed(state_: ReplicaState, event: Executed, out: list[Effect]) -> ReplicaState:
        if event.block_hash is not None and event.index % 3 == 0 and state_.me in {0, None}:
            event = replace(event, block_hash=Digest(hashlib.sha256(event.block_hash).digest()))
        return real(state_, event, out)

    plant.swap(real, on_executed)


def commits_without_checkpoints(plant: Planter) -> None:
    """M41: the ledger is written with the own checkpoint alone."""

    def try_stable(state_: ReplicaState, out: list[Effect]) -> ReplicaState:
        if not state_.slots:
            return state_
        slot = state_.slots[0]
        if slot.is_stable or slot.block_hash == NO_DIGEST or slot.agreed is None:
            return state_
        signed = tuple((vote.sender, vote.signature) for vote in slot.checkpoints if vote.digest == slot.block_hash)
        if not signed:
            return state_
        out.append(CommitBlock(slot.height, slot.agreed.digest, slot.block_hash, signed))
        return put_slot(state_, slot._replace(is_stable=True))

    plant.swap(checkpoint.try_stable, try_stable)


def checkpoints_pooled(plant: Planter) -> None:
    """Checkpoints count whatever result they name."""

    def try_stable(state_: ReplicaState, out: list[Effect]) -> ReplicaState:
        if not state_.slots:
            return state_
        slot = state_.slots[0]
        signed = tuple((vote.sender, vote.signature) for vote in slot.checkpoints)
        if slot.is_stable or slot.block_hash == NO_DIGEST or slot.agreed is None or len(signed) < state_.quorum_weight:
            return state_
        out.append(CommitBlock(slot.height, slot.agreed.digest, slot.block_hash, signed))
        return put_slot(state_, slot._replace(is_stable=True))

    plant.swap(checkpoint.try_stable, try_stable)


def pulled_trusted(plant: Planter) -> None:
    """FIB-127: a pulled proposal is executed, and its result signed, on the word of one peer."""
    plant.swap(checkpoint.has_support, lambda _state, _slot, _block_hash: True)


def membership_late(step: Step) -> Step:
    """M44: a change of members or weights is in force one block too late."""
    pending: dict[int, Rules] = {}

    def wrapped(before: Any, event: Any) -> tuple[Any, tuple[Any, ...]]:
        if isinstance(event, LedgerAdvanced):
            place = -1 if before.me is None else int(before.me)
            told = pending.get(place, before.rules)
            pending[place] = event.rules
            event = replace(event, rules=told if told.node_count == event.rules.node_count else event.rules)
        return step(before, event)

    return wrapped


def membership_ignored(plant: Planter) -> None:
    """F8: new weights are in force, the thresholds stay those of the old ones."""
    real = recovery._change_rules  # noqa: SLF001

    def change_rules(state_: ReplicaState, event: LedgerAdvanced) -> ReplicaState:
        new: ReplicaState = real(state_, event)
        return new._replace(quorum_weight=state_.quorum_weight, join_weight=state_.join_weight)

    plant.swap(real, change_rules)


def timeout_constant(plant: Planter) -> None:
    """M28: no back-off."""
    plant.swap(timers.timeout_ticks, lambda rules, _cycle: Ticks(rules.timeout_base_ticks))


def timeout_never_reset(plant: Planter) -> None:
    """M28: the back-off is not reset by a block or a new view, so waits grow for ever."""
    real_enter, real_commit = newview.enter, normal.try_commit

    def enter(state_: ReplicaState, view: Any, out: list[Effect], new_view: Any = None) -> ReplicaState:
        return real_enter(state_, view, out, new_view)._replace(change_cycle=state_.change_cycle)

    def try_commit(state_: ReplicaState, slot: Slot, out: list[Effect]) -> ReplicaState | None:
        new: ReplicaState | None = real_commit(state_, slot, out)
        return None if new is None else new._replace(change_cycle=state_.change_cycle)

    plant.swap(real_enter, enter)
    plant.swap(real_commit, try_commit)


def timer_impatient(plant: Planter) -> None:
    """M29: the timer fires while a block is executing."""
    real = viewchange.on_timer

    def on_timer(state_: ReplicaState, epoch: int, out: list[Effect]) -> ReplicaState:
        if epoch == state_.timer_epoch and state_.me is not None and any(slot.is_executing for slot in state_.slots):
            return viewchange.begin(state_, out, is_timeout=True)
        return real(state_, epoch, out)

    plant.swap(real, on_timer)


def timer_not_restarted(plant: Planter) -> None:
    """Accepting a proposal does not give the leader more time."""
    real = voting.accept

    def accept(state_: ReplicaState, slot: Slot, pre: PrePrepare, out: list[Effect], *, is_own: bool = False) -> ReplicaState:
        was_on, epoch = state_.timer_on, state_.timer_epoch
        new: ReplicaState = real(state_, slot, pre, out, is_own=is_own)
        if not was_on:
            return new
        out[:] = [effect for effect in out if not (isinstance(effect, SetTimer) and effect.name is TimerName.VIEW)]
        return new._replace(timer_epoch=epoch)

    plant.swap(real, accept)


def timer_dies(plant: Planter) -> None:
    """F16: after a block the timer stops, transactions or not."""

    def refresh(state_: ReplicaState, out: list[Effect]) -> ReplicaState:
        if not state_.timer_on:
            return state_
        out.append(CancelTimer(TimerName.VIEW))
        return state_._replace(timer_epoch=state_.timer_epoch + 1, timer_on=False)

    plant.swap(timers.refresh, refresh)
    plant.swap(timers.on_pool_size, lambda state_, event, _out: state_._replace(pool_count=min(event.count, 1)))
    plant.swap(viewchange.settle, lambda state_, _out, **_more: state_)


def commits_unprepared(plant: Planter) -> None:
    """A Commit leaves with the Prepare, before anything is prepared."""
    real = voting.accept

    def accept(state_: ReplicaState, slot: Slot, pre: PrePrepare, out: list[Effect], *, is_own: bool = False) -> ReplicaState:
        new: ReplicaState = real(state_, slot, pre, out, is_own=is_own)
        assert new.me is not None
        out.append(Broadcast(Commit(new.view, pre.index, pre.digest, new.me)))
        return new

    plant.swap(real, accept)


def system_blocks_piped(plant: Planter) -> None:
    """F9: what follows a system proposal does not wait until that is in the ledger."""
    plant.swap(state.barrier, lambda _state, _index: False)
    plant.swap(checkpoint._note_system, lambda state_, _proposal: state_)  # noqa: SLF001


def seals_everything(plant: Planter) -> None:
    """A leader proposes at heights where it is locked on another block."""
    plant.swap(sealing._propose_lock, lambda state_, _index, _out: state_)  # noqa: SLF001
    plant.swap(sealing._is_taken, lambda _state, _index: False)  # noqa: SLF001
