"""classic: the bugs of the list where PBFT as published has a place for them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fiscotool.mutants.planter import Planter
from fiscotool.pbft import reproposal
from fiscotool.pbft.classic import checkpoint, newview, normal, timers, viewchange
from fiscotool.pbft.classic.state import ReplicaState, Slot, is_quorum, put_slot, slot_at
from fiscotool.pbft.effects import Broadcast, Effect, Persist, RejectReason, Remember
from fiscotool.pbft.messages import CheckPoint, NewView, ViewChange
from fiscotool.pbft.types import Digest, Height, NodeIndex, Ticks, View


def _one_less(state: ReplicaState, voters: tuple[NodeIndex, ...]) -> bool:
    return len(set(voters)) >= state.quorum_weight - 1


def quorum(plant: Planter) -> None:
    """M1, M2."""
    plant.swap(is_quorum, _one_less, only=(normal,))


def new_view_quorum(plant: Planter) -> None:
    """M19."""
    plant.swap(is_quorum, _one_less, only=(viewchange, newview))


def votes_not_durable(plant: Planter) -> None:
    """M40."""
    real = normal.bind

    def bind(state: ReplicaState, slot: Slot, view: View, digest: Any, out: list[Effect]) -> ReplicaState:
        new: ReplicaState = real(state, slot, view, digest, out)
        out[:] = [effect for effect in out if not isinstance(effect, Persist)]
        return new

    plant.swap(real, bind)


def certificates_hidden(plant: Planter) -> None:
    """M15: view changes do not show what was prepared."""
    real = viewchange.own_view_change

    def own_view_change(state: ReplicaState) -> ViewChange:
        return replace(real(state), prepared=())

    plant.swap(real, own_view_change)


def new_view_unverified(plant: Planter) -> None:
    """M16."""
    plant.swap(newview.refuse, lambda state, message: RejectReason.STALE_VIEW if message.view <= state.view else None)


def lowest_view_wins(plant: Planter) -> None:
    """M14."""
    plant.swap(reproposal._rank, lambda cert: (-cert.view, cert.proposal.digest))  # noqa: SLF001


def checkpoint_of_one(plant: Planter) -> None:
    """M3."""
    real = checkpoint.collect_garbage

    def collect_garbage(state: ReplicaState, out: list[Effect]) -> ReplicaState:
        for index, digest in state.results:
            proof = tuple(known for known in state.checkpoints if (known.index, known.digest) == (index, digest))
            if proof:
                return checkpoint.settle(state, proof[:1], out)
        new: ReplicaState = real(state, out)
        return new

    plant.swap(real, collect_garbage)


def states_differ(plant: Planter) -> None:
    """M38: one replica's state is another."""
    real = checkpoint.take

    def take(state: ReplicaState, index: Height, digest: Any, out: list[Effect]) -> ReplicaState:
        new: ReplicaState = real(state, index, digest, out)
        for place, effect in enumerate(out):
            if isinstance(effect, Broadcast) and isinstance(effect.message, CheckPoint) and state.me == 1:
                out[place] = Broadcast(replace(effect.message, digest=Digest(b"lie" + digest[3:])))
        return new

    plant.swap(real, take)


def view_not_durable(plant: Planter) -> None:
    """M32: the view asked for is not durable."""
    real = viewchange.begin

    def begin(state: ReplicaState, view: View, out: list[Effect]) -> ReplicaState:
        new: ReplicaState = real(state, view, out)
        out[:] = [effect for effect in out if not isinstance(effect, Remember)]
        return new

    plant.swap(real, begin)


def timeout_constant(plant: Planter) -> None:
    """M28: no doubling."""
    plant.swap(timers.timeout_ticks, lambda rules, _cycle: Ticks(rules.timeout_base_ticks))


def second_replaces_first(plant: Planter) -> None:
    """M11."""
    real = normal.on_preprepare

    def on_preprepare(state: ReplicaState, message: Any, out: list[Effect]) -> ReplicaState:
        new: ReplicaState = real(state, message, out)
        if new is not state or message.sender == state.me or not out:
            return new
        if getattr(out[-1], "reason", None) not in {RejectReason.EQUIVOCATION, RejectReason.ALREADY_VOTED}:
            return new
        slot = slot_at(state, message.index)._replace(pre=None, checking=None, voted_view=View(-1))
        out.pop()
        return real(put_slot(state, slot), message, out)

    plant.swap(real, on_preprepare)


def votes_in_view_change(plant: Planter) -> None:
    """The phases go on while a view change is asked for."""
    real = normal.try_prepared
    refuse = normal.refuse

    def awake(state: ReplicaState, index: Height, view: View) -> RejectReason | None:
        return refuse(state._replace(in_timeout=False), index, view)

    def try_prepared(state: ReplicaState, slot: Slot, out: list[Effect]) -> ReplicaState:
        if not state.in_timeout:
            return real(state, slot, out)
        calm = state._replace(in_timeout=False, to_view=state.view)
        new: ReplicaState = real(calm, slot, out)
        return state if new is calm else new._replace(in_timeout=True, to_view=state.to_view)

    plant.swap(refuse, awake)
    plant.swap(real, try_prepared)


def enters_earlier(plant: Planter) -> None:
    """A replica that asked for a later view enters an earlier one."""
    real = newview.refuse

    def refuse(state: ReplicaState, message: NewView) -> RejectReason | None:
        return real(state._replace(to_view=View(min(state.to_view, message.view))), message)

    plant.swap(real, refuse)


def duplicates(plant: Planter) -> None:
    """M6: a repeated Commit is counted again."""

    def with_vote(votes: tuple[Any, ...], message: Any) -> tuple[Any, ...]:
        return tuple(sorted((*votes, message), key=lambda vote: vote.sender))

    def counted(state: ReplicaState, voters: tuple[NodeIndex, ...]) -> bool:
        return len(voters) >= state.quorum_weight

    plant.swap(normal.with_vote, with_vote)
    plant.swap(is_quorum, counted, only=(normal,))
