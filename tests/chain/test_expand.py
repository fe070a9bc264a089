"""Adding nodes to chains: what the new ones share with the others, and what is refused. Reference: spec 3.x 4.10; spec 2.x 4.4."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from fiscotool.chain.expand import expand_chain, plan_expansion
from fiscotool.chain.layout import HostGroup
from fiscotool.chain.model import Chain
from fiscotool.chain.plan import plan_chain
from fiscotool.chain.read import read_chain
from fiscotool.chain.remove import destroy_chain
from fiscotool.chain.spec import ChainSpec
from fiscotool.chain.write import write_chain
from fiscotool.errors import ChainDirectoryError, EnvironmentFailure, UsageError
from tests.chain.test_certs import openssl
from tests.chain.test_write import read_ini


@pytest.fixture(scope="module")
def pristine2(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """A 2.x chain of two agencies that no test changes: nodes 0 and 1 in groups 1 and 2, node 2 in group 1."""
    place = tmp_path_factory.mktemp("v2")
    (place / "binary").write_text("#!/bin/sh\necho 'FISCO-BCOS Version : 2.9.1'\n")
    hosts = (HostGroup("127.0.0.1", 2, "agencyA", (1, 2)), HostGroup("127.0.0.1", 1, "agencyB"))
    spec = ChainSpec(hosts, chain_id="1", group_id="1", version="2.9.0", engine="fisco", binary=place / "binary")
    return write_chain(plan_chain(spec), place / "nodes", check_ports=False)


@pytest.fixture
def chain2(pristine2: Chain, tmp_path: Path) -> Chain:
    shutil.copytree(pristine2.root, tmp_path / "nodes2")
    return read_chain(tmp_path / "nodes2")


def files(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_3x_chain_gets_a_node_and_keeps_all_it_had(chain: Chain) -> None:
    before = files(chain.root)
    grown = expand_chain(plan_expansion(chain.root, "127.0.0.1:1", check_ports=False))
    after = files(chain.root)
    assert {path for path in before if before[path] != after.get(path)} == {".fiscotool.json"}
    node = grown.nodes[4]
    assert (node.name, node.p2p_port, node.rpc_port, node.web3_port) == ("node4", 41304, 41204, 41104)
    assert (node.directory / "config.genesis").read_bytes() == (chain.nodes[0].directory / "config.genesis").read_bytes()
    assert node.node_id not in grown.genesis.weights
    peers = json.loads((node.directory / "nodes.json").read_text())["nodes"]
    assert peers == [f"127.0.0.1:{port}" for port in range(41300, 41305)]
    names = {path.name for path in (node.directory / "conf").iterdir()}
    assert names == {path.name for path in (chain.nodes[0].directory / "conf").iterdir()}
    assert openssl("verify", "-x509_strict", "-CAfile", chain.root / "ca/ca.crt", node.directory / "conf/ssl.crt").endswith(": OK\n")
    assert oct((node.directory / "conf/node.pem").stat().st_mode)[-3:] == "600"
    # A node like the Byzantine one would be Byzantine; this one is like the first.
    assert node.byzantine == ""
    assert destroy_chain(grown) == ()
    assert not chain.root.exists()


def test_a_node_that_is_not_in_the_genesis_has_to_have_been_added(chain: Chain) -> None:
    expand_chain(plan_expansion(chain.root, "127.0.0.1:1", check_ports=False))
    manifest = json.loads((chain.root / ".fiscotool.json").read_text())
    assert manifest["expanded"] == ["127.0.0.1/node4"]
    (chain.root / ".fiscotool.json").write_text(json.dumps({**manifest, "expanded": []}))
    with pytest.raises(ChainDirectoryError, match="node4 does not belong to this chain"):
        read_chain(chain.root)


def test_a_host_that_had_no_node(chain: Chain) -> None:
    grown = expand_chain(plan_expansion(chain.root, "10.0.0.9:2", check_ports=False))
    assert [node.name for node in grown.nodes[:2]] == ["10.0.0.9/node0", "10.0.0.9/node1"]
    assert [node.p2p_port for node in grown.nodes[:2]] == [41300, 41301]
    config = read_ini(grown.nodes[0].directory / "config.ini")
    assert config["p2p"]["listen_ip"] == config["rpc"]["listen_ip"] == ".".join("0000")
    assert {path.name for path in (chain.root / "10.0.0.9").iterdir()} == {
        "fisco-bcos", "node0", "node1", "sdk", "start_all.sh", "stop_all.sh",
    }  # fmt: skip
    assert destroy_chain(grown) == ()


def test_a_2x_chain_gets_a_node_of_the_agency_that_is_named(chain2: Chain) -> None:
    with pytest.raises(UsageError, match="several agencies: agencyA, agencyB") as caught:
        plan_expansion(chain2.root, "127.0.0.1:1", check_ports=False)
    assert "--ca" in caught.value.hint
    before = files(chain2.root)
    agency = chain2.root / "cert/agencyB"
    grown = expand_chain(plan_expansion(chain2.root, "127.0.0.1:1", authority=agency, check_ports=False))
    assert {path for path, content in files(chain2.root).items() if before.get(path, content) != content} == {".fiscotool.json"}
    node = grown.nodes[3]
    assert (node.name, node.ports) == ("node3", (("p2p", 30303), ("channel", 20203), ("rpc", 8548)))
    assert node.node_id not in grown.genesis.weights
    assert {path.relative_to(node.directory) for path in node.directory.rglob("*")} == {
        path.relative_to(chain2.nodes[0].directory) for path in chain2.nodes[0].directory.rglob("*")
    }
    p2p = read_ini(node.directory / "config.ini")["p2p"]
    assert [p2p[f"node.{k}"] for k in range(4)] == [f"127.0.0.1:{port}" for port in range(30300, 30304)]
    assert (node.directory / "conf/node.crt").read_text().count("BEGIN CERTIFICATE") == 3
    told = openssl("verify", "-CAfile", chain2.root / "cert/ca.crt", "-untrusted", agency / "agency.crt", node.directory / "conf/node.crt")
    assert told.endswith(": OK\n")
    assert destroy_chain(grown) == ()


@pytest.mark.parametrize("missing", ["ca.key", "ca.crt"])
def test_without_the_authority_there_is_no_new_node(chain: Chain, missing: str) -> None:
    (chain.root / "ca" / missing).unlink()
    with pytest.raises(EnvironmentFailure, match=f"lacks {missing}: without the key of the chain's authority") as caught:
        plan_expansion(chain.root, "127.0.0.1:1", check_ports=False)
    assert "--ca" in caught.value.hint


def test_the_authority_of_another_chain_is_refused(chain: Chain, chain2: Chain, pristine2: Chain, tmp_path: Path) -> None:
    spec = ChainSpec((HostGroup("127.0.0.1", 1),))
    other = write_chain(plan_chain(spec), tmp_path / "other", check_ports=False)
    before = files(chain.root)
    with pytest.raises(EnvironmentFailure, match="is not of this chain's authority"):
        expand_chain(plan_expansion(chain.root, "127.0.0.1:1", authority=other.root / "ca", check_ports=False))
    shutil.copy(other.root / "ca/ca.key", chain.root / "ca/ca.key")
    with pytest.raises(EnvironmentFailure, match="holds no usable authority"):
        expand_chain(plan_expansion(chain.root, "127.0.0.1:1", check_ports=False))
    shutil.copy(chain.root / "127.0.0.1/ca/ca.key", chain.root / "ca/ca.key")
    assert files(chain.root) == before


def test_nodes_of_two_generations_do_not_mix(chain2: Chain, chain: Chain) -> None:
    shutil.copytree(chain.nodes[0].directory, chain2.root / "127.0.0.1/node3")
    with pytest.raises(ChainDirectoryError, match="node3"):
        read_chain(chain2.root)
