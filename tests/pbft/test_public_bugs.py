"""The public bugs F1 to F18 of FISCO BCOS as switches of the core: what each lets happen, and that it does not happen without it.

Every schedule runs twice. Replica 0 of four, ledger at 10, view 1, unless said otherwise. F3 lives where messages are decoded (`devnet`);
F17 and F18 have no counterpart in a pure core (docs/pbft.md says why). Sources: observables 2.2, rules.Quirk.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fiscotool.pbft.effects import Broadcast, Execute, RejectReason, SealRange, SetTimer
from fiscotool.pbft.events import Executed, LedgerAdvanced, PeersChanged, PoolSize, SyncTarget, TimerFired, TimerName, Verified
from fiscotool.pbft.messages import NewView, Prepare, ViewChange
from fiscotool.pbft.rules import Quirk, Rules
from fiscotool.pbft.types import Height, NodeIndex, View
from fiscotool.pbft.viewchange import VIEW_MAX
from fiscotool.sim.settings import Settings
from tests.pbft.hand import d, pre, replica, view_change

Quirks = frozenset[Quirk]
NONE: Quirks = frozenset()


def f1_views_pooled(quirks: Quirks) -> bool:
    """Two view changes for different views, one of them far: does everyone go there?"""
    hand = replica(quirks=quirks)
    hand.hear(view_change(2, 2), view_change(3, 1_000))
    return hand.state.to_view == 1_000


def f2_view_overflow(quirks: Quirks) -> bool:
    """F+1 ask for the largest view; after one more timeout, which view does the replica ask for?"""
    hand = replica(quirks=quirks)
    hand.hear(view_change(2, VIEW_MAX), view_change(3, VIEW_MAX))
    hand.give(TimerFired(TimerName.VIEW, hand.state.timer_epoch))
    return hand.state.to_view < 0


def f4_proposal_unchecked(quirks: Quirks) -> bool:
    """A block that does not verify: is it prepared?"""
    hand = replica(quirks=quirks)
    hand.hear(pre(12, "A", 1, hand.state.rules))
    hand.give(Verified(Height(12), d("A"), is_valid=False))
    return bool(hand.said(Prepare))


def f5_invalid_kept(quirks: Quirks) -> bool:
    """After a block that did not verify, is the next leader's block refused?"""
    hand = replica(quirks=quirks)
    hand.hear(pre(12, "X", 1, hand.state.rules))
    hand.give(Verified(Height(12), d("X"), is_valid=False))
    hand.enter(2)
    hand.hear(pre(12, "A", 2, hand.state.rules))
    return RejectReason.DUPLICATE in hand.refusals()


def f6_expired_counted(quirks: Quirks) -> bool:
    """The leader of view 4 got a view change for it before block 11 and needs a third: is the expired one counted?"""
    hand = replica(quirks=quirks)
    hand.hear(view_change(1, 4))
    hand.write(11, "A", by_sync=True)
    hand.state = hand.state._replace(to_view=View(3), in_timeout=True)
    hand.give(PoolSize(1))
    hand.give(TimerFired(TimerName.VIEW, hand.state.timer_epoch))
    hand.hear(view_change(2, 4, index=11, ledger="xA"))
    shown = hand.said(NewView)
    return bool(shown) and len(shown[0].view_changes) < 3


def f7_old_certificates(quirks: Quirks) -> bool:
    """Prepared at 12, then block 11 changes the weights: does the view change still show the old list's certificate?"""
    hand = replica(quirks=quirks)
    hand.lock_by_force(12, "B")
    heavy = Rules((1, 1, 1, 7), quirks=quirks)
    hand.give(LedgerAdvanced(Height(11), d("x11"), heavy, NodeIndex(0), by_sync=True))
    hand.give(TimerFired(TimerName.VIEW, hand.state.timer_epoch)) if hand.state.timer_on else hand.give(PoolSize(1))
    if not hand.said(ViewChange):
        hand.give(TimerFired(TimerName.VIEW, hand.state.timer_epoch))
    mine = hand.said(ViewChange)[0]
    other = replica(me=1, quirks=quirks)
    other.give(LedgerAdvanced(Height(11), d("x11"), heavy, NodeIndex(1), by_sync=True))
    other.hear(mine)
    return RejectReason.WEAK_CERTIFICATE in other.refusals()


def f8_thresholds_kept(quirks: Quirks) -> bool:
    """After four sealers became seven, do two view changes still make a replica join?"""
    hand = replica(quirks=quirks)
    hand.give(LedgerAdvanced(Height(11), d("x11"), Rules((1,) * 7, quirks=quirks), NodeIndex(0), by_sync=True))
    hand.hear(*(view_change(sender, 2, index=11, ledger="x11") for sender in (2, 3)))
    return hand.state.to_view == 2


