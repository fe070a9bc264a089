"""Raft as published (USENIX ATC'14), sentence by sentence; the numbers are the paper's sections. Replica 0 of five, a new log."""

from __future__ import annotations

import pytest

from fiscotool.pbft.effects import BuildFillers, CommitBlock, Execute, ReleaseTransactions, SetTimer
from fiscotool.pbft.events import FillersBuilt, Proposed, TimerName
from fiscotool.pbft.types import Height, NodeIndex, View
from fiscotool.protocols.raft.messages import AppendEntries, AppendReply, Entry, RequestVote, VoteReply
from fiscotool.protocols.raft.state import Role
from fiscotool.protocols.registry import RAFT
from tests.protocols.hand import Hand, block, order_of, refused, said, sent_to, started


def replica() -> Hand:
    return started(RAFT, nodes=5)


def append(previous: tuple[int, int], *entries: Entry, term: int = 1, commit: int = 0, sender: int = 1) -> AppendEntries:
    return AppendEntries(View(term), NodeIndex(sender), Height(previous[0]), View(previous[1]), entries, Height(commit))


def entry(index: int, term: int, name: str = "a") -> Entry:
    return Entry(View(term), block(index, name))


def ask(term: int, sender: int, last: tuple[int, int] = (0, 0)) -> RequestVote:
    return RequestVote(View(term), NodeIndex(sender), Height(last[0]), View(last[1]))


def elected(hand: Hand) -> Hand:
    """With the votes of 1 and 2."""
    hand.time_out()
    for voter in (1, 2):
        hand.hear(VoteReply(hand.state.term, NodeIndex(voter), Height(0), is_granted=True))
    assert hand.state.role is Role.LEADER
    return hand


def test_5_1_a_server_with_a_stale_term_is_refused_and_a_later_term_makes_a_follower() -> None:
    leader = elected(replica())
    assert said(leader.hear(append((0, 0), term=0)), AppendReply)[0].is_success is False
    leader.hear(AppendReply(View(9), NodeIndex(3), Height(0), is_success=False))
    assert (leader.state.role, leader.state.term) == (Role.FOLLOWER, 9)
    assert leader.stand.term == 9


def test_5_2_a_follower_that_hears_no_leader_increments_its_term_votes_for_itself_and_asks_all() -> None:
    hand = replica()
    effects = hand.time_out()
    assert (hand.state.role, hand.state.term, hand.state.voted_for) == (Role.CANDIDATE, 1, 0)
    assert order_of(effects) == ["Remember", "Broadcast"]
    assert said(effects, RequestVote) == [ask(1, 0)]


def test_5_2_election_timeouts_are_drawn_from_a_range() -> None:
    timers = [effect for effect in replica().effects if isinstance(effect, SetTimer)]
    assert [(timer.name, timer.after_ticks, timer.spread_ticks) for timer in timers] == [(TimerName.VIEW, 3000, 3000)]


def test_5_2_one_vote_a_term_first_come_first_served_also_after_a_restart() -> None:
    hand = replica()
    assert said(hand.hear(ask(1, 3)), VoteReply)[0].is_granted
    assert not said(hand.hear(ask(1, 4)), VoteReply)[0].is_granted
    again = hand.restart()
    assert not said(again.hear(ask(1, 4)), VoteReply)[0].is_granted
    assert said(again.hear(ask(1, 3)), VoteReply)[0].is_granted, "the same candidate is answered the same"


def test_5_2_a_majority_makes_a_leader_who_tells_everyone_at_once() -> None:
    hand = replica()
    hand.time_out()
    hand.hear(VoteReply(View(1), NodeIndex(1), Height(0), is_granted=True))
    hand.hear(VoteReply(View(1), NodeIndex(1), Height(0), is_granted=True))
    hand.hear(VoteReply(View(1), NodeIndex(3), Height(0), is_granted=False))
    assert hand.state.role.value == "candidate", "two of five, one of them twice"
    effects = hand.hear(VoteReply(View(1), NodeIndex(2), Height(0), is_granted=True))
    assert hand.state.role is Role.LEADER
    assert sent_to(effects, AppendEntries) == [1, 2, 3, 4]


def test_5_2_a_candidate_that_hears_a_leader_of_its_term_gives_up() -> None:
    hand = replica()
    hand.time_out()
    hand.hear(append((0, 0), term=1))
    assert (hand.state.role, hand.state.leader) == (Role.FOLLOWER, 1)


