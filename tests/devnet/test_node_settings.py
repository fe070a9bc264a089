"""Settings: what the real node's files say, and clear words for what is wrong in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from fiscotool.devnet.settings import Endpoint, SettingsError, WireQuirk, parse_genesis, read_settings
from fiscotool.pbft.rules import Quirk
from tests.support.shared import shared

GENESIS = "[chain]\n    group_id=group0\n    chain_id=chain0\n[consensus]\n    node.0=" + "ab" * 64 + ": 3\n    node.1=" + "0a" * 64 + "\n"


def write_node(directory: Path, ini: str = "", genesis: str = GENESIS, nodes: str = '{"nodes":["127.0.0.1:30300"]}') -> Path:
    (directory / "config.ini").write_text(ini)
    (directory / "config.genesis").write_text(genesis)
    (directory / "nodes.json").write_text(nodes)
    return directory


def read(directory: Path) -> object:
    return read_settings(directory / "config.ini", directory / "config.genesis")


def test_files_of_a_real_chain_are_understood() -> None:
    directory = shared("recordings", "v3", "deploy", "generated", "node0")
    settings = read_settings(directory / "config.ini", directory / "config.genesis")
    assert settings.p2p == Endpoint("0.0.0.0", 30300)  # noqa: S104
    assert settings.nodes == tuple(Endpoint("127.0.0.1", 30300 + k) for k in range(4))
    assert settings.rpc_tls
    assert not settings.web3_enabled
    assert settings.min_seal_time_ms == 500
    assert settings.genesis.version == 0x03100000
    assert [sealer.node_id.hex()[:4] for sealer in settings.genesis.sealers] == ["05d7", "1fba", "49f0", "e46e"]
    assert settings.data_path == directory / "data"


def test_defaults_of_the_code_where_keys_are_absent(tmp_path: Path) -> None:
    settings = read_settings(write_node(tmp_path) / "config.ini", tmp_path / "config.genesis")
    assert settings.data_path == tmp_path / "data/group0"
    assert settings.pipeline_blocks == 50
    assert settings.checkpoint_timeout_ms == 3000
    assert settings.rpc_tls, "the real node speaks TLS unless told otherwise"
    assert [(sealer.node_id[0], sealer.weight) for sealer in settings.genesis.sealers] == [(0x0A, 1), (0xAB, 3)]


def test_quirks_and_misbehaviour_of_the_embedded_engine(tmp_path: Path) -> None:
    write_node(tmp_path, "[fiscotool]\nbyzantine=equivocate\nquirks=amnesia, type-unsigned\n")
    settings = read_settings(tmp_path / "config.ini", tmp_path / "config.genesis")
    assert settings.byzantine == "equivocate"
    assert settings.quirks == {Quirk.AMNESIA}
    assert settings.wire_quirks == {WireQuirk.TYPE_UNSIGNED}


def test_a_mutant_is_known_by_name_and_brings_its_holes(tmp_path: Path) -> None:
    for name, holes, wire in (
        ("m1", set(), set()),
        ("H4", {Quirk.PROOF_WITHOUT_VIEW}, set()),
        ("M23", set(), {WireQuirk.HASH_NOT_RECOMPUTED}),
    ):
        write_node(tmp_path, f"[fiscotool]\nmutant={name}\n")
        settings = read_settings(tmp_path / "config.ini", tmp_path / "config.genesis")
        assert settings.mutant.lower() == name.lower()
        assert settings.quirks == holes
        assert settings.wire_quirks == wire
    for name in ("M5", "fisco2-M1"):
        write_node(tmp_path, f"[fiscotool]\nmutant={name}\n")
        with pytest.raises(SettingsError, match="mutant"):
            read_settings(tmp_path / "config.ini", tmp_path / "config.genesis")


def test_the_protocol_is_told_and_fisco3_where_it_is_not(tmp_path: Path) -> None:
    write_node(tmp_path, "[fiscotool]\nprotocol=classic\n")
    assert read_settings(tmp_path / "config.ini", tmp_path / "config.genesis").protocol == "classic"
    write_node(tmp_path)
    assert read_settings(tmp_path / "config.ini", tmp_path / "config.genesis").protocol == "fisco3"


@pytest.mark.parametrize(
    ("ini", "genesis", "nodes", "said"),
    [
        pytest.param("[fiscotool]\nprotocol=fisco4\n", GENESIS, None, "[fiscotool] protocol=fisco4", id="a protocol nobody knows"),
        pytest.param("[p2p]\nlisten_port=seven\n", GENESIS, None, "[p2p] listen_port=seven", id="a port that is no number"),
        pytest.param("[p2p]\nlisten_port=70000\n", GENESIS, None, "listen_port=70000", id="a port above 65535"),
        pytest.param("[consensus]\nmin_seal_time=0\n", GENESIS, None, "min_seal_time=0", id="a seal time of nothing"),
        pytest.param(
            "[consensus]\ncheckpoint_timeout=10\n", GENESIS, None, "checkpoint_timeout=10", id="a timeout below the real node's least"
        ),
        pytest.param("[rpc]\nenable_ssl=perhaps\n", GENESIS, None, "enable_ssl=perhaps", id="a flag that is neither"),
        pytest.param("[fiscotool]\nbyzantine=rude\n", GENESIS, None, "byzantine=rude", id="unknown misbehaviour"),
        pytest.param("[fiscotool]\nquirks=rude\n", GENESIS, None, "quirks=rude", id="unknown quirk"),
        pytest.param("no section\n", GENESIS, None, "is not an INI file", id="not an INI file"),
        pytest.param("", "[consensus]\nnode.0=abc: 1\n", None, "[consensus] node.0=abc: 1", id="a node id that is none"),
        pytest.param("", "[chain]\ngroup_id=g\n", None, "no sealer", id="no sealers"),
        pytest.param("", GENESIS + "consensus_type=rpbft\n", None, "consensus_type=rpbft", id="another consensus"),
        pytest.param("", GENESIS.replace("group0", "g") + "node.2=" + "0a" * 64 + ": 1\n", None, "node.2", id="a sealer twice"),
        pytest.param("", GENESIS, '{"nodes":["127.0.0.1"]}', "nodes.json", id="an endpoint without port"),
        pytest.param("", GENESIS, "[", "nodes.json", id="not JSON"),
        pytest.param("", GENESIS, "[" * 100_000, "nodes.json", id="nested without end"),
        pytest.param("", GENESIS, '{"nodes":["127.0.0.1:70000"]}', "port 70000", id="an endpoint's port above 65535"),
        pytest.param("", GENESIS, '{"nodes":["127.0.0.1:0"]}', "port 0", id="an endpoint's port of nothing"),
        pytest.param("", GENESIS, '{"nodes":["' + "a" * 300 + ':1"]}', "nodes.json", id="a host no resolver takes"),
        pytest.param("", GENESIS, '{"nodes":["my host:1"]}', "names no host", id="a host of two words"),
        pytest.param("", GENESIS, '{"nodes":[":1"]}', "names no host", id="no host at all"),
        pytest.param("", GENESIS, '{"nodes":{"a":1}}', "nodes.json", id="no list"),
        pytest.param("", GENESIS, "null", "nodes.json", id="nothing"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, ini: str, genesis: str, nodes: str | None, said: str) -> None:
    write_node(tmp_path, ini, genesis, nodes or '{"nodes":[]}')
    with pytest.raises(SettingsError) as caught:
        read(tmp_path)
    assert said in caught.value.message
    assert caught.value.hint


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"config\.ini"):
        read(tmp_path)


def test_balances_of_the_genesis_block() -> None:
    genesis = parse_genesis(GENESIS + "[fiscotool_balances]\n0x" + "11" * 20 + "=5\n")
    assert genesis.balances == ((b"\x11" * 20, 5),)
