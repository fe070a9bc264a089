"""fisco2: the bugs of the list where 2.x has a place for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fiscotool.mutants.planter import Planter
from fiscotool.pbft.effects import CommitBlock, Effect, Persist, RejectReason, VerifyProposal
from fiscotool.pbft.fisco2 import proposing, report, sealing, signing, timers, viewchange
from fiscotool.pbft.fisco2.state import Phase, ReplicaState, is_quorum, leader
from fiscotool.pbft.messages import Commit, Prepare, PrePrepare
from fiscotool.pbft.types import NodeIndex, Ticks, View


def _one_less(state: ReplicaState, voters: tuple[NodeIndex, ...]) -> bool:
    return len(set(voters)) >= state.quorum_weight - 1


def quorum(plant: Planter) -> None:
    """M1, M2."""
    plant.swap(is_quorum, _one_less, only=(signing,))


def view_quorum(plant: Planter) -> None:
    """M19."""
    plant.swap(is_quorum, _one_less, only=(viewchange,))


def pooled_hashes(plant: Planter) -> None:
    """M8."""

    def matching(state: ReplicaState, votes: tuple[Prepare, ...] | tuple[Commit, ...]) -> tuple[tuple[NodeIndex, bytes], ...]:
        raw = state.raw
        assert raw is not None
        found = {vote.sender: vote.signature for vote in votes if vote.index == raw.index and vote.view == raw.view}
        return tuple(sorted(found.items()))

    plant.swap(signing.matching, matching)


def lock_not_asked(plant: Planter) -> None:
    """M12."""
    real = proposing.refuse

    def refuse(state: ReplicaState, message: PrePrepare) -> RejectReason | None:
        reason: RejectReason | None = real(state, message)
        return None if reason is RejectReason.LOCKED else reason

    plant.swap(real, refuse, only=(proposing,))


def lock_moves(plant: Planter) -> None:
    """The lock is given up when a view is entered."""
    real = viewchange.check_and_change

    def check_and_change(state: ReplicaState, view: View, out: list[Effect]) -> ReplicaState:
        new: ReplicaState = real(state, view, out)
        return new if new is state else new._replace(lock=None)

    plant.swap(real, check_and_change)


def all_lead(plant: Planter) -> None:
    """M10, M46: everyone believes to lead."""
    real = leader

    def leads(state: ReplicaState) -> NodeIndex | None:
        return None if state.leader_failed else state.me if state.raw is None else real(state)

    plant.swap(real, leads, only=(sealing, proposing))


def lock_not_durable(plant: Planter) -> None:
    """M40."""
    real = signing.try_commit

    def try_commit(state: ReplicaState, out: list[Effect]) -> ReplicaState:
        new: ReplicaState = real(state, out)
        out[:] = [effect for effect in out if not isinstance(effect, Persist)]
        return new

    plant.swap(real, try_commit)


def written_early(plant: Planter) -> None:
    """M41: two Commits write a block."""
    real = signing.try_save

    def try_save(state: ReplicaState, out: list[Effect]) -> ReplicaState:
        raw = state.raw
        if raw is None or state.is_saving or state.phase is not Phase.EXECUTED or raw.view != state.view:
            new: ReplicaState = real(state, out)
            return new
        signed = signing.matching(state, state.commits)
        if len(signed) <= 1:
            return state
        out.append(CommitBlock(raw.index, raw.digest, state.executed_hash, signed))
        return state._replace(is_saving=True)

    plant.swap(real, try_save)


def view_survives(plant: Planter) -> None:
    """M32: a block sets the view back by one instead of to 0."""
    real = report.on_ledger_advanced

    def on_ledger_advanced(state: ReplicaState, event: Any, out: list[Effect]) -> ReplicaState:
        new: ReplicaState = real(state, event, out)
        return new._replace(view=View(max(state.view - 1, 0)), to_view=View(0))

    plant.swap(real, on_ledger_advanced)


def joins_one(plant: Planter) -> None:
    """M21, F1: one far view drags all."""
    real = viewchange.join

    def join(state: ReplicaState, out: list[Effect]) -> ReplicaState:
        above = [vc.view for vc in state.latest if vc.view > state.to_view]
        if not above:
            new: ReplicaState = real(state, out)
            return new
        return viewchange.begin(state._replace(to_view=View(max(above) - 1)), out)

    plant.swap(real, join)


def timer_impatient(plant: Planter) -> None:
    """M29."""
    real: Callable[..., ReplicaState] = viewchange.on_timer

    def on_timer(state: ReplicaState, epoch: int, out: list[Effect]) -> ReplicaState:
        calm = state._replace(phase=Phase.EXECUTED) if state.phase is Phase.EXECUTING else state
        new = real(calm, epoch, out)
        return state if new is calm else new

    plant.swap(viewchange.on_timer, on_timer)


def timeout_constant(plant: Planter) -> None:
    """M28."""
    plant.swap(timers.grown_ticks, lambda base_ticks, _cycle: Ticks(base_ticks))


def empty_signed(plant: Planter) -> None:
    """An empty proposal is signed and stored instead of ending the view."""
    real = proposing.on_preprepare

    def on_preprepare(state: ReplicaState, message: PrePrepare, out: list[Effect]) -> ReplicaState:
        if message.proposal.is_filler and message.view == state.view and message.index == state.height + 1 and state.raw is None:
            out.append(VerifyProposal(message.proposal, message.sender))
            return sealing.take(state, message, out)._replace(phase=Phase.CHECKING)
        new: ReplicaState = real(state, message, out)
        return new

    plant.swap(real, on_preprepare)


def invalid_signed(plant: Planter) -> None:
    """M50: what does not verify is executed all the same."""
    real = proposing.on_verified

    def on_verified(state: ReplicaState, event: Any, out: list[Effect]) -> ReplicaState:
        return real(state, type(event)(event.index, event.digest, is_valid=True), out)

    plant.swap(real, on_verified)
