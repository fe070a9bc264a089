"""Edits that must be rejected are, and the labels say why without asking the judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from fiscotool.check.edits import OPERATORS, WHOLE_OPERATORS, Clean, edits_of, picker, shift, splice
from fiscotool.check.edits_survey import survey
from fiscotool.check.trace import TraceContext, Verdict, check_trace
from fiscotool.pbft.trace import Act, TraceRecord
from tests.check.test_trace_cuts import traced
from tests.check.traces import Scribe, clean_trace


def accepts(records: Sequence[TraceRecord]) -> bool:
    return check_trace(records, context=TraceContext()).verdict is not Verdict.VIOLATION


def other_trace() -> list[TraceRecord]:
    """Other blocks, and a view change between two."""
    scribe = Scribe()
    scribe.start()
    scribe.block(1, digest="0001f00d")
    scribe.change_view(1, 4, old=3)
    scribe.block(2, view=4, digest="0002f00d")
    return scribe.records


def test_all_edits_that_must_be_rejected_are() -> None:
    found = survey([(Clean(clean_trace()), accepts), (Clean(other_trace()), accepts)], edits_a_trace=156)
    assert set(found.rows) == {*OPERATORS, *WHOLE_OPERATORS}
    assert not found.missed, [(edit.operator, edit.why, edit.replica, edit.place) for edit in found.missed[:5]]
    for name, row in found.rows.items():
        assert row.must_reject >= 2, f"{name} had too few places where it must be rejected"
    assert found.must_reject == found.rejected > 150
    assert sum(row.may_accept - row.may_rejected for row in found.rows.values()) > 10, "not every edit is rejected"
    assert found.lines()[-1].startswith("| **all** |")


def test_a_blind_judge_is_noticed() -> None:
    found = survey([(Clean(clean_trace(1)), lambda _: True)], edits_a_trace=130)
    assert found.rejected == 0
    assert len(found.missed) == found.must_reject > 50


def test_a_trace_that_is_not_clean_is_refused() -> None:
    with pytest.raises(AssertionError, match="prove nothing"):
        survey([(Clean(clean_trace(1)), lambda _: False)], edits_a_trace=13)


def test_the_same_seed_makes_the_same_edits() -> None:
    clean = Clean(clean_trace(2))
    one, other = (list(edits_of(clean, picker(7), 52)) for _ in range(2))
    assert one == other
    assert len({edit.operator for edit in one}) == len(OPERATORS)


def test_numbers_alone_give_nothing_away() -> None:
    for edit in edits_of(Clean(clean_trace(2)), picker(3), 260):
        for name in {record.replica for record in edit.records}:
            lane = [record for record in edit.records if record.replica == name]
            for before, after in pairwise(lane):
                assert after.sequence == (before.sequence + 1 if after.life == before.life else 0)


def test_in_a_life_whose_beginning_is_not_told_nothing_is_concluded_from_what_it_lacks() -> None:
    records = [record for record in clean_trace(2) if record.act is not Act.START]
    for edit in edits_of(Clean(records), picker(5), 200, only=("delete", "duplicate", "swap", "weight - 1", "drop a signer")):
        assert not edit.must_reject, edit.why


def test_clocks_may_differ_by_what_is_allowed_and_runs_by_nothing() -> None:
    clean = Clean(clean_trace(1))
    assert shift(clean, "node1", -5.0, 0.0).must_reject
    assert not shift(clean, "node1", -5.0, 10.0).must_reject
    spliced = splice(clean, Clean(clean_trace(1)), "node2")
    assert spliced is not None
    assert not spliced.must_reject, "the same run twice is one run"


@pytest.mark.parametrize("dialect", ["fisco2", "classic"])
def test_edits_of_the_other_protocols_are_rejected(dialect: str) -> None:
    """Of a simulated run; there are no weights to be wrong, and what a restarted process keeps binds it."""
    records, open_ended = traced(1, dialect, 800)
    context = replace(open_ended, ends_open=False)
    members = context.members[0]
    clean = Clean(records, members.weights, period_blocks=members.leader_period_blocks, dialect=dialect)
    found = survey([(clean, lambda edited: check_trace(edited, context=context).verdict is not Verdict.VIOLATION)], edits_a_trace=60)
    assert not found.missed, [(edit.operator, edit.why, edit.replica, edit.place) for edit in found.missed[:5]]
    assert found.must_reject == found.rejected > 15
