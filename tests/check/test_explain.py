"""Explanations: the smallest evidence still shows what it is of, and the switch named is the one that was planted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from fiscotool.check.explain import Explanation, explain
from fiscotool.check.explain_core import smallest
from fiscotool.check.explain_switch import suspects
from fiscotool.check.explain_switches import SWITCHES
from fiscotool.check.trace import Members, TraceContext, check_trace
from fiscotool.check.trace_guards import GUARDS
from fiscotool.mutants.plant import mutated
from fiscotool.mutants.registry import MUTANTS
from fiscotool.pbft.dialects import DIALECTS
from fiscotool.pbft.trace import Act, TraceRecord
from fiscotool.sim import faults
from fiscotool.sim.cluster import Cluster
from fiscotool.sim.schedule import plan, play
from fiscotool.sim.settings import draw_settings
from fiscotool.sim.tracing import Tracer
from tests.check.traces import changed, clean_trace, place_of, without


def explained(records: Sequence[TraceRecord], context: TraceContext | None = None) -> Explanation:
    context = context or TraceContext()
    found = explain(records, context, check_trace(records, context=context))
    assert found is not None
    return found


def one_vote_short() -> list[TraceRecord]:
    """Node1 is prepared at height 4 on the Prepares of 0 and 2."""
    records = without(
        clean_trace(6), lambda r: r.replica == "node1" and r.act is Act.RECEIVE_PREPARE and r.height == 4 and r.sender in {1, 3}
    )
    last = place_of(records, Act.RECEIVE_PREPARE, "node1", 4, 1)
    return changed(records, last, weight=2)


def test_a_lacking_vote_is_shown_by_the_votes_there_were() -> None:
    found = explained(one_vote_short())
    assert (found.breach.guard, found.margin) == ("prepared.quorum", -1)
    assert [record.act for record in found.core.records] == [Act.RECEIVE_PREPARE, Act.RECEIVE_PREPARE, Act.PREPARED]
    assert {record.sender for record in found.core.records if record.sender is not None} == {0, 2}
    assert found.core.is_minimal
    assert found.suspects[0].switch.name == "M1"
    assert found.suspects[0].makes_legal


def test_the_evidence_judged_again_shows_the_same_and_none_of_it_can_go() -> None:
    found = explained(one_vote_short())

    def shows(records: Sequence[TraceRecord]) -> bool:
        return any(
            breach.guard == found.breach.guard and breach.text == found.breach.text and breach.record == found.breach.record
            for breach in check_trace(records).breaches
        )

    core = list(found.core.records)
    assert shows(core)
    for place in range(len(core)):
        assert not shows(core[:place] + core[place + 1 :])


def test_a_contradiction_is_shown_by_both_its_sides() -> None:
    records = clean_trace(4)
    place = place_of(records, Act.LEDGER_COMMIT, "node2", 3)
    forked = changed(records, place, digest="0003dead")
    context = TraceContext()
    breach = next(each for each in check_trace(forked, context=context).breaches if each.guard == "ledger.same")
    core = smallest(forked, context, breach)
    assert len(core.records) <= 4
    assert {record.digest for record in core.records if record.height == 3} >= {"0003dead", "0003cafe"}


def test_the_search_stops_when_its_work_is_done_and_says_so() -> None:
    records = one_vote_short()
    context = TraceContext()
    breach = check_trace(records, context=context).first
    assert breach is not None
    core = smallest(records, context, breach, work_max=1)
    assert not core.is_minimal
    assert breach.record in core.records


def test_a_clean_trace_has_nothing_to_explain() -> None:
    records = clean_trace()
    assert explain(records, TraceContext(), check_trace(records)) is None
    assert suspects((), TraceContext()) == ()


def test_switches_loosen_guards_that_there_are() -> None:
    names = [switch.name for switch in SWITCHES]
    assert len(set(names)) == len(names)
    for switch in SWITCHES:
        assert set(switch.loosens) | switch.always | switch.follows <= set(GUARDS), switch.name
        assert switch.always <= set(switch.loosens)
        assert switch.title != switch.title_zh


def test_a_breach_beyond_what_a_switch_loosens_is_not_legal_under_it() -> None:
    breach = replace(explained(one_vote_short()).breach, have=1)
    names = [suspect.switch.name for suspect in suspects([breach], TraceContext())]
    assert "M1" not in names, "two voters less are not one"


@pytest.mark.parametrize("name", ["M1", "M2", "M3", "M32", "M41", "M46b", "N8", "N9", "N12", "N14"])
def test_the_planted_mutant_is_the_one_named(name: str) -> None:
    settings = draw_settings(101, node_count=4, dialect="fisco3", byzantine=(), ticks=3000)
    cluster = Cluster(
        settings.rules,
        seed=settings.seed,
        weather=settings.weather,
        pace=settings.pace,
        dialect=mutated(DIALECTS["fisco3"], MUTANTS[name]),
    )
    tracer = Tracer(cluster)
    cluster.listeners.append(tracer.on_step)
    cluster.start()
    play(cluster, plan(settings), settings.ticks)
    faults.recover(cluster, blocks=2, dead=settings.dead)
    context = TraceContext(members=(Members(0, settings.weights, settings.leader_period_blocks),))
    found = explained(tracer.records, context)
    assert found.suspects[0].switch.name == name, [(each.switch.name, each.explained, each.total) for each in found.suspects]
    assert len(found.core.records) <= 15
