"""Every invariant can say no, and can say yes: each planted bug violates exactly the rules it breaks, and each rule holds on a clean run."""

from __future__ import annotations

import pytest

from fiscotool.consistency.findings import Judgement, Verdict
from fiscotool.consistency.judge import RULES, judge
from fiscotool.consistency.observations import Observations, RunInfo
from tests.consistency import edits
from tests.consistency.planted import BUGS, CLEAN, base, judged, judged_bug

# One process judges each run once, for these tests and for the page.
pytestmark = pytest.mark.xdist_group("planted")


def with_verdict(judgement: Judgement, verdict: Verdict) -> set[str]:
    return {finding.invariant.id for finding in judgement.findings if finding.verdict is verdict}


def violated(judgement: Judgement) -> set[str]:
    return with_verdict(judgement, Verdict.VIOLATED)


@pytest.mark.parametrize("name", CLEAN)
def test_the_runs_that_are_edited_are_clean(name: str) -> None:
    assert violated(judged(name)) == set()


@pytest.mark.parametrize("index", range(len(BUGS)), ids=[bug.what for bug in BUGS])
def test_a_planted_bug_violates_exactly_what_it_breaks(index: int) -> None:
    bug, judgement = BUGS[index], judged_bug(index)
    assert bug.edit(base(bug.base)) != base(bug.base), "the edit changed nothing"
    assert violated(judgement) == bug.violates
    assert judgement.verdict is Verdict.VIOLATED
    for finding in judgement.findings:
        if finding.invariant.id in bug.violates:
            assert finding.evidence[0].text, finding
            assert finding.evidence[0].text_zh, finding
            assert finding.checked_count > 0


def test_every_invariant_has_a_planted_bug() -> None:
    assert {rule for bug in BUGS for rule in bug.violates} == {invariant.id for invariant, _ in RULES}


@pytest.mark.parametrize("rule", [invariant.id for invariant, _ in RULES])
def test_every_invariant_holds_on_some_clean_run_that_could_have_broken_it(rule: str) -> None:
    findings = [finding for name in CLEAN for finding in judged(name).findings if finding.invariant.id == rule]
    assert any(finding.verdict is Verdict.HOLDS and finding.checked_count > 0 for finding in findings)
    assert all(finding.checked_count > 0 for finding in findings if finding.verdict is Verdict.HOLDS)


def test_nothing_is_concluded_from_an_empty_recording() -> None:
    judgement = judge(Observations(RunInfo(())))
    assert with_verdict(judgement, Verdict.INCONCLUSIVE) == {invariant.id for invariant, _ in RULES}
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert all(finding.summary and finding.summary_zh and not finding.checked_count for finding in judgement.findings)


def test_equal_observations_give_an_equal_judgement() -> None:
    assert judged("kill") == judge(base("kill"))


def test_a_leader_ahead_of_the_ledger_is_right_while_transactions_wait() -> None:
    """Pipelining: the next height to seal is ahead of the ledger by what is under way, which may stay so for long without a quorum."""
    seen = edits.samples(base("idle"), "node0", leader_index=lambda old: (old + 1) % 4, pending_count=3)
    assert violated(judge(seen)) == set()
