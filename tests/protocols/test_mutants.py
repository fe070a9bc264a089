"""Every property is shown to fail: one function of Raft or HotStuff replaced, and the worlds in which the property must say so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from fiscotool.pbft.events import Verified
from fiscotool.pbft.rules import Rules
from fiscotool.pbft.types import Height, NodeIndex, View
from fiscotool.protocols.hotstuff import handlers, leading, step, tree, voting
from fiscotool.protocols.hotstuff import state as hotstuff_state
from fiscotool.protocols.hotstuff.messages import Certificate, Generic, make_node
from fiscotool.protocols.hotstuff.properties import History
from fiscotool.protocols.raft import election, replication, terms
from fiscotool.protocols.raft.state import Role, last_index, term_at
from fiscotool.protocols.registry import HOTSTUFF, PROTOCOLS
from fiscotool.protocols.words import received
from fiscotool.sim.adversary import Equivocate, Strategy
from fiscotool.sim.cluster import Cluster
from fiscotool.sim.faults import Trouble, torment
from fiscotool.sim.network import Weather
from tests.protocols.hand import block, started

SEEDS = 150
WEATHERS = (Weather(1, 5), Weather(1, 30, 0.05, 0.1), Weather(1, 60, 0.2, 0.1))


@dataclass(frozen=True)
class Mutant:
    """Functions replaced, the property that must complain, and where."""

    dialect: str
    name: str
    shows: str
    places: tuple[tuple[Any, str], ...]
    make: Callable[[Any], Any]
    liars: tuple[int, ...] = ()


def _forget(_old: Any) -> Any:
    return lambda before, after, out: after


def _commit_any(_old: Any) -> Any:
    def committable(state: Any) -> Any:
        held = sorted(state.match_index, reverse=True)
        return max(state.commit, held[len(held) // 2])

    return committable


def _shorten_own(old: Any) -> Any:
    def on_heartbeat(state: Any, epoch: int, out: list[Any]) -> Any:
        is_due = epoch == state.epoch and state.role is Role.LEADER and last_index(state) > state.commit
        new = old(replace(state, log=state.log[:-1], match_index=(state.commit,) * len(state.match_index)) if is_due else state, epoch, out)
        return replace(new, next_index=(Height(last_index(new) + 1),) * len(new.next_index)) if is_due else new

    return on_heartbeat


def _go_back(old: Any) -> Any:
    def on_append(state: Any, message: Any, out: list[Any]) -> Any:
        new = old(state, message, out)
        return replace(new, commit=message.commit) if new.leader == message.sender else new

    return on_append


def _match_anything(old: Any) -> Any:
    """Takes entries whatever the one before is, where there is one."""

    def on_append(state: Any, message: Any, out: list[Any]) -> Any:
        found = term_at(state, message.index)
        return old(state, message if found is None else replace(message, previous_term=found), out)

    return on_append


RAFT_MUTANTS = (
    Mutant(
        "raft", "any two votes elect", "election-safety", ((election, "is_majority"),), lambda _old: lambda votes, _rules: len(votes) > 1
    ),
    Mutant(
        "raft", "votes for shorter logs", "leader-completeness", ((election, "is_up_to_date"),), lambda _old: lambda _state, _message: True
    ),
    Mutant("raft", "commits what the middle has, of any term", "own-term", ((replication, "committable"),), _commit_any),
    Mutant("raft", "a leader drops what is not committed", "append-only", ((replication, "on_heartbeat"),), _shorten_own),
    Mutant(
        "raft",
        "nothing is made durable",
        "persist-first",
        ((election, "persisted"), (replication, "persisted"), (terms, "persisted")),
        _forget,
    ),
    Mutant(
        "raft",
        "votes are lost in a crash",
        "one-vote",
        ((election, "persisted"), (terms, "persisted")),
        _forget,
    ),
    Mutant("raft", "a leader takes commits back", "monotone", ((replication, "on_append"),), _go_back),
    Mutant("raft", "does not look at the entry before", "log-matching", ((replication, "on_append"),), _match_anything),
    Mutant(
        "raft", "one holder is a majority", "state-machine-safety", ((replication, "is_majority"),), lambda _old: lambda _who, _rules: True
    ),
)


def _always(_old: Any) -> Any:
    return lambda *_arguments: True


def _two_chain(_old: Any) -> Any:
    """Commits the middle of the chain: one certificate too early."""

    def add(old: Any) -> Any:
        def early(state: Any, node: Any, out: list[Any]) -> Any:
            new = old(state, node, out)
            second = tree.find(new, node.justify.digest)
            first = tree.find(new, second.justify.digest) if second is not None else None
            return tree.commit(new, first, out) if first is not None else new

        return early

    return add(_old)


def _drop_lock(old: Any) -> Any:
    def add(state: Any, node: Any, out: list[Any]) -> Any:
        new = old(state, node, out)
        return replace(new, locked=new.genesis) if new.locked.view % 3 == 2 else new

    return add


def _vote_again(old: Any) -> Any:
    def consider(state: Any, out: list[Any]) -> Any:
        twice = [node for node in state.tree if node.view == state.view - 1 and node.digest != getattr(state.last_vote, "digest", b"")]
        if twice and state.voted_view == state.view - 1:
            voting.vote(state, twice[-1], out)
        return old(state, out)

    return consider


def _few(_old: Any) -> Any:
    return lambda replicas, _rules: len(set(replicas)) > 1


def _propose_again(old: Any) -> Any:
    def may_propose(state: Any) -> bool:
        is_turn = state.me is not None and hotstuff_state.leader_of(state.view, state.rules) == state.me
        return bool(old(state)) or (is_turn and state.proposed_view == state.view)

    return may_propose


HOTSTUFF_MUTANTS = (
    Mutant("hotstuff", "a lock is forgotten", "lock", ((tree, "add"),), _drop_lock),
    Mutant("hotstuff", "two certificates commit", "commit-rule", ((tree, "add"),), _two_chain),
    Mutant("hotstuff", "three with a view left out commit", "commit-rule", ((tree, "is_three_chain"),), _always),
    Mutant("hotstuff", "nothing is made durable", "persist-first", ((step, "must_remember"),), lambda _old: lambda _before, _after: False),
    Mutant("hotstuff", "votes twice in a view", "one-vote", ((voting, "consider"),), _vote_again, (1,)),
    Mutant("hotstuff", "votes are lost in a crash", "one-vote", ((step, "must_remember"),), lambda _old: lambda _before, _after: False),
    Mutant("hotstuff", "two votes certify", "certificate", ((tree, "is_quorum"), (handlers, "is_quorum")), _few),
    Mutant("hotstuff", "proposes twice in a view", "one-proposal", ((leading, "may_propose"),), _propose_again),
)


def run(dialect: str, seed: int, liars: tuple[int, ...]) -> set[str]:
    """The properties that one world of crashes and partitions shows to be broken."""
    strategies: dict[int, Strategy] = {liar: Equivocate() for liar in liars}
    weather = WEATHERS[seed % len(WEATHERS)]
    cluster = Cluster(
        Rules((1,) * 4, timeout_base_ticks=300), seed=seed, dialect=PROTOCOLS[dialect], weather=weather, strategies=strategies
    )
    cluster.steps_max = 20_000
    cluster.start()
    try:
        torment(cluster, Trouble(ticks=12_000, action_ticks=150, crashes=not liars))
    except AssertionError:
        return set()  # What the core's own assertions notice counts for nothing.
    return {violation.rule for violation in cluster.violations}


@pytest.mark.parametrize("mutant", [*RAFT_MUTANTS, *HOTSTUFF_MUTANTS], ids=lambda mutant: f"{mutant.dialect}: {mutant.name}")
def test_a_planted_bug_is_noticed(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in mutant.places:
        monkeypatch.setattr(module, name, mutant.make(getattr(module, name)))
    shown: set[str] = set()
    for seed in range(SEEDS):
        shown |= run(mutant.dialect, seed, mutant.liars)
        if mutant.shows in shown:
            return
    pytest.fail(f"nothing noticed: {mutant.name}; shown {sorted(shown)}")


@pytest.mark.parametrize(("dialect", "liars"), [("raft", ()), ("hotstuff", ()), ("hotstuff", (1,))])
def test_the_same_worlds_are_clean_without_them(dialect: str, liars: tuple[int, ...]) -> None:
    assert [(seed, broken) for seed in range(5) if (broken := run(dialect, seed, liars))] == []


def test_a_vote_against_the_lock_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """No correct leader asks for one; a liar proposes on the beginning again."""

    def told(*, is_planted: bool) -> set[str]:
        if is_planted:
            monkeypatch.setattr(voting, "is_safe", lambda *_arguments: True)
        hand, history = started(HOTSTUFF), History()
        justify, found = hand.state.genesis, []
        nodes = [make_node(View(view), Height(view), justify, block(view)) for view in (1,)]
        for view in (2, 3):
            last = nodes[-1]
            certificate = Certificate(last.view, last.digest, (NodeIndex(1), NodeIndex(2), NodeIndex(3)))
            nodes.append(make_node(View(view), Height(view), certificate, block(view)))
        nodes.append(make_node(View(4), Height(1), justify, block(1, "fork")))
        for node in nodes:
            proposal = node.proposal
            assert proposal is not None
            message = received(Generic(node.view, NodeIndex(node.view % 4), node))
            for event in (message, Verified(proposal.index, proposal.digest, is_valid=True)):
                before = hand.state
                effects = hand.do(event)
                found += history.check("node0", before, event, hand.state, tuple(effects))
        return {violation.rule for violation in found}

    assert told(is_planted=False) == set()
    assert told(is_planted=True) == {"lock"}


def test_agreement_is_noticed() -> None:
    """Two replicas that committed different nodes at one place, as more than f liars can make them."""
    history, broken = History(), []
    for name in ("a", "b"):
        hand = started(HOTSTUFF)
        justify = hand.state.genesis
        for view in range(1, 5):
            node = make_node(View(view), Height(view), justify, block(view, name))
            before = hand.state
            event = received(Generic(node.view, NodeIndex(view % 4), node))
            effects = hand.do(event)
            broken += history.check(name, before, event, hand.state, tuple(effects))
            justify = Certificate(node.view, node.digest, (NodeIndex(1), NodeIndex(2), NodeIndex(3)))
    assert {violation.rule for violation in broken} == {"agreement", "certificate"}
