"""Reading chains, ours and build_chain.sh's, and refusing what is not one chain. Reference: spec 3.x 4.3 to 4.10."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from fiscotool.chain.model import Chain
from fiscotool.chain.plan import plan_chain
from fiscotool.chain.read import read_chain
from fiscotool.chain.write import write_chain
from fiscotool.errors import ChainDirectoryError
from tests.chain.conftest import four
from tests.support.shared import shared


def edit(path: Path, pattern: str, replacement: str) -> None:
    text, count = re.subn(pattern, replacement, path.read_text(), flags=re.MULTILINE)
    assert count, f"{pattern} is not in {path}"
    path.write_text(text)


def test_what_was_written_is_read(pristine: Chain) -> None:
    chain = read_chain(pristine.root)
    assert chain == pristine
    assert [node.name for node in chain.nodes] == ["node0", "node1", "node2", "node3"]
    assert chain.engine == "embedded"
    assert (chain.chain_id, chain.group_id, chain.version) == ("chain0", "group0", "3.16.0")
    assert dict(chain.byzantine) == {"node3": "equivocate"}
    assert dict(chain.genesis.balances) == {"0x" + "aa" * 20: 10**18}
    assert sorted(chain.genesis.weights.values()) == [1, 1, 1, 2]
    node = chain.nodes[1]
    assert node.rpc_url == "http://127.0.0.1:41201"
    assert node.web3_url == "http://127.0.0.1:41101"
    assert node.directory.is_absolute()
    assert chain.node("node1") == node
    assert chain.node("node9") is None
    assert chain.node_of_id("0x" + node.node_id.upper()) == node


def official(tmp_path: Path) -> Path:
    """The recorded directory of build_chain.sh: what of it was recorded for all nodes."""
    root = tmp_path / "official"
    source = shared("recordings/v3/deploy/generated")
    shutil.copytree(source, root / "127.0.0.1")
    for k in (1, 2, 3):
        for name in ("ca.crt", "ssl.nodeid"):
            shutil.copy(source / "node0/conf" / name, root / f"127.0.0.1/node{k}/conf" / name)
    return root


def test_a_directory_of_build_chain_is_read(tmp_path: Path) -> None:
    chain = read_chain(official(tmp_path))
    assert chain.engine == "unknown"  # Its binary was not recorded.
    assert [node.p2p_port for node in chain.nodes] == [30300, 30301, 30302, 30303]
    assert {node.rpc_tls for node in chain.nodes} == {True}
    assert {node.web3_enabled for node in chain.nodes} == {False}
    assert len(chain.genesis.weights) == 4
    assert chain.nodes[0].rpc_url == "https://127.0.0.1:20200"
    assert chain.genesis.web3_chain_id == 20200


def test_the_config_the_official_chain_was_run_with_is_read(tmp_path: Path) -> None:
    """rpc.disable_ssl, without enable_ssl (NodeConfig.cpp: enable_ssl overrides it when present)."""
    root = official(tmp_path)
    shutil.copy(root / "127.0.0.1/node0/config.ini.as_run", root / "127.0.0.1/node0/config.ini")
    node = read_chain(root).nodes[0]
    assert node.rpc_url == "http://127.0.0.1:20200"
    assert node.web3_enabled


def test_a_real_binary_is_recognised(tmp_path: Path) -> None:
    root = official(tmp_path)
    (root / "127.0.0.1/fisco-bcos").write_bytes(b"\x7fELF\x02\x01")
    assert read_chain(root).engine == "fisco"


def test_several_hosts_have_longer_names(tmp_path: Path) -> None:
    from dataclasses import replace

    from fiscotool.chain.layout import parse_layout

    spec = replace(four(), hosts=parse_layout("127.0.0.1:1,127.0.0.2:1,[::1]:1"))
    chain = write_chain(plan_chain(spec), tmp_path / "nodes", check_ports=False)
    assert [node.name for node in chain.nodes] == ["127.0.0.1/node0", "127.0.0.2/node0", "::1/node0"]
    assert chain.nodes[2].rpc_url == "http://[::1]:41200"
    assert (tmp_path / "nodes/::1/node0/nodes.json").read_text() == '{"nodes":["127.0.0.1:41300","127.0.0.2:41300","[::1]:41300"]}\n'


def test_ten_nodes_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    from dataclasses import replace

    from fiscotool.chain.layout import HostGroup

    chain = write_chain(plan_chain(replace(four(), hosts=(HostGroup("127.0.0.1", 11),))), tmp_path / "nodes", check_ports=False)
    assert [node.name for node in chain.nodes] == [f"node{k}" for k in range(11)]


# Directories that are no chain.


def test_places_that_are_no_chain_say_what_they_are(chain: Chain, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    for place, fact, hint in (
        (tmp_path / "nowhere", "the directory does not exist", "fiscotool deploy"),
        (tmp_path / "empty", r"no <host>/node<k> directory", "fiscotool deploy"),
        (tmp_path / "file", "is not a directory", "deploy made"),
        (chain.root / "127.0.0.1", "is one host's directory of a chain", str(chain.root)),
        (chain.nodes[0].directory, "is a single node's directory", str(chain.root)),
    ):
        with pytest.raises(ChainDirectoryError, match=fact) as caught:
            read_chain(place)
        assert hint in caught.value.hint


@pytest.mark.parametrize("name", ["config.ini", "config.genesis", "conf/node.nodeid", "conf/ssl.nodeid", "conf/ca.crt"])
def test_a_missing_file_is_named(chain: Chain, name: str) -> None:
    path = chain.nodes[2].directory / name
    path.unlink()
    with pytest.raises(ChainDirectoryError, match=re.escape(f"{path} is missing")):
        read_chain(chain.root)


@pytest.mark.parametrize(
    ("name", "pattern", "replacement", "fact"),
    [
        pytest.param("config.ini", r"listen_port=41201", "listen_port=x", "rpc.listen_port is 'x', not a whole number", id="no number"),
        pytest.param("config.ini", r"listen_port=41201", "listen_port=70000", "rpc.listen_port is 70000, not a port", id="no port"),
        pytest.param("config.ini", r"enable_ssl=false", "enable_ssl=perhaps", "neither true nor false", id="no flag"),
        pytest.param("config.ini", r"^\[rpc\]$", "[rpc", "line 19: a section that is not closed", id="an open section"),
        pytest.param("config.ini", r"^\[rpc\]$", "[p2p]", "section .p2p. stands there twice", id="a section twice"),
        pytest.param("config.ini", r"    thread_count=4", "    listen_port=1", "'listen_port' stands there twice", id="a key twice"),
        pytest.param("config.ini", r"^\[p2p\]$", "p2p", "neither a section nor", id="no key"),
        pytest.param("config.ini", r"^\[p2p\]$", "", "'listen_ip' stands before the first section", id="no section"),
        pytest.param(
            "config.genesis", r"(node\.1=[0-9a-f]{100})[0-9a-f]{28}", r"\1", "consensus.node.1 is not <128 hex digits>", id="a short id"
        ),
        pytest.param("conf/node.nodeid", r"^[0-9a-f]{4}", "zzzz", "not 128 hex digits", id="an id that is none"),
    ],
)
def test_a_damaged_file_is_named_with_the_place(chain: Chain, name: str, pattern: str, replacement: str, fact: str) -> None:
    for node in chain.nodes if name == "config.genesis" else chain.nodes[1:2]:
        edit(node.directory / name, pattern, replacement)
    with pytest.raises(ChainDirectoryError, match=fact) as caught:
        read_chain(chain.root)
    assert name in caught.value.message
    assert caught.value.hint


def test_binary_rubbish_is_named(chain: Chain) -> None:
    (chain.nodes[0].directory / "config.ini").write_bytes(b"\xff\xfe\x00rubbish")
    with pytest.raises(ChainDirectoryError, match=r"config\.ini cannot be read"):
        read_chain(chain.root)


def test_a_damaged_manifest_is_named(chain: Chain) -> None:
    manifest = chain.root / ".fiscotool.json"
    for text in ("{", "[]", '{"format": 2}', '{"format": 1, "engine": "other"}'):
        manifest.write_text(text)
        with pytest.raises(ChainDirectoryError, match=r"\.fiscotool\.json is damaged"):
            read_chain(chain.root)


# Nodes of another chain.


@pytest.fixture
def other(tmp_path: Path) -> Chain:
    """A second chain: the same options, other keys."""
    return write_chain(plan_chain(four()), tmp_path / "other", check_ports=False)


def test_a_node_directory_of_another_chain_is_refused(chain: Chain, other: Chain) -> None:
    shutil.rmtree(chain.nodes[2].directory)
    shutil.copytree(other.nodes[2].directory, chain.nodes[2].directory)
    with pytest.raises(
        ChainDirectoryError, match=r"node2 does not belong to this chain: its config\.genesis differs: consensus\.node\.0 is"
    ) as caught:
        read_chain(chain.root)
    assert "on node0" in caught.value.message
    assert "and 3 more" in caught.value.message


def test_another_key_in_a_deployed_node_is_refused(chain: Chain, other: Chain) -> None:
    for place in (chain.nodes[0], chain.nodes[3]):
        shutil.copy(other.nodes[0].directory / "conf/node.nodeid", place.directory / "conf/node.nodeid")
        with pytest.raises(ChainDirectoryError, match=f"{place.name} does not belong to this chain: its key {other.nodes[0].node_id[:16]}"):
            read_chain(chain.root)
        (place.directory / "conf/node.nodeid").write_text(place.node_id + "\n")


def test_another_certificate_authority_is_refused(chain: Chain, other: Chain) -> None:
    shutil.copy(other.root / "ca/ca.crt", chain.nodes[1].directory / "conf/ca.crt")
    with pytest.raises(ChainDirectoryError, match=r"node1 does not belong to this chain: its conf/ca\.crt"):
        read_chain(chain.root)


def test_one_changed_genesis_value_is_named_on_both_sides(chain: Chain) -> None:
    edit(chain.nodes[1].directory / "config.genesis", "leader_period=1", "leader_period=9")
    with pytest.raises(ChainDirectoryError, match=r"consensus\.leader_period is 9 there and 1 on node0"):
        read_chain(chain.root)


def test_a_comment_or_indentation_is_no_difference(chain: Chain) -> None:
    path = chain.nodes[1].directory / "config.genesis"
    path.write_text("; a comment\n" + path.read_text().replace("    node.1", "            node.1"))
    assert read_chain(chain.root).genesis == chain.genesis


def test_a_node_added_later_belongs_if_it_has_the_chains_genesis_and_authority(chain: Chain, other: Chain) -> None:
    added = chain.root / "127.0.0.1/node4"
    shutil.copytree(chain.nodes[0].directory, added)
    shutil.copy(other.nodes[0].directory / "conf/node.nodeid", added / "conf/node.nodeid")
    assert [node.name for node in read_chain(chain.root).nodes][-1] == "node4"
    shutil.copy(other.root / "ca/ca.crt", added / "conf/ca.crt")
    with pytest.raises(ChainDirectoryError, match="node4 does not belong"):
        read_chain(chain.root)
