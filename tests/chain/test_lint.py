"""Lint: a clean chain has no findings, and each planted fault is found by its id. Reference: spec 3.x 1.1, 4.5 to 4.7; spec 2.x 4.4 to 4.7, 6."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fiscotool.chain.findings import Severity
from fiscotool.chain.ini import set_values
from fiscotool.chain.layout import HostGroup
from fiscotool.chain.lint import lint_directory
from fiscotool.chain.lint_words import WORDS
from fiscotool.chain.model import Chain
from fiscotool.chain.plan import plan_chain
from fiscotool.chain.spec import ChainSpec
from fiscotool.chain.survey import survey_directory
from fiscotool.chain.write import write_chain
from fiscotool.errors import ChainDirectoryError
from tests.chain.conftest import EVERY_INTERFACE
from tests.support.shared import shared

Plant = Callable[[Path], None]


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """A chain of each generation, and another one's certificates, that no test changes."""
    place = tmp_path_factory.mktemp("lint")
    binary = place / "binary"
    binary.write_text("#!/bin/sh\necho 'FISCO-BCOS Version : 2.9.1'\n")
    binary.chmod(0o755)
    four = (HostGroup("127.0.0.1", 4),)
    specs = {
        3: ChainSpec(four),
        2: ChainSpec(four, chain_id="1", group_id="1", version="2.9.0", engine="fisco", binary=binary),
        33: ChainSpec((HostGroup("127.0.0.1", 1),)),
        22: ChainSpec((HostGroup("127.0.0.1", 1),), chain_id="1", group_id="1", version="2.9.0", engine="fisco", binary=binary),
    }
    return {key: write_chain(plan_chain(spec), place / str(key), check_ports=False).root for key, spec in specs.items()}


@pytest.fixture
def root(request: pytest.FixtureRequest, clean: dict[int, Path], tmp_path: Path) -> Path:
    shutil.copytree(clean[request.param], tmp_path / "nodes")
    shutil.copytree(clean[int(f"{request.param}{request.param}")], tmp_path / "other")
    return tmp_path / "nodes"


def node(root: Path, k: int) -> Path:
    return root / f"127.0.0.1/node{k}"


def setting(k: int, path: str, section: str, key: str, value: str) -> Plant:
    def plant(root: Path) -> None:
        file = node(root, k) / path
        file.write_text(set_values(file.read_text(), {(section, key): value}))

    return plant


def replaced(k: int, path: str, text: str) -> Plant:
    def plant(root: Path) -> None:
        (node(root, k) / path).write_text(text)

    return plant


def foreign(k: int, *paths: str) -> Plant:
    def plant(root: Path) -> None:
        for path in paths:
            shutil.copy(node(root.parent / "other", 0) / path, node(root, k) / path)

    return plant


def copied(source: int, target: int, *paths: str) -> Plant:
    def plant(root: Path) -> None:
        for path in paths:
            shutil.copy(node(root, source) / path, node(root, target) / path)

    return plant


def all_of(*plants: Plant) -> Plant:
    def plant(root: Path) -> None:
        for each in plants:
            each(root)

    return plant


def removed(k: int, path: str) -> Plant:
    return lambda root: (node(root, k) / path).unlink()


def listed(k: int, section: str, key: str, other: int) -> Plant:
    def plant(root: Path) -> None:
        directory = node(root, other) / "conf"
        name = "ssl.nodeid" if (directory / "ssl.nodeid").exists() else "node.nodeid"
        setting(k, "config.ini", section, key, (directory / name).read_text().strip().upper())(root)

    return plant


def own_genesis(root: Path) -> None:
    file = node(root, 2) / "config.genesis"
    file.write_text(file.read_text().replace("gas_limit=3000000000", "gas_limit=3000000001"))


def outsider(root: Path) -> None:
    text = (node(root, 3) / "conf/node.nodeid").read_text().strip()
    for k in range(4):
        for file in (*node(root, k).glob("config.genesis"), *node(root, k).glob("conf/*.genesis")):
            file.write_text("".join(line for line in file.read_text().splitlines(keepends=True) if text not in line))


