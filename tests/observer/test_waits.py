"""Waiting on conditions over RPC: they end as soon as they hold, and at the deadline with what was last seen."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from fiscotool.errors import ExitCode, WaitTimeout
from fiscotool.observer.waits import wait_for_height, wait_recovered, wait_same_view
from fiscotool.rpc.client import NodeClient
from tests.observer.fake_chain import FakeNode, fake_nodes
from tests.support.ports import free_ports


@pytest.fixture
def nodes() -> Iterator[list[FakeNode]]:
    with fake_nodes(3) as nodes:
        yield nodes


def clients_of(nodes: list[FakeNode]) -> list[NodeClient]:
    return [NodeClient(node.server.url, name=node.name) for node in nodes]


def soon(do: Callable[[], None]) -> None:
    """Do something shortly, from another thread."""
    threading.Timer(0.2, do).start()


def test_a_height_is_waited_for_on_every_node(nodes: list[FakeNode]) -> None:
    def rise() -> None:
        for node in nodes:
            node.height = 8

    assert wait_for_height(clients_of(nodes), 5, 5) == {"node0": 5, "node1": 5, "node2": 5}
    soon(rise)
    assert wait_for_height(clients_of(nodes), 8, 5) == {"node0": 8, "node1": 8, "node2": 8}


def test_the_message_tells_what_was_last_seen_of_whom(nodes: list[FakeNode]) -> None:
    nodes[0].height = 9
    dead = NodeClient(f"http://127.0.0.1:{free_ports(1)[0]}", name="node7")
    with pytest.raises(WaitTimeout) as caught:
        wait_for_height([*clients_of(nodes), dead], 9, 0.3)
    assert caught.value.exit_code is ExitCode.TIMED_OUT
    assert "waited 0.3 s for height 9" in caught.value.message
    assert "node0: height 9; node1: height 5" in caught.value.message
    assert "node7 cannot be reached" in caught.value.message
    assert caught.value.hint


def test_a_frozen_node_does_not_stretch_the_deadline(nodes: list[FakeNode]) -> None:
    nodes[1].mode = "silent"
    began_s = time.monotonic()
    with pytest.raises(WaitTimeout, match="node1 did not answer"):
        wait_for_height(clients_of(nodes), 5, 0.5)
    assert time.monotonic() - began_s < 7.5


def test_one_view_and_nobody_asking_for_another(nodes: list[FakeNode]) -> None:
    nodes[2].view, nodes[2].timeout = 0, True

    def recover() -> None:
        nodes[2].view, nodes[2].timeout = 3, False

    with pytest.raises(WaitTimeout, match=r"node2: height 5, view 0, asking for a view change \(cycle 0\)"):
        wait_same_view(clients_of(nodes), 0.2)
    soon(recover)
    assert wait_same_view(clients_of(nodes), 5) == 3


@pytest.mark.parametrize(
    ("view", "timeout", "height"),
    [
        pytest.param(0, True, 5, id="asking for a view change"),
        pytest.param(0, False, 5, id="in a view of its own"),
        pytest.param(3, False, 2, id="far behind"),
    ],
)
def test_a_node_has_recovered_when_it_takes_part_again(nodes: list[FakeNode], view: int, timeout: bool, height: int) -> None:
    node = nodes[0]
    mine, *others = clients_of(nodes)

    def recover() -> None:
        node.view, node.timeout, node.height = 3, False, 4

    node.view, node.timeout, node.height = view, timeout, height
    with pytest.raises(WaitTimeout, match="for node0 to recover"):
        wait_recovered(mine, 0.2, others=others)
    soon(recover)
    assert wait_recovered(mine, 5, others=others).view == 3


def test_recovery_is_not_concluded_from_others_that_are_silent(nodes: list[FakeNode]) -> None:
    nodes[1].mode = nodes[2].mode = "garbage"
    mine, *others = clients_of(nodes)
    with pytest.raises(WaitTimeout):
        wait_recovered(mine, 0.3, others=others)
    assert wait_recovered(mine, 1).height == 5
