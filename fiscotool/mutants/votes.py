"""fisco3: bugs in who counts, and for what."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from fiscotool.mutants.planter import Planter
from fiscotool.pbft import admission, checkpoint, normal, quorum, recovery, state, voting
from fiscotool.pbft.effects import Effect, Reject, RejectReason, VerifyProposal
from fiscotool.pbft.events import Verified
from fiscotool.pbft.messages import PrePrepare
from fiscotool.pbft.rules import Rules
from fiscotool.pbft.state import NO_VIEW, ReplicaState, Slot, put_slot
from fiscotool.pbft.types import Height, NodeIndex, View, Weight


def lowered(real: Callable[..., Any], weight_of_quorum: Callable[[ReplicaState], int]) -> Callable[..., Any]:
    """A handler that believes the quorum to be this much; what it returns has the right one again."""

    def handler(state_: ReplicaState, *arguments: Any) -> Any:
        fooled = state_._replace(quorum_weight=Weight(weight_of_quorum(state_)))
        new = real(fooled, *arguments)
        if new is fooled:
            return state_
        return new._replace(quorum_weight=state_.quorum_weight) if isinstance(new, ReplicaState) else new

    return handler


def one_less(state_: ReplicaState) -> int:
    """Q - 1."""
    return state_.quorum_weight - 1


def prepare_quorum(plant: Planter) -> None:
    """M1."""
    plant.swap(normal.try_precommit, lowered(normal.try_precommit, one_less))


def commit_quorum(plant: Planter) -> None:
    """M2."""
    plant.swap(normal.try_commit, lowered(normal.try_commit, one_less))


def checkpoint_quorum(plant: Planter) -> None:
    """M3."""
    plant.swap(checkpoint.try_stable, lowered(checkpoint.try_stable, lambda state_: state_.join_weight))


def quorum_formula(plant: Planter) -> None:
    """M4: 2f+1, right only for n = 3f+1."""
    plant.swap(quorum.quorum_weight, lambda total: Weight(2 * quorum.faulty_weight_max(total) + 1))


def every_quorum(plant: Planter) -> None:
    """Every quorum is one less."""
    real = quorum.quorum_weight
    plant.swap(real, lambda total: Weight(real(total) - 1))


def duplicate_votes(plant: Planter) -> None:
    """M6."""

    def add_vote(state_: ReplicaState, votes: tuple[Any, ...], message: Any, out: list[Effect]) -> tuple[Any, ...]:
        del state_, out
        return tuple(sorted((*votes, message), key=lambda vote: vote.sender))

    plant.swap(normal.add_vote, add_vote)
    plant.swap(quorum.weight_of, quorum.weight_with_repeats)


def strangers(plant: Planter) -> None:
    """M7: whoever speaks is counted, and what was counted before the list changed stays counted."""
    real_refuse, real_change = admission.refuse, recovery._change_rules  # noqa: SLF001

    def refuse(state_: ReplicaState, message: Any) -> RejectReason | None:
        reason = real_refuse(state_, message)
        if reason is not RejectReason.NOT_A_SEALER or state_.me is None:
            return reason
        return real_refuse(state_, replace(message, sender=state_.me))

    def weight_of(voters: Iterable[NodeIndex], weights: tuple[int, ...]) -> Weight:
        return Weight(sum(weights[voter] if 0 <= voter < len(weights) else 1 for voter in set(voters)))

    def change_rules(state_: ReplicaState, event: Any) -> ReplicaState:
        new: ReplicaState = real_change(state_, event)
        return new._replace(slots=state_.slots, view_changes=state_.view_changes)

    plant.swap(real_refuse, refuse)
    plant.swap(quorum.weight_of, weight_of)
    plant.swap(real_change, change_rules)


def pooled_hashes(plant: Planter) -> None:
    """M8."""

    def matching(state_: ReplicaState, votes: tuple[Any, ...], pre: PrePrepare) -> tuple[tuple[NodeIndex, bytes], ...]:
        del state_
        return tuple((vote.sender, getattr(vote, "signature", b"")) for vote in votes if vote.view == pre.view)

    plant.swap(normal.matching, matching)


def pooled_views(plant: Planter) -> None:
    """Votes of any view count, as long as they are for the block."""

    def matching(state_: ReplicaState, votes: tuple[Any, ...], pre: PrePrepare) -> tuple[tuple[NodeIndex, bytes], ...]:
        del state_
        return tuple((vote.sender, vote.signature) for vote in votes if vote.digest == pre.digest)

    def forget(real: Callable[..., Slot]) -> Callable[..., Slot]:
        def kept(slot: Slot, view: View, digests: Any, out: list[Effect], **more: Any) -> Slot:
            return real(slot, view, digests, out, **more)._replace(prepares=slot.prepares, commits=slot.commits)

        return kept

    from fiscotool.pbft import newview

    plant.swap(normal.matching, matching)
    plant.swap(newview._forget, forget(newview._forget))  # noqa: SLF001


def anyone_leads(plant: Planter) -> None:
    """M10."""
    real = normal.on_preprepare

    def on_preprepare(state_: ReplicaState, message: PrePrepare, out: list[Effect]) -> ReplicaState:
        new = real(state_, message, out)
        if new is state_ and out and getattr(out[-1], "reason", None) is RejectReason.NOT_THE_LEADER:
            slot = state.slot_at(state_, message.index)
            if slot.pre is None and message.view == state_.view and voting.conflict(state_, slot, message) is None:
                out[-1] = VerifyProposal(message.proposal, message.sender)
                return put_slot(state_, slot._replace(checking=message))
        return new

    plant.swap(real, on_preprepare)


def _blind_to(plant: Planter, *reasons: RejectReason) -> None:
    real = voting.conflict

    def conflict(state_: ReplicaState, slot: Slot, pre: PrePrepare, proven_view: View = NO_VIEW) -> RejectReason | None:
        reason = real(state_, slot, pre, proven_view)
        return None if reason in reasons else reason

    plant.swap(real, conflict)


def second_replaces_first(plant: Planter) -> None:
    """M11."""
    _blind_to(plant, RejectReason.EQUIVOCATION, RejectReason.ALREADY_VOTED)


def no_lock(plant: Planter) -> None:
    """M12."""
    _blind_to(plant, RejectReason.LOCKED)


def votes_again(plant: Planter) -> None:
    """M40: what was voted before a restart is not asked."""
    _blind_to(plant, RejectReason.ALREADY_VOTED)


def certificates_unverified(plant: Planter) -> None:
    """M17."""
    plant.swap(state.is_proven, lambda _state, _cert: True)


def far_proposals(plant: Planter) -> None:
    """M34: no high water mark."""
    refuse, put = admission._refuse_height, state.put_slot  # noqa: SLF001

    def unbounded(state_: ReplicaState, index: Height) -> RejectReason | None:
        reason: RejectReason | None = refuse(state_, index)
        return None if reason is RejectReason.TOO_FAR else reason

    def put_anywhere(state_: ReplicaState, slot: Slot) -> ReplicaState:
        known = len(state_.slots)
        if slot.height - state_.height <= known + 1:
            return put(state_, slot) if known < 2 * state_.rules.pipeline_blocks else _replaced(state_, slot)
        blanks = tuple(Slot(Height(height)) for height in range(state_.height + 1 + known, slot.height))
        return state_._replace(slots=(*state_.slots, *blanks, slot))

    plant.swap(refuse, unbounded)
    plant.swap(put, put_anywhere)


def _replaced(state_: ReplicaState, slot: Slot) -> ReplicaState:
    """The state with a slot it has, or the one after, changed."""
    place = slot.height - state_.height - 1
    return state_._replace(slots=(*state_.slots[:place], slot, *state_.slots[place + 1 :]))


def invalid_accepted(plant: Planter) -> None:
    """M50: whatever a leader proposes is agreed, executable or not."""
    real = normal.on_verified
    plant.swap(real, lambda state_, event, out: real(state_, replace(event, is_valid=True) if isinstance(event, Verified) else event, out))


def envelope_unchecked(plant: Planter) -> None:
    """A pre-prepare's envelope may name another height than the block inside."""
    real = normal.on_preprepare

    def on_preprepare(state_: ReplicaState, message: PrePrepare, out: list[Effect]) -> ReplicaState:
        new = real(state_, message, out)
        if new is not state_ or not isinstance(out[-1] if out else None, Reject) or not message.proposal.data:
            return new
        if getattr(out[-1], "reason", None) is not RejectReason.MISMATCHED:
            return new
        slot = state.slot_at(state_, message.index)
        if quorum.leader_of(message.index, message.view, state_.rules) != message.sender or slot.checking or slot.pre:
            return new
        if message.view != state_.view or voting.conflict(state_, slot, message) is not None:
            return new
        out[-1] = VerifyProposal(message.proposal, message.sender)
        return put_slot(state_, slot._replace(checking=message))

    plant.swap(real, on_preprepare)


def leader_by_view(plant: Planter) -> None:
    """M46: the height is left out, as in the paper, so the leader moves with the view only."""
    plant.swap(quorum.leader_of, lambda _height, view, rules: NodeIndex(view % rules.node_count))


def leader_of_last(plant: Planter) -> None:
    """M46: the leader is computed from the last height instead of the next (2.x's formula)."""

    def leader_of(height: Height, view: View, rules: Rules) -> NodeIndex:
        return NodeIndex(((height - 1) // rules.leader_period_blocks + view) % rules.node_count)

    plant.swap(quorum.leader_of, leader_of)