def in_the_future(root: Path) -> None:
    (node(root, 0) / "nohup.out").write_text("x")
    os.utime(node(root, 0) / "nohup.out", (time.time() + 7200, time.time() + 7200))


def national(root: Path) -> None:
    for k in range(4):
        setting(k, "config.genesis", "chain", "sm_crypto", "true")(root)


def swapped_keys(root: Path) -> None:
    first, second = node(root, 0) / "conf/ssl.key", node(root, 1) / "conf/ssl.key"
    one, two = first.read_bytes(), second.read_bytes()
    first.write_bytes(two)
    second.write_bytes(one)


IDENTITY_3 = ("conf/node.pem", "conf/node.nodeid")
TLS_3 = ("conf/ssl.crt", "conf/ssl.key", "conf/ssl.nodeid")
NODE_2 = ("conf/node.crt", "conf/node.key", "conf/node.nodeid")

# id of the finding, generation, nodes it must name, the fault
PLANTS: list[tuple[str, int, tuple[str, ...], Plant]] = [
    ("file-missing", 3, ("node1",), removed(1, "conf/ssl.key")),
    ("file-missing", 2, ("node1",), removed(1, "conf/node.crt")),
    ("file-damaged", 3, ("node2",), replaced(2, "config.ini", "[p2p\n")),
    ("file-damaged", 3, ("node2",), replaced(2, "nodes.json", "[]")),
    ("file-damaged", 3, ("node2",), replaced(2, "conf/ssl.crt", "no certificate")),
    ("identity-twice", 3, ("node0", "node3"), copied(0, 3, *IDENTITY_3)),
    ("identity-twice", 2, ("node0", "node3"), copied(0, 3, *NODE_2)),
    ("tls-identity-twice", 3, ("node1", "node2"), copied(1, 2, *TLS_3)),
    ("nodeid-wrong", 3, ("node3",), copied(0, 3, "conf/node.pem")),
    ("nodeid-wrong", 3, ("node3",), copied(0, 3, "conf/ssl.nodeid")),
    ("nodeid-wrong", 2, ("node3",), copied(0, 3, "conf/node.nodeid")),
    ("port-collision", 3, ("node0", "node1"), setting(1, "config.ini", "rpc", "listen_port", "20200")),
    ("port-collision", 3, ("node0", "node1"), setting(1, "config.ini", "web3_rpc", "listen_port", "8545")),
    ("port-collision", 2, ("node0", "node3"), setting(3, "config.ini", "rpc", "channel_listen_port", "8545")),
    (
        "web3-port-shared", 3, ("node0", "node1"),
        all_of(*(setting(k, "config.ini", "web3_rpc", key, value) for k in (0, 1) for key, value in (("enable", "false"), ("listen_port", "8545")))),
    ),
    ("port-refused", 3, ("node0",), setting(0, "config.ini", "p2p", "listen_port", "1024")),
    ("genesis-differs", 3, ("node2",), own_genesis),
    ("genesis-differs", 2, ("node2",), setting(2, "conf/group.1.genesis", "consensus", "max_trans_num", "7")),
    ("not-in-genesis", 3, ("node3",), outsider),
    ("not-in-genesis", 2, ("node3",), outsider),
    ("sealer-elsewhere", 3, (), lambda root: shutil.rmtree(node(root, 3))),
    ("no-fault-tolerance", 3, (), outsider),
    ("ca-differs", 3, ("node1",), foreign(1, "conf/ca.crt")),
    ("ca-differs", 2, ("node1",), foreign(1, "conf/ca.crt")),
    ("certificate-foreign", 3, ("node1",), foreign(1, *TLS_3)),
    ("certificate-foreign", 2, ("node1",), foreign(1, *NODE_2)),
    ("certificate-foreign", 2, ("node1",), foreign(1, "conf/channel_cert/node.crt", "conf/channel_cert/node.key")),
    ("certificate-foreign", 3, ("127.0.0.1/sdk",), foreign(0, "../sdk/sdk.crt", "../sdk/sdk.key")),
    ("certificate-key", 3, ("node0", "node1"), swapped_keys),
    ("certificate-key", 2, ("node0",), copied(1, 0, "conf/channel_cert/node.key")),
    ("key-readable", 3, ("node1",), lambda root: (node(root, 1) / "conf/node.pem").chmod(0o644)),
    ("setting-ignored", 3, ("node0",), setting(0, "config.genesis", "consensus", "consensus_timeout", "1000")),
    ("setting-ignored", 3, ("node0",), setting(0, "config.ini", "txpool", "limit", "100")),
    ("setting-ignored", 2, ("node0",), setting(0, "conf/group.1.ini", "consensus", "block_size_increase_ratio", "2")),
    ("setting-unknown", 3, ("node0",), setting(0, "config.ini", "consensus", "min_seal_tme", "100")),
    ("setting-unknown", 2, ("node0",), setting(0, "conf/group.1.genesis", "consensus", "max_trans_nmu", "100")),
    ("setting-refused", 3, ("node0",), setting(0, "config.ini", "consensus", "min_seal_time", "0")),
    ("setting-refused", 3, ("node0",), setting(0, "config.ini", "consensus", "checkpoint_timeout", "soon")),
    ("setting-refused", 3, ("node0",), setting(0, "config.genesis", "executor", "auth_admin_account", "")),
    ("setting-differs", 2, ("node1",), setting(1, "config.ini", "compatibility", "supported_version", "2.8.0")),
    ("setting-refused", 2, ("node1",), setting(1, "conf/group.1.ini", "sync", "gossip_interval_ms", "10")),
    ("seal-time-long", 3, ("node3",), setting(3, "config.ini", "consensus", "min_seal_time", "60000")),
    ("rpc-tls-mixed", 3, ("node2",), setting(2, "config.ini", "rpc", "enable_ssl", "true")),
    ("rpc-open", 3, ("node2",), setting(2, "config.ini", "rpc", "listen_ip", EVERY_INTERFACE)),
    ("rpc-open", 2, ("node2",), setting(2, "config.ini", "rpc", "jsonrpc_listen_ip", EVERY_INTERFACE)),
    ("p2p-unverified", 3, ("node1",), setting(1, "config.ini", "p2p", "enable_ssl_verify", "false")),
    (
        "peer-unlisted", 3, ("node3",),
        all_of(
            replaced(3, "nodes.json", '{"nodes":["127.0.0.1:30303"]}'),
            *(replaced(k, "nodes.json", '{"nodes":["127.0.0.1:30300","127.0.0.1:30301","127.0.0.1:30302"]}') for k in range(3)),
        ),
    ),
    ("peer-address", 3, ("node1",), replaced(1, "nodes.json", '{"nodes":["127.0.0.1:30300","127.0.0.1:30399"]}')),
    ("peer-address", 2, ("node1",), setting(1, "config.ini", "p2p", "node.2", "127.0.0.1:9")),
    ("blacklisted", 3, ("node1",), listed(1, "certificate_blacklist", "crl.0", 2)),
    ("blacklisted", 2, ("node1",), listed(1, "certificate_blacklist", "crl.0", 2)),
    ("not-whitelisted", 3, ("node1",), listed(1, "certificate_whitelist", "cal.0", 2)),
    ("binary-missing", 3, ("node0", "node1", "node2", "node3"), lambda root: (root / "127.0.0.1/fisco-bcos").unlink()),
    ("clock-behind", 3, ("node0",), in_the_future),
    ("national-cryptography", 3, ("node0", "node1", "node2", "node3"), national),
]  # fmt: skip
DATED = {"certificate-expired": 100 * 366, "certificate-expires": 36500 - 40, "certificate-not-yet": -3}


