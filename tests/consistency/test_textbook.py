"""What text-book PBFT would have said of a run is counted beside the verdict, and never changes it."""

from __future__ import annotations

from dataclasses import replace

from fiscotool.consistency.findings import Deviation, Verdict
from fiscotool.consistency.judge import judge
from fiscotool.consistency.observations import Observations
from tests.consistency import edits
from tests.consistency.planted import base, judged


def deviations(name: str) -> dict[str, Deviation]:
    return {each.id: each for each in judged(name).deviations}


def test_a_leader_that_moves_on_with_the_height_is_no_text_book_primary() -> None:
    found = deviations("quiet")["primary"]
    assert found.checked_count > 50
    assert 0.6 < found.count / found.checked_count < 0.9, "three of four heights have another leader than the view's primary"
    assert judged("quiet").verdict is Verdict.HOLDS


def test_a_chain_whose_primary_stays_does_not_differ() -> None:
    seen = base("quiet")
    stays = replace(seen, blocks=tuple(replace(block, sealer=3) for block in seen.blocks))
    assert next(each for each in judge(stays).deviations if each.id == "primary").count == 0


def test_views_forgotten_and_waits_that_do_not_double_are_counted() -> None:
    assert deviations("kill")["views-kept"].count == 1
    found = deviations("two")["waits-double"]
    assert found.count == found.checked_count > 0, "the waits between grow by half only"


def test_a_block_got_in_time_out_is_counted() -> None:
    def stuck(seen: Observations) -> Observations:
        return edits.samples(seen, "node1", 30.0, view=0, timeout=True)

    found = next(each for each in judge(stuck(base("long"))).deviations if each.id == "silent-in-time-out")
    assert found.count > 10
    assert found.text_zh


def test_a_quorum_of_five_is_more_than_the_papers() -> None:
    seen = replace(
        base("quiet"), blocks=tuple(replace(block, weights=(2, 1, 1, 1)) if block.number else block for block in base("quiet").blocks)
    )
    found = next(each for each in judge(seen).deviations if each.id == "quorum")
    assert found.count == found.checked_count > 0
    assert deviations("quiet")["quorum"].count == 0
