"""What `deploy` decides before it writes anything: versions, makers, hosts from a file; and both official scripts, where they are here.

Reference: spec 2.x 4.1, 4.2; spec 3.x 4.1; recordings/v2/deploy.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fiscotool.chain.deploy import Deployment, deploy_chain, prepare
from fiscotool.chain.expand import expand_chain, plan_expansion
from fiscotool.chain.layout import parse_ipconf
from fiscotool.chain.lint import lint_directory
from fiscotool.chain.write import write_chain
from fiscotool.errors import EnvironmentFailure, UsageError
from tests.chain.test_certs import openssl
from tests.chain.test_write import read_ini
from tests.support.ports import free_ports
from tests.support.shared import ROOT

SCRIPTS = {2: "FISCOTOOL_BUILD_CHAIN_2", 3: "FISCOTOOL_BUILD_CHAIN"}


@pytest.fixture
def binaries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[int, Path]:
    """Stubs that print the version line of each generation; no cache; no network for the wrapper."""
    monkeypatch.setenv("FISCOTOOL_CACHE", str(tmp_path / "cache"))
    for name in SCRIPTS.values():
        monkeypatch.setenv(f"{name}_URL", "http://127.0.0.1:1/build_chain.sh")
    made = {}
    for generation, line in ((2, "FISCO-BCOS Version : 2.9.1"), (3, "FISCO BCOS Version : 3.15.2")):
        path = tmp_path / f"stub{generation}"
        path.write_text(f"#!/bin/sh\necho '{line}'\n")
        path.chmod(0o755)
        made[generation] = path
    return made


def prepared(tmp_path: Path, **options: Any) -> Deployment:
    return prepare(into=tmp_path / "nodes", **{"layout": "127.0.0.1:4", "maker": "native", **options})


@pytest.mark.parametrize(
    ("generation", "version", "expected"),
    [
        pytest.param(2, None, "2.9.1", id="the binary's own"),
        pytest.param(2, "2.x", "2.9.1", id="any of 2.x"),
        pytest.param(2, "v2.9.0", "2.9.0", id="an older one of 2.x"),
        pytest.param(3, None, "3.15.2", id="not newer than the binary"),
        pytest.param(3, "3.x", "3.15.2", id="any of 3.x"),
        pytest.param(3, "3.14.0", "3.14.0", id="an older one of 3.x"),
    ],
)
def test_the_version_suits_the_binary(
    tmp_path: Path, binaries: dict[int, Path], generation: int, version: str | None, expected: str
) -> None:
    spec = prepared(tmp_path, binary=binaries[generation], version=version).plan.spec
    assert (spec.version, spec.generation) == (expected, generation)
    assert (spec.chain_id, spec.group_id) == (("1", "1") if generation == 2 else ("chain0", "group0"))
    assert not (tmp_path / "nodes").exists()


@pytest.mark.parametrize(
    ("options", "fact"),
    [
        pytest.param({"binary": 3, "version": "3.16.0"}, "is newer than", id="newer than the binary"),
        pytest.param({"binary": 3, "version": "2.9.0"}, "is version 3.15.2", id="another generation"),
        pytest.param({"protocol": "classic", "version": "2.9.0"}, "do not go together", id="classic on 2.x"),
        pytest.param({"protocol": "fisco2", "version": "3.16.0"}, "do not go together", id="fisco2 on 3.x"),
        pytest.param({"protocol": "fisco2", "funds": ("0x" + "aa" * 20 + "=1",)}, "--fund is for FISCO BCOS 3", id="2.x has no balances"),
        pytest.param({"binary": 2, "chain_id": "chain0"}, "it is a number from 1", id="a chain id of 3.x"),
        pytest.param({"binary": 2, "rpc_tls": True}, "--rpc-tls is for FISCO BCOS 3", id="TLS of the RPC"),
        pytest.param({"binary": 2, "leader_period_blocks": 2}, "--leader-period is for FISCO BCOS 3", id="a leader period"),
        pytest.param({"binary": 2, "ports": "30300,20200,20200"}, "the channel ports", id="ports by their names"),
        pytest.param({"layout": None}, "say which hosts", id="no hosts"),
        pytest.param({"engine": "embedded", "sm_crypto": True}, "needs build_chain.sh", id="embedded national cryptography"),
        pytest.param({"binary": 3, "sm_crypto": True}, "leave --maker native out", id="native national cryptography"),
        pytest.param({"binary": 3, "flags": ("-o", "x"), "maker": "auto"}, "behind -- would contradict", id="an option of deploy's own"),
        pytest.param({"binary": 3, "flags": ("-E",)}, "passing on -E is done by build_chain.sh only", id="flags for nobody"),
        pytest.param({"binary": 2, "ipconf": Path("/nowhere"), "layout": None}, "cannot be read", id="no such file"),
    ],
)
def test_what_is_refused(tmp_path: Path, binaries: dict[int, Path], options: dict[str, Any], fact: str) -> None:
    if "binary" in options:
        options = {**options, "binary": binaries[options["binary"]]}
    with pytest.raises(UsageError) as caught:
        prepared(tmp_path, **options)
    assert fact in caught.value.message + caught.value.hint
    assert caught.value.hint


@pytest.mark.parametrize("generation", [2, 3])
def test_national_cryptography_is_refused_clearly_where_its_tools_are_missing(
    tmp_path: Path, binaries: dict[int, Path], generation: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv(SCRIPTS[generation], raising=False)
    with pytest.raises(EnvironmentFailure, match=r"national cryptography \(-s\) needs the official build_chain.sh"):
        prepared(tmp_path, binary=binaries[generation], sm_crypto=True, maker="auto")
    script = tmp_path / "script"
    script.write_text("exit 1\n")
    monkeypatch.setenv(SCRIPTS[generation], str(script))
    monkeypatch.setenv(f"{SCRIPTS[generation]}_SHA256", hashlib.sha256(script.read_bytes()).hexdigest())
    with pytest.raises(EnvironmentFailure, match=r"national cryptography needs .*tassl") as caught:
        prepared(tmp_path, binary=binaries[generation], sm_crypto=True, maker="auto")
    assert "TASSL" in caught.value.hint


IPCONF = """\
# two agencies on one host, which build_chain.sh allows, and another host
127.0.0.1:2 agencyA 1,2 30300,20200,8545