@pytest.mark.parametrize("root", [2, 3], indirect=True, ids=["2.x", "3.x"])
def test_a_chain_as_it_was_made_has_no_findings(root: Path) -> None:
    assert [finding.fact() for finding in lint_directory(root)] == []


@pytest.mark.parametrize(
    ("root", "name", "nodes", "plant"),
    [
        pytest.param(generation, name, nodes, plant, id=f"{name}-{generation}.x-{k}")
        for k, (name, generation, nodes, plant) in enumerate(PLANTS)
    ],
    indirect=["root"],
)
def test_a_planted_fault_is_found(root: Path, name: str, nodes: tuple[str, ...], plant: Plant) -> None:
    plant(root)
    findings = [finding for finding in lint_directory(root) if finding.id == name]
    assert findings, [finding.id for finding in lint_directory(root)]
    named = {each for finding in findings for each in finding.nodes}
    assert set(nodes) <= named or named == set(nodes)
    assert named <= set(nodes) or name == "not-whitelisted"


@pytest.mark.parametrize("root", [2, 3], indirect=True, ids=["2.x", "3.x"])
@pytest.mark.parametrize("name", DATED)
def test_certificates_out_of_their_time(root: Path, name: str) -> None:
    later = datetime.now(UTC) + timedelta(days=DATED[name])
    findings = [finding for finding in lint_directory(root, now=later) if finding.id == name]
    assert {"node0", "node3", "127.0.0.1/sdk"} <= {each for finding in findings for each in finding.nodes}
    assert all(re.search(r"\d{4}-\d\d-\d\d", finding.fact()) for finding in findings)


