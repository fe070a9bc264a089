"""Weights that no line tells, out of what votes add."""

from __future__ import annotations

from fiscotool.observer.logs.weights import facts_of, weights_by_height
from fiscotool.pbft.trace import Act, TraceRecord

FAR = 1 << 40


def votes(weights: dict[int, tuple[int, ...]], *, spoilt: int | None = None) -> list[TraceRecord]:
    """What two nodes tell of the Prepares and Commits at heights 1 to 6; `weights` by the height from which on they hold."""
    found: list[TraceRecord] = []
    for name in ("node0", "node1"):
        for height in range(1, 7):
            now = weights[max(since for since in weights if since <= height)]
            found.append(TraceRecord(name, 0, len(found), len(found) / 1000, Act.HEAD, height=height - 1, digest="aa"))
            for act in (Act.RECEIVE_PREPARE, Act.RECEIVE_COMMIT):
                for sender in range(len(now)):
                    told = sum(now[: sender + 1]) + (len(found) == spoilt)
                    found.append(
                        TraceRecord(
                            name,
                            0,
                            len(found),
                            len(found) / 1000,
                            act,
                            height=height,
                            view=0,
                            digest=f"{height}",
                            sender=sender,
                            weight=told,
                        )
                    )
    return found


def test_a_change_is_found_at_its_height() -> None:
    records = votes({1: (1, 1, 1, 1), 3: (1, 2, 1, 1), 5: (3, 3, 3, 3)})
    assert weights_by_height(facts_of(records), 0, FAR, 4) == [(0, (1, 1, 1, 1)), (3, (1, 2, 1, 1)), (5, (3, 3, 3, 3))]


def test_no_one_wrong_weight_makes_a_change() -> None:
    clean = votes({1: (1, 2, 1, 1)})
    for place, record in enumerate(clean):
        if record.act is not Act.HEAD:
            assert weights_by_height(facts_of(votes({1: (1, 2, 1, 1)}, spoilt=place)), 0, FAR, 4) == [(0, (1, 2, 1, 1))]


def test_votes_for_another_than_the_next_block_and_before_any_head_say_nothing() -> None:
    records = [record for record in votes({1: (5, 1, 1, 1)}) if record.act is not Act.HEAD]
    assert weights_by_height(facts_of(records), 0, FAR, 4) == [(0, (1, 1, 1, 1))]
