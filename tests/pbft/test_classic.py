"""PBFT as published: planted bugs that take a hand to show, and message counts. The others: tests/trials/test_gate.py."""

from __future__ import annotations

import pytest

from fiscotool.mutants.plant import planted
from fiscotool.mutants.registry import MUTANTS
from fiscotool.pbft.dialects import CLASSIC
from fiscotool.pbft.events import PoolSize
from fiscotool.pbft.messages import Commit, Prepare, PrePrepare
from fiscotool.pbft.rules import Rules
from fiscotool.sim.cluster import Cluster
from tests.paper.test_classic import cert, pre, prepare, started, view_change


def test_talking_in_a_view_change_is_caught() -> None:
    with planted(MUTANTS["classic-N7"]):
        hand = started()
        hand.hear(pre(1, "A"))
        hand.give(PoolSize(1))
        hand.expire()
        hand.hear(prepare(2, 1, "A"))
    assert {found.rule for found in hand.complaints} == {"silent"}


def test_the_certificate_of_the_lowest_view_is_caught() -> None:
    with planted(MUTANTS["classic-M14"]):
        hand = started(me=3)
        hand.hear(view_change(0, 3, cert(1, "A", 0)), view_change(1, 3, cert(1, "B", 2)), view_change(2, 3))
    assert {found.rule for found in hand.complaints} == {"new-view"}


@pytest.mark.parametrize("n", [4, 7, 16])
def test_a_block_costs_the_messages_of_the_paper(n: int) -> None:
    """(n-1) pre-prepares, (n-1)**2 prepares, n(n-1) commits."""
    cluster = Cluster(Rules((1,) * n), seed=1, dialect=CLASSIC)
    cluster.start()
    cluster.run(500)
    before = dict(cluster.message_counts)
    cluster.submit("a")
    cluster.run(400)
    assert set(cluster.heights) == {1}
    counts = {kind: count - before.get(kind, 0) for kind, count in cluster.message_counts.items() if count != before.get(kind, 0)}
    assert counts == {PrePrepare.__name__: n - 1, Prepare.__name__: (n - 1) ** 2, Commit.__name__: n * (n - 1)}