127.0.0.1:2 agencyB 1 40300,40200,40545
10.0.0.2:1 agencyB 1
"""


def test_a_file_of_hosts_gives_agencies_groups_and_ports(tmp_path: Path, binaries: dict[int, Path]) -> None:
    """The example of spec 2.x 4.2, observed with the official script."""
    path = tmp_path / "ipconf"
    path.write_text(IPCONF)
    deployment = prepared(tmp_path, layout=None, ipconf=path, binary=binaries[2])
    nodes = deployment.plan.nodes
    assert [node.place for node in nodes] == [*(f"127.0.0.1/node{k}" for k in range(4)), "10.0.0.2/node0"]
    assert [node.p2p_port for node in nodes] == [30300, 30301, 40300, 40301, 30300]
    assert [node.groups for node in nodes] == [(1, 2), (1, 2), (1,), (1,), (1,)]
    chain = write_chain(deployment.plan, deployment.into, check_ports=False)
    assert chain.group_ids == ("1", "2")
    home = chain.root / "127.0.0.1"
    assert (home / "node0/conf/group.1.genesis").read_bytes() == (chain.root / "10.0.0.2/node0/conf/group.1.genesis").read_bytes()
    assert len([key for key in read_ini(home / "node0/conf/group.2.genesis")["consensus"] if key.startswith("node.")]) == 2
    assert not (home / "node2/conf/group.2.genesis").exists()
    assert len([key for key in read_ini(home / "node3/config.ini")["p2p"] if key.startswith("node.")]) == 5
    for node, agency in (("node0", "agencyA"), ("node2", "agencyB")):
        issuer = chain.root / f"cert/{agency}/agency.crt"
        told = openssl("verify", "-x509_strict", "-CAfile", chain.root / "cert/ca.crt", "-untrusted", issuer, home / node / "conf/node.crt")
        assert told.endswith(": OK\n")
    assert {finding.id for finding in lint_directory(chain.root)} <= {"no-fault-tolerance"}


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("", "names no host"),
        ("127.0.0.1:2 a b c d\n", "line 1 has 5 fields"),
        ("127.0.0.1:2 a 1\n127.0.0.1 a 1\n", "line 2: "),
        ("127.0.0.1:2 a 0\n", "the groups '0'"),
        ("127.0.0.1:2 a/b 1\n", "the agency 'a/b'"),
        ("127.0.0.1:2 a 1 30300\n", "line 1: -p '30300'"),
    ],
)
def test_files_of_hosts_that_are_wrong(text: str, fact: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_ipconf(text, "ipconf")
    assert fact in caught.value.message
    assert "for example" in caught.value.hint


def test_lines_that_run_into_each_other(tmp_path: Path, binaries: dict[int, Path]) -> None:
    path = tmp_path / "ipconf"
    path.write_text("127.0.0.1:2 a 1 30300,20200,8545\n127.0.0.1:1 b 1 30301,20300,9545\n")
    with pytest.raises(UsageError, match=r"127.0.0.1/node2: p2p port 30301 is 127.0.0.1/node1's p2p port, too"):
        prepared(tmp_path, layout=None, ipconf=path, binary=binaries[2])


def official(generation: int) -> str:
    """Path of the official script of a generation; the test is skipped where it is not at hand."""
    path = os.environ.get(SCRIPTS[generation])
    if path is None:
        pytest.skip(f"the official build_chain.sh of {generation}.x is not here (set {SCRIPTS[generation]})")
    return path


@pytest.mark.parametrize("generation", [2, 3], ids=["2.x", "3.x"])
def test_the_official_script_makes_what_we_make(tmp_path: Path, binaries: dict[int, Path], generation: int) -> None:
    """Both makers, the same options: the same configuration, and nodes of both accept each other's certificates where they share a CA."""
    script = official(generation)
    first = free_ports(12)[0]
    ports = f"{first},{first + 4},{first + 8}"
    chains = {}
    for maker in ("official", "native"):
        into = tmp_path / maker / "nodes"
        chains[maker], why = deploy_chain(layout="127.0.0.1:4", into=into, ports=ports, binary=binaries[generation], maker=maker)
        assert (f"files made by {script}" in why) is (maker == "official")
        assert [finding.id for finding in lint_directory(into) if finding.severity.name == "ERROR"] == []
    assert chains["official"].nodes[2].ports == chains["native"].nodes[2].ports
    names = {2: ("config.ini", "conf/group.1.genesis", "conf/group.1.ini"), 3: ("config.ini", "config.genesis")}
    for name in names[generation]:
        told = [read_ini(chains[maker].nodes[1].directory / name) for maker in ("native", "official")]
        for ini in told:
            ini.get("log", {}).pop("enable_console_output", None)  # Written by newer scripts; the node's default is the same.
            for section, settings in ini.items():
                for key in [
                    key for key in settings if key in {"auth_admin_account", "timestamp"} or (section, key[:5]) == ("consensus", "node.")
                ]:
                    settings[key] = "a value of this chain"
        assert told[0] == told[1], name
    # A node of ours in the official chain: its certificates are of the official authority.
    node = expand_chain(plan_expansion(chains["official"].root, "127.0.0.1:1", check_ports=False)).nodes[4]
    if generation == 2:
        place, leaf = chains["official"].root / "cert", node.directory / "conf/node.crt"
        told_by = openssl("verify", "-CAfile", place / "ca.crt", "-untrusted", place / "agency/agency.crt", leaf)
    else:
        told_by = openssl("verify", "-CAfile", chains["official"].root / "ca/ca.crt", node.directory / "conf/ssl.crt")
    assert told_by.endswith(": OK\n")


