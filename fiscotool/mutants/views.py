"""fisco3: bugs in view changes, new views and recovery."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from fiscotool.mutants.mutant import Step
from fiscotool.mutants.planter import Planter
from fiscotool.mutants.votes import one_less
from fiscotool.pbft import newview, normal, quorum, recovery, reproposal, sealing, state, viewchange
from fiscotool.pbft.effects import Effect, RejectReason
from fiscotool.pbft.events import LedgerAdvanced
from fiscotool.pbft.messages import NewView, PreparedCertificate, PrePrepare, ViewChange
from fiscotool.pbft.state import ReplicaState
from fiscotool.pbft.types import Height, NodeIndex, View, Weight


def lowest_view_wins(plant: Planter) -> None:
    """M14."""
    plant.swap(reproposal._rank, lambda cert: (-cert.view, cert.proposal.digest))  # noqa: SLF001


def ignores_certificates(plant: Planter) -> None:
    """M15."""
    plant.swap(reproposal.reproposals_of, lambda _view_changes: {})


def certificates_hidden(plant: Planter) -> None:
    """A view change does not say what was prepared."""
    real = viewchange.own_view_change
    plant.swap(real, lambda state_: replace(real(state_), prepared=()))


def new_view_unverified(plant: Planter) -> None:
    """M16."""
    plant.swap(reproposal.follows, lambda _message: True)


def new_view_with_less(plant: Planter) -> None:
    """M19: a NewView is issued, and entered, with q-1 view changes."""
    real, refuse = viewchange._usable, newview.refuse_new_view  # noqa: SLF001
    plant.swap(real, lambda state_: real(state_._replace(quorum_weight=Weight(one_less(state_)))))
    plant.swap(refuse, lambda state_, message: refuse(state_._replace(quorum_weight=Weight(one_less(state_))), message))


def view_changes_repeated(plant: Planter) -> None:
    """M20: a NewView of one view change, repeated, is entered."""
    real = newview.refuse_new_view

    def refuse(state_: ReplicaState, message: NewView) -> RejectReason | None:
        reason: RejectReason | None = real(state_, message)
        senders = [vc.sender for vc in message.view_changes]
        if reason is not RejectReason.NOT_ENOUGH_WEIGHT:
            return reason
        return None if quorum.weight_with_repeats(senders, state_.rules.weights) >= state_.quorum_weight else reason

    plant.swap(real, refuse)


def joins_different_views(plant: Planter) -> None:
    """M21: one view change for a far view drags everyone there."""

    def join(state_: ReplicaState, out: list[Effect]) -> ReplicaState:
        ahead = [vc.view for vc in state_.view_changes if vc.view > state_.to_view and vc.sender != state_.me]
        if not ahead:
            return state_
        return viewchange.begin(state_._replace(to_view=View(max(ahead) - 1)), out, is_timeout=False)

    def on_view_change(state_: ReplicaState, message: ViewChange, out: list[Effect]) -> ReplicaState:
        new: ReplicaState = real(state_, message, out)
        return new if message.sender == state_.me or new.view > state_.view else join(new, out)

    real = viewchange.on_view_change
    plant.swap(viewchange.join, join)
    plant.swap(real, on_view_change)


def never_joins(plant: Planter) -> None:
    """F+1 others that ask for a later view are not followed."""
    plant.swap(viewchange.join, lambda state_, _out: state_)


def gaps_skipped(plant: Planter) -> None:
    """M24."""
    real = reproposal.reproposals_of
    plant.swap(real, lambda view_changes: {index: found for index, found in real(view_changes).items() if found is not None})


def committed_ignored(plant: Planter) -> None:
    """M26: what a view change says is committed is proposed again."""
    rank = reproposal._rank  # noqa: SLF001

    def reproposals_of(view_changes: tuple[ViewChange, ...]) -> reproposal.Reproposals:
        first = min(vc.index for vc in view_changes) + 1
        best: dict[Height, tuple[PreparedCertificate, NodeIndex]] = {}
        for vc in view_changes:
            for cert in vc.prepared:
                known = best.get(cert.proposal.index)
                if known is None or rank(cert) > rank(known[0]):
                    best[cert.proposal.index] = (cert, vc.sender)
        last = max([*best, *(vc.index for vc in view_changes)])
        return {Height(index): best.get(Height(index)) for index in range(first, last + 1)}

    plant.swap(reproposal.reproposals_of, reproposals_of)


def recovers_with_f_plus_1(plant: Planter) -> None:
    """M30."""
    real = recovery._recoverable_view  # noqa: SLF001
    plant.swap(real, lambda state_, answers: real(state_._replace(quorum_weight=state_.join_weight), answers))


def recovers_with_one(plant: Planter) -> None:
    """M30: a single answer is believed."""
    real = recovery._recoverable_view  # noqa: SLF001
    plant.swap(real, lambda state_, answers: real(state_._replace(quorum_weight=Weight(1)), answers))


def view_goes_back(step: Step) -> Step:
    """M32: a block sets the view back by one."""

    def wrapped(before: Any, event: Any) -> tuple[Any, tuple[Any, ...]]:
        after, effects = step(before, event)
        if isinstance(event, LedgerAdvanced) and after is not before and not after.in_timeout and after.view > 0 and after.height % 2:
            back = View(after.view - 1)
            after = after._replace(view=back, to_view=back)
        return after, effects

    return wrapped


def never_enters(plant: Planter) -> None:
    """F16: no NewView is good enough."""
    plant.swap(newview.refuse_new_view, lambda _state, _message: RejectReason.NOT_ENOUGH_WEIGHT)


def enters_past_views(plant: Planter) -> None:
    """A NewView of the view it is in is entered again."""
    real = newview.refuse_new_view

    def refuse(state_: ReplicaState, message: NewView) -> RejectReason | None:
        if message.view == state_.view and message.view > 0:
            return real(state_._replace(view=View(state_.view - 1)), message)
        return real(state_, message)

    plant.swap(real, refuse)


def lock_lost_on_entry(plant: Planter) -> None:
    """Entering a view forgets the certificates of earlier ones."""
    real = newview._forget  # noqa: SLF001

    def forget(slot: state.Slot, view: View, digests: Any, out: list[Effect], **more: Any) -> state.Slot:
        new: state.Slot = real(slot, view, digests, out, **more)
        return new if new.agreed is not None else new._replace(cert=None)

    plant.swap(real, forget)


def silent_sealer(plant: Planter) -> None:
    """F16: a leader is never told to seal."""
    plant.swap(sealing.notify, lambda state_, _out: state_)


def votes_in_timeout(plant: Planter) -> None:
    """Prepared and committed also while asking for another view."""

    def awake(real: Callable[..., ReplicaState | None]) -> Callable[..., ReplicaState | None]:
        def handler(state_: ReplicaState, slot: state.Slot, out: list[Effect]) -> ReplicaState | None:
            if not state_.in_timeout:
                return real(state_, slot, out)
            new = real(state_._replace(in_timeout=False, to_view=state_.view), slot, out)
            return None if new is None else new._replace(in_timeout=True, to_view=state_.to_view)

        return handler

    plant.swap(normal.try_precommit, awake(normal.try_precommit))
    plant.swap(normal.try_commit, awake(normal.try_commit))


def far_views_kept(plant: Planter) -> None:
    """M35: a pre-prepare of a view far ahead is kept for that view."""
    real = normal.on_preprepare

    def on_preprepare(state_: ReplicaState, message: PrePrepare, out: list[Effect]) -> ReplicaState:
        new: ReplicaState = real(state_, message, out)
        if new is state_ and out and getattr(out[-1], "reason", None) is RejectReason.TOO_FAR and message.view > state_.view:
            out.pop()
            slot = state.slot_at(state_, message.index)
            later = tuple(sorted((*slot.later, message), key=lambda pre: pre.view))
            return state.put_slot(state_, slot._replace(later=later))
        return new

    plant.swap(real, on_preprepare)


def first_leader_only(plant: Planter) -> None:
    """Whoever asks first leads the new view: nobody checks whose turn it is."""
    plant.swap(newview.leads_new_view, lambda _state, _view, _sender: True)
    real = newview.refuse_new_view

    def refuse(state_: ReplicaState, message: NewView) -> RejectReason | None:
        reason: RejectReason | None = real(state_, message)
        return None if reason is RejectReason.NOT_THE_LEADER else reason

    plant.swap(real, refuse)


def own_view_change_twice(plant: Planter) -> None:
    """The view asked for skips one."""
    real = viewchange.begin

    def begin(state_: ReplicaState, out: list[Effect], *, is_timeout: bool) -> ReplicaState:
        return real(state_._replace(to_view=View(max(state_.to_view, state_.view) + 1)), out, is_timeout=is_timeout)

    plant.swap(real, begin)