def f9_executes_past_system(quirks: Quirks) -> bool:
    """A system block is agreed at 11; is 12 accepted, agreed and executed before 11 is in the ledger?"""
    hand = replica(quirks=quirks, period=10)
    hand.agree(11, "S", is_system=True)
    hand.execute(11, "S")
    hand.hear(pre(12, "B", 1, hand.state.rules))
    hand.give(Verified(Height(12), d("B"), is_valid=True))
    hand.prepares(12, "B")
    hand.commits(12, "B")
    return any(isinstance(effect, Execute) and effect.proposal.index == 12 for effect in hand.effects)


def f10_syncing_changes_view(quirks: Quirks) -> bool:
    """A replica that fetches blocks knows the next leader as gone: does it ask for another view?"""
    hand = replica(quirks=quirks)
    hand.give(SyncTarget(Height(20)))
    hand.give(PeersChanged(frozenset({NodeIndex(1), NodeIndex(2)}), frozenset({NodeIndex(3)})))
    hand.state = hand.state._replace(view=View(3), to_view=View(3))
    hand.write(11, "A", by_sync=True)
    return bool(hand.said(ViewChange))


def f11_new_view_again(quirks: Quirks) -> bool:
    """The NewView of view 2 comes twice: does the second start the timer again, so that it never runs out?"""
    hand = replica(quirks=quirks)
    hand.give(PoolSize(1))
    hand.enter(2)
    hand.enter(2)
    return any(effect.name is TimerName.VIEW for effect in hand.of(SetTimer))


def f13_far_views_kept(quirks: Quirks) -> bool:
    """A proposal of a view far away: is it kept?"""
    hand = replica(quirks=quirks)
    hand.hear(pre(11, "A", 1_002, hand.state.rules))
    return bool(hand.slot(11).later)


def f14_failed_not_retried(quirks: Quirks) -> bool:
    """An execution fails once: is the block never executed?"""
    hand = replica(quirks=quirks)
    hand.agree(11, "A")
    hand.give(Executed(Height(11), d("A"), None))
    hand.give(TimerFired(TimerName.EXECUTE_RETRY, hand.state.retry_epoch))
    return not hand.of(Execute)


def f15_low_mark_kept(quirks: Quirks) -> bool:
    """A height that had a proposal in view 1: is the one of view 2 refused?"""
    hand = replica(quirks=quirks)
    hand.accept(12, "A")
    hand.enter(2)
    hand.hear(pre(12, "B", 2, hand.state.rules))
    return RejectReason.DUPLICATE in hand.refusals()


def f16_leader_silent(quirks: Quirks) -> bool:
    """The replica leads height 11 in view 5: is it not told to seal when it enters?"""
    hand = replica(quirks=quirks)
    hand.hear(view_change(1, 5), view_change(2, 5), view_change(3, 5))
    assert hand.state.view == 5
    return not hand.of(SealRange)


def f16_timer_stopped(quirks: Quirks) -> bool:
    """Transactions wait when a block is written: is nothing armed?"""
    hand = replica(quirks=quirks)
    hand.give(PoolSize(1))
    hand.commit_block(11, "A")
    return not hand.state.timer_on


def f16_quorum_ignored(quirks: Quirks) -> bool:
    """The leader of view 5 has the view changes of a quorum: does it say nothing?"""
    hand = replica(quirks=quirks)
    hand.hear(view_change(1, 5), view_change(2, 5), view_change(3, 5))
    return not [effect for effect in hand.effects if isinstance(effect, Broadcast) and isinstance(effect.message, NewView)]


def f12_seal_time_unbounded(quirks: Quirks) -> bool:
    """The sealer waits four seconds: does the leader ask for another view before, so that its block comes too late?"""
    hand = replica(me=3, quirks=quirks)
    hand.state = hand.state._replace(rules=Settings(1, seal_ticks=4_000, quirks=tuple(quirk.value for quirk in quirks)).rules)
    hand.give(PoolSize(1))
    return hand.of(SetTimer)[0].after_ticks < 4_000


SCHEDULES: list[Callable[[Quirks], bool]] = [value for name, value in sorted(globals().items()) if name[:1] == "f" and name[1:2].isdigit()]


@pytest.mark.parametrize("happens", SCHEDULES, ids=lambda schedule: schedule.__name__)
def test_the_bug_is_there_with_the_switch_and_only_then(happens: Callable[[Quirks], bool]) -> None:
    quirk = Quirk(happens.__name__.replace("_", "-"))
    assert happens(frozenset({quirk}))
    assert not happens(NONE)


def test_every_switch_has_a_schedule() -> None:
    switches = {quirk.value for quirk in Quirk if quirk.value[0] == "f" and quirk.value[1].isdigit()}
    assert switches == {schedule.__name__.replace("_", "-") for schedule in SCHEDULES}
