"""Raft and HotStuff under crashes, loss and lies: safe as far as they promise, and not further; and the contract of `step`."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner

from fiscotool.cli.main import cli
from fiscotool.pbft import events as ev
from fiscotool.pbft.effects import Effect, Remember
from fiscotool.pbft.rules import Rules
from fiscotool.pbft.types import Height, NodeIndex
from fiscotool.protocols.hotstuff import pacemaker
from fiscotool.protocols.registry import CRASH_ONLY, HOTSTUFF, PROTOCOLS, RAFT
from fiscotool.sim import chain
from fiscotool.sim.adversary import Equivocate
from fiscotool.sim.cluster import Cluster
from fiscotool.sim.faults import Trouble, recover, torment
from fiscotool.sim.network import Weather
from fiscotool.sim.run import simulate
from fiscotool.sim.settings import draw_settings, problems_of
from fiscotool.sim.twins import Explorer

OURS = (RAFT, HOTSTUFF)
BOTH = pytest.mark.parametrize("dialect", OURS, ids=lambda dialect: dialect.name)


@BOTH
def test_drawn_worlds_are_safe_and_live(dialect: Any) -> None:
    outcomes = [simulate(draw_settings(seed, dialect=dialect.name)) for seed in range(8)]
    assert [(outcome.settings.seed, outcome.rules_broken, outcome.stuck) for outcome in outcomes if not outcome.is_good] == []
    assert sum(outcome.decisions for outcome in outcomes) > 30
    assert len({outcome.log_sha256 for outcome in outcomes}) == 8


@BOTH
def test_the_same_seed_is_the_same_run(dialect: Any) -> None:
    settings = draw_settings(5, dialect=dialect.name)
    assert simulate(settings).log_sha256 == simulate(settings).log_sha256


@pytest.mark.parametrize("name", ["silent", "withhold", "equivocate", "forgetful"])
def test_hotstuff_survives_f_liars(name: str) -> None:
    for seed in range(3):
        outcome = simulate(draw_settings(seed, dialect="hotstuff", node_count=4, byzantine=((seed % 4, name),), dead=()))
        assert outcome.is_good, (seed, outcome.rules_broken, outcome.stuck)


def test_one_equivocating_leader_breaks_raft() -> None:
    outcome = simulate(draw_settings(3, dialect="raft", node_count=4, byzantine=((1, "equivocate"),)))
    assert "state-machine-safety" in outcome.rules_broken


def test_the_demonstration_of_the_documentation() -> None:
    arguments = ["simulate", "--dialect", "raft", "--nodes", "4", "--byzantine", "1:equivocate", "--seed", "3"]
    result = CliRunner().invoke(cli, arguments, standalone_mode=False)
    assert "state-machine-safety" in result.stdout
    result = CliRunner().invoke(cli, [*arguments[:2], "hotstuff", *arguments[3:]], standalone_mode=False)
    assert result.stdout.startswith("ok")


def test_the_same_liar_in_the_same_worlds_breaks_raft_and_not_hotstuff() -> None:
    broken = {}
    for dialect in OURS:
        broken[dialect.name] = 0
        for seed in range(6):
            cluster = Cluster(Rules((1,) * 4), seed=seed, dialect=dialect, weather=Weather(1, 20), strategies={1: Equivocate()})
            cluster.start()
            torment(cluster, Trouble(ticks=12_000, crashes=False))
            assert recover(cluster)
            broken[dialect.name] += bool(cluster.violations)
    assert broken["raft"] > 0
    assert broken["hotstuff"] == 0


def test_f_plus_1_liars_break_hotstuff_and_f_do_not() -> None:
    """Two of four live twice: each half of the split network is a quorum. With one of four only one half is."""
    twice = Explorer(HOTSTUFF, twins=2)
    twice.choices = [(0, 0, 0, 1, 1, 1)]
    assert {violation.rule for _, violation in twice.explore(8).violations} == {"agreement"}
    once = Explorer(HOTSTUFF, twins=1)
    once.choices = [(0, 0, 0, 1, 1)]
    result = once.explore(8)
    assert (result.violations, result.blocks_max > 2) == ([], True)


def test_all_twins_scenarios_of_two_rounds_are_safe() -> None:
    result = Explorer(HOTSTUFF).explore(2)
    assert (result.scenarios, result.violations) == (225, [])
    assert result.blocks_max >= 3


def test_four_replicas_with_one_down_go_on() -> None:
    for dialect in OURS:
        cluster = Cluster(Rules((1,) * 4), seed=2, dialect=dialect)
        cluster.start([0, 1, 2])
        cluster.run(5_000)
        cluster.submit("a", "b", "c", "d")
        assert cluster.run(60_000, until=lambda living=cluster.replicas[:3]: all(replica.height >= 1 for replica in living))  # type: ignore[misc]


def test_without_the_vote_in_new_views_four_replicas_with_one_down_never_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """As published: the certificate of the view before the dead leader's is lost, and only two in a row survive."""
    with_vote = pacemaker.mine
    monkeypatch.setattr(pacemaker, "mine", lambda state: replace(with_vote(state), vote=None))
    cluster = Cluster(Rules((1,) * 4, timeout_base_ticks=300), seed=2, dialect=HOTSTUFF)
    cluster.start([0, 1, 2])
    cluster.run(1_000)
    cluster.submit("a", "b", "c", "d")
    cluster.run(30_000)
    assert cluster.heights == [0, 0, 0, 0]
    views = [view for view in cluster.views() if view is not None]
    assert min(views) > 20, "they try"


def test_members_never_change_and_nobody_lies_by_chance_in_raft() -> None:
    for dialect in OURS:
        settings = draw_settings(1, dialect=dialect.name, weight_changes=True)
        assert "never change" in (problems_of(settings) or "")
    assert all(not draw_settings(seed, dialect="raft").byzantine for seed in range(30))
    assert {"raft"} == CRASH_ONLY


@BOTH
def test_the_contract_of_step(dialect: Any) -> None:
    """Total, equal for equal arguments, and the state itself where nothing changed: on events of a bad world."""
    checked = 0

    def look(_node: str, event: ev.Event, before: Any, after: Any, _done: tuple[Effect, ...]) -> None:
        nonlocal checked
        again, effects = dialect.step(before, event)
        assert again == after
        assert again is not before or not any(isinstance(effect, Remember) for effect in effects)
        checked += 1

    for seed in range(3):
        cluster = Cluster(Rules((1,) * 4), seed=seed, dialect=dialect, weather=Weather(1, 200, 0.1, 0.2))
        cluster.listeners.append(look)
        cluster.start()
        torment(cluster, Trouble(ticks=8_000))
    assert checked > 200


@BOTH
def test_messages_of_other_protocols_and_of_strangers_are_refused(dialect: Any) -> None:
    state = dialect.initial_state(rules=Rules((1,) * 4), me=NodeIndex(0), height=Height(0), block_hash=chain.genesis_hash())
    generator = random.Random(1)
    seen = set()
    for name in PROTOCOLS:
        for seed in range(2):
            cluster = Cluster(Rules((1,) * 4), seed=seed, dialect=PROTOCOLS[name], weather=Weather(1, 50, 0.1))
            messages: list[Any] = []
            cluster.tap = lambda message, _copies, kept=messages: kept.append(message)
            cluster.start()
            torment(cluster, Trouble(ticks=5_000))
            for message in generator.sample(messages, min(40, len(messages))):
                after, effects = dialect.step(state, ev.Received(message))
                assert after is not None
                seen.add((name == dialect.name, after is state and bool(effects)))
    assert (False, True) in seen
    assert (False, False) not in seen, "what another protocol says changes nothing"