@pytest.mark.parametrize("generation", [2, 3], ids=["2.x", "3.x"])
def test_flags_reach_the_official_script(tmp_path: Path, binaries: dict[int, Path], generation: int) -> None:
    official(generation)
    flag = {2: "-T", 3: "-E"}[generation]
    ports = ",".join(map(str, free_ports(3)))
    chain, _ = deploy_chain(layout="127.0.0.1:1", into=tmp_path / "nodes", ports=ports, binary=binaries[generation], flags=(flag,))
    assert read_ini(chain.nodes[0].directory / "config.ini")["log"]["level"] == "debug"


def test_the_wrapper_of_2x_gets_along_with_absolute_paths_and_refuses_blanks(tmp_path: Path, binaries: dict[int, Path]) -> None:
    wrapper = ROOT / "scripts/build_chain_wrapper.sh"
    stand_in = tmp_path / "script"
    stand_in.write_text(
        'while getopts "o:v:" o; do [ $o = o ] && out=$(pwd)/$OPTARG; done; mkdir -p $out/h/node0; echo x >$out/h/node0/config.ini\n'
    )
    environ = {
        **os.environ,
        "FISCOTOOL_BUILD_CHAIN_2": str(stand_in),
        "FISCOTOOL_BUILD_CHAIN_2_SHA256": hashlib.sha256(stand_in.read_bytes()).hexdigest(),
    }
    (tmp_path / "work").mkdir()

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["bash", wrapper, *words], cwd=tmp_path / "work", env=environ, capture_output=True, text=True, check=False)

    done = run("-v", "2.9.1", "-o", str(tmp_path / "elsewhere/nodes"))
    assert (done.returncode, done.stdout.strip()) == (0, str(tmp_path / "elsewhere/nodes")), done.stderr
    done = run("-v", "v2.9.1", "-o", "my nodes")
    assert done.returncode == 2
    assert re.search("cannot work with blanks, and there is one in 'my nodes'", done.stderr)