def test_5_3_an_entry_is_committed_once_a_majority_has_it_and_then_applied() -> None:
    leader = elected(replica())
    effects = leader.do(Proposed(block(1)))
    assert order_of(effects)[:2] == ["Remember", "Send"]
    leader.hear(AppendReply(View(1), NodeIndex(3), Height(1), is_success=True))
    assert leader.state.commit == 0
    effects = leader.hear(AppendReply(View(1), NodeIndex(4), Height(1), is_success=True))
    assert leader.state.commit == 1
    assert [message.commit for message in said(effects, AppendEntries)] == [1] * 4
    assert any(isinstance(effect, CommitBlock) for effect in leader.settle(effects))
    assert leader.state.height == 1


def test_5_3_a_follower_refuses_entries_after_a_place_where_its_log_differs() -> None:
    hand = replica()
    effects = hand.hear(append((1, 1), entry(2, 1)))
    assert [(reply.is_success, reply.index) for reply in said(effects, AppendReply)] == [(False, 0)]
    assert hand.state.log == ()


def test_5_3_conflicting_entries_are_dropped_and_agreeing_ones_kept() -> None:
    hand = replica()
    hand.hear(append((0, 0), entry(1, 1), entry(2, 1, "old"), entry(3, 1, "older")))
    effects = hand.hear(append((1, 1), entry(2, 2, "new"), term=2, sender=2))
    assert [(each.term, each.proposal.digest) for each in hand.state.log] == [(1, block(1).digest), (2, block(2, "new").digest)]
    assert [effect.proposal.digest for effect in effects if isinstance(effect, ReleaseTransactions)] == [
        block(2, "old").digest,
        block(3, "older").digest,
    ]
    hand.hear(append((0, 0), entry(1, 1), term=2, sender=2))
    assert len(hand.state.log) == 2, "an older message with less in it drops nothing"


def test_5_3_a_leader_goes_back_until_the_logs_agree_and_never_changes_its_own() -> None:
    leader = elected(replica())
    for index in (1, 2, 3):
        leader.do(Proposed(block(index)))
    log = leader.state.log
    effects = leader.hear(AppendReply(View(1), NodeIndex(1), Height(0), is_success=False))
    assert [(message.index, len(message.entries)) for message in said(effects, AppendEntries)] == [(0, 3)]
    assert leader.state.log == log


@pytest.mark.parametrize(("last", "is_granted"), [((2, 2), True), ((3, 1), False), ((1, 2), False), ((1, 3), True), ((3, 2), True)])
def test_5_4_1_votes_go_to_logs_that_are_at_least_as_up_to_date(last: tuple[int, int], is_granted: bool) -> None:
    hand = replica()
    hand.hear(append((0, 0), entry(1, 1), entry(2, 2), term=2))
    assert said(hand.hear(ask(5, 3, last)), VoteReply)[0].is_granted is is_granted
    assert hand.state.term == 5, "the later term counts, whatever the vote"


def test_5_4_2_entries_of_earlier_terms_are_not_committed_by_counting() -> None:
    hand = replica()
    hand.hear(append((0, 0), entry(1, 1)))
    leader = elected(hand)
    assert leader.state.term == 2
    for follower in (1, 2, 3, 4):
        leader.hear(AppendReply(View(2), NodeIndex(follower), Height(1), is_success=True))
    assert leader.state.commit == 0
    asked = [effect for effect in leader.effects if isinstance(effect, BuildFillers)]
    assert asked == [BuildFillers(View(2), (Height(2),))], "section 8: an empty entry of its own term"
    leader.do(FillersBuilt(View(2), (block(2, "filler"),)))
    for follower in (1, 2):
        leader.hear(AppendReply(View(2), NodeIndex(follower), Height(2), is_success=True))
    assert leader.state.commit == 2


def test_5_3_followers_learn_of_commits_but_never_beyond_what_they_have() -> None:
    hand = replica()
    effects = hand.hear(append((0, 0), entry(1, 1), commit=7))
    assert hand.state.commit == 1
    assert [effect.proposal.index for effect in effects if isinstance(effect, Execute)] == [1]


def test_5_4_a_leader_cannot_make_a_follower_drop_what_is_committed() -> None:
    """No Raft leader asks for it; a liar might."""
    hand = replica()
    hand.hear(append((0, 0), entry(1, 1), commit=1))
    effects = hand.hear(append((0, 0), entry(1, 2, "other"), term=2, sender=2))
    assert refused(effects)
    assert hand.state.log == (entry(1, 1),)
