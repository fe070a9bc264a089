"""Planning: names, ports, and everything that is refused before a file is written. Reference: spec 3.x 4.5 to 4.7."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fiscotool.chain.layout import HostGroup, PortBases, parse_layout
from fiscotool.chain.plan import plan_chain
from fiscotool.chain.spec import ChainSpec, parse_funds, parse_pairs, parse_version
from fiscotool.errors import UsageError
from tests.chain.conftest import EVERY_INTERFACE

FOUR = ChainSpec(parse_layout("127.0.0.1:4"))


def test_one_host() -> None:
    plan = plan_chain(FOUR)
    assert [node.name for node in plan.nodes] == ["node0", "node1", "node2", "node3"]
    assert [node.place for node in plan.nodes][3] == "127.0.0.1/node3"
    assert [node.ports for node in plan.nodes][3] == (("p2p", 30303), ("rpc", 20203), ("web3", 8548))
    assert plan.peer_addresses == ("127.0.0.1:30300", "127.0.0.1:30301", "127.0.0.1:30302", "127.0.0.1:30303")
    assert {node.listen_ip for node in plan.nodes} == {"127.0.0.1"}


def test_several_hosts_start_again_at_the_bases() -> None:
    plan = plan_chain(replace(FOUR, hosts=parse_layout("10.0.0.1:2,10.0.0.2:1,[fe80::2]:1")))
    assert [node.name for node in plan.nodes] == ["10.0.0.1/node0", "10.0.0.1/node1", "10.0.0.2/node0", "fe80::2/node0"]
    assert [node.p2p_port for node in plan.nodes] == [30300, 30301, 30300, 30300]
    assert [node.listen_ip for node in plan.nodes] == [EVERY_INTERFACE, EVERY_INTERFACE, EVERY_INTERFACE, "::"]
    assert plan.peer_addresses[-1] == "[fe80::2]:30300"
    assert [node.index for node in plan.nodes] == [0, 1, 2, 3]


def test_the_listening_address_can_be_chosen() -> None:
    assert {node.listen_ip for node in plan_chain(replace(FOUR, listen_ip=EVERY_INTERFACE)).nodes} == {EVERY_INTERFACE}


def test_more_nodes_than_ports() -> None:
    spec = replace(FOUR, hosts=(HostGroup("127.0.0.1", 100),), ports=PortBases(65500, 20200, 8545))
    with pytest.raises(UsageError, match="100 nodes, but only 36 ports from p2p port 65500 to 65535") as caught:
        plan_chain(spec)
    assert "-p" in caught.value.hint
    fitting = replace(spec, hosts=(HostGroup("127.0.0.1", 36),))
    assert plan_chain(fitting).nodes[-1].p2p_port == 65535


@pytest.mark.parametrize(
    ("bases", "fact"),
    [
        pytest.param(PortBases(30300, 30303, 8545), "the p2p ports 30300 to 30303 run into the rpc ports from 30303", id="one too near"),
        pytest.param(PortBases(30300, 20200, 20200), "run into the web3 ports from 20200|run into the rpc ports from 20200", id="the same"),
        pytest.param(
            PortBases(30300, 20200, 20198), "the web3 ports 20198 to 20201 run into the rpc ports from 20200", id="web3 below rpc"
        ),
    ],
)
def test_roles_that_run_into_each_other(bases: PortBases, fact: str) -> None:
    with pytest.raises(UsageError, match=fact):
        plan_chain(replace(FOUR, ports=bases))
    assert plan_chain(replace(FOUR, ports=PortBases(30300, 30304, 8545)))


@pytest.mark.parametrize(
    ("changes", "fact"),
    [
        pytest.param({"hosts": ()}, "at least one host", id="no host"),
        pytest.param({"chain_id": "my chain"}, "'my chain' may only hold", id="a blank in the chain id"),
        pytest.param({"group_id": ""}, "'' may only hold", id="an empty group id"),
        pytest.param({"version": "4.0.0"}, "'4.0.0' is not a version", id="FISCO BCOS 4"),
        pytest.param({"version": "3.17.0"}, "newer than any version", id="a version of the future"),
        pytest.param({"min_seal_time_ms": 0}, "min_seal_time (ms) is 0", id="no seal time"),
        pytest.param({"min_seal_time_ms": 600_001}, "outside 1 to 600000", id="ten minutes and more"),
        pytest.param({"block_tx_count_limit": 0}, "block_tx_count_limit is 0", id="empty blocks"),
        pytest.param({"leader_period_blocks": 0}, "leader_period is 0", id="no leader period"),
        pytest.param({"tx_gas_limit": 100_000}, "gas_limit is 100000", id="too little gas"),
        pytest.param({"checkpoint_timeout_ms": 2999}, "checkpoint_timeout (ms) is 2999", id="too short a timeout"),
        pytest.param({"pipeline_blocks": 0}, "pipeline_size (blocks) is 0", id="no pipeline"),
        pytest.param({"web3_chain_id": -1}, "web3 chain id is -1", id="a negative chain id"),
        pytest.param({"log_level": "loud"}, "log level 'loud'", id="an unknown log level"),
        pytest.param({"weights": (1, 2)}, "2 weights for 4 nodes", id="too few weights"),
        pytest.param({"weights": (1, 0, 1, 1)}, "a node's weight is 0", id="weight 0"),
        pytest.param({"byzantine": {"node4": "equivocate"}}, "there is no 'node4'", id="a fifth of four"),
        pytest.param({"mutants": {"node4": "M1"}}, "there is no 'node4'", id="a mutant in a fifth of four"),
        pytest.param({"mutants": {"all": "M5"}}, "'M5' is no mutant of fisco3", id="an unknown mutant"),
        pytest.param({"mutants": {"all": "fisco2-M1"}}, "is no mutant of fisco3", id="a mutant of another protocol"),
        pytest.param({"byzantine": {"node3": "lie"}}, "'lie' is not a known misbehaviour", id="an unknown mode"),
        pytest.param({"quirks": ("amnesty",)}, "'amnesty' is not known", id="an unknown quirk"),
        pytest.param({"balances": {"0xaa": 1}}, "is not 0x and 40 hex digits", id="a short address"),
        pytest.param({"engine": "fisco"}, "needs a fisco-bcos binary", id="fisco without a binary"),
        pytest.param({"binary": Path("x")}, "-e gives one", id="embedded with a binary"),
        pytest.param(
            {"engine": "fisco", "binary": Path("x"), "quirks": ("amnesia",)}, "--quirk is for the embedded", id="a real node with quirks"
        ),
        pytest.param(
            {"engine": "fisco", "binary": Path("x"), "pipeline_blocks": 10}, "outside 50 to", id="a real node with a short pipeline"
        ),
    ],
)
def test_what_no_node_would_run_with(changes: dict[str, Any], fact: str) -> None:
    with pytest.raises(UsageError) as caught:
        plan_chain(replace(FOUR, **changes))
    assert fact in caught.value.message
    assert caught.value.hint


def test_a_mutant_reaches_all_nodes_or_one() -> None:
    assert [node.mutant for node in plan_chain(replace(FOUR, mutants={"all": "M1"})).nodes] == ["M1"] * 4
    assert [node.mutant for node in plan_chain(replace(FOUR, mutants={"node2": "M1"})).nodes] == ["", "", "M1", ""]


def test_byzantine_nodes_and_weights_reach_their_node() -> None:
    plan = plan_chain(replace(FOUR, byzantine={"node3": "double-sign"}, weights=(1, 2, 3, 4), quirks=("amnesia", "type-unsigned")))
    assert [node.byzantine for node in plan.nodes] == ["", "", "", "double-sign"]
    assert [node.weight for node in plan.nodes] == [1, 2, 3, 4]


def test_versions() -> None:
    assert parse_version("v3.16.0") == parse_version("3.16.0") == "3.16.0"


def test_funds() -> None:
    address = "0x" + "Ab" * 20
    assert parse_funds([f"{address}=5,{'cd' * 20}=7"]) == {address.lower(): 5, "0x" + "cd" * 20: 7}


@pytest.mark.parametrize(
    ("entries", "fact"),
    [
        pytest.param(["0xaa=1"], "not an address of 40 hex digits", id="a short address"),
        pytest.param([f"0x{'a' * 40}=x"], "is not an amount", id="no number"),
        pytest.param([f"0x{'a' * 40}={2**256}"], "is not an amount", id="more than fits"),
        pytest.param([f"0x{'a' * 40}"], "is not name=value", id="no amount"),
        pytest.param([f"0x{'a' * 40}=1", f"0x{'A' * 40}=1"], "given twice", id="twice in other letters"),
    ],
)
def test_funds_that_do_not_parse(entries: list[str], fact: str) -> None:
    with pytest.raises(UsageError, match=fact):
        parse_funds(entries)


def test_a_name_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="'node3' is given twice"):
        parse_pairs("--byzantine", ["node3=equivocate", "node3=double-sign"], example="node3=equivocate")
