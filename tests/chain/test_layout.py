"""-l and -p. Reference: spec 3.x 4.1, 4.5; recordings/v3/deploy/err_*.txt for what build_chain.sh does with the bad ones."""

from __future__ import annotations

import pytest

from fiscotool.chain.layout import HostGroup, PortBases, parse_layout, parse_ports
from fiscotool.errors import UsageError


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        pytest.param("127.0.0.1:4", [("127.0.0.1", 4)], id="one host"),
        pytest.param("10.0.0.1:2,10.0.0.2:3", [("10.0.0.1", 2), ("10.0.0.2", 3)], id="two hosts"),
        pytest.param(" 10.0.0.1:2 , 10.0.0.2:3 ", [("10.0.0.1", 2), ("10.0.0.2", 3)], id="blanks around entries"),
        pytest.param("[::1]:4", [("::1", 4)], id="IPv6 in brackets"),
        pytest.param("[2001:DB8::0:1]:1", [("2001:db8::1", 1)], id="IPv6 in its canonical form"),
        pytest.param("node-a.example:1,localhost:2", [("node-a.example", 1), ("localhost", 2)], id="names"),
    ],
)
def test_layouts_that_parse(text: str, groups: list[tuple[str, int]]) -> None:
    assert parse_layout(text) == tuple(HostGroup(address, count) for address, count in groups)


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        pytest.param("", "has an empty entry", id="nothing"),
        pytest.param("127.0.0.1:4,", "has an empty entry", id="a comma too many"),
        pytest.param("127.0.0.1", "does not say how many nodes", id="no count"),
        pytest.param("127.0.0.1:", "the number of nodes is ''", id="an empty count"),
        pytest.param("127.0.0.1:0", "the number of nodes is '0'", id="no nodes (build_chain.sh makes an empty chain)"),
        pytest.param("127.0.0.1:-1", "the number of nodes is '-1'", id="negative"),
        pytest.param("127.0.0.1:four", "the number of nodes is 'four'", id="a word"),
        pytest.param("127.0.0.1:４", "the number of nodes is '４'", id="a full-width digit"),
        pytest.param("127.0.0.1:999999999", "the number of nodes is '999999999'", id="absurdly many"),
        pytest.param("1.2.3:2", "'1.2.3' is not an IPv4 address", id="three numbers (build_chain.sh only warns)"),
        pytest.param("1.2.3.256:2", "'1.2.3.256' is not an IPv4 address", id="a number above 255"),
        pytest.param("::1:4", "more than one colon", id="IPv6 without brackets"),
        pytest.param("[::1]4", "is not [IPv6 address]:count", id="no colon behind the bracket"),
        pytest.param("[::1:4", "is not [IPv6 address]:count", id="a bracket not closed"),
        pytest.param("[::g]:4", "'::g' is not an IPv6 address", id="not hex"),
        pytest.param("host name:2", "neither an IP address nor a host name", id="a blank in a name"),
        pytest.param("../up:2", "neither an IP address nor a host name", id="a path"),
        pytest.param("10.0.0.1:2,10.0.0.1:1", "host 10.0.0.1 is listed twice", id="a host twice"),
    ],
)
def test_layouts_that_do_not_parse_say_what_and_how(text: str, fact: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_layout(text)
    assert fact in caught.value.message
    assert caught.value.hint


def test_ports() -> None:
    assert parse_ports("30300,20200") == PortBases(30300, 20200, 8545)
    assert parse_ports("30300, 20200 ,9545") == PortBases(30300, 20200, 9545)


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        pytest.param("30300", "has 1 ports", id="one port"),
        pytest.param("1,2,3,4", "has 4 ports", id="four ports"),
        pytest.param("30300,x", "'x' is not a port number", id="a word"),
        pytest.param("30300,", "'' is not a port number", id="an empty one"),
        pytest.param("80,20200", "port 80 is outside 1025 to 65535", id="a port the node refuses"),
        pytest.param("30300,70000", "port 70000 is outside", id="above 65535"),
    ],
)
def test_ports_that_do_not_parse(text: str, fact: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_ports(text)
    assert fact in caught.value.message
    assert "-p 30300,20200" in caught.value.hint


@pytest.mark.parametrize(
    ("address", "is_loopback"),
    [("127.0.0.1", True), ("127.8.9.1", True), ("::1", True), ("localhost", True), ("10.0.0.1", False), ("example.org", False)],
)
def test_which_hosts_are_this_machine_alone(address: str, is_loopback: bool) -> None:
    assert HostGroup(address, 1).is_loopback is is_loopback
