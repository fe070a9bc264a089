"""Drills that hurt more than one node, through the command: judged `holds`, and shaped as on real chains."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e import shapes
from tests.e2e.drilling import play
from tests.e2e.user import User, chain_of

pytestmark = [pytest.mark.devnet, pytest.mark.slow]


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory, engine: tuple[str, ...]) -> Iterator[User]:
    with chain_of(tmp_path_factory.mktemp("drills-of-all"), *engine) as found:
        yield found


def test_kill_two(user: User) -> None:
    seen = play(user, "kill-two")
    assert len(seen.faults) == 2
    shapes.without_a_quorum_nothing_moves_and_timers_back_off(seen, *seen.faults, slack_s=shapes.BUSY_S)


def test_rolling_restart(user: User) -> None:
    seen = play(user, "rolling-restart")
    assert [fault.node for fault in seen.faults] == ["node0", "node1", "node2", "node3"]
    for fault in seen.faults:
        shapes.a_restarted_node_finds_the_view_after_a_time_out(seen, fault, slack_s=shapes.BUSY_S)
        assert len({sample.incarnation for sample in seen.samples if sample.node == fault.node and sample.incarnation}) == 2
