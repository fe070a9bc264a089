"""Chains that this tool did not make: a directory without its manifest, and nodes known by their RPC addresses alone."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.user import User, chain_of
from tests.support.ports import free_ports

pytestmark = [pytest.mark.devnet]


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory, engine: tuple[str, ...]) -> Iterator[User]:
    with chain_of(tmp_path_factory.mktemp("attached"), *engine) as found:
        yield found


@pytest.fixture
def addresses(user: User) -> list[str]:
    first = int(user.ports.split(",")[1])
    return [f"127.0.0.1:{first + k}" for k in range(4)]


def test_what_only_asks_works_by_addresses(user: User, addresses: list[str], tmp_path: Path) -> None:
    user.run("send")
    stranger = User(tmp_path, ports=user.ports)
    rpc = ("--rpc", ",".join(addresses))
    rows = stranger.run("status", *rpc, "--json").json
    assert [row["node"] for row in rows] == addresses
    assert {row["state"] for row in rows} == {"answers"}
    assert len({row["leader"] for row in rows} & set(addresses)) == 1
    assert "4 of 4 nodes take part" in stranger.run("status", "--rpc", addresses[0], *rpc).err
    assert "1 of 4 nodes take part, 3 are needed; 3 are not among these addresses" in stranger.run("status", "--rpc", addresses[0]).err
    assert stranger.run("query", "height", *rpc).out == stranger.run("query", "height", "--node", addresses[2], *rpc).out
    assert stranger.run("query", "consensus", *rpc, "--json").json["node_count"] == 4
    assert stranger.run("rpc", "getBlockNumber", "group0", "", *rpc).json >= 1
    assert addresses[3] in stranger.run("watch", "--for", 0.1, *rpc).out
    stranger.run("observe", "--out", "seen.jsonl", "--for", "2s", *rpc)
    assert stranger.run("check", "seen.jsonl").out.startswith("✔ holds\n")
    first = json.loads((tmp_path / "seen.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert [node["name"] for node in first["nodes"]] == addresses
    assert len({node["node_id"] for node in first["nodes"]}) == 4
    stranger.environ["FISCOTOOL_RPC"] = ",".join(addresses)
    assert stranger.run("query", "view").out.strip().isdigit()


@pytest.mark.parametrize(
    "words", ["start --all", "stop --all", "kill node0", "pause node0", "logs", "send", "drill run kill-leader", "destroy --yes"]
)
def test_what_controls_is_refused_by_addresses(user: User, addresses: list[str], words: str) -> None:
    done = user.run(*words.split(), "--rpc", addresses[0], code=2)
    assert "needs the chain's directory: by addresses alone nodes can be asked, not controlled" in done.err
    assert set(user.states().values()) == {"running"}


def test_bad_addresses(user: User, addresses: list[str]) -> None:
    (silent,) = free_ports(1)
    assert "cannot be reached" in user.run("status", "--rpc", f"127.0.0.1:{silent}", code=4).err
    assert "is not the address of a node" in user.run("status", "--rpc", "somewhere", code=2).err
    assert "exclude each other" in user.run("status", "--rpc", addresses[0], "--dir", "nodes", code=2).err
    web3 = int(user.ports.split(",")[2])
    assert "the Ethereum RPC of a 3.x node" in user.run("status", "--rpc", f"127.0.0.1:{web3}", code=2).err
    with socket.create_server(("127.0.0.1", silent)):  # Accepts and never answers.
        rows = user.run("status", "--rpc", f"{addresses[0]},127.0.0.1:{silent}", "--json", within_s=30).json
        assert [row["state"] for row in rows] == ["answers", "silent"]


def test_nodes_of_two_chains_are_refused(user: User, addresses: list[str], tmp_path: Path) -> None:
    with chain_of(tmp_path, whole=False) as other:
        theirs = f"127.0.0.1:{other.ports.split(',')[1]}"
        done = user.run("status", "--rpc", f"{addresses[0]},{theirs}", code=3)
        assert "these are nodes of two chains" in done.err


def test_a_directory_of_build_chain_can_be_controlled_but_not_destroyed(tmp_path: Path) -> None:
    """What build_chain.sh makes has no manifest: everything works on it but removing it."""
    user = User(tmp_path)
    user.run("deploy", "-l", "127.0.0.1:4", "-o", "made")
    shutil.copytree(tmp_path / "made", tmp_path / "adopted" / "chain", ignore=shutil.ignore_patterns(".fiscotool.json"))
    user.environ["FISCOTOOL_DIR"] = "adopted/chain"
    try:
        user.run("start", "--all")
        assert set(user.states().values()) == {"running"}
        assert user.run("query", "version", "--json").json[0]["chain_id"] == "chain0"
        assert len(user.run("logs", "-n", 1, "node2").out.splitlines()) == 1
        user.run("kill", "node3")
        user.run("pause", "node2")
        user.run("resume", "node2")
        user.run("restart", "node1")
        states = user.states()
        assert (states.pop("node3"), set(states.values())) == ("stopped", {"running"})
        refused = user.run("destroy", "--yes", code=3)
        assert "was not made by fiscotool" in refused.err
    finally:
        user.run("stop", "--all")
    assert (tmp_path / "adopted" / "chain" / "127.0.0.1" / "node0" / "config.ini").is_file()
