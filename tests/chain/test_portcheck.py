"""Ports that are taken on this machine: who wants them, who holds them."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from fiscotool.chain.layout import HostGroup, PortBases
from fiscotool.chain.plan import plan_chain
from fiscotool.chain.portcheck import PortTaken, Wanted, find_taken, is_local, require_free
from fiscotool.chain.write import write_chain
from fiscotool.errors import ExitCode
from tests.chain.conftest import EVERY_INTERFACE, four
from tests.support.ports import free_ports


def test_a_taken_port_stops_a_deployment_and_is_explained(tmp_path: Path) -> None:
    base = free_ports(12)[0]
    spec = replace(four(), ports=PortBases(base, base + 4, base + 8))
    with socket.create_server(("127.0.0.1", base + 5)), pytest.raises(PortTaken) as caught:
        write_chain(plan_chain(spec), tmp_path / "nodes")
    assert f"node1: rpc port {base + 5} on 127.0.0.1 is already taken by " in caught.value.message
    assert f"(pid {os.getpid()})" in caught.value.message
    assert f"sport = :{base + 5}" in caught.value.hint
    assert "-p p2p,rpc,web3" in caught.value.hint
    assert caught.value.exit_code == ExitCode.ENVIRONMENT
    assert list(tmp_path.iterdir()) == []
    assert write_chain(plan_chain(spec), tmp_path / "nodes").nodes


def test_a_listener_on_every_interface_is_in_the_way_of_one(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    with socket.create_server(("", port)):
        assert len(find_taken([Wanted("node0", "rpc", "127.0.0.1", port)])) == 1
    with socket.create_server(("127.0.0.1", port)):
        assert len(find_taken([Wanted("node0", "rpc", EVERY_INTERFACE, port)])) == 1
    assert find_taken([Wanted("node0", "rpc", "127.0.0.1", port)]) == ()


def test_ports_of_hosts_elsewhere_are_not_tried(tmp_path: Path) -> None:
    """A chain can be made here for machines that are not here."""
    base = free_ports(3)[0]
    spec = replace(four(), hosts=(HostGroup("203.0.113.7", 1),), ports=PortBases(base, base + 1, base + 2))
    with socket.create_server(("", base)):
        assert write_chain(plan_chain(spec), tmp_path / "nodes").nodes


@pytest.mark.parametrize(
    ("host", "is_here"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("localhost", True), ("203.0.113.7", False), ("no-such-host.invalid", False)],
)
def test_which_hosts_are_this_machine(host: str, is_here: bool) -> None:
    assert is_local(host) is is_here


def test_many_taken_ports_are_counted() -> None:
    ports = free_ports(7)
    servers = [socket.create_server(("127.0.0.1", port)) for port in ports]
    try:
        with pytest.raises(PortTaken, match="and 2 more") as caught:
            require_free((Wanted(f"node{k}", "p2p", "127.0.0.1", port) for k, port in enumerate(ports)), remedy="move")
        assert len(caught.value.taken) == 7
    finally:
        for server in servers:
            server.close()


def test_connections_that_are_still_closing_are_no_hindrance() -> None:
    """A node that was just killed leaves TIME_WAIT behind; its next start binds all the same."""
    (port,) = free_ports(1)
    with socket.create_server(("127.0.0.1", port)) as server:
        client = socket.create_connection(("127.0.0.1", port))
        accepted, _ = server.accept()
        accepted.close()
        client.recv(1)
        client.close()
    assert find_taken([Wanted("node0", "rpc", "127.0.0.1", port)]) == ()


def test_web3_ports_that_are_off_are_not_wanted(tmp_path: Path) -> None:
    base = free_ports(12)[0]
    spec = replace(four(), ports=PortBases(base, base + 4, base + 8), web3_enabled=False, hosts=(HostGroup("127.0.0.1", 2),))
    with socket.create_server(("127.0.0.1", base + 8)):
        assert write_chain(plan_chain(spec), tmp_path / "nodes").nodes