def test_every_id_has_a_planted_fault() -> None:
    assert {name for name, *_ in PLANTS} | set(DATED) == set(WORDS)


@pytest.mark.parametrize("name", sorted(WORDS))
def test_both_languages_say_the_same_with_the_same_evidence(name: str) -> None:
    words = WORDS[name]
    fact, remedy, fact_zh, remedy_zh = words.placeholders()
    assert fact == fact_zh
    assert remedy == remedy_zh
    assert not re.search(r"[\u4e00-\u9fff]", words.fact_en + words.remedy_en)
    assert re.search(r"[\u4e00-\u9fff]", words.fact_zh)
    assert re.search(r"[\u4e00-\u9fff]|\{\w+\}", words.remedy_zh)


def test_findings_come_worst_first_and_as_data(clean: dict[int, Path], tmp_path: Path) -> None:
    root = tmp_path / "nodes"
    shutil.copytree(clean[3], root)
    for plant in (setting(0, "config.ini", "txpool", "limit", "100"), outsider, removed(1, "conf/ca.crt")):
        plant(root)
    findings = lint_directory(root)
    severities = [finding.severity for finding in findings]
    assert severities == sorted(severities, reverse=True)
    assert set(severities) == set(Severity)
    first = findings[0].as_data("zh")
    assert (first["id"], first["severity"], first["nodes"]) == ("file-missing", "error", ["node1"])
    assert str(first["fact"]).startswith("node1：缺少文件")


def test_the_recorded_directories_have_no_errors_but_what_was_left_out(tmp_path: Path) -> None:
    """Of the recorded directories keys, scripts and some files were left out; nothing else may look wrong."""
    for generation, source in ((3, "recordings/v3/deploy/generated"), (2, "recordings/v2/deploy/generated/127.0.0.1")):
        place = tmp_path / str(generation) / "127.0.0.1"
        place.mkdir(parents=True)
        for k in range(4):
            shutil.copytree(shared(f"{source}/node{k}"), place / f"node{k}")
        findings = lint_directory(tmp_path / str(generation))
        # node1 … node3 of 2.x were recorded without conf/, so they look like 3.x nodes without a genesis: only their files are asked about.
        assert {finding.id for finding in findings if generation == 3} <= {
            "file-missing",
            "binary-missing",
            "key-readable",
            "web3-port-shared",
        }
        damage = survey_directory(tmp_path / str(generation)).nodes[0].damage
        assert set(damage) <= {"conf/node.pem", "conf/ssl.key", "conf/node.key", "conf/channel_cert/node.key"}


def test_no_directory_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ChainDirectoryError, match="there is no chain in"):
        lint_directory(tmp_path / "nowhere")
    with pytest.raises(ChainDirectoryError, match="no <host>/node<k> directory"):
        lint_directory(tmp_path)


def test_the_given_chain_is_linted_by_its_own_rules(pristine: Chain) -> None:
    assert [finding.id for finding in lint_directory(pristine.root)] == []
