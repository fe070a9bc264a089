"""Vote arithmetic. bcos-pbft PBFTConfig.cpp updateQuorum (spec 3.x 1.5); OSDI'99 section 3 and 4 for equal weights."""

from __future__ import annotations

from itertools import combinations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiscotool.pbft.quorum import faulty_weight_max, join_weight, leader_of, quorum_weight, weight_of, weight_with_repeats
from fiscotool.pbft.rules import Rules
from fiscotool.pbft.types import Height, NodeIndex, View

WEIGHTS = st.lists(st.integers(1, 6), min_size=1, max_size=7).map(tuple)


@pytest.mark.parametrize(
    ("weight_total", "faulty_max", "quorum"),
    [
        pytest.param(1, 0, 1, id="alone it tolerates nothing"),
        pytest.param(2, 0, 2, id="two tolerate nothing"),
        pytest.param(3, 0, 3, id="three tolerate nothing"),
        pytest.param(4, 1, 3, id="3f+1 with f=1"),
        pytest.param(5, 1, 4, id="not 3f+1: quorum grows, f does not"),
        pytest.param(6, 1, 5, id="six: quorum grows again"),
        pytest.param(7, 2, 5, id="3f+1 with f=2"),
        pytest.param(10, 3, 7, id="3f+1 with f=3"),
        pytest.param(0, 0, 0, id="nobody"),
    ],
)
def test_weights(weight_total: int, faulty_max: int, quorum: int) -> None:
    assert faulty_weight_max(weight_total) == faulty_max
    assert quorum_weight(weight_total) == quorum
    assert join_weight(weight_total) == faulty_max + 1


def dumb_faulty_max(total: int) -> int:
    """The largest f with W >= 3f + 1, found by trying."""
    found = 0
    for candidate in range(total + 1):
        if total >= 3 * candidate + 1:
            found = candidate
    return found


def dumb_quorum(total: int) -> int:
    """The smallest q such that two sets of weight q overlap in more than f, and the honest alone can reach it."""
    faulty = dumb_faulty_max(total)
    return next(q for q in range(total + 1) if q + faulty >= total or (2 * q - total > faulty and q > total - faulty - 1))


@pytest.mark.parametrize("total", range(1, 60))
def test_fast_and_dumb_agree(total: int) -> None:
    assert faulty_weight_max(total) == dumb_faulty_max(total)
    assert quorum_weight(total) == dumb_quorum(total)
    assert 2 * quorum_weight(total) - total >= faulty_weight_max(total) + 1


@given(weights=WEIGHTS, seeds=st.tuples(st.randoms(use_true_random=False), st.randoms(use_true_random=False)))
def test_two_quorums_share_an_honest_node(weights: tuple[int, ...], seeds: tuple[Random, Random]) -> None:
    quorum = quorum_weight(sum(weights))
    sets = []
    for seed in seeds:
        order = [NodeIndex(i) for i in range(len(weights))]
        seed.shuffle(order)
        sets.append(next(set(order[:k]) for k in range(len(order) + 1) if weight_of(order[:k], weights) >= quorum))
    assert weight_of(sets[0] & sets[1], weights) > faulty_weight_max(sum(weights))


@given(weights=WEIGHTS)
def test_the_honest_alone_are_a_quorum(weights: tuple[int, ...]) -> None:
    total = sum(weights)
    for size in range(len(weights) + 1):
        for faulty in combinations(range(len(weights)), size):
            if sum(weights[i] for i in faulty) <= faulty_weight_max(total):
                honest = [NodeIndex(i) for i in range(len(weights)) if i not in faulty]
                assert weight_of(honest, weights) >= quorum_weight(total)


@given(weights=WEIGHTS, voters=st.lists(st.integers(-2, 9).map(NodeIndex), max_size=20))
def test_a_voter_counts_once_and_a_stranger_not_at_all(weights: tuple[int, ...], voters: list[NodeIndex]) -> None:
    expected = sum(weight for index, weight in enumerate(weights) if index in voters)
    assert weight_of(voters, weights) == expected
    assert weight_with_repeats(voters, weights) == sum(weights[v] for v in voters if 0 <= v < len(weights))


@pytest.mark.parametrize(
    ("height", "view", "period", "nodes", "leader"),
    [
        pytest.param(1, 0, 1, 4, 1, id="the leader moves with the height"),
        pytest.param(2, 0, 1, 4, 2, id="by one a block"),
        pytest.param(2, 1, 1, 4, 3, id="and with the view"),
        pytest.param(118, 5, 1, 4, 3, id="as a real chain was seen to do (recordings v3, height 118, view 5)"),
        pytest.param(7, 0, 4, 4, 1, id="a period keeps it for several blocks"),
        pytest.param(8, 3, 4, 5, 0, id="modulo n"),
    ],
)
def test_leader(height: int, view: int, period: int, nodes: int, leader: int) -> None:
    rules = Rules((1,) * nodes, leader_period_blocks=period)
    assert leader_of(Height(height), View(view), rules) == leader


def test_weights_do_not_move_the_leader() -> None:
    assert [leader_of(Height(h), View(0), Rules((9, 1, 1, 1))) for h in range(1, 6)] == [1, 2, 3, 0, 1]
